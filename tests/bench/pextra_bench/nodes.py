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

from .node import LIBRARY, BenchNode
from .processes import BenchError, run
from .progress import step
from .project import REPOSITORY, parameters, play, send_library
from .site import environment

ROUNDS = 5
_LAB = REPOSITORY / ".build" / "lab"
# One node for itself, and all others: each read in one call from the coordinator, which is in neither.
_CLUSTERS = {"one": "one", "many": "many"}


@dataclass(frozen=True)
class NodeFigures:
    """Seconds within the module, each round. count: how many nodes are many."""

    count: int
    one: tuple[float, ...]
    many: tuple[float, ...]
    converged_seconds: float

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
                    figures.append(_run(node, cluster))
    finally:
        node.execute("rm", "-rf", LIBRARY)
    return NodeFigures(len(names) - 2, tuple(found["one"]), tuple(found["many"]), converged)


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


def _run(node: BenchNode, cluster: str) -> float:
    output = node.execute("python3", f"{LIBRARY}/run_module.py", "pextra_vm", f"{LIBRARY}/{cluster}.json")
    found = json.loads(output)
    if found["changed"]:
        raise BenchError(f"pextra_vm reported a change in cluster {cluster}, where nothing is.")
    return float(found["inside"])
