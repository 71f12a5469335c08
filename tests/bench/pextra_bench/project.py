# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Ansible project for one run of the benchmark, in a temporary folder, with the collection as it stands here."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .node import ADDRESS, LIBRARY, NAME, BenchNode
from .processes import BenchError, ProgramError, run

REPOSITORY = Path(__file__).resolve().parents[3]
PLAYBOOKS = REPOSITORY / "tests" / "bench" / "playbooks"
IN_NODE = REPOSITORY / "tests" / "bench" / "in_node"


@dataclass(frozen=True)
class PlayedTask:
    """A task that was run on some hosts. play is the name of its play.

    seconds go to the beginning of the next task, as those of ansible.posix.profile_tasks do.
    """

    name: str
    play: str
    seconds: float
    hosts: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Played:
    """A playbook that was run. stats are Ansible's recap, by host."""

    tasks: tuple[PlayedTask, ...]
    stats: Mapping[str, Mapping[str, int]]

    @property
    def measured(self) -> PlayedTask:
        return next(task for task in self.tasks if task.name == "Measured")

    @property
    def changed(self) -> bool:
        return any(host["changed"] for host in self.stats.values())


@dataclass(frozen=True)
class Project:
    """directory holds the configuration and the key; node is what the inventory names."""

    directory: Path
    node: BenchNode

    def play(self, playbook: str, variables: Mapping[str, Any]) -> Played:
        """Run a playbook of ours on the node. Variables go through a file, as an inventory's do."""
        file = self.directory / "variables.json"
        file.write_text(json.dumps(variables), encoding="utf-8")
        environment = {"ANSIBLE_CONFIG": str(self.directory / "ansible.cfg")}
        return play([PLAYBOOKS / playbook, "--extra-vars", f"@{file}"], self.directory, environment)


def make_key(directory: Path) -> str:
    """Make the run's ssh key and return its public half."""
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", NAME, "-f", directory / "id_ed25519"])
    return (directory / "id_ed25519.pub").read_text(encoding="utf-8")


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """A folder in which the collection is found by its name, by Ansible and by Python."""
    with TemporaryDirectory(prefix="pextra-bench-") as name:
        directory = Path(name)
        collection = directory / "ansible_collections" / "pextra" / "cloud"
        collection.parent.mkdir(parents=True)
        collection.symlink_to(REPOSITORY)
        sys.path.insert(0, name)
        try:
            yield directory
        finally:
            sys.path.remove(name)


def make_project(directory: Path, node: BenchNode) -> Project:
    """Write what Ansible needs to reach the node as quickly as it can: the peer's loop is to have its best."""
    (directory / "known_hosts").write_text(f"{node.address} {node.host_key}\n", encoding="utf-8")
    (directory / "hosts.json").write_text(
        json.dumps({
            "all": {
                "hosts": {NAME: {"ansible_host": node.address, "bench_address": ADDRESS}},
                "vars": {"ansible_user": "root", "ansible_ssh_private_key_file": str(directory / "id_ed25519")},
            }
        }),
        encoding="utf-8",
    )  # fmt: skip
    (directory / "ansible.cfg").write_text(
        "[defaults]\n"
        f"collections_path = {directory}\n"
        f"inventory = {directory}/hosts.json\n"
        f"local_tmp = {directory}/tmp\n"
        "interpreter_python = /usr/bin/python3\n"
        "inject_facts_as_vars = false\n"
        "[ssh_connection]\n"
        "pipelining = true\n"
        f"ssh_args = -o ControlMaster=auto -o ControlPersist=60s -o ControlPath={directory}/ssh-%C "
        f"-o StrictHostKeyChecking=yes -o UserKnownHostsFile={directory}/known_hosts\n",
        encoding="utf-8",
    )
    return Project(directory, node)


def play(
    arguments: list[str | Path], directory: Path, environment: Mapping[str, str], *, timeout_s: float = 1800
) -> Played:
    """Run ansible-playbook and return what it did and how long each task took."""
    program = Path(sys.executable).with_name("ansible-playbook")
    try:
        text = run(
            [program if program.exists() else "ansible-playbook", *arguments],
            directory=directory,
            environment={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", **environment},
            timeout_s=timeout_s,
        )
    except ProgramError as error:
        messages = re.findall(r'^ +"msg": "(.*)"', error.output, re.MULTILINE)
        if not messages:
            raise
        raise BenchError("\n".join(["ansible-playbook failed:", *dict.fromkeys(messages)])) from error
    begin = 0 if text.startswith("{") else text.find("\n{")
    if begin < 0:
        raise BenchError(f"ansible-playbook printed no result:\n{text[-2000:]}")
    report = json.loads(text[begin:])
    items = [item for played in report["plays"] for item in played["tasks"]]
    plays = [played["play"]["name"] for played in report["plays"] for _ in played["tasks"]]
    starts = [_time(item["task"]["duration"]["start"]) for item in items]
    # A task that was skipped for all hosts has no end.
    last = _time(items[-1]["task"]["duration"].get("end", items[-1]["task"]["duration"]["start"]))
    tasks = []
    for item, name, start, end in zip(items, plays, starts, [*starts[1:], last], strict=True):
        task = item["task"]["name"].rpartition(" : ")[2]
        tasks.append(PlayedTask(task, name, (end - start).total_seconds(), item["hosts"]))
    return Played(tuple(tasks), report["stats"])


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def send_library(node: BenchNode) -> None:
    """Put into the node what run_module.py needs: Ansible's part for modules, and the collection's plugins."""
    import ansible.module_utils

    files: dict[str, Path | bytes] = {path.name: path for path in IN_NODE.glob("*.py")}
    version = sys.modules["ansible"].__version__
    files["ansible/__init__.py"] = f"__version__ = {version!r}\n".encode()
    files["ansible/release.py"] = files["ansible/__init__.py"]
    for root, base in (
        (Path(ansible.module_utils.__path__[0]), "ansible/module_utils"),
        (REPOSITORY / "plugins" / "module_utils", "ansible_collections/pextra/cloud/plugins/module_utils"),
        (REPOSITORY / "plugins" / "modules", "ansible_collections/pextra/cloud/plugins/modules"),
    ):
        for path in root.rglob("*.py"):
            files[f"{base}/{path.relative_to(root)}"] = path
    node.send(files)


def parameters(module: str, **options: Any) -> bytes:
    """The parameters of a module as Ansible hands them over."""
    internal = {"_ansible_module_name": module, "_ansible_version": "2.19", "_ansible_verbosity": 0}
    return json.dumps({"ANSIBLE_MODULE_ARGS": {**options, **internal}}).encode()


def call_module(node: BenchNode, module: str, **options: Any) -> float:
    """Run a module in its own process on the node, and return how many seconds it took from its start to its end."""
    node.send({"call.json": parameters(module, **options)})
    output = node.execute("python3", f"{LIBRARY}/run_module.py", module, f"{LIBRARY}/call.json", timeout_s=1200)
    return float(json.loads(output)["inside"])


__all__ = [
    "LIBRARY",
    "Played",
    "PlayedTask",
    "Project",
    "call_module",
    "make_key",
    "make_project",
    "parameters",
    "play",
    "send_library",
    "temporary_directory",
]
