# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures storage on the lab's three nodes: pools against raw libvirt-python, the import of a volume against qemu-img.

In one run, and it leaves the lab as it was.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from .node import LIBRARY, BenchNode
from .processes import BenchError
from .progress import step
from .project import parameters, send_library

COUNT = 10
ROUNDS = 5
IMPORT_MIB = 1024
IMPORT_ROUNDS = 5
_NODES = ("node1", "node2", "node3")
_DIRECTORY = "/srv/bench"
_MONITORS = ("10.91.0.11", "10.91.0.12", "10.91.0.13")
_USER = "bench"


@dataclass(frozen=True)
class PoolFigures:
    """Seconds, the median of the rounds. raw_new and raw_calls are those of the slowest node.

    carried_out and raw_calls: of new, only the time in which the nodes are brought there.
    """

    pool_type: str
    unchanged: float
    raw_read: float
    new: float
    raw_new: float
    carried_out: float
    raw_calls: float
    # Of carried_out and raw_calls, each round.
    ratios: tuple[float, ...] = ()


@dataclass(frozen=True)
class ImportFigures:
    """Seconds, the median of the rounds. ratios are those of each."""

    imported: float
    converted: float
    ratios: tuple[float, ...]


@dataclass(frozen=True)
class _Kind:
    """Pools of one type: as the module is given them, and as raw_pools.py is: {name, xml, secret?, key?}."""

    pool_type: str
    declared: list[dict[str, Any]]
    raw: list[dict[str, str]]


def measure() -> tuple[PoolFigures, ImportFigures]:
    """Measure directories and an import on the lab, which must be up and converged."""
    node = BenchNode("", "", container="pextra-node1")
    try:
        send_library(node)
        return _measure_pools(node, _directories()), _measure_import(node)
    finally:
        node.execute("rm", "-rf", LIBRARY)
        for name in _NODES:
            replace(node, container=f"pextra-{name}").execute("rm", "-rf", _DIRECTORY)


def measure_ceph() -> PoolFigures:
    """Measure pools of Ceph, each with a secret on each node, on the lab of `make ceph`."""
    node = BenchNode("", "", container="pextra-node1")
    names = [f"bench-{number}" for number in range(COUNT)]
    try:
        send_library(node)
        with step(f"{COUNT} pools within Ceph"):
            for name in names:
                node.execute("ceph", "osd", "pool", "create", name, "1", "1")
                node.execute("ceph", "osd", "pool", "application", "enable", name, "rbd")
            key = node.execute(
                "ceph", "auth", "get-or-create-key", f"client.{_USER}", "mon", "profile rbd", "osd", "profile rbd"
            ).strip()
        return _measure_pools(node, _ceph_pools(names, key))
    finally:
        node.execute("rm", "-rf", LIBRARY)
        node.execute("ceph", "config", "set", "mon", "mon_allow_pool_delete", "true")
        for name in names:
            node.execute("ceph", "osd", "pool", "rm", name, name, "--yes-i-really-really-mean-it")
        node.execute("ceph", "config", "rm", "mon", "mon_allow_pool_delete")
        node.execute("ceph", "auth", "rm", f"client.{_USER}")


def _directories() -> _Kind:
    names = [f"bench-{number}" for number in range(COUNT)]
    raw = [
        {
            "name": name,
            "xml": f"<pool type='dir'><name>{name}</name><uuid>{uuid.uuid4()}</uuid>"
            f"<target><path>{_DIRECTORY}/{name}</path></target></pool>",
        }
        for name in names
    ]
    return _Kind("directory", [{"name": name, "path": f"{_DIRECTORY}/{name}"} for name in names], raw)


def _ceph_pools(names: list[str], key: str) -> _Kind:
    hosts = "".join(f"<host name='{monitor}' port='3300'/>" for monitor in _MONITORS)
    raw = []
    for name in names:
        secret = str(uuid.uuid4())
        raw.append({
            "name": name,
            "key": key,
            "secret": f"<secret ephemeral='no' private='yes'><uuid>{secret}</uuid>"
                      f"<usage type='ceph'><name>{name}</name></usage></secret>",
            "xml": f"<pool type='rbd'><name>{name}</name><uuid>{uuid.uuid4()}</uuid><source>{hosts}<name>{name}</name>"
                   f"<auth type='ceph' username='{_USER}'><secret uuid='{secret}'/></auth></source></pool>",
        })  # fmt: skip
    source = {"monitors": list(_MONITORS), "user": _USER, "key": key}
    return _Kind("rbd", [{"name": name, "type": "rbd", "rbd": source} for name in names], raw)


def _measure_pools(node: BenchNode, kind: _Kind) -> PoolFigures:
    node.send({
        "pools.json": parameters("pextra_pool", pools=kind.declared),
        "no-pools.json": parameters(
            "pextra_pool", pools=[{"name": pool["name"], "state": "absent"} for pool in kind.declared]
        ),
        "raw-pools.json": json.dumps({"uris": _uris(node), "pools": kind.raw}).encode(),
    })  # fmt: skip
    found: list[tuple[float, ...]] = []
    try:
        _module(node, "no-pools.json", None)
        what = f"{COUNT} pools of type {kind.pool_type} on {len(_NODES)} nodes"
        with step(f"{what}: raw libvirt-python and the module itself, {ROUNDS} rounds"):
            for _ in range(ROUNDS):
                raw = _run_raw(node, "define")["nodes"]
                _run_raw(node, "clear")
                new = _module(node, "pools.json", True)
                raw_read = float(_run_raw(node, "read")["seconds"])
                unchanged = _module(node, "pools.json", False)
                _module(node, "no-pools.json", True)
                carried_out = _module(node, "pools.json", True, figure="carried_out", options=("--carry-out",))
                _module(node, "no-pools.json", True)
                raw_new, raw_calls = (max(float(one[key]) for one in raw) for key in ("seconds", "calls"))
                found.append((unchanged, raw_read, new, raw_new, carried_out, raw_calls))
    finally:
        _module(node, "no-pools.json", None)
    ratios = tuple(carried_out / raw_calls for *_, carried_out, raw_calls in found)
    medians = [median(figures) for figures in zip(*found, strict=True)]
    return replace(PoolFigures(kind.pool_type, *medians), ratios=ratios)


def _measure_import(node: BenchNode) -> ImportFigures:
    """pextra_volume and qemu-img, for the same file into the same directory."""
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
                # What an earlier round has not written yet would be written in this one's time.
                node.execute("sync")
                started = time.perf_counter()
                # libvirt writes to the disk what it is sent before it says so; qemu-img leaves that to the kernel.
                node.execute("sh", "-c", f"qemu-img convert -f qcow2 -O qcow2 {source} {target} && sync {target}")
                converted.append(time.perf_counter() - started)
                node.execute("sh", "-c", f"rm {target} && sync")
                imported.append(_module(node, "volume.json", True, module="pextra_volume"))
                _module(node, "no-volume.json", True, module="pextra_volume")
    finally:
        node.execute("rm", "-f", target)
        _module(node, "no-volume.json", None, module="pextra_volume")
    ratios = tuple(ours / theirs for ours, theirs in zip(imported, converted, strict=True))
    return ImportFigures(median(imported), median(converted), ratios)


def _uris(node: BenchNode) -> list[str]:
    """Return the nodes as the module reaches them."""
    addresses = [
        replace(node, container=f"pextra-{name}").execute("sh", "-c", "ip -4 -o address show eth0").split()[3]
        for name in _NODES
    ]
    return ["qemu:///system", *(f"qemu+tls://{address.partition('/')[0]}/system" for address in addresses[1:])]


def _module(
    node: BenchNode,
    file: str,
    changes: bool | None,
    *,
    module: str = "pextra_pool",
    figure: str = "inside",
    options: tuple[str, ...] = (),
) -> float:
    output = node.execute("python3", f"{LIBRARY}/run_module.py", *options, module, f"{LIBRARY}/{file}")
    found = json.loads(output)
    if changes is not None and found["changed"] is not changes:
        raise BenchError(f"{module} reported changed={found['changed']} where {changes} is right.")
    return float(found[figure])


def _run_raw(node: BenchNode, act: str) -> dict[str, Any]:
    output = node.execute("python3", f"{LIBRARY}/raw_pools.py", act, f"{LIBRARY}/raw-pools.json")
    found: dict[str, Any] = json.loads(output)
    return found
