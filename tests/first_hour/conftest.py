# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first hour of a new user, lived through once for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

from tests.first_hour.guide import ROOT

_AnsibleCollectionFinder(paths=[str(ROOT / ".build" / "unit")])._install()

from tests.first_hour.hour import Hour, live_through  # noqa: E402 - the collection imports itself


@pytest.fixture(scope="session")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hour]:
    """Every command of the guide, carried out on a new user's machine. Where one fails, nothing comes after it."""
    [tarball] = (ROOT / ".build" / "dist").glob("pextra-cloud-*.tar.gz")
    with live_through(tarball, Path(tmp_path_factory.mktemp("hour"))) as hour:
        yield hour
