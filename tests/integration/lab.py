# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab and its cloud, as the tests see them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = ROOT / "inventories" / "lab"
PROGRAM = ROOT / ".venv" / "bin" / "ansible-playbook"
_RECAP = re.compile(
    r"^(?P<host>\S+)\s+: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+)\s+unreachable=(?P<unreachable>\d+)\s+"
    r"failed=(?P<failed>\d+)",
    re.MULTILINE,
)
# What ends a test's instance. A guest that hears nothing, as one that is still in its firmware, is not waited for.
GONE = {"state": "absent", "force_stop": True, "stop_timeout_s": 2, "remove_volumes": True, "confirm": "DESTROY"}


class Lab:
    """The nodes as containers."""

    nodes: tuple[str, ...] = ("node1", "node2", "node3")

    def is_running(self, node: str) -> bool:
        state = subprocess.run(
            ["podman", "inspect", "--format", "{{.State.Running}}", f"pextra-{node}"],
            capture_output=True,
            text=True,
            check=False,
        )
        return state.stdout.strip() == "true"

    def exec(self, node: str, *argv: str, check: bool = True, stdin: str | None = None) -> str:
        """Run a command on a node and return what it prints."""
        done = subprocess.run(
            ["podman", "exec", *(["-i"] if stdin is not None else []), f"pextra-{node}", *argv],
            capture_output=True,
            text=True,
            check=False,
            input=stdin,
            timeout=120,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{node}: {' '.join(argv)} failed with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def sh(self, node: str, script: str, *, check: bool = True) -> str:
        """Run a shell script on a node and return what it prints."""
        return self.exec(node, "sh", "-c", script, check=check)

    def on_all(self, *argv: str) -> dict[str, str]:
        return {node: self.exec(node, *argv) for node in self.nodes}

    # What runs

    def domains(self, node: str) -> dict[str, str]:
        """Return libvirt's state by domain name."""
        lines = self.exec(node, "virsh", "list", "--all").splitlines()[2:]
        return {words[1]: " ".join(words[2:]) for words in (line.split() for line in lines) if words}

    def where(self, instance: str) -> list[str]:
        """Return the nodes on which a domain of this name is defined or runs."""
        return [node for node in self.nodes if instance in self.domains(node)]

    def home(self, instance: str) -> str:
        nodes = self.where(instance)
        assert len(nodes) == 1, f"{instance} is on {nodes or 'no node'}"
        return nodes[0]

    def console(self, instance: str) -> str:
        """Return all that an instance has written to its serial console, wherever it ran."""
        path = f"/var/log/pextra/console/{instance}.log"
        return "".join(self.sh(node, f"cat {path} 2>/dev/null || true") for node in self.nodes)

    @contextmanager
    def frozen_guests(self, *instances: str) -> Iterator[None]:
        """Stop the processes that guests are, as one whose storage has gone stops by itself."""
        homes = {name: self.home(name) for name in instances}
        pids = {name: self.exec(home, "cat", f"/run/libvirt/qemu/{name}.pid").strip() for name, home in homes.items()}
        for name, pid in pids.items():
            self.exec(homes[name], "kill", "-STOP", pid)
        try:
            yield
        finally:
            for name, pid in pids.items():  # some have been ended meanwhile
                self.exec(homes[name], "kill", "-CONT", pid, check=False)

    def since_boot(self, instance: str) -> str:
        """Return what an instance that has not moved has written since it booted last."""
        text = self.exec(self.home(instance), "cat", f"/var/log/pextra/console/{instance}.log")
        return text.rsplit("pextra-guest: booting", 1)[-1]

    def snapshot(self) -> dict[str, Any]:
        """Return what must not change in a run that changes nothing."""
        return {
            node: {
                "services": self.exec(
                    node,
                    "systemctl",
                    "show",
                    "--property=Id,ActiveEnterTimestampMonotonic,MainPID",
                    "libvirtd.service",
                    "libvirtd-tls.socket",
                    "openvswitch-switch.service",
                    "ovs-vswitchd.service",
                    "ovsdb-server.service",
                    "pextra-ovsdb-tls.service",
                    "ssh.service",
                ),
                "definitions": self.sh(node, "cd /etc/libvirt/qemu && stat -c '%n %Y %i' *.xml networks/*.xml || true"),
                "guests": self.sh(node, "pgrep -a qemu-system | sed 's/ .*guest=\\([^,]*\\).*/ \\1/' | sort"),
                "switch": self.exec(node, "ovs-vsctl", "--format=json", "list", "Port"),
            }
            for node in self.nodes
        }


class MixedLab(Lab):
    """The nodes, and a fourth of another Debian."""

    newer = "node4"
    nodes = (*Lab.nodes, newer)


@dataclass(frozen=True)
class Run:
    """A finished ansible-playbook."""

    code: int
    output: str
    hosts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        return sum(host["changed"] for host in self.hosts.values())

    def must_succeed(self) -> Run:
        assert self.code == 0, self.output[-6000:]
        return self

    def must_change_nothing(self) -> Run:
        self.must_succeed()
        assert self.hosts, "nothing ran"
        assert self.changed == 0, self.output[-6000:]
        return self


class Site:
    """`ansible-playbook pextra.cloud.site`, from the installed collection."""

    def __init__(self, lab: Lab, inventory: Path = INVENTORY, *overlays: Path, program: Path = PROGRAM) -> None:
        """overlays: further inventories, each of which counts more than those before. program: ansible-playbook."""
        self.lab = lab
        self.program = program
        self.inventories = (inventory, *overlays)
        self._document: dict[str, Any] = {}

    def command(self, *arguments: str, playbook: str = "pextra.cloud.site") -> list[str]:
        """Let the propagation job mend nothing that a test looks at; test_propagation.py gives it another interval."""
        inventories = [word for path in self.inventories for word in ("-i", str(path))]
        return [str(self.program), *inventories, "-e", "pextra_propagation_interval=86400", *arguments, playbook]

    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        return kept | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}

    def run(self, *arguments: str, playbook: str = "pextra.cloud.site", timeout_s: float = 900) -> Run:
        done = subprocess.run(
            self.command(*arguments, playbook=playbook),
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
        return _finished(done.returncode, done.stdout + done.stderr)

    def start(self, *arguments: str, playbook: str = "pextra.cloud.site") -> subprocess.Popen[str]:
        """Start a run in a session of its own, to be killed or waited for."""
        return subprocess.Popen(
            self.command(*arguments, playbook=playbook),
            cwd=ROOT,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def wait(self, process: subprocess.Popen[str], timeout_s: float = 900) -> Run:
        output, _ = process.communicate(timeout=timeout_s)
        return _finished(process.returncode, output)

    def kill(self, process: subprocess.Popen[str]) -> None:
        """kill -9 ansible-playbook with its workers, and the module's process on the coordinator."""
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        # A pipelined module is standard input to Python, and has no name of its own.
        self.lab.sh("node1", "pkill -9 -x -f /usr/bin/python3 || true")

    def module(self, name: str, /, **options: Any) -> dict[str, Any]:
        """Run one module on the coordinator and return its result, which must not be a failure."""
        outcome = self.play([{f"pextra.cloud.{name}": options}])[-1]
        assert not outcome.get("failed"), outcome.get("msg")
        return outcome

    def refused_module(self, name: str, /, **options: Any) -> dict[str, Any]:
        """Run one module on the coordinator and return its failure."""
        outcome = self.play([{f"pextra.cloud.{name}": options}])[-1]
        assert outcome.get("failed"), outcome
        return outcome

    def calls(self, name: str, /, *options: dict[str, Any]) -> list[dict[str, Any]]:
        """Run one module for each of the options and return the results; `check` and `fails` are not options of it."""
        tasks = []
        for one in options:
            values = {key: value for key, value in one.items() if key not in ("check", "fails")}
            tasks.append(
                {
                    f"pextra.cloud.{name}": values,
                    "check_mode": one.get("check", False),
                    # So that the calls after it are made; whether it failed is asserted below.
                    "ignore_errors": one.get("fails", False),
                }
            )
        results = self.play(tasks)
        for one, result in zip(options, results, strict=False):
            assert bool(result.get("failed")) is one.get("fails", False), (one, result.get("msg"))
        assert len(results) == len(options)
        return results

    def remove_volumes(self, prefix: str) -> None:
        """Detach and destroy the volumes whose names begin so, and what failed calls have left over."""
        found = [one for one in self.module("pextra_volume_info")["volumes"] if one["name"].startswith(prefix)]
        attached = [{"name": one["name"], "attached_to": ""} for one in found if one["attached_to"]]
        absent = [{"name": one["name"], "state": "absent"} for one in found]
        self.calls(
            "pextra_volume",
            {"volumes": attached},
            {"volumes": absent, "purge": True, "confirm": "DESTROY"},
        )

    def play(
        self, tasks: list[dict[str, Any]], *, hosts: str = "node1", extra: tuple[str, ...] = ()
    ) -> list[dict[str, Any]]:
        """Run tasks on the coordinator and return their results."""
        with self.playbook(tasks, hosts=hosts) as path:
            environment = self.environment() | {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
            done = subprocess.run(
                self.command(*extra, playbook=str(path)),
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=600,
            )
        start = done.stdout.find("{")
        assert start >= 0, done.stdout + done.stderr
        results = json.loads(done.stdout[start:])
        return [next(iter(task["hosts"].values())) for task in results["plays"][0]["tasks"]]

    @contextmanager
    def playbook(self, tasks: list[dict[str, Any]], *, hosts: str = "node1") -> Iterator[Path]:
        """Give tasks as the file of a play."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "play.yml"
            path.write_text(yaml.safe_dump([{"hosts": hosts, "gather_facts": False, "tasks": tasks}], sort_keys=False))
            yield path

    def at_once(self, *calls: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """Run modules on the coordinator, each with its options, all at the same time; return what each has said."""

        def run(call: tuple[str, dict[str, Any]]) -> dict[str, Any]:
            return self.play([{f"pextra.cloud.{call[0]}": call[1], "ignore_errors": True}])[-1]

        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(run, calls))

    def declared(self) -> list[dict[str, Any]]:
        """Return the instances as the validated document has them."""
        return list(self.document()["instances"])

    def document(self) -> dict[str, Any]:
        """Return the validated document of the inventory. It holds user data, so no callback shows it."""
        if not self._document:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "document.json"
                self.play(
                    [
                        {
                            "pextra.cloud.pextra_deployment_validate": {},
                            "delegate_to": "localhost",
                            "register": "validated",
                        },
                        {
                            "ansible.builtin.copy": {
                                "content": "{{ validated.document | to_json }}",
                                "dest": str(path),
                                "mode": "0600",
                            },
                            "delegate_to": "localhost",
                            "no_log": True,
                        },
                    ]
                )
                self._document = json.loads(path.read_text())
        return self._document

    @contextmanager
    def overlay(self, variables: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
        """Give extra variables as a file, for a document that differs in a few keys."""
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            yaml.safe_dump(dict(variables), file, sort_keys=False)
            file.flush()
            yield ("-e", f"@{file.name}")


def lab_command(*arguments: str, timeout_s: float = 300) -> str:
    """Change the lab itself, and return what it says."""
    command = [str(ROOT / "tests/lab/lab"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)
    assert done.returncode == 0, f"lab {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def group_vars(name: str) -> dict[str, Any]:
    """Return one file of the lab inventory's variables, untemplated."""
    path = next((INVENTORY / "group_vars" / "all").glob(f"*{name}*.yml"))
    return dict(yaml.safe_load(path.read_text()))


def wait_until(what: str, holds: Callable[[], Any], timeout_s: float = 60) -> Any:
    """Wait until `holds` returns something true, and return it."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.5)


def _finished(code: int, output: str) -> Run:
    hosts = {
        match["host"]: {key: int(match[key]) for key in ("ok", "changed", "unreachable", "failed")}
        for match in _RECAP.finditer(output)
    }
    return Run(code, output, hosts)
