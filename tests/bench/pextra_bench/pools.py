"""Measures storage on the lab's three nodes: pools against raw libvirt-python, the import of a volume against qemu-img.

In one run, and it leaves the lab as it was.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, replace
from typing import Any

from .node import LIBRARY, BenchNode
from .processes import BenchError
from .progress import step
from .project import parameters, send_library

COUNT = 10
ROUNDS = 5
IMPORT_MIB = 1024
IMPORT_ROUNDS = 2
_NODES = ("node1", "node2", "node3")
_DIRECTORY = "/srv/bench"


@dataclass(frozen=True)
class PoolFigures:
    """Seconds, the best of the rounds. raw_new is that of the slowest node."""

    unchanged: float
    raw_read: float
    new: float
    raw_new: float
    imported: float
    converted: float


def measure() -> PoolFigures:
    """Measure on the lab, which must be up and converged."""
    node = BenchNode("", "", container="pextra-node1")
    declared = [{"name": f"bench-{number}", "path": f"{_DIRECTORY}/{number}"} for number in range(COUNT)]
    send_library(node)
    node.send({
        "pools.json": parameters("pextra_pool", pools=declared),
        "no-pools.json": parameters("pextra_pool", pools=[{**pool, "state": "absent"} for pool in declared]),
        "raw-pools.json": json.dumps(_raw(node)).encode(),
    })  # fmt: skip
    found: list[tuple[float, float, float, float]] = []
    try:
        _module(node, "no-pools.json", None)
        with step(f"{COUNT} pools on {len(_NODES)} nodes: raw libvirt-python and the module itself, {ROUNDS} rounds"):
            for _ in range(ROUNDS):
                raw_new = max(float(one["seconds"]) for one in _run_raw(node, "define")["nodes"])
                _run_raw(node, "clear")
                new = _module(node, "pools.json", True)
                raw_read = float(_run_raw(node, "read")["seconds"])
                unchanged = _module(node, "pools.json", False)
                _module(node, "no-pools.json", True)
                found.append((unchanged, raw_read, new, raw_new))
        imported, converted = _measure_import(node)
    finally:
        _module(node, "no-pools.json", None)
        node.execute("rm", "-rf", LIBRARY)
        for name in _NODES:
            replace(node, container=f"pextra-{name}").execute("rm", "-rf", _DIRECTORY)
    unchanged, raw_read, new, raw_new = (min(figures) for figures in zip(*found, strict=True))
    return PoolFigures(unchanged, raw_read, new, raw_new, imported, converted)


def _measure_import(node: BenchNode) -> tuple[float, float]:
    """Return the best seconds of pextra_volume and of qemu-img, for the same file into the same directory."""
    source, target = f"{LIBRARY}/import.qcow2", "/srv/shared/bench-convert.qcow2"
    volume = {"name": "bench-import", "pool": "shared"}
    files = {
        "volume.json": parameters(
            "pextra_volume", volumes=[{**volume, "import_from": {"path": source, "format": "qcow2"}}]
        ),
        "no-volume.json": parameters(
            "pextra_volume", volumes=[{"name": "bench-import", "state": "absent"}], confirm="DESTROY"
        ),
    }
    node.send(dict(files))
    # Of bytes that no tool can leave out.
    node.execute(
        "sh", "-c", f"head -c {IMPORT_MIB}M /dev/urandom > {LIBRARY}/import.raw && "
        f"qemu-img convert -f raw -O qcow2 {LIBRARY}/import.raw {source} && rm {LIBRARY}/import.raw",
    )  # fmt: skip
    imported, converted = [], []
    try:
        with step(f"{IMPORT_MIB} MiB into a pool: qemu-img convert and the module, {IMPORT_ROUNDS} rounds"):
            for _ in range(IMPORT_ROUNDS):
                started = time.perf_counter()
                node.execute("qemu-img", "convert", "-f", "qcow2", "-O", "qcow2", source, target)
                converted.append(time.perf_counter() - started)
                node.execute("rm", target)
                imported.append(_module(node, "volume.json", True, module="pextra_volume"))
                _module(node, "no-volume.json", True, module="pextra_volume")
    finally:
        node.execute("rm", "-f", target)
        _module(node, "no-volume.json", None, module="pextra_volume")
    return min(imported), min(converted)


def _raw(node: BenchNode) -> dict[str, Any]:
    """What raw_pools.py is given: the nodes as the module reaches them, and the pools as it defines them."""
    addresses = [
        replace(node, container=f"pextra-{name}").execute("sh", "-c", "ip -4 -o address show eth0").split()[3]
        for name in _NODES
    ]
    remote = [f"qemu+tls://{address.partition('/')[0]}/system" for address in addresses[1:]]
    pools = [
        {
            "name": f"bench-{number}",
            "xml": f"<pool type='dir'><name>bench-{number}</name><uuid>{uuid.uuid4()}</uuid>"
            f"<target><path>{_DIRECTORY}/{number}</path></target></pool>",
        }
        for number in range(COUNT)
    ]
    return {"uris": ["qemu:///system", *remote], "pools": pools}


def _module(node: BenchNode, file: str, changes: bool | None, *, module: str = "pextra_pool") -> float:
    output = node.execute("python3", f"{LIBRARY}/run_module.py", module, f"{LIBRARY}/{file}")
    found = json.loads(output)
    if changes is not None and found["changed"] is not changes:
        raise BenchError(f"{module} reported changed={found['changed']} where {changes} is right.")
    return float(found["inside"])


def _run_raw(node: BenchNode, act: str) -> dict[str, Any]:
    output = node.execute("python3", f"{LIBRARY}/raw_pools.py", act, f"{LIBRARY}/raw-pools.json")
    found: dict[str, Any] = json.loads(output)
    return found
