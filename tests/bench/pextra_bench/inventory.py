# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the inventory plugin with a thousand instances: ansible-inventory as a whole, what the coordinator's program
takes of it, and what Ansible takes for an inventory of none. On the lab, which must be up; it leaves it as declared.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from .node import LIBRARY, BenchNode
from .processes import BenchError, run
from .progress import step
from .project import REPOSITORY, call_module, send_library
from .site import MANY, environment

ROUNDS = 5
_NAME = "bench"
_COORDINATOR = "10.91.0.11"
_PROGRAM = "/usr/local/lib/pextra/pextra-coordinator"
_LAB = REPOSITORY / ".build" / "lab"


@dataclass(frozen=True)
class InventoryFigures:
    """Seconds, of each round: everything, by the plugin; the program on the coordinator; Ansible without hosts."""

    listed: tuple[float, ...]
    program: tuple[float, ...]
    empty: tuple[float, ...]

    @property
    def own(self) -> float:
        """What the plugin adds to Ansible."""
        return median(ours - theirs for ours, theirs in zip(self.listed, self.empty, strict=True))


def measure() -> InventoryFigures:
    node = BenchNode("", "", container="pextra-node1")
    with TemporaryDirectory(prefix="pextra-bench-") as name:
        directory = Path(name)
        try:
            send_library(node)
            with step(f"pextra_vm, to define {MANY} stopped instances more"):
                vms = [_element(number, power="stopped", autostart=False) for number in range(1, MANY + 1)]
                call_module(node, "pextra_vm", vms=vms)
            with step(f"ansible-inventory that lists them, {ROUNDS} rounds"):
                return _measure(node, directory)
        finally:
            with step(f"pextra_vm, to remove the {MANY}"):
                gone = [_element(number, state="absent") for number in range(1, MANY + 1)]
                call_module(node, "pextra_vm", vms=gone)
                node.execute("rm", "-rf", LIBRARY)


def _element(number: int, **options: object) -> dict[str, object]:
    # With a tag and an address each, as those that somebody wants to reach have them.
    nics = [{"port_group": "Production", "addresses": [f"10.77.{number // 250}.{number % 250 + 1}/16"]}]
    declared = {"memory": "32 MiB", "tags": [f"tag-{number % 10}"], "nics": nics}
    return {"name": f"{_NAME}-{number}", **({} if options.get("state") == "absent" else declared), **options}


def _measure(node: BenchNode, directory: Path) -> InventoryFigures:
    source, nothing = directory / "cloud.pextra.yml", directory / "none.yml"
    source.write_text(json.dumps({
        "plugin": "pextra.cloud.pextra",
        "coordinator": _COORDINATOR,
        "user": "root",
        "private_key_file": str(_LAB / "id_ed25519"),
        "ssh_common_args": f"-o UserKnownHostsFile={shlex.quote(str(_LAB / 'known_hosts'))} "
        "-o StrictHostKeyChecking=yes",
    }), encoding="utf-8")  # fmt: skip
    nothing.write_text("all: {}\n", encoding="utf-8")
    listed, program, empty = [], [], []
    _list(source)  # what is read from disk for the first time is not measured
    for _ in range(ROUNDS):
        seconds, text = _list(source)
        hosts = json.loads(text)["_meta"]["hostvars"]
        found = sum(name.startswith(f"{_NAME}-") for name in hosts)
        if found != MANY:
            raise BenchError(f"The inventory has {found} of {MANY} instances.")
        listed.append(seconds)
        started = time.monotonic()
        node.execute("sh", "-c", f"{_PROGRAM} inventory >/dev/null")
        program.append(time.monotonic() - started)
        empty.append(_list(nothing)[0])
    return InventoryFigures(tuple(listed), tuple(program), tuple(empty))


def _list(source: Path) -> tuple[float, str]:
    program = Path(sys.executable).with_name("ansible-inventory")
    started = time.monotonic()
    text = run(
        [program if program.exists() else "ansible-inventory", "-i", source, "--list"],
        directory=REPOSITORY,
        environment=environment(),
    )
    return time.monotonic() - started, text
