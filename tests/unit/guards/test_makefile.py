# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each target of the Makefile works first in a fresh clone, not only after another one was made there."""

from __future__ import annotations

import re

import pytest
from guards.project import ROOT

TEXT = (ROOT / "Makefile").read_text()
RULE = re.compile(r"^(?P<name>[a-z$()A-Z-]+):(?!=)(?P<needs>[^#\n]*)(?:##.*)?\n(?P<recipe>(?:\t.*\n)*)", re.MULTILINE)
NEEDS = {rule["name"]: rule["needs"].split() for rule in RULE.finditer(TEXT)}
RUN_TESTS = [rule["name"] for rule in RULE.finditer(TEXT) if "$(PYTEST)" in rule["recipe"]]


def everything_before(target: str) -> set[str]:
    return {need for one in NEEDS.get(target, []) for need in {one, *everything_before(one)}}


def test_there_are_targets_that_run_tests() -> None:
    assert {"unit", "integration", "first-hour", "molecule-own"} <= set(RUN_TESTS)


@pytest.mark.parametrize("target", RUN_TESTS)
def test_what_runs_tests_has_the_collection_where_they_import_it(target: str) -> None:
    assert "$(TREE)" in everything_before(target)
