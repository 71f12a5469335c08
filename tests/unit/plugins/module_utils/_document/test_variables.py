# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of variables: what roles and playbooks read, validation knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._document.variables import (
    DOCUMENT,
    HOST,
    ROLE_FAMILIES,
    ROLE_VARIABLES,
    is_known_variable,
)

ROOT = Path(__file__).resolve().parents[5]
# Two groups of the inventory, and a key of the lab guests' user data.
OTHERS = {"pextra_nodes", "pextra_coordinators", "pextra_ping"}
FILES = [path for folder in ("roles", "playbooks", "inventories") for path in (ROOT / folder).rglob("*.yml")]
FILES += (ROOT / "roles").rglob("*.j2")
PLUGINS = {
    path.stem for kind in ("modules", "action", "filter", "callback") for path in (ROOT / "plugins" / kind).glob("*.py")
}


@pytest.mark.parametrize("path", sorted(FILES), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_variable_in_use_is_known(path: Path) -> None:
    names = set(re.findall(r"(?<![\w.])pextra_[a-z_]*[a-z]\b", path.read_text(encoding="utf-8")))
    assert {name for name in names - OTHERS - PLUGINS if not is_known_variable(name)} == set()


def test_no_name_has_two_meanings() -> None:
    assert not set(DOCUMENT) & set(HOST)
    assert not {*DOCUMENT, *HOST} & set(ROLE_VARIABLES)
    families = tuple(ROLE_FAMILIES)
    assert not [name for name in (*DOCUMENT, *HOST, *ROLE_VARIABLES) if name.startswith(families)]
