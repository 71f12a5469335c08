# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The storage node: a virtual machine with a kernel of its own, for what containers cannot do.

It is emulated wholly, so it tests storage and no guests. Everything of it is in this working tree's .build, and its ssh
is on a free port of the loopback: each working tree can have one.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import access, storage_node_image
from .locking import only_one
from .names import LAB_DIRECTORY, REPOSITORY
from .processes import LabError, run
from .progress import say, step, wait_until
from .requirements import STORAGE_NODE_PROGRAMS, ensure_requirements

STATE = REPOSITORY / ".build" / "storage-node"
SSH_KEY = STATE / "id_ed25519"
HOST_KEY = STATE / "host_ed25519"
KNOWN_HOSTS = STATE / "known_hosts"
PORT = STATE / "port"
PID = STATE / "pid"
ROOT = STATE / "root.qcow2"
CONSOLE = STATE / "console.log"
# Of the servers on the node. inventories/storage-lab reads them here.
PASSWORDS = (STATE / "chap_password", STATE / "smb_password")
SERVE = LAB_DIRECTORY / "storage-node" / "serve"
HOST_KEY_ALIAS = "storage-node"

MEMORY_MIB = 3072
CPUS = 2
# Emulation takes a minute on a machine that has nothing else to do.
BOOT_LIMIT_S = 600
STOP_LIMIT_S = 180


@dataclass(frozen=True)
class Disk:
    """An empty disk: /dev/disk/by-id/virtio-<serial>."""

    serial: str
    size_gib: int

    @property
    def path(self) -> Path:
        return STATE / f"{self.serial}.raw"


DISKS = (
    Disk("lab-disk1", 2),
    Disk("lab-disk2", 2),
    Disk("lab-disk3", 2),
    Disk("lab-disk4", 2),
    Disk("lab-disk5", 3),
    Disk("lab-disk6", 2),
    Disk("lab-disk7", 2),
    Disk("lab-disk8", 2),
)


def process_id() -> int | None:
    """The process of this working tree's node, None if it is off."""
    try:
        found = int(PID.read_text())
        command = Path(f"/proc/{found}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    # The number may have gone to another process since.
    return found if str(PID).encode() in command.split(b"\0") else None


def create() -> None:
    """The node, running and reachable; what is right is left alone."""
    started = time.monotonic()
    ensure_requirements(STORAGE_NODE_PROGRAMS, {})
    STATE.mkdir(parents=True, exist_ok=True)
    with only_one(STATE):
        ensure_keys()
        ensure_disks()
        bring_up()
    say(f"The storage node is up ({time.monotonic() - started:.1f} s). Next: tests/lab/lab storage-node ssh")


def ensure_keys() -> None:
    for key in (SSH_KEY, HOST_KEY):
        public = key.with_name(key.name + ".pub")
        if not (key.exists() and public.exists()):
            key.unlink(missing_ok=True)
            public.unlink(missing_ok=True)
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", HOST_KEY_ALIAS, "-f", key])
    public = HOST_KEY.with_name(HOST_KEY.name + ".pub")
    KNOWN_HOSTS.write_text(f"{HOST_KEY_ALIAS} {' '.join(public.read_text().split()[:2])}\n")


def ensure_disks() -> None:
    if not ROOT.exists():
        image = storage_node_image.ensure_image()
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", image.root, ROOT])
    elif not backing_file().exists():
        raise LabError(
            "The image under the storage node's root is gone. Run: tests/lab/lab storage-node destroy; then create"
        )
    elif backing_file() != storage_node_image.current_image().root:
        say("    The storage node was left as it is: it started from an older image. "
            "For a fresh one: tests/lab/lab storage-node destroy; then create")  # fmt: skip
    for disk in DISKS:
        if not disk.path.exists():
            with disk.path.open("wb") as file:
                file.truncate(disk.size_gib * 1024**3)


def backing_file() -> Path:
    """The image under the root that is there."""
    # -U: QEMU holds the root while the node runs.
    lines = run(["qemu-img", "info", "-U", ROOT]).stdout.splitlines()
    return Path(next(line for line in lines if line.startswith("backing file: ")).split(": ", 1)[1])


def bring_up() -> None:
    if process_id() is None:
        with step("Boot the storage node"):
            port = free_port()
            PORT.write_text(f"{port}\n")
            base = storage_node_image.Image(backing_file().parent)
            run(qemu_command(base, port))
    wait_for_ssh()


def free_port() -> int:
    """The port of the last time if nobody has taken it, another one otherwise."""
    for wanted in (int(PORT.read_text()) if PORT.exists() else 0, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            port: int = probe.getsockname()[1]
            return port
    raise LabError("No port is free on the loopback")


def qemu_command(image: storage_node_image.Image, port: int) -> list[str]:
    command = [
        "qemu-system-x86_64", "-name", "pextra-storage-node", "-machine", "q35", "-nodefaults",
        # The most that is emulated rightly and has AVX2: of "max", QEMU 7.2 gets string instructions wrong, and its SVM
        # locks up the kernel. QEMU warns of what it leaves out.
        "-accel", "tcg,thread=multi", "-cpu", "Haswell-noTSX", "-smp", str(CPUS), "-m", str(MEMORY_MIB),
        "-kernel", str(image.kernel), "-initrd", str(image.initramfs),
        "-append", "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off no_timer_check quiet",
        "-display", "none", "-serial", f"file:{CONSOLE}", "-monitor", "none", "-daemonize", "-pidfile", str(PID),
        "-device", "virtio-rng-pci",
        "-nic", f"user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:22",
        "-fw_cfg", f"name=opt/pextra-lab/authorized_key,file={SSH_KEY}.pub",
        "-fw_cfg", f"name=opt/pextra-lab/host_key,file={HOST_KEY}",
        "-drive", f"if=none,id=root,file={ROOT},format=qcow2,discard=unmap",
        "-device", "virtio-blk-pci,drive=root,serial=lab-root",
    ]  # fmt: skip
    for disk in DISKS:
        command += [
            "-drive", f"if=none,id={disk.serial},file={disk.path},format=raw,discard=unmap",
            "-device", f"virtio-blk-pci,drive={disk.serial},serial={disk.serial}",
        ]  # fmt: skip
    return command


def ssh_command(*options: str) -> list[str]:
    return [
        "ssh", "-F", "none", "-i", str(SSH_KEY), "-o", "IdentitiesOnly=yes", "-o", f"UserKnownHostsFile={KNOWN_HOSTS}",
        "-o", "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=yes", "-o", f"HostKeyAlias={HOST_KEY_ALIAS}",
        "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=10", *options, "-p", PORT.read_text().strip(), "root@127.0.0.1",
    ]  # fmt: skip


def boot_identifier() -> str:
    """What the kernel calls this boot, "" while ssh does not answer."""
    try:
        return run([*ssh_command(), "cat", "/proc/sys/kernel/random/boot_id"], check=False, timeout_s=60).stdout.strip()
    except LabError:  # QEMU accepts connections for a node that is not up yet
        return ""


def wait_for_ssh(*, other_than: str = "") -> None:
    def is_up() -> bool:
        if process_id() is None:
            raise LabError(f"The storage node went off while it booted. Look at {CONSOLE}")
        return boot_identifier() not in ("", other_than)

    wait_until(is_up, what="ssh on the storage node", limit_s=BOOT_LIMIT_S, hint=f"Look at {CONSOLE}", pause_s=1)


def must_run() -> int:
    running = process_id()
    if running is None:
        raise LabError("The storage node is off. Run: tests/lab/lab storage-node create")
    return running


def serve() -> None:
    """What the pools of inventories/storage-lab are made of: servers, a volume group and a zpool on the node."""
    must_run()
    with only_one(STATE), step("Set up the storage servers"):
        for file in PASSWORDS:
            if not file.exists():
                file.touch(mode=0o600)
                file.write_text(secrets.token_hex(12))
        # The script as an argument, so that the passwords can come in by standard input.
        script = shlex.join(["sh", "-c", SERVE.read_text()])
        run([*ssh_command(), script], input_text="".join(f"{file.read_text()}\n" for file in PASSWORDS))


def reboot(*, is_hard: bool) -> None:
    """Reboot it as its own init does, or pull the plug and put it back."""
    must_run()
    with only_one(STATE), step("Reboot the storage node"):
        before = boot_identifier()
        if is_hard:
            kill()
            bring_up()
        else:
            run([*ssh_command(), "systemctl", "reboot"], check=False)
            wait_for_ssh(other_than=before)


def stop(*, is_hard: bool) -> None:
    if process_id() is None:
        return
    with only_one(STATE), step(f"{'Cut' if is_hard else 'Shut down'} the storage node"):
        if is_hard:
            kill()
            return
        run([*ssh_command(), "systemctl", "poweroff"], check=False)
        wait_until(
            lambda: process_id() is None,
            what="the storage node's end",
            limit_s=STOP_LIMIT_S,
            hint="Cut it: tests/lab/lab storage-node stop --hard",
        )


def kill() -> None:
    running = process_id()
    if running is not None:
        os.kill(running, signal.SIGKILL)
        wait_until(lambda: process_id() is None, what="the end of QEMU", limit_s=30, hint=f"Look at process {running}")
    PID.unlink(missing_ok=True)


def destroy() -> None:
    if STATE.is_dir():
        with only_one(STATE), step("Remove the storage node"):
            kill()
            shutil.rmtree(STATE)


def print_status() -> int:
    running = process_id()
    if running is None:
        say("The storage node is off" if STATE.is_dir() else "There is no storage node")
        return 1
    answers = boot_identifier() != ""
    say(f"process {running}, ssh on 127.0.0.1 port {PORT.read_text().strip()} "
        f"{'answers' if answers else 'does not answer'}, key {SSH_KEY}")  # fmt: skip
    return 0 if answers else 1


def replace_by_ssh(remote: Sequence[str]) -> int:
    must_run()
    words = [word for index, word in enumerate(remote) if (index, word) != (0, "--")]
    # One word is a command line, several are the words of a command; ssh itself would join them unquoted.
    line = words if len(words) < 2 else [shlex.join(words)]
    return access.replace_process([*ssh_command(), *line])
