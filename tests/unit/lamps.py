# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A noun for testing the runner: lamps are files in a directory, and are on or off.

Some names have a fate: `broken` cannot be switched, `stubborn` stays as it is, `far` is on a node that does not
answer, `forbidden` must not be switched, `dirty` is a programming error.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.testing import patch_module_args
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import leases
from ansible_collections.pextra.cloud.plugins.module_utils._engine.noun import Options
from ansible_collections.pextra.cloud.plugins.module_utils._fields.common import NAME, STATE, parse_spec
from ansible_collections.pextra.cloud.plugins.module_utils._fields.field import Field
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import HypervisorError, Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import Mistake
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import (
    Change,
    Plan,
    Step,
    Work,
)
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run, run_info

FIELDS = {
    "name": NAME,
    "node": Field(kind="str", default="node1", help="Its node."),
    "light": Field(kind="str", default="on", choices=("on", "off"), help="Whether it is on."),
    "code": Field(kind="str", no_log=True, help="A secret."),
    "state": STATE,
}
EXTRA = {"directory": {"type": "str", "required": True}, "delay": {"type": "float", "default": 0.0}}
FAR = Problem("it does not answer", "Check it.", "node9", "lamp far")


@dataclass(frozen=True, kw_only=True)
class Lamp:
    name: str
    node: str = "node1"
    light: str = "on"
    code: str | None = None
    state: str = "present"


class LampResource:
    noun = "lamp"
    plural = "lamps"
    table = FIELDS

    def __init__(self) -> None:
        self._directory = Path()
        self._delay = 0.0

    def parse(self, raw: Mapping[str, Any], path: str) -> tuple[Lamp | None, list[Mistake]]:
        return parse_spec(FIELDS, Lamp, raw, path)

    def read(self, cloud: Cloud, wants: Sequence[Lamp], options: Options) -> dict[str, str]:
        self._directory, self._delay = Path(options["directory"] or self._directory), options["delay"] or 0.0
        with (self._directory / "reads").open("a") as reads:
            reads.write("x")
        return {path.stem: path.read_text() for path in sorted(self._directory.glob("*.lamp"))}

    def plan(self, wants: Sequence[Lamp], have: dict[str, str], options: Options) -> Plan:
        works, refusals, failures, warnings = [], [], [], []
        for want in wants:
            now = have.get(want.name)
            if want.name == "forbidden":
                refusals.append(Problem("it must not be switched", "Leave it.", resource="lamp forbidden"))
            elif want.name == "far":
                failures.append(FAR)
            elif want.state == "absent" and now is not None:
                change = Change("light", now, None)
                loses = (f"the light of {want.name}",) if now == "on" else ()
                step = Step("break", "break", {"name": want.name})
                works.append(self._work(want, step, change, loses))
            elif want.state == "present" and now != want.light:
                step = Step("switch", f"switch {want.light}", {"name": want.name, "light": want.light})
                works.append(self._work(want, step, Change("light", now, want.light), ()))
            else:
                pending = (Change("bulb", "old", "new", "next_boot"),) if want.name == "dim" else ()
                works.append(Work(kind="lamp", name=want.name, node=want.node, pending=pending))
            if want.name == "dim":
                warnings.append("dim is dim")
        return Plan(works=tuple(works), refusals=tuple(refusals), failures=tuple(failures), warnings=tuple(warnings))

    def _work(self, want: Lamp, step: Step, change: Change, loses: tuple[str, ...]) -> Work:
        return Work(
            kind="lamp",
            name=want.name,
            id=f"lamp-{want.name}",
            node=want.node,
            steps=(step,),
            changes=(change,),
            loses=loses,
        )

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        (self._directory / "reserved").write_text(" ".join(work.name for work in plan.effective))

    def apply(self, cloud: Cloud, work: Work, step: Step) -> None:
        name = step.data["name"]
        with (self._directory / "log").open("a") as log:
            log.write(f"{time.time()} {work.node} {name} begins\n")
        time.sleep(self._delay)
        if name == "broken":
            raise HypervisorError([Problem("the bulb is broken", "Replace it.", work.node, "lamp broken")])
        if name == "dirty":
            raise KeyError(name)
        path = self._directory / f"{name}.lamp"
        if step.act == "break":
            path.unlink()
        elif name != "stubborn":
            path.write_text(step.data["light"])
        with (self._directory / "log").open("a") as log:
            log.write(f"{time.time()} {work.node} {name} ends\n")

    def describe(self, wants: Sequence[Lamp], have: dict[str, str]) -> list[dict[str, Any]]:
        names = [want.name for want in wants] if wants else list(have)
        return [{"name": name, "light": have[name]} for name in names if name in have]


def load() -> type[Any]:
    return LampResource


def load_without_library() -> type[Any]:
    raise ImportError("No module named 'bulbs'", name="bulbs")


def be_module(arguments: dict[str, Any], loader: Any = load) -> None:
    """Be the module `pextra_lamp`."""
    with patch_module_args(arguments):
        run(loader, table=FIELDS, plural="lamps", extra=EXTRA)


def be_info_module(arguments: dict[str, Any], loader: Any = load) -> None:
    """Be the module `pextra_lamp_info`."""
    with patch_module_args(arguments):
        run_info(loader, plural="lamps", extra=EXTRA)


if __name__ == "__main__":
    import json

    leases.LIFETIME_S = 2.0
    be_module(json.loads(sys.argv[1]))
