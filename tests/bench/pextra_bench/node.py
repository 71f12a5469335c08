# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The throw-away node that the modules are measured in: one container of the lab's node image, on its own."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .processes import BenchError, run

NAME = "pextra-bench"
IMAGE = "localhost/pextra-lab/node:bookworm"
# The node's own address within the benchmark. On its loopback: what is measured is the local hypervisor.
ADDRESS = "10.92.0.1"
LIBRARY = "/opt/pextra-bench"
_READY_WITHIN_S = 60.0
# With a capability cache that is thrown away at every use, a definition takes seconds instead of a millisecond.
_CAPABILITIES_WITHIN_S = 0.1


@dataclass(frozen=True)
class BenchNode:
    """A running node. address is what the controller reaches it by."""

    address: str
    host_key: str
    container: str = NAME

    def execute(self, *command: str, stdin: bytes | None = None, timeout_s: float = 600) -> str:
        return run(["podman", "exec", "--interactive", self.container, *command], stdin=stdin, timeout_s=timeout_s)

    def send(self, files: dict[str, Path | bytes]) -> None:
        """Put files below LIBRARY, by their paths there."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for path, content in files.items():
                data = content if isinstance(content, bytes) else content.read_bytes()
                entry = tarfile.TarInfo(path)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        self.execute("mkdir", "-p", LIBRARY)
        self.execute("tar", "-x", "-C", LIBRARY, stdin=buffer.getvalue())


@contextmanager
def bench_node(public_key: str) -> Iterator[BenchNode]:
    """A fresh node that accepts the key, ready to be measured; removed in the end, whatever comes."""
    remove()
    try:
        yield _start(public_key)
    finally:
        remove()


def remove() -> None:
    run(["podman", "rm", "--force", "--ignore", "--time", "0", "--volumes", NAME])


def _start(public_key: str) -> BenchNode:
    run([
        "podman", "--runtime", "runc", "run", "--detach", "--name", NAME, "--hostname", NAME, "--systemd=always",
        "--privileged", "--ulimit", "nofile=20000:20000", "--ulimit", "nproc=10000:10000", "--pids-limit", "-1",
        # The most there is: what else the machine does is not to be measured.
        "--cpu-shares", "262144", "--pull=never", IMAGE, "/sbin/init",
    ])  # fmt: skip
    described = json.loads(run(["podman", "inspect", NAME]))[0]
    node = BenchNode(described["NetworkSettings"]["IPAddress"], "")
    _wait_for(node, "test -S /run/openvswitch/db.sock && test -s /etc/ssh/ssh_host_ed25519_key.pub && "
                    "systemctl is-active ssh libvirtd.socket")  # fmt: skip
    if node.execute("sh", "-c", "ls -d /dev/kvm 2>/dev/null || true").strip():
        # Where KVM cannot really run guests, libvirt would probe it again and again.
        node.execute("sh", "-c", "systemctl stop libvirtd; rm -rf /dev/kvm /var/cache/libvirt/qemu/capabilities")
    node.execute("ip", "address", "replace", f"{ADDRESS}/32", "dev", "lo")
    node.execute("sh", "-c", "install -d -m 0700 /root/.ssh; cat > /root/.ssh/authorized_keys",
                 stdin=public_key.encode())  # fmt: skip
    _require_quick_capabilities(node)
    # What the peer needs on the node beyond what ours does.
    node.execute("sh", "-c", "python3 -c 'import lxml' 2>/dev/null || { apt-get update -q && apt-get install -y -q "
                 "--no-install-recommends python3-lxml; }", timeout_s=300)  # fmt: skip
    return BenchNode(node.address, node.execute("cat", "/etc/ssh/ssh_host_ed25519_key.pub").strip())


def _wait_for(node: BenchNode, condition: str) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while True:
        try:
            node.execute("sh", "-c", condition)
        except BenchError as error:
            if time.monotonic() >= deadline:
                raise BenchError(f"The node {NAME} was not ready within {_READY_WITHIN_S:g} s: {error}") from error
            time.sleep(0.3)
        else:
            return


def _require_quick_capabilities(node: BenchNode) -> None:
    probe = (
        "import libvirt, time\n"
        "ask = lambda c=libvirt.open('qemu:///system'): c.getDomainCapabilities(None, None, None, 'qemu')\n"
        "ask()\n"
        "started = time.perf_counter()\n"
        "ask()\n"
        "print(time.perf_counter() - started)\n"
    )
    took_s = float(node.execute("python3", "-c", probe))
    if took_s >= _CAPABILITIES_WITHIN_S:
        raise BenchError(
            f"libvirt takes {took_s:.2f} s to tell its capabilities a second time, so its cache does not hold and "
            "every figure would be wrong. Is /dev/kvm visible in the container?"
        )
