# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container: made of an image's files, reached from a virtual machine, limited, changed, stopped, gone."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from .lab import GONE, Lab, Site, wait_until

# The node of the lab that has containers, as its inventory says; not the coordinator, so all of it goes over TLS.
NODE = "node2"
OTHER = "node3"
POOL = "/var/lib/pextra/pools/local"
NAME, IMAGE, MACHINE = "it-box", "it-files", "it-asks"
HELD_MIB = 4
ADDRESS = "172.20.0.77"
INIT = """#!/bin/sh
trap 'echo container: stops > /dev/console; exit 0' TERM
# It takes all memory that it is told to, and tells who it is.
[ -e /eat ] && { tail /dev/zero; echo "container: could not eat" > /dev/console; }
# What it uses of its memory otherwise is less than a MiB.
held=$(cat /held)
echo "container: up as $(id -u), of $(cat /etc/who)" > /dev/console
while :; do sleep 1; done
"""
# Of this machine, which is a Debian as the lab's nodes are.
PROGRAMS = ("sh", "id", "cat", "sleep", "tail", "ip", "ls")


def write_files(path: Path, who: str) -> None:
    """Write an image of a container's files as a tar: some programs, an init, a user's file, and a device."""
    programs = {name: shutil.which(name) or "" for name in PROGRAMS}
    linked = subprocess.run(["ldd", *programs.values()], capture_output=True, text=True, check=True).stdout
    libraries = set(re.findall(r"(/\S+) \(0x", linked))
    with tarfile.open(path, "w") as tar:
        for name in (".", "./bin", "./sbin", "./etc", "./dev", "./home"):
            tar.addfile(_member(name, tarfile.DIRTYPE, 0o755))
        for name, program in programs.items():
            _add(tar, f"./bin/{name}", Path(program).read_bytes(), 0o755)
        for library in sorted(libraries):
            _add(tar, f".{library}", Path(library).read_bytes(), 0o755)
        _add(tar, "./sbin/init", INIT.encode(), 0o755)
        _add(tar, "./etc/who", who.encode(), 0o644)
        _add(tar, "./held", b"x" * HELD_MIB * 2**20, 0o644)
        own = _member("./home/user", tarfile.REGTYPE, 0o600)
        own.uid = own.gid = 1000
        tar.addfile(own)
        device = _member("./dev/mem", tarfile.CHRTYPE, 0o666)
        device.devmajor, device.devminor = 1, 1
        tar.addfile(device)


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    member = _member(name, tarfile.REGTYPE, mode)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _member(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = kind, mode
    return member


@pytest.fixture
def box(lab: Lab, cloud: Site, tmp_path: Path) -> Iterator[Site]:
    """The image of a container's files, and no container yet."""
    write_files(tmp_path / "files.tar", "files")
    cloud.module("pextra_image", name=IMAGE, source=str(tmp_path / "files.tar"), format="tar", pools=["local"])
    yield cloud
    cloud.module(
        "pextra_vm",
        vms=[{"name": name, "state": "absent"} for name in (NAME, MACHINE)],
        force_stop=True,
        stop_timeout_s=1,
        remove_volumes=True,
        confirm="DESTROY",
    )
    cloud.module("pextra_image", name=IMAGE, state="absent")


def ct(lab: Lab, *words: str, check: bool = True) -> str:
    return lab.exec(NODE, "virsh", "-c", "lxc:///system", *words, check=check)


def state(lab: Lab) -> str:
    return ct(lab, "domstate", NAME).strip()


def init_of(lab: Lab) -> str:
    """Return the process on the node that is the container's init."""
    return lab.exec(NODE, "pgrep", "-o", "-u", "1000000", "-f", "/sbin/init").strip()


def inside(lab: Lab, *words: str) -> str:
    """Run a program of the container's in its namespaces, but for its users."""
    return lab.exec(NODE, "nsenter", "-t", init_of(lab), "-n", "-m", "-p", "--", *words, check=False)


def limits(lab: Lab) -> tuple[int, int]:
    """Return the memory in MiB and the processors that the node's kernel lets the container have."""
    group = f"lxc-*-{NAME}.libvirt-lxc"
    memory = lab.sh(NODE, f"cat /sys/fs/cgroup/memory/machine/{group}/memory.limit_in_bytes")
    quota = lab.sh(NODE, f"cat /sys/fs/cgroup/cpu/machine/{group}/cpu.cfs_quota_us")
    return int(memory) // 2**20, int(quota) // 100_000


@pytest.mark.long
def test_a_container(lab: Lab, box: Site, tmp_path: Path) -> None:
    wanted = {
        "name": NAME,
        "type": "lxc",
        "image": IMAGE,
        "root": {"pool": "local"},
        "memory": "64 MiB",
        "nics": [{"port_group": "Production", "addresses": [f"{ADDRESS}/24"], "gateway": "172.20.0.1"}],
    }
    check, made, again = box.calls("pextra_vm", {**wanted, "check": True}, wanted, wanted)
    assert (check["changed"], made["changed"], again["changed"]) == (True, True, False)
    vm = made["vm"]
    assert (vm["node"], vm["type"], vm["power"]) == (NODE, "lxc", "running")

    # Nobody on its node, and closed to everybody there.
    files = f"{POOL}/{NAME}.{vm['id']}.root.dir"
    assert lab.exec(NODE, "stat", "-c", "%a %u", files).split() == ["500", "1000000"]
    assert lab.exec(NODE, "stat", "-c", "%a %u", f"{files}/rootfs/home/user").split() == ["600", "1001000"]
    assert lab.exec(NODE, "find", f"{files}/rootfs", "-type", "c") == ""
    assert lab.exec(NODE, "stat", "-c", "%u", f"/proc/{init_of(lab)}").strip() == "1000000"
    assert "container: up as 0, of files" in console(lab)
    assert limits(lab) == (64, 1)
    assert "172.20.0.1 dev eth0" in inside(lab, "ip", "route")
    assert lab.exec(NODE, "cat", f"{files}/rootfs/etc/hostname") == f"{NAME}\n"
    assert lab.exec(NODE, "nsenter", "-t", init_of(lab), "-u", "uname", "-n") == f"{NAME}\n"
    port = ct(lab, "domiflist", NAME).splitlines()[2].split()[0]

    # Reached over its port group, from a virtual machine on another node.
    ping = f"## template: jinja\n#cloud-config\npextra_ping: [{ADDRESS}]\n"
    asks = {
        "name": MACHINE,
        "node": OTHER,
        "image": "tiny",
        "memory": "96 MiB",
        "root": {"pool": "local"},
        "cloud_init": {"user_data": ping},
        "nics": [{"port_group": "Production", "addresses": ["172.20.0.78/24"]}],
    }
    box.module("pextra_vm", **asks)
    wait_until("the machine reaches it", lambda: f"ping {ADDRESS} ok" in lab.console(MACHINE), timeout_s=120)

    (told,) = box.module("pextra_vm_info", names=[NAME], figures=True)["vms"]
    figures = told["figures"]
    assert (figures["memory_given"], figures["cpu_time_s"] > 0) == (64, True)
    assert HELD_MIB <= figures["memory_on_node"] <= 64
    (nic,) = figures["nics"]
    assert (nic["device"], nic["received_bytes"] > 0, nic["sent_bytes"] > 0) == (port, True, True)
    assert figures["disks"] == []

    # Limited and changed, while the same process runs on.
    before = init_of(lab)
    changed, same = box.calls("pextra_vm", *2 * [{"name": NAME, "memory": "96 MiB", "vcpus": 2, "tags": ["a"]}])
    assert (changed["changed"], same["changed"], same["pending"]) == (True, False, [])
    assert limits(lab) == (96, 2)
    assert init_of(lab) == before
    assert re.search(r"tag name=.a.", ct(lab, "dumpxml", NAME))

    # Another port group waits for its next start, and the machine does not reach it there.
    other = [{"port_group": "DMZ", "addresses": [f"{ADDRESS}/24"]}]
    waits, restarted = box.calls(
        "pextra_vm", {"name": NAME, "nics": other}, {"name": NAME, "nics": other, "allow_restart": True}
    )
    assert [one["option"] for one in waits["pending"]] == ["nics.nic0.port_group"]
    assert restarted["pending"] == []
    assert "<tag id='99'/>" in ct(lab, "dumpxml", NAME)
    wait_until("it is out of reach", lambda: lab.console(MACHINE).rstrip().splitlines()[-1].find("lost") > 0)

    box.module("pextra_vm", name=NAME, power="stopped")
    assert state(lab) == "shut off"
    # As a run leaves it that is killed while it empties them.
    lab.exec(NODE, "chmod", "0700", files)
    refused = box.refused_module("pextra_vm", name=NAME, power="running")["msg"]
    assert "are not whole" in refused
    assert state(lab) == "shut off"
    lab.exec(NODE, "chmod", "0500", files)
    # Its files stay as they were left.
    lab.exec(NODE, "touch", f"{files}/rootfs/home/kept")
    box.module("pextra_vm", name=NAME, power="running")
    assert "kept" in inside(lab, "ls", "/home")

    # Its limit holds: what takes more is ended by the kernel.
    lab.exec(NODE, "touch", f"{files}/rootfs/eat")
    box.module("pextra_vm_power", name=NAME, action="restart")
    group = f"/sys/fs/cgroup/memory/machine/lxc-*-{NAME}.libvirt-lxc/memory.failcnt"
    wait_until("it meets its limit", lambda: int(lab.sh(NODE, f"cat {group} 2>/dev/null || echo 0")) > 0)

    (gone,) = box.calls(
        "pextra_vm",
        {"name": NAME, "state": "absent", "force_stop": True, "remove_volumes": True, "confirm": "DESTROY"},
    )
    assert gone["changed"] is True
    assert NAME not in ct(lab, "list", "--all")
    assert lab.exec(NODE, "find", POOL, "-name", f"{NAME}.*") == ""


@contextmanager
def controller_frozen(lab: Lab) -> Iterator[None]:
    """Freeze what would tell libvirt that a helper has ended, once one is at work: it ends, and its domain runs on."""
    script = """
    for _ in $(seq 600); do
        controller=$(pgrep -f '[l]ibvirt_lxc --name pextra-inst')
        if [ "$controller" ] && pgrep -u 1000000 -f container-volume >/dev/null; then
            sleep 1
            kill -STOP $controller && exit
        fi
        sleep 0.1
    done
    exit 1"""
    with ThreadPoolExecutor(1) as pool:
        freezing = pool.submit(lab.sh, NODE, script)
        yield
        freezing.result()


@pytest.mark.long
def test_helpers_whose_end_libvirt_does_not_see(lab: Lab, box: Site) -> None:
    """Both kinds are seen to have ended by the directory, and are ended: no domain or process of theirs is left."""
    wanted = {"name": NAME, "type": "lxc", "image": IMAGE, "root": {"pool": "local"}, "memory": "64 MiB"}
    gone = {"name": NAME, "state": "absent", "force_stop": True, "remove_volumes": True, "confirm": "DESTROY"}
    for call, is_there in ((wanted, True), (gone, False)):
        begun = time.monotonic()
        with controller_frozen(lab):
            box.calls("pextra_vm", call)
        assert time.monotonic() - begun < 60
        assert "pextra-inst" not in ct(lab, "list", "--all")
        assert lab.sh(NODE, "pgrep -f '[l]ibvirt_lxc --name pextra-inst' || true") == ""
        assert (NAME in ct(lab, "list", "--name")) is is_there
    assert lab.exec(NODE, "find", POOL, "-name", f"{NAME}.*") == ""


@pytest.mark.long
def test_one_that_ends_by_itself_is_shut_off_for_libvirt(lab: Lab, box: Site) -> None:
    """However it ends: nothing would tell the coordinators' job which of them had crashed."""
    box.module("pextra_vm", name=NAME, type="lxc", image=IMAGE, root={"pool": "local"}, memory="64 MiB")
    for kill in (f"kill -KILL {init_of(lab)}", f"pkill -KILL -f '[l]ibvirt_lxc --name {NAME} '"):
        lab.sh(NODE, kill)
        wait_until("it has ended", lambda: state(lab) == "shut off")
        assert ct(lab, "domstate", "--reason", NAME).strip() == "shut off (shutdown)"
        box.module("pextra_vm", name=NAME, power="running")


def console(lab: Lab) -> str:
    """Return what the container's console has, which nobody has read yet."""
    script = f"(sleep 1) | timeout 5 script -qc 'virsh -c lxc:///system console {NAME}' /dev/null"
    return lab.sh(NODE, script, check=False)


@pytest.mark.long
def test_what_a_container_cannot_have(lab: Lab, box: Site) -> None:
    """Refused by name, all at once, before anything is touched."""
    known = {"name": NAME, "type": "lxc", "image": IMAGE, "root": {"pool": "local"}, "power": "stopped"}
    devices = {"tpm": {"model": "tpm-crb"}, "firmware": {"type": "efi"}, "volumes": [{"name": "data", "pool": "local"}]}
    refused = box.refused_module("pextra_vm", **known, **devices)
    assert {one["resource"] for one in refused["errors"]} == {"tpm", "firmware", "volumes"}
    elsewhere = box.refused_module("pextra_vm", **known, node="node1")["msg"]
    assert "it has no containers (pextra_containers: true would give them to it)" in elsewhere
    disk = box.refused_module("pextra_vm", **known | {"image": "tiny"})["msg"]
    assert "image tiny is a disk (qcow2), and a container begins from files" in disk
    machine = box.refused_module("pextra_vm", **known | {"type": "qemu", "root": {"pool": "local", "size": "1 GiB"}})
    assert f"image {IMAGE} holds the files of a container (tar)" in machine["msg"]
    assert lab.exec(NODE, "find", POOL, "-name", f"{NAME}.*") == ""

    box.module("pextra_vm", **known)
    later = box.calls(
        "pextra_vm",
        {"name": NAME, "tpm": {"model": "tpm-crb"}, "fails": True},
        {"name": NAME, "node": "node1", "fails": True},
        {"name": NAME, "type": "qemu", "fails": True},
        {"name": NAME, "state": "absent", "fails": True},
    )
    for result, what in zip(
        later,
        (
            "tpm is nothing that a container has",
            "containers stay on their node",
            "cannot become a virtual machine",
            "let its files go with it",
        ),
        strict=True,
    ):
        assert what in result["msg"]
    reset = box.refused_module("pextra_vm_power", name=NAME, action="reset")["msg"]
    assert "it is a container, and has no reset button" in reset


@pytest.mark.long
def test_an_image_that_cannot_be_unpacked(lab: Lab, box: Site, tmp_path: Path) -> None:
    """It says why, makes nothing that could be started, and begins again once the image is mended."""
    broken = tmp_path / "broken.tar"
    with tarfile.open(broken, "w") as tar:
        tar.addfile(_member("./etc", tarfile.DIRTYPE, 0o755))  # and no init
    image = {"name": "it-broken", "format": "tar", "pools": ["local"]}
    box.module("pextra_image", **image, source=str(broken))
    wanted = {"name": NAME, "type": "lxc", "image": "it-broken", "root": {"pool": "local"}, "memory": "64 MiB"}
    try:
        (refused,) = box.calls("pextra_vm", {**wanted, "fails": True})
        assert "its image could not be unpacked" in refused["msg"]
        assert NAME not in ct(lab, "list", "--all")
        write_files(broken, "mended")
        box.module("pextra_image", **image, source=str(broken))
        box.module("pextra_vm", **wanted)
        assert "of mended" in console(lab)
    finally:
        box.module("pextra_vm", name=NAME, **GONE)
        box.module("pextra_image", name="it-broken", state="absent")
