# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Open vSwitch and a libvirt of a node's own, in this process and its children."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.hypervisor import Hypervisor
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.networks import NetworkRecord
from ansible_collections.pextra.cloud.plugins.module_utils._doors.ovsdb.protocol import Ovsdb
from ansible_collections.pextra.cloud.plugins.module_utils._doors.ovsdb.tls import connect_socket

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
HOST = """<node><cpu><mhz>6000</mhz><model>x86_64</model><active>4</active><nodes>1</nodes><sockets>1</sockets>
<cores>4</cores><threads>1</threads></cpu><memory>8192000</memory></node>"""


class TestDriver(Hypervisor):
    """libvirt's test driver, which has one definition of a network, not a live and a persistent one."""

    __test__ = False

    def networks(self) -> list[NetworkRecord]:
        return [
            NetworkRecord(
                network.name(),
                network.UUIDString(),
                bool(network.isActive()),
                bool(network.autostart()),
                network.XMLDesc(),
            )
            for network in self._connection.listAllNetworks()
            if network.name() != "default"
        ]


class Ovs:
    """An ovsdb-server and an ovs-vswitchd of one node."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = f"{directory}/db.sock"
        database = f"{directory}/conf.db"
        self._run("ovsdb-tool", "create", database, str(SCHEMA))
        self._processes = [
            self._start("ovsdb-server", f"--remote=punix:{self.socket}", f"--unixctl={directory}/db.ctl", database)
        ]
        self._wait_for_socket()
        self.vsctl("--no-wait", "init")
        self._processes.append(
            self._start(
                "ovs-vswitchd", "--enable-dummy=override", f"--unixctl={directory}/v.ctl", f"unix:{self.socket}"
            )
        )

    def vsctl(self, *argv: str) -> str:
        return self._run("ovs-vsctl", f"--db=unix:{self.socket}", "--timeout=10", *argv)

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            process.wait(timeout=10)

    def _start(self, *argv: str) -> subprocess.Popen[bytes]:
        path = shutil.which(argv[0], path="/usr/sbin:/usr/bin:/sbin:/bin")
        with (self.directory / f"{argv[0]}.log").open("wb") as log:
            return subprocess.Popen([str(path), *argv[1:]], stdout=log, stderr=log, cwd=self.directory, env=self._env)

    def _run(self, *argv: str) -> str:
        return subprocess.run(argv, check=True, capture_output=True, text=True, env=self._env).stdout.strip()

    @property
    def _env(self) -> dict[str, str]:
        path = "/usr/sbin:/usr/bin:/sbin:/bin"
        return {"PATH": path, "OVS_RUNDIR": str(self.directory), "OVS_LOGDIR": str(self.directory)}

    def _wait_for_socket(self) -> None:
        for _ in range(100):
            if Path(self.socket).exists():
                return
            time.sleep(0.05)
        raise AssertionError((self.directory / "ovsdb-server.log").read_text())


def open_database(node: str, path: str) -> Ovsdb:
    return Ovsdb.greet(node, lambda: connect_socket(node, path))
