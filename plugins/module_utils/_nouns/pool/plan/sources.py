# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pools are made of, tried on a node before it is relied on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from ...._model.rows import Row
from ..spec import NETWORKED, Pool
from .adoption import find_stranger
from .state import PoolHave, seen_ours
from .targets import Target, resolve


class SourceTest(NamedTuple):
    """A pool, as it is or would be registered, whose source has to be tested for a node before planning.

    is_started: it is in use there, so it is enough that its servers answer.
    """

    pool: Row
    node: str
    is_started: bool


def find_source_tests(wants: Sequence[Pool], have: PoolHave) -> list[SourceTest]:
    """Return what has to be tested. A directory is made where it is missing, so there is nothing to test; what is on
    the node itself and in use needs no test either.
    """
    tests = []
    for want in wants:
        target = resolve(want, have)
        if not isinstance(target, Target) or want.state == "absent" or target.want.type in (None, "directory"):
            continue
        row = target.row or Row("", "pool", want.name, target.cluster.id, {})
        pool_type = target.want.type
        attributes = {"type": pool_type, "path": target.path, "source": target.source}
        for node in target.nodes:
            seen_node = have.seen.get(node.name)
            if seen_node is None:
                continue
            seen = seen_ours(row, seen_node) if target.row else None
            if seen is None and want.adopt:
                seen = find_stranger(want.name, seen_node, have)
            is_started = seen is not None and seen.active
            if pool_type in NETWORKED or not is_started:
                tests.append(SourceTest(replace(row, attributes=attributes), node.name, is_started))
    return tests
