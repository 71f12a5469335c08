# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures a hundred new instances from one declaration against raw libvirt-python, and site.yml that finds them so.

They boot a sector that switches the timer off and halts: a hundred guests with a system would be what is measured, and
so would a firmware that finds nothing, which counts 18 ticks a second. On the lab, which must be up; it leaves it as
declared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from .node import LIBRARY, BenchNode
from .processes import BenchError, run
from .progress import step
from .project import call_module, send_library
from .site import converge, declared, measure_empty, measure_run

COUNT, FEW = 100, 10
ROUNDS = 3
# How often site.yml is run in each of them.
RUNS = 3
_IMAGE = "bench-idle"
# cli; mov al, 30h; out 43h, al; xor al, al; out 40h, al; out 40h, al; hlt; jmp to hlt: the timer counts down once, and
# nothing wakes the processor any more.
_IDLE = bytes.fromhex("fa b030 e643 30c0 e640 e640 f4 ebfd").ljust(510, b"\0") + b"\x55\xaa"
_NAME = "bench"
_KEPT = f"{LIBRARY}/raw-instances.json"
_URIS = ("qemu:///system", "qemu+tls://10.91.0.12/system", "qemu+tls://10.91.0.13/system")


@dataclass(frozen=True)
class HundredFigures:
    """Seconds: of each round new ones by the module, and by raw libvirt-python; of each run site.yml that finds ten, a
    hundred; of each round tasks that do nothing beside those, since even an idle guest takes of the processors.
    """

    module: tuple[float, ...]
    raw: tuple[float, ...]
    few: tuple[float, ...]
    many: tuple[float, ...]
    few_empty: tuple[float, ...]
    many_empty: tuple[float, ...]

    @property
    def ratio(self) -> float:
        return median(ours / theirs for ours, theirs in zip(self.module, self.raw, strict=True))

    @property
    def converged_ratio(self) -> float:
        return median(self.many) / median(self.few)

    @property
    def ratio_beside_empty(self) -> float:
        """The same, each held against the tasks that do nothing."""
        return (median(self.many) / median(self.many_empty)) / (median(self.few) / median(self.few_empty))


def measure() -> HundredFigures:
    node = BenchNode("", "", container="pextra-node1")
    with TemporaryDirectory(prefix="pextra-bench-") as name:
        directory = Path(name)
        file = directory / f"{_IMAGE}.raw"
        file.write_bytes(_IDLE.ljust(1024 * 1024, b"\0"))
        image = {"name": _IMAGE, "source": str(file), "format": "raw", "pools": ["local"]}
        # The lab's nodes have two threads each.
        clusters = [{**cluster, "vcpus_per_thread": 100} for cluster in declared("pextra_clusters")]
        further = {"pextra_clusters": clusters, "pextra_images": [*declared("pextra_images"), image]}
        try:
            send_library(node)
            with step("site.yml, so that the lab is converged, with the image of an idle guest"):
                measure_run(directory, declared("pextra_instances"), **further)
            module, raw = _measure_new(node)
            converged = _measure_converged(directory, further)
        finally:
            _remove(node)
            call_module(node, "pextra_image", images=[{"name": _IMAGE, "state": "absent"}])
            node.execute("rm", "-rf", LIBRARY)
            converge()
    return HundredFigures(module, raw, *converged)


def _element(**options: Any) -> dict[str, Any]:
    """Return an instance of whom nothing is said but what every one must."""
    return {
        "memory": "32 MiB",
        "image": _IMAGE,
        "root": {"pool": "local"},
        "nics": [{"port_group": "Production"}],
        **options,
    }


def _measure_new(node: BenchNode) -> tuple[tuple[float, ...], tuple[float, ...]]:
    vms = [_element(name=f"{_NAME}-{number}") for number in range(1, COUNT + 1)]
    module, raw = [], []
    with step(f"{COUNT} new instances: the module itself and raw libvirt-python, {ROUNDS} rounds"):
        for _ in range(ROUNDS):
            module.append(call_module(node, "pextra_vm", vms=vms))
            _require_running(COUNT)
            node.execute("python3", f"{LIBRARY}/raw_instances.py", "keep", _KEPT, f"{_NAME}-", *_URIS)
            _remove(node)
            _require_running(0)
            made = json.loads(node.execute("python3", f"{LIBRARY}/raw_instances.py", "make", _KEPT))
            _require_running(COUNT)
            node.execute("python3", f"{LIBRARY}/raw_instances.py", "clear", _KEPT)
            raw.append(float(made["seconds"]))
    return tuple(module), tuple(raw)


def _measure_converged(directory: Path, further: Mapping[str, Any]) -> tuple[tuple[float, ...], ...]:
    """Return the seconds of few, of many, and of the empty tasks beside each. They take turns: a machine that is slower
    for some minutes is so for both.
    """
    own = declared("pextra_instances")
    found: dict[int, list[float]] = {FEW: [], COUNT: []}
    empty: dict[int, list[float]] = {FEW: [], COUNT: []}
    node = BenchNode("", "", container="pextra-node1")
    with step(f"site.yml that finds {FEW} instances more, and {COUNT}, as they are, {ROUNDS} rounds"):
        for _ in range(ROUNDS):
            for count, seconds in found.items():
                instances = [*own, _element(name=_NAME, count=count)]
                _remove(node, beyond=count)
                measure_run(directory, instances, **further)
                _require_running(count)
                for _ in range(RUNS):
                    measured = measure_run(directory, instances, **further)
                    if measured.changed:
                        raise BenchError(f"site.yml changed {', '.join(measured.changed)}, where nothing was to do.")
                    seconds.append(measured.seconds)
                empty[count].append(measure_empty(directory))
    return tuple(found[FEW]), tuple(found[COUNT]), tuple(empty[FEW]), tuple(empty[COUNT])


def _remove(node: BenchNode, *, beyond: int = 0) -> None:
    gone = [{"name": f"{_NAME}-{number}", "state": "absent"} for number in range(beyond + 1, COUNT + 1)]
    if not gone:
        return
    call_module(node, "pextra_vm", vms=gone, force_stop=True, stop_timeout_s=1, remove_volumes=True, confirm="DESTROY")


def _require_running(count: int) -> None:
    found = 0
    for name in ("node1", "node2", "node3"):
        listed = run(["podman", "exec", f"pextra-{name}", "virsh", "list", "--name"]).split()
        found += sum(name.startswith(f"{_NAME}-") for name in listed)
    if found != count:
        raise BenchError(f"{found} instances are running where {count} should be.")
