# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real cloud-init in a Debian guest: what it is told is so inside, stays so, and changes as the documents say.

One guest for all of it, since it takes minutes to boot in emulation. What is seen inside is asked through its agent.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .lab import GONE, Lab, Site, lab_command, wait_until
from .test_cdroms import iso

NAME = "inside"
NODE = "node1"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINgi+7CUcoV4lrRZhupDG6Pefq3wL4uMdETUrMHxFCHr ann@desk"
BOOT_S = 600
DISC, DISC_BYTES = "guest-tools", 1111 * 2048
RESTART = {"allow_restart": True, "stop_timeout_s": 240}
USER_DATA = f"""\
#cloud-config
users:
  - name: ann
    sudo: "ALL=(ALL) NOPASSWD:ALL"
    ssh_authorized_keys: ["{KEY}"]
write_files:
  - {{path: /etc/told, content: first}}
runcmd:
  - echo ran >>/etc/ran
"""
# Who is told in user data and who in vendor data do not get in each other's way.
VENDOR_DATA = "#cloud-config\nmanage_etc_hosts: true\n"
VOLUMES: list[dict[str, Any]] = [
    # The second is mounted in the first, on another bus; it also brings the controller for disks that are plugged in.
    {"name": "data", "pool": "shared", "size": "256 MiB", "filesystem": "ext4", "mountpoint": "/srv/data"},
    {
        "name": "logs-of-the-data-of-it",
        "pool": "shared",
        "size": "512 MiB",
        "bus": "scsi",
        "filesystem": "xfs",
        "mountpoint": "/srv/data/logs",
    },
    {"name": "foreign", "pool": "shared", "size": "64 MiB", "filesystem": "ext4", "mountpoint": "/srv/foreign"},
]
LATER = {"name": "later", "pool": "shared", "size": "64 MiB", "filesystem": "ext4", "mountpoint": "/srv/later"}


def nics(front: str) -> list[dict[str, Any]]:
    return [
        {"name": "front", "port_group": "Production", "addresses": [front], "nameservers": ["192.0.2.53"]},
        {"name": "back", "port_group": "DMZ", "addresses": ["172.21.0.61/24"]},
    ]


class Guest:
    """The instance, from inside."""

    def __init__(self, lab: Lab, cloud: Site) -> None:
        self.lab, self.cloud = lab, cloud
        self.boots = self.finished()

    def finished(self) -> int:
        """How often cloud-init has said so. To look takes from the processors on which the guest boots."""
        time.sleep(4)
        log = self.lab.sh(NODE, f"cat /var/log/pextra/console/{NAME}.log 2>/dev/null || true")
        return len(re.findall(r"Cloud-init v\. \S+ finished", log))

    def wait(self) -> None:
        wait_until("cloud-init has finished", lambda: self.finished() > self.boots, timeout_s=BOOT_S)
        self.boots += 1

    def sh(self, script: str) -> str:
        return str(self._run(script)["stdout"])

    def ask(self, **scripts: str) -> dict[str, str]:
        """Return what each script prints, without what is blank around it: all in one call."""
        text = "".join(f"printf '\\n== {name}\\n'\n( {script}\n) 2>&1\n" for name, script in scripts.items())
        found = re.split(r"^== (\w+)\n", self._run(text)["stdout"], flags=re.MULTILINE)
        return {name: value.strip() for name, value in zip(found[1::2], found[2::2], strict=True)}

    def _run(self, script: str) -> dict[str, Any]:
        options = {"name": NAME, "action": "run", "argv": ["/bin/sh", "-c", script], "timeout_s": 400}
        (found,) = self.cloud.module("pextra_vm_guest", **options)["vms"]
        return dict(found)


@pytest.fixture
def image(cloud: Site, tmp_path: Path) -> Iterator[str]:
    """The Debian guest, and a disc to put into its drive."""
    (tmp_path / DISC).write_bytes(iso(DISC_BYTES))
    images = [
        {"name": "debian", "source": lab_command("debian-guest", timeout_s=1800).splitlines()[-1], "pools": ["shared"]},
        {"name": DISC, "kind": "iso", "source": str(tmp_path / DISC), "pools": ["shared"]},
    ]
    cloud.module("pextra_image", images=images)
    yield "debian"
    cloud.module("pextra_vm", name=NAME, **GONE)
    gone = [{"name": image["name"], "state": "absent"} for image in images]
    cloud.module("pextra_image", images=gone, confirm="DESTROY")


def seeds(lab: Lab) -> list[str]:
    return lab.sh(NODE, f"ls /srv/shared/{NAME}.*seed* 2>/dev/null || true").split()


def volume_file(lab: Lab, name: str) -> str:
    return lab.sh(NODE, f"ls /srv/shared/{NAME}.*{name}*").strip()


def seen(guest: Guest) -> dict[str, str]:
    return guest.ask(
        status="cloud-init status",
        schema="cloud-init schema --system",
        hostname="hostname",
        hosts="grep -c 127.0.1.1 /etc/hosts",
        key="cat /home/ann/.ssh/authorized_keys",
        sudo="su ann -c 'sudo -n id -u'",
        told="cat /etc/told",
        ran="wc -l </etc/ran",
        front="ip -brief -4 address show dev front | awk '{ print $3 }'",
        back="ip -brief -4 address show dev back | awk '{ print $3 }'",
        resolver="resolvectl dns front",
        mounts="findmnt --real --noheadings --list --output TARGET,FSTYPE | grep /srv | sort | tr -s ' '",
        fstab="grep -c x-pextra.volume /etc/fstab",
        host_key="cat /etc/ssh/ssh_host_ed25519_key.pub",
        foreign="head -c 1048577 /dev/disk/by-id/virtio-foreign | tr -d '\\000' | head -c 16; "
        "blkid -p /dev/disk/by-id/virtio-foreign; echo $?",
        failed="systemctl --failed --plain --no-legend",
    )


@pytest.mark.long
def test_what_cloud_init_is_told(lab: Lab, cloud: Site, image: str) -> None:
    guest = Guest(lab, cloud)
    # No instance has more than its node has threads.
    vcpus = min(3, int(lab.exec(NODE, "nproc")))
    declared: dict[str, Any] = {
        "name": NAME,
        "node": NODE,
        "vcpus": 1,
        "vcpus_max": vcpus,
        "memory": "384 MiB",
        "memory_max": "768 MiB",
        "image": image,
        "root": {"pool": "shared", "size": "3 GiB"},
        "volumes": VOLUMES,
        "nics": nics("172.20.0.61/24"),
        # Debian's cloud kernel has no driver for SATA.
        "cdroms": [{"name": "tools", "image": "", "bus": "scsi"}],
        "cloud_init": {"user_data": USER_DATA, "vendor_data": VENDOR_DATA},
    }
    bad = {"user_data": USER_DATA.replace("runcmd", "runcmds")}
    refused = cloud.refused_module("pextra_vm", **{**declared, "cloud_init": bad})["msg"]
    assert "cloud_init.user_data: its secret value does not follow the schema of cloud-init " in refused
    assert 'line 8: runcmds is a key that is not known there. Did you mean "runcmd"?' in refused
    assert lab.where(NAME) == []

    cloud.module("pextra_vm", **declared, power="stopped")
    # Data that bear no signature, beyond the first sectors, which cloud-init's own fs_setup would write over.
    lab.exec(NODE, "qemu-io", "-f", "qcow2", "-c", "write -P 0x6b 512k 16", volume_file(lab, "foreign"))
    (first_seed,) = seeds(lab)
    assert lab.exec(NODE, "stat", "--format=%a", first_seed).strip() in ("600", "400")
    again = cloud.module("pextra_vm", **declared)
    assert again["pending"] == []
    cloud.module("pextra_vm", name=NAME, power="running")
    guest.wait()

    first = seen(guest)
    assert first["status"] == "status: done"
    assert "Valid cloud-config" in first["schema"]
    assert (first["hostname"], first["hosts"]) == (NAME, "1")
    assert (first["key"], first["sudo"]) == (KEY, "0")
    assert (first["told"], first["ran"]) == ("first", "1")
    assert (first["front"], first["back"]) == ("172.20.0.61/24", "172.21.0.61/24")
    assert "192.0.2.53" in first["resolver"]
    assert first["mounts"] == "/srv/data ext4\n/srv/data/logs xfs"
    assert first["fstab"] == "2"
    assert first["foreign"] == "k" * 16 + "2"
    assert first["failed"] == ""
    assert "pextra: volume foreign has no file system, and is left as it is: it is not empty" in lab.console(NAME)
    guest.sh("echo kept >/srv/data/kept; echo kept >/srv/data/logs/kept; sync")

    # Of the network and the volumes a guest is told at each boot: nothing that is done once is done again.
    declared |= {"volumes": [*VOLUMES, LATER], "nics": nics("172.20.0.62/24")}
    changed = cloud.module("pextra_vm", **declared)
    assert {change["option"] for change in changed["pending"]} == {"cloud_init"}
    assert len(seeds(lab)) == 2
    assert "172.20.0.61" in guest.sh("ip -4 address")
    cloud.module("pextra_vm", **declared, **RESTART)
    guest.wait()
    second = seen(guest)
    assert (second["status"], second["failed"]) == ("status: done", "")
    assert (second["front"], second["back"]) == ("172.20.0.62/24", "172.21.0.61/24")
    assert second["mounts"] == "/srv/data ext4\n/srv/data/logs xfs\n/srv/later ext4"
    assert second["fstab"] == "3"
    assert (second["ran"], second["host_key"]) == ("1", first["host_key"])
    assert guest.sh("cat /srv/data/kept /srv/data/logs/kept") == "kept\nkept\n"

    # What is done once is done again when it is told otherwise.
    init = {"user_data": USER_DATA.replace("content: first", "content: second"), "vendor_data": VENDOR_DATA}
    declared |= {"cloud_init": init, "volumes": [*VOLUMES, {**LATER, "mountpoint": ""}]}
    settled = cloud.module("pextra_vm", **declared)
    assert {change["option"] for change in settled["pending"]} == {"cloud_init"}
    cloud.module("pextra_vm", **declared, **RESTART)
    guest.wait()
    third = seen(guest)
    assert (third["status"], third["failed"]) == ("status: done", "")
    assert (third["told"], third["ran"]) == ("second", "2")
    assert third["host_key"] != first["host_key"]
    assert (third["mounts"], third["fstab"]) == ("/srv/data ext4\n/srv/data/logs xfs", "2")
    assert guest.sh("cat /srv/data/kept /srv/data/logs/kept") == "kept\nkept\n"
    assert third["foreign"] == first["foreign"]
    quiet = cloud.module("pextra_vm", **declared)
    assert quiet["pending"] == []
    (last_seed,) = seeds(lab)
    assert last_seed != first_seed

    plug_into(guest, cloud, declared, vcpus)


def plug_into(guest: Guest, cloud: Site, declared: dict[str, Any], vcpus: int) -> None:
    """Give the running guest processors, memory, disks on either bus, a NIC and a disc, and see them inside."""
    new = [
        {"name": "plugged-virtio", "pool": "shared", "size": "32 MiB"},
        {"name": "plugged-scsi", "pool": "shared", "size": "48 MiB", "bus": "scsi"},
    ]
    before = json.loads(guest.sh("lsblk --json --bytes --nodeps --output NAME,SIZE"))["blockdevices"]
    kib = int(guest.sh("awk '/^MemTotal/ { print $2 }' /proc/meminfo"))
    declared = declared | {
        "vcpus": vcpus,
        "memory": "640 MiB",
        "cdroms": [{"name": "tools", "image": DISC, "bus": "scsi"}],
        "volumes": [*declared["volumes"], *new],
        "nics": [*declared["nics"], {"name": "third", "port_group": "DMZ"}],
    }
    cloud.module("pextra_vm", **declared)
    mib = 1024**2

    def inside() -> bool:
        told = guest.ask(
            cpus="nproc",
            disks="lsblk --json --bytes --nodeps --output NAME,SIZE",
            links="ls /dev/disk/by-id",
            nics="ls -d /sys/class/net/*/device | wc -l",
            memory="awk '/^MemTotal/ { print $2 }' /proc/meminfo",
            disc="blockdev --getsize64 /dev/sr0",
        )
        names = {*(one["name"] for one in before), "sr0"}
        fresh = {
            one["name"][:2]: one["size"]
            for one in json.loads(told["disks"])["blockdevices"]
            if one["name"] not in names
        }
        return (
            (told["cpus"], told["nics"], told["disc"]) == (str(vcpus), "3", str(DISC_BYTES))
            and int(told["memory"]) - kib == 256 * 1024
            and fresh == {"vd": 32 * mib, "sd": 48 * mib}
            and "virtio-plugged-virtio" in told["links"]
            and "plugged-scsi" in told["links"]
        )

    wait_until("what was plugged in is seen inside", inside, timeout_s=120)
