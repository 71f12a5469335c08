# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have this host's disks as its sets declare them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..._doors.host.drive_reports import PROPERTY, TAG, parse_wipefs
from ..._doors.host.drive_takings import forget, noted
from ..._doors.host.drives import (
    DiskError,
    Tools,
    find_missing_tools,
    load_zfs,
    locked,
    read_seen,
    settle,
)
from ..._engine.own_host import HostPlan
from ..._model.errors import Problem
from ..._model.plan import Step
from .plan import DiskPlan, plan_disks
from .spec import DiskSet


class DisksWork:
    """The work of pextra_disks."""

    def __init__(self, node: str, sets: Sequence[DiskSet], tools: Tools) -> None:
        self._node, self._sets, self._tools = node, sets, tools
        self._plan = DiskPlan()
        self._first: DiskPlan | None = None

    @contextmanager
    def prepared(self) -> Iterator[None]:
        if any(one.use == "zfs" for one in self._sets):
            load_zfs(self._tools)
        with locked():
            yield
            for one in self._plan.sets:
                if not one.steps:
                    forget(one.disks.name)

    def plan(self) -> HostPlan[Step]:
        missing = find_missing_tools([one.use for one in self._sets], self._tools)
        self._plan = plan_disks(self._sets, read_seen(self._tools), self._node)
        self._first = self._first or self._plan
        return HostPlan(
            acts=self._plan.steps,
            refusals=self._plan.refusals,
            # In a check, packages that the role would have installed are not there yet.
            conditions=tuple(missing),
            warnings=self._plan.warnings,
            before=self._plan.diff["before"],
            after=self._plan.diff["after"],
        )

    def apply(self, acts: Sequence[Step]) -> None:
        """Set by set. A set that is interrupted or fails can be finished by the next run."""
        for one in self._plan.sets:
            steps = [step for step in one.steps if step in acts]
            if steps:
                with noted(one.disks.name, one.taken):
                    for step in steps:
                        _ACTS[step.act](step, self._tools)
                    settle(self._tools)

    def describe(self, *, applied: bool) -> Mapping[str, Any]:  # noqa: ARG002
        return {"sets": [one.describe() for one in (self._first or self._plan).sets]}


def _wipe(step: Step, tools: Tools) -> None:
    path = step.data["path"]
    for device in (*reversed(step.data["partitions"]), path):
        tools.act("wipefs", "--all", device)
    tools.act("blockdev", "--rereadpt", path)
    settle(tools)
    left = parse_wipefs(tools.read("wipefs", "--json", "--output", "DEVICE,TYPE", path))
    if left:
        held = ", ".join(str(content) for content in left)
        raise DiskError([Problem(f"{path} still holds {held} after it was wiped", "Look whether the disk is failing.")])


# Neither LVM nor ZFS is told to force or to say yes: what they would ask about is refused once more by them.
def _make_lvm(step: Step, tools: Tools) -> None:
    tools.act("vgcreate", "--addtag", TAG, step.data["name"], *step.data["devices"])


def _extend_lvm(step: Step, tools: Tools) -> None:
    tools.act("vgextend", step.data["name"], *step.data["devices"])


def _make_zfs(step: Step, tools: Tools) -> None:
    name = step.data["name"]
    properties = ("-o", "ashift=12", "-O", "compression=lz4", "-O", f"{PROPERTY}={name}")
    tools.act("zpool", "create", "-m", "none", *properties, name, *step.data["vdevs"])


def _extend_zfs(step: Step, tools: Tools) -> None:
    tools.act("zpool", "add", "-o", "ashift=12", step.data["name"], *step.data["vdevs"])


_ACTS: Mapping[str, Callable[[Step, Tools], None]] = {
    "wipe": _wipe,
    "make_lvm": _make_lvm,
    "extend_lvm": _extend_lvm,
    "make_zfs": _make_zfs,
    "extend_zfs": _extend_zfs,
}
