# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every situation of a pool on a node, and what one round of propagation does about it."""

from __future__ import annotations

from itertools import product

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.propagation import (
    Act,
    Situation,
    plan_propagation,
    plan_rounds,
)

# (association, internal id, enabled, defined, started, source reachable): act. `pool exists` is yes in all of these.
# fmt: off
TABLE: dict[tuple[int, int, int, int, int, int], Act | None] = {
    # association, no internal identifier, enabled: reachable -> define, else fail; whatever libvirt has by chance
    (1, 0, 1, 0, 0, 0): "fail",
    (1, 0, 1, 0, 0, 1): "define",
    (1, 0, 1, 0, 1, 0): "fail",
    (1, 0, 1, 0, 1, 1): "define",
    (1, 0, 1, 1, 0, 0): "fail",
    (1, 0, 1, 1, 0, 1): "define",
    (1, 0, 1, 1, 1, 0): "fail",
    (1, 0, 1, 1, 1, 1): "define",
    # association with internal identifier, enabled: done, start, or define again in the next round; a source that
    # cannot be reached is an error, whatever libvirt takes the pool for
    (1, 1, 1, 0, 0, 0): "forget",
    (1, 1, 1, 0, 0, 1): "forget",
    (1, 1, 1, 0, 1, 0): "forget",
    (1, 1, 1, 0, 1, 1): "forget",
    (1, 1, 1, 1, 0, 0): "fail",
    (1, 1, 1, 1, 0, 1): "start",
    (1, 1, 1, 1, 1, 0): "fail",
    (1, 1, 1, 1, 1, 1): None,
    # marked for deletion: off the node if it is there, then out of the registry
    (1, 0, 0, 0, 0, 0): "dissociate",
    (1, 0, 0, 0, 0, 1): "dissociate",
    (1, 0, 0, 0, 1, 0): "dissociate",
    (1, 0, 0, 0, 1, 1): "dissociate",
    (1, 0, 0, 1, 0, 0): "remove",
    (1, 0, 0, 1, 0, 1): "remove",
    (1, 0, 0, 1, 1, 0): "remove",
    (1, 0, 0, 1, 1, 1): "remove",
    (1, 1, 0, 0, 0, 0): "dissociate",
    (1, 1, 0, 0, 0, 1): "dissociate",
    (1, 1, 0, 0, 1, 0): "dissociate",
    (1, 1, 0, 0, 1, 1): "dissociate",
    (1, 1, 0, 1, 0, 0): "remove",
    (1, 1, 0, 1, 0, 1): "remove",
    (1, 1, 0, 1, 1, 0): "remove",
    (1, 1, 0, 1, 1, 1): "remove",
}
# fmt: on
ALL = list(product((False, True), repeat=7))


def situation(values: tuple[bool, ...]) -> Situation:
    exists, association, internal, enabled, defined, started, reachable = values
    return Situation(
        pool_exists=exists,
        has_association=association,
        has_internal_id=internal,
        enabled=enabled,
        defined=defined,
        started=started,
        source_reachable=reachable,
    )


@pytest.mark.parametrize("values", ALL)
def test_each_situation(values: tuple[bool, ...]) -> None:
    exists, association, *rest = values
    expected = TABLE[tuple(int(value) for value in (association, *rest))] if exists and association else None  # type: ignore[index]
    assert plan_propagation(situation(values)) == expected


@pytest.mark.parametrize("values", ALL)
def test_rounds_end(values: tuple[bool, ...]) -> None:
    assert len(plan_rounds(situation(values))) <= 2


@pytest.mark.parametrize(
    ("values", "acts"),
    [
        ((1, 1, 0, 1, 0, 0, 1), ("define",)),
        ((1, 1, 1, 1, 0, 0, 1), ("forget", "define")),
        ((1, 1, 1, 1, 0, 0, 0), ("forget", "fail")),
        ((1, 1, 1, 1, 1, 0, 1), ("start",)),
        ((1, 1, 1, 1, 1, 0, 0), ("fail",)),
        ((1, 1, 1, 1, 1, 1, 0), ("fail",)),
        ((1, 1, 1, 1, 1, 1, 1), ()),
        ((1, 1, 1, 0, 1, 1, 1), ("remove",)),
        ((0, 1, 1, 1, 1, 1, 1), ()),
    ],
)
def test_rounds(values: tuple[int, ...], acts: tuple[Act, ...]) -> None:
    assert plan_rounds(situation(tuple(bool(value) for value in values))) == acts
