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
