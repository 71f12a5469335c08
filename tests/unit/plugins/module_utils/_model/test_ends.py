# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ends something is told from what changes it: whoever uses that has to be waited for."""

from __future__ import annotations

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Change, Work


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ((Change("name", "local", None),), True),
        ((Change("status", "available", None),), True),
        ((Change("bridge", "svswitch1", None),), True),
        ((Change("name", None, "local"),), False),
        ((Change("description", "old", None),), False),
        ((), False),
    ],
)
def test_what_becomes_nothing_ends(changes: tuple[Change, ...], ends: bool) -> None:
    assert Work(kind="pool", name="local", changes=changes).ends is ends
