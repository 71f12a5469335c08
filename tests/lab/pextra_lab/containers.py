# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's container: made, started, stopped, removed."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from . import switches
from .names import KIND_LABEL, LAB_LABEL, PREFIX, SHARED_DIRECTORY, SHARED_MOUNT, STATE_DIRECTORY, Node, parse_node
from .node_images import LIMITS, RUNTIME, image_id
from .processes import LabError, inspect, run

DIRECTORY_LABEL = "pextra-lab.directory"
SHUTDOWN_LIMIT_S = 20
# What podman's own way for systemd does, but for the cgroups: of those it mounts one more inside, and the paths that
# libvirt reads there and those that are mounted are not the same. Then it finds no limits of its containers.
SYSTEMD = (
    "--systemd=false", "--cgroupns=private", "--env", "container=podman",
    "--tmpfs", "/run:rw,nosuid,nodev,exec", "--tmpfs", "/run/lock:rw,nosuid,nodev",
    "--tmpfs", "/tmp:rw,nosuid,nodev,exec",
)  # fmt: skip
# podman's words for a container that never ran, or is half removed.
UNBORN_STATES = ("created", "configured", "initialized", "removing", "unknown")


@dataclass(frozen=True)
class Container:
    """What there is of a node. state is podman's word: created, running, exited, …"""

    node: Node
    kind: str
    image: str
    state: str
    directory: str

    @property
    def is_running(self) -> bool:
        return self.state == "running"

    @property
    def is_of_this_tree(self) -> bool:
        return self.directory == str(STATE_DIRECTORY)


def find_container(node: Node) -> Container | None:
    described = inspect("container", node.container)
    if described is None:
        return None
    labels = described["Config"].get("Labels") or {}
    if LAB_LABEL not in labels:
        raise LabError(
            f"There is a container {node.container} that is not of the lab. Rename or remove it, then run this again."
        )
    return Container(
        node=node,
        kind=labels.get(KIND_LABEL, "?"),
        image=described["Image"],
        state=described["State"]["Status"],
        directory=labels.get(DIRECTORY_LABEL, "?"),
    )


def list_nodes() -> list[Node]:
    """The nodes that have a container, running or not, in order."""
    listed = json.loads(
        run(["podman", "ps", "--all", "--filter", f"label={LAB_LABEL}=node", "--format", "json"]).stdout or "[]"
    )
    names = [name for container in listed for name in container["Names"] if name.startswith(f"{PREFIX}-node")]
    return sorted((parse_node(name) for name in names), key=lambda node: node.number)


def run_container(node: Node, kind: str) -> None:
    """A fresh container of the node, running."""
    SHARED_DIRECTORY.mkdir(parents=True, exist_ok=True)
    run([
        "podman", *RUNTIME, "run", "--detach", "--name", node.container, "--hostname", node.name,
        *SYSTEMD, "--privileged", *LIMITS, "--pids-limit", "-1", "--no-hosts",
        "--stop-timeout", str(SHUTDOWN_LIMIT_S), "--pull=never",
        "--label", f"{LAB_LABEL}=node", "--label", f"{KIND_LABEL}={kind}",
        "--label", f"{DIRECTORY_LABEL}={STATE_DIRECTORY}",
        *switches.network_options(node), "--volume", f"{SHARED_DIRECTORY}:{SHARED_MOUNT}", image_id(kind), "/sbin/init",
    ])  # fmt: skip


def remove_unborn(node: Node) -> None:
    """Removes a container that an interrupted run left before it ever ran: there is nothing on it to lose."""
    found = find_container(node)
    if found is None or (found.is_of_this_tree and found.state in UNBORN_STATES):
        remove_container(node)


def ensure_container(node: Node, kind: str) -> str:
    """Makes or starts the container; returns what was done: "created", "started" or "" for nothing."""
    found = find_container(node)
    if found is not None and not found.is_of_this_tree:
        raise LabError(
            f"{node.name} belongs to the lab of another working tree ({found.directory}), and a machine carries one "
            "lab.\nRemove that one first: tests/lab/lab destroy"
        )
    if found is not None and found.is_running:
        return ""
    if found is not None:
        start_container(node)
        return "started"
    run_container(node, kind)
    return "created"


def start_container(node: Node) -> None:
    run(["podman", "start", node.container])


def stop_container(node: Node, *, is_hard: bool) -> None:
    limit_s = 0 if is_hard else SHUTDOWN_LIMIT_S
    run(["podman", "stop", "--time", str(limit_s), node.container])


def remove_container(node: Node) -> None:
    """The container and everything on it, at once; nothing if there is none."""
    command = ["podman", "rm", "--force", "--ignore", "--time", "0", "--volumes", node.container]
    # A container whose start was killed is unmounted in the background: the first try may come too early.
    if run(command, check=False).returncode != 0:
        time.sleep(1)
        run(command)
