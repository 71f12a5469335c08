# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a node is up, and is what the lab promises. Everything is looked at inside the node."""

from __future__ import annotations

import json
from dataclasses import dataclass

from .access import ssh_command
from .names import SHARED_MOUNT, Node
from .processes import run, succeeds

# libvirt rejects its cache at every use if it was probed with a KVM that does not work: 0.6 s instead of 0.02 s; a
# busy machine lies between.
CAPABILITIES_LIMIT_S = 0.3

# Run on the node. Its arguments: where the shared directory must be, and the limit for the capabilities.
PROBE = """\
import json, os, shutil, socket, subprocess, sys, time
def capabilities():
    started = time.monotonic()
    subprocess.run(["virsh", "-q", "domcapabilities", "--virttype", "qemu"], check=True, capture_output=True)
    return time.monotonic() - started
found = {"devices": [d for d in ("kvm", "vda", "sda") if os.path.exists("/dev/" + d)]}
found["nics"] = sorted(os.listdir("/sys/class/net"))
found["addresses"] = subprocess.run(["ip", "-o", "-4", "address"], capture_output=True, text=True).stdout
found["shared"] = os.path.ismount(sys.argv[1])
found["capabilities_s"] = None
if shutil.which("virsh"):
    capabilities()
    # The fault is there at every call; a call that is slow only because the machine is busy is not the fault.
    for _ in range(20):
        found["capabilities_s"] = capabilities()
        if found["capabilities_s"] < float(sys.argv[2]):
            break
        time.sleep(0.1)
sources = subprocess.run(["apt-get", "-q", "update", "--print-uris"], capture_output=True, text=True).stdout
site = sources.partition("://")[2].partition("/")[0].partition(":")[0]
try:
    socket.getaddrinfo(site, None)
    found["unresolved"] = ""
except OSError:
    found["unresolved"] = site or "?"
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Findings:
    """What is wrong with a node: faults break the lab's promise, notes only limit what can be done."""

    faults: tuple[str, ...]
    notes: tuple[str, ...]


def answers_ssh(node: Node) -> bool:
    return succeeds([*ssh_command(node, "-o", "BatchMode=yes", "-o", "ConnectTimeout=2"), "true"], timeout_s=15)


def system_state(node: Node) -> str:
    """systemd's word for the whole node: running, degraded, starting, …"""
    result = run(["podman", "exec", node.container, "systemctl", "is-system-running"], check=False)
    return result.stdout.strip() or "unknown"


def has_booted(node: Node) -> bool:
    return system_state(node) in ("running", "degraded")


def failed_units(node: Node) -> list[str]:
    result = run(
        ["podman", "exec", node.container, "systemctl", "list-units", "--failed", "--plain", "--no-legend"], check=False
    )
    return [line.split()[0] for line in result.stdout.splitlines() if line.strip()]


def check_node(node: Node) -> Findings:
    faults, notes = [], []
    result = run(
        ["podman", "exec", "-i", node.container, "python3", "-", SHARED_MOUNT, str(CAPABILITIES_LIMIT_S)],
        input_text=PROBE,
        check=False,
    )
    if result.returncode != 0:
        last = (result.stderr.strip().splitlines() or ["no output"])[-1]
        return Findings((f"{node.name}: cannot be examined: {last}",), ())
    found = json.loads(result.stdout)
    for device in found["devices"]:
        faults.append(f"{node.name}: /dev/{device} of the machine is visible")
    missing = {"eth0", "eth1", "eth2"} - set(found["nics"])
    if missing:
        faults.append(f"{node.name}: no interface {', '.join(sorted(missing))}; run: lab rebuild {node.name}")
    if f"inet {node.address}/" not in found["addresses"]:
        faults.append(f"{node.name}: does not have its address {node.address}")
    if not found["shared"]:
        faults.append(f"{node.name}: {SHARED_MOUNT} is not the shared directory")
    if not answers_ssh(node):
        faults.append(f"{node.name}: does not accept the lab's ssh key at {node.address}")
    slow_s = found["capabilities_s"]
    if slow_s is not None and slow_s > CAPABILITIES_LIMIT_S:
        faults.append(
            f"{node.name}: virsh domcapabilities takes {slow_s:.2f} s, not under {CAPABILITIES_LIMIT_S} s: libvirt's "
            "capability cache is being rejected; was /dev/kvm visible when libvirtd first started?"
        )
    if found["unresolved"]:
        notes.append(f"{node.name}: {found['unresolved']} does not resolve; apt-get will not work there")
    units = failed_units(node)
    if units:
        notes.append(f"{node.name}: failed units: {', '.join(units)}")
    return Findings(tuple(faults), tuple(notes))
