# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of a plan of vSwitches see: what there is, and what all vSwitches of the call will be. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ...._model.rows import Row, names_of
from ..state import NetworkHave


@dataclass(frozen=True)
class Target:
    """A vSwitch as it will be. nodes are names. adopts: bridges of its name that are nobody's become it."""

    row: Row
    nodes: tuple[str, ...]
    uplinks: frozenset[str]
    adopts: bool = False


@dataclass(frozen=True)
class Context:
    """targets: by identifier. gone: the identifiers of those that this call removes."""

    have: NetworkHave
    targets: Mapping[str, Target]
    gone: frozenset[str]

    @cached_property
    def shared(self) -> frozenset[tuple[str, ...]]:
        """What would be an uplink of several vSwitches on a node: (uplink, names of the vSwitches)."""
        users: dict[tuple[str, str], list[str]] = defaultdict(list)
        for row in self.have.vswitches:
            if row.id not in self.targets and row.id not in self.gone:
                for node in names_of(row.attributes["nodes"], self.have.nodes):
                    for uplink in row.attributes["uplinks"]:
                        users[node, uplink].append(row.name)
        for target in self.targets.values():
            for node in target.nodes:
                for uplink in sorted(target.uplinks):
                    users[node, uplink].append(target.row.name)
        return frozenset((uplink, *names) for (_, uplink), names in users.items() if len(names) > 1)
