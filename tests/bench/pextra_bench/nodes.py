# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures reading many nodes in one call, on a lab of many hosts with libvirt and Open vSwitch and nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from .instances import declare
from .node import LIBRARY, BenchNode
from .processes import BenchError, run
from .progress import step
from .project import REPOSITORY, parameters, play, send_library
from .site import environment

ROUNDS = 5
# So many instances, over so many connections at once.
INSTANCES, SPREAD = 10_000, 10
_LAB = REPOSITORY / ".build" / "lab"
# One node for itself, and all others: each read in one call from the coordinator, which is in neither.
_CLUSTERS = {"one": "one", "many": "many"}


@dataclass(frozen=True)
class NodeFigures:
    """Seconds within the module, each round. count: how many nodes are many.

    unchanged, peak_mib: of a call that finds the INSTANCES as they are, on so many nodes as spread says.
    """

    count: int
    one: tuple[float, ...]
    many: tuple[float, ...]
    converged_seconds: float
    spread: int
    unchanged: tuple[float, ...]
    peak_mib: float

    @property
    def ratio(self) -> float:
        return median(self.many) / median(self.one)


def measure() -> NodeFigures:
    """Measure on the lab, which must be up with three nodes at least. It is converged for that, and stays so."""
    names = sorted(
        (name.removeprefix("pextra-") for name in run(["podman", "ps", "--format", "{{.Names}}"]).split()
         if name.startswith("pextra-node")),
        key=lambda name: int(name.removeprefix("node")),
    )  # fmt: skip
    if len(names) < 3:
        raise BenchError("Too few nodes are up. Run: make bench-nodes")
    node = BenchNode("", "", container=f"pextra-{names[0]}")
    with TemporaryDirectory(prefix="pextra-bench-") as name:
        inventory = Path(name) / "hosts.json"
        inventory.write_text(json.dumps(_inventory(names)), encoding="utf-8")
        playbook: list[str | Path] = ["-i", inventory, "--forks", "30", REPOSITORY / "playbooks" / "site.yml"]
        with step(f"site.yml on {len(names)} nodes"):
            play(playbook, REPOSITORY, environment(), timeout_s=3600)
        with step(f"site.yml on {len(names)} nodes, converged"):
            converged = sum(task.seconds for task in play(playbook, REPOSITORY, environment()).tasks)
    try:
        send_library(node)
        node.send({f"{cluster}.json": _absent_from(cluster) for cluster in _CLUSTERS})
        found: dict[str, list[float]] = {cluster: [] for cluster in _CLUSTERS}
        with step(f"{len(names) - 2} nodes and one, {ROUNDS} rounds"):
            for _ in range(ROUNDS):
                for cluster, figures in found.items():
                    figures.append(_run(node, cluster)["inside"])
        spread = names[2 : 2 + SPREAD]
        unchanged, peak_mib = _measure_instances(node, spread)
    finally:
        node.execute("rm", "-rf", LIBRARY)
    return NodeFigures(
        len(names) - 2, tuple(found["one"]), tuple(found["many"]), converged, len(spread), unchanged, peak_mib
    )


def _measure_instances(node: BenchNode, spread: list[str]) -> tuple[tuple[float, ...], float]:
    """Define the instances on these nodes, find them as they are, and remove them."""
    vms = [
        {**one, "cluster": "many", "node": spread[index % len(spread)]} for index, one in enumerate(declare(INSTANCES))
    ]
    gone = [{"name": vm["name"], "cluster": "many", "state": "absent"} for vm in vms]
    node.send({
        "present.json": parameters("pextra_vm", vms=vms),
        "absent.json": parameters("pextra_vm", vms=gone),
    })  # fmt: skip
    try:
        with step(f"{INSTANCES} stopped instances on {len(spread)} nodes"):
            _run(node, "present", changes=True)
        with step(f"{INSTANCES} instances as they are, {ROUNDS} rounds"):
            rounds = [_run(node, "present") for _ in range(ROUNDS)]
    finally:
        with step("Remove them"):
            _run(node, "absent", changes=True)
    return tuple(one["inside"] for one in rounds), max(one["peak_mib"] for one in rounds)


def _inventory(names: list[str]) -> dict[str, Any]:
    """Return a deployment of nodes and clusters alone: the first node is the coordinator's host, the second alone."""
    first, second, *others = names
    clusters = {first: "first", second: _CLUSTERS["one"], **dict.fromkeys(others, _CLUSTERS["many"])}
    address = {name: f"10.91.0.{10 + int(name.removeprefix('node'))}" for name in names}
    return {
        "all": {
            "vars": {
                "ansible_user": "root",
                "ansible_ssh_private_key_file": str(_LAB / "id_ed25519"),
                "ansible_ssh_common_args": f"-o UserKnownHostsFile={_LAB}/known_hosts -o StrictHostKeyChecking=yes",
                "pextra_deployment_name": "bench",
                "pextra_organizations": [{"name": "bench"}],
                "pextra_datacenters": [{"name": "bench"}],
                "pextra_clusters": [{"name": cluster} for cluster in dict.fromkeys(clusters.values())],
                "pextra_ca_dir": str(_LAB / "ca"),
                "pextra_management_interface": "eth0",
                "pextra_preflight_exceptions": ["cpu_cores", "memory", "storage", "virtualization", "nic_speed"],
            },
            "children": {
                "pextra_coordinators": {"hosts": {first: {}}},
                "pextra_nodes": {
                    "hosts": {
                        name: {"ansible_host": address[name], "pextra_cluster": cluster}
                        for name, cluster in clusters.items()
                    }
                },
            },
        }
    }


def _absent_from(cluster: str) -> bytes:
    """Return a call that reads every node of a cluster, and finds nothing to do."""
    return parameters("pextra_vm", vms=[{"name": "nothing", "cluster": cluster, "state": "absent"}])


def _run(node: BenchNode, file: str, *, changes: bool = False) -> dict[str, float]:
    output = node.execute("python3", f"{LIBRARY}/run_module.py", "pextra_vm", f"{LIBRARY}/{file}.json", timeout_s=1800)
    found: dict[str, float] = json.loads(output)
    if found["changed"] is not changes:
        raise BenchError(f"pextra_vm reported changed={found['changed']} where {changes} is right.")
    return found
