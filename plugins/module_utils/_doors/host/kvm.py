# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find out whether KVM really runs guests at hardware speed, by running one.

A `/dev/kvm` proves little: nested hosts and software implementations of KVM offer the device and even answer its
calls, but emulate a guest's instructions one by one, or stop at the step into long mode. Such a device is worse than
none: guests crawl, and libvirt rejects its own capability cache. So a guest of 272 bytes walks the way of every boot
loader (real mode, protected mode, long mode with paging, an exception) and then counts in a loop, against the clock.

It runs in a child process that kills itself when its time is over: a hang inside the kernel cannot hang the caller.
Standard library only: this runs on hosts on which nothing has been installed yet.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import mmap
import os
import platform
import select
import signal
import stat
import struct
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

State = Literal["works", "absent", "broken"]


@dataclass(frozen=True)
class Verdict:
    """`state` is `works`, `absent` (no device) or `broken` (a device that must not be used), with the reason."""

    state: State
    reason: str

    @property
    def virt_type(self) -> Literal["kvm", "qemu"]:
        """libvirt's name for how guests must run here."""
        return "kvm" if self.state == "works" else "qemu"


# The loop's budget of processor time. Hardware needs under 0.001 s, KVMs that emulate 0.2 s and more. Processor time,
# not wall-clock time, so that a busy host does not look like a slow one.
LOOPS = 100_000
MAX_LOOP_CPU_S = 0.05
TIMEOUT_S = 5

_LOOP_SUM = (LOOPS * (LOOPS + 1) // 2) & 0xFFFFFFFF
_MEMORY_BYTES = 0x10000
_CODE_AT = 0x8000

# x86, 16-bit code first. Assembled from:
#   cli; ds = 0; out 'R'; lgdt; cr0 |= PE; ljmp 8:protected
# protected: ds = es = ss = 16; esp = 0x7000; out 'P'; cr4 |= PAE; cr3 = 0x1000; EFER |= LME; cr0 |= PG; ljmp 24:long
# long: ss = 16; out 'L'; IDT[6] at 0x6060 = handler; lidt; ud2
#   ecx = 100000; 1: add ecx, [0x6800]; dec ecx; jnz 1b; out dword [0x6800]; out 'D'; 2: hlt; jmp 2b
# handler: out 'X'; [rsp] += 2; iretq
# followed by a GDT (null, 32-bit code, data, 64-bit code) and the operands of lgdt and lidt.
# Port 0xE9, loaded at 0x8000.
_X86_GUEST = bytes.fromhex(
    "fa31c08ed8b052e6e9660f011600810f20c06683c8010f22c066ea2180000008"
    "0066b810008ed88ec08ed0bc00700000b050e6e90f20e083c8200f22e0b80010"
    "00000f22d8b9800000c00f320d000100000f300f20c00d000000800f22c0ea65"
    "800000180066b810008ed0bc00700000b04ce6e9488d0553000000bf60600000"
    "668907c747021800008e66c74706000048c7470800000000c6470400c647058e"
    "0f011d5f0000000f0bb9a086010031c0010c2500680000ffc975f58b04250068"
    "000066bae900efb044e6e9f4ebfdb058e6e9488304240248cf0f1f8000000000"
    "0000000000000000ffff0000009bcf00ffff00000093cf00ffff0000009baf00"
    "1f00e08000006f000060000000000000"
)
# aarch64, MMU off. x1 = 0x10000000 (no memory: every store there comes out as an MMIO exit); store 'R';
# w3 = 100000; 1: w4 += w3; w3 -= 1; b.ne 1b; store w4; store 'D'; b .
_ARM_GUEST = bytes.fromhex(
    "0100a2d2420a8052220000b903d490522300a072040080528400030b63040071c1ffff54240000b982088052220000b900000014"
)

_CREATE_VM = 0xAE01
_GET_VCPU_MMAP_SIZE = 0xAE04
_GET_SUPPORTED_CPUID = 0xC008AE05
_CREATE_VCPU = 0xAE41
_SET_USER_MEMORY_REGION = 0x4020AE46
_SET_TSS_ADDR = 0xAE47
_RUN = 0xAE80
_SET_REGS = 0x4090AE82
_GET_SREGS = 0x8138AE83
_SET_SREGS = 0x4138AE84
_SET_CPUID2 = 0x4008AE90
_SET_ONE_REG = 0x4010AEAC
_ARM_VCPU_INIT = 0x4020AEAE
_ARM_PREFERRED_TARGET = 0x8020AEAF
_ARM_REG_PC = 0x6030000000100040

_EXIT_IO, _EXIT_MMIO = 2, 6
_EXIT_NAMES = {
    0: "unknown",
    1: "exception",
    8: "shutdown (triple fault)",
    9: "entry failed",
    17: "internal error",
}

_STAGES = {
    "R": "first instruction",
    "P": "protected mode",
    "L": "long mode with paging",
    "X": "exception handling",
    "D": "loop",
}
DEVICE = Path("/dev/kvm")
# The node role takes a device away that does not work, and leaves this file. As long as it is there, the device is
# looked for where only we see it, so that a KVM that has been repaired is found.
REMOVED_MARK = Path("/etc/tmpfiles.d/pextra-kvm.conf")
_DEVICE_NUMBER = Path("/sys/class/misc/kvm/dev")


def probe_host_kvm() -> Verdict:
    """Judge this host's KVM, even if the node role has taken its device away."""
    if DEVICE.exists() or not REMOVED_MARK.exists() or not _DEVICE_NUMBER.exists():
        return probe_kvm(str(DEVICE))
    major, minor = (int(text) for text in _DEVICE_NUMBER.read_text(encoding="ascii").split(":"))
    # Not below /tmp, which is often mounted without devices.
    with tempfile.TemporaryDirectory(prefix=".pextra-", dir="/dev") as folder:
        path = os.path.join(folder, "kvm")
        try:
            os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(major, minor))
        except OSError as error:
            return Verdict("broken", f"the device was taken away, and cannot be tried again: {error.strerror}")
        return probe_kvm(path)


def probe_kvm(device: str, timeout_s: int = TIMEOUT_S) -> Verdict:
    """Run the guest on `device` in a child process and judge what it did. Never raises for what the device does."""
    try:
        handle = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
            return Verdict("absent", f"there is no {device}")
        return Verdict("broken", f"{device} cannot be opened: {error.strerror}")
    try:
        return judge(_run_in_child(handle, timeout_s), timeout_s)
    finally:
        os.close(handle)


def judge(report: bytes, timeout_s: int = TIMEOUT_S) -> Verdict:
    """Judge what the child wrote: the letters of the stages reached, then, unless it hung, one line of JSON."""
    stages, brace, rest = report.decode("ascii", "replace").partition("{")
    reached = _STAGES[stages[-1]] if stages and stages[-1] in _STAGES else "nothing"
    try:
        result = json.loads(brace + rest) if brace else None
    except ValueError:
        result = None
    if result is None:
        return Verdict("broken", f"a test guest did not end within {timeout_s} s; the last it reached was: {reached}")
    if "error" in result:
        return Verdict("broken", f"a test guest failed after: {reached}: {result['error']}")
    if result["sum"] != _LOOP_SUM:
        return Verdict("broken", f"a test guest computed {result['sum']} instead of {_LOOP_SUM}")
    cpu_s = float(result["loop_cpu_s"])
    if cpu_s > MAX_LOOP_CPU_S:
        return Verdict(
            "broken",
            # No measured figure: the same host has to give the same reason at every run.
            f"a test guest's loop took more than {MAX_LOOP_CPU_S} s of processor time instead of under 0.001 s: "
            "this KVM emulates instructions instead of running them on the processor",
        )
    return Verdict("works", "a test guest ran through long mode and a timed loop at the processor's speed")


def _run_in_child(handle: int, timeout_s: int) -> bytes:
    """Run the guest in a forked child; return all it wrote until it ended or the time was over."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _child(handle, writer, timeout_s)
    os.close(writer)
    report = b""
    # The child's own alarm ends it; the parent waits a little longer and then kills it, in case even that fails.
    deadline = time.monotonic() + timeout_s + 1
    try:
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([reader], [], [], left)[0]:
                continue
            chunk = os.read(reader, 4096)
            if not chunk:
                break
            report += chunk
    finally:
        os.close(reader)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return report


def _child(handle: int, writer: int, timeout_s: int) -> None:
    """Never returns. SIGALRM's default action kills even a process that spins inside KVM_RUN."""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(timeout_s)
        try:
            result: dict[str, object] = _run_guest(handle, writer)
        except (OSError, ValueError, struct.error) as error:
            result = {"error": str(error)}
        os.write(writer, json.dumps(result).encode())
    finally:
        os._exit(0)


def _run_guest(handle: int, writer: int) -> dict[str, object]:
    """Make the machine, run it until its last letter, and return the sum it computed and the time its loop took."""
    is_x86 = platform.machine() == "x86_64"
    vm = fcntl.ioctl(handle, _CREATE_VM, 0)
    memory = mmap.mmap(-1, _MEMORY_BYTES, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
    guest = _X86_GUEST if is_x86 else _ARM_GUEST
    memory[_CODE_AT : _CODE_AT + len(guest)] = guest
    if is_x86:
        _write_page_tables(memory)
        # Processors that cannot run real mode in hardware need three pages for it, anywhere unused below 4 GiB.
        fcntl.ioctl(vm, _SET_TSS_ADDR, 0x7FFFC000)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    fcntl.ioctl(vm, _SET_USER_MEMORY_REGION, struct.pack("IIQQQ", 0, 0, 0, _MEMORY_BYTES, address))
    cpu = fcntl.ioctl(vm, _CREATE_VCPU, 0)
    if is_x86:
        _prepare_x86(handle, cpu)
    else:
        _prepare_arm(vm, cpu)
    run = mmap.mmap(cpu, fcntl.ioctl(handle, _GET_VCPU_MMAP_SIZE, 0))
    return _run_to_the_end(cpu, run, writer)


def _write_page_tables(memory: mmap.mmap) -> None:
    """Map the lowest 2 MiB onto themselves: one entry in each of three levels, the last a large page."""
    for table, entry in ((0x1000, 0x2003), (0x2000, 0x3003), (0x3000, 0x83)):
        memory[table : table + 8] = struct.pack("<Q", entry)


def _prepare_x86(handle: int, cpu: int) -> None:
    # Without a CPUID, KVM refuses the guest the step into long mode. struct kvm_cpuid2 with room for 256 entries.
    cpuid = bytearray(struct.pack("II", 256, 0) + bytes(40 * 256))
    fcntl.ioctl(handle, _GET_SUPPORTED_CPUID, cpuid)
    fcntl.ioctl(cpu, _SET_CPUID2, cpuid)
    sregs = bytearray(312)
    fcntl.ioctl(cpu, _GET_SREGS, sregs)
    struct.pack_into("<QIH", sregs, 0, 0, 0xFFFF, 0)  # CS: base, limit, selector
    fcntl.ioctl(cpu, _SET_SREGS, sregs)
    regs = bytearray(144)
    struct.pack_into("<QQ", regs, 128, _CODE_AT, 2)  # RIP, RFLAGS
    fcntl.ioctl(cpu, _SET_REGS, regs)


def _prepare_arm(vm: int, cpu: int) -> None:
    target = bytearray(32)
    fcntl.ioctl(vm, _ARM_PREFERRED_TARGET, target)
    fcntl.ioctl(cpu, _ARM_VCPU_INIT, target)
    pc = ctypes.c_uint64(_CODE_AT)
    fcntl.ioctl(cpu, _SET_ONE_REG, struct.pack("QQ", _ARM_REG_PC, ctypes.addressof(pc)))


def _run_to_the_end(cpu: int, run: mmap.mmap, writer: int) -> dict[str, object]:
    """Run until the letter `D`. The loop is what lies between the exit before the sum and the sum."""
    total = -1
    loop_cpu_s = 0.0
    while True:
        before = time.process_time()
        fcntl.ioctl(cpu, _RUN, 0)
        elapsed = time.process_time() - before
        data = _output(run)
        if data is None:
            reason = struct.unpack_from("<I", run, 8)[0]
            return {"error": f"unexpected exit {reason} ({_EXIT_NAMES.get(reason, 'see linux/kvm.h')})"}
        value = int.from_bytes(data, "little")
        if len(data) == 4 and value > 0xFF:
            total, loop_cpu_s = value, elapsed
            continue
        letter = chr(value)
        os.write(writer, letter.encode("ascii", "replace"))
        if letter == "D":
            return {"sum": total, "loop_cpu_s": loop_cpu_s}


def _output(run: mmap.mmap) -> bytes | None:
    """Return the bytes that the guest put out at this exit, or None if the exit was for another reason."""
    reason = struct.unpack_from("<I", run, 8)[0]
    if reason == _EXIT_IO:
        _direction, size, _port, count, offset = struct.unpack_from("<BBHIQ", run, 32)
        return bytes(run[offset : offset + size * count])
    if reason == _EXIT_MMIO:
        data, length = struct.unpack_from("<8sI", run, 40)
        return bytes(data[:length])
    return None
