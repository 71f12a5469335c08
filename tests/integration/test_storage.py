# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage pools and images on the lab: what virsh, the files and the node's labels say."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lab import ROOT, Lab, Site, wait_until

CACHE = "/var/lib/pextra/images"
POOL, POOL_INFO = "pextra.cloud.pextra_pool", "pextra.cloud.pextra_pool_info"
IMAGE, IMAGE_INFO = "pextra.cloud.pextra_image", "pextra.cloud.pextra_image_info"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A raw disk of 24 MiB that is like no other."""
    path = tmp_path / "test.img"
    path.write_bytes(os.urandom(24 * 1024**2))
    return path


@pytest.fixture
def storage(cloud: Site, lab: Lab) -> Iterator[Site]:
    """The cloud, and nothing left of what a test makes."""
    yield cloud
    cloud.play(
        [{module: {"name": name, "state": "absent"}} for module, name in ((IMAGE, "it-image"), (POOL, "it-pool"))]
    )
    lab.on_all("rm", "-rf", "/srv/it-pool")


def call(site: Site, module: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
    """Run one module on the coordinator, and return its result."""
    return site.play([{module: options, "check_mode": check}])[-1]


def pool_state(lab: Lab, node: str, pool: str) -> dict[str, str]:
    lines = lab.exec(node, "virsh", "pool-info", pool).splitlines()
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines) if key}


def have_pool(site: Site, **more: Any) -> dict[str, Any]:
    return call(site, POOL, name="it-pool", path="/srv/it-pool", **more)


def have_image(site: Site, file: Path, *, check: bool = False, **more: Any) -> dict[str, Any]:
    options = {"name": "it-image", "source": str(file), "format": "raw", "pools": ["it-pool"], **more}
    return call(site, IMAGE, check=check, **options)


def test_a_pool_is_on_its_nodes_and_nowhere_else(storage: Site, lab: Lab) -> None:
    made = have_pool(storage, nodes=["node1", "node2"])
    assert made["changed"]
    assert made["pool"]["status"] == "available"
    for node in ("node1", "node2"):
        state = pool_state(lab, node, "it-pool")
        assert (state["State"], state["Autostart"], state["Persistent"]) == ("running", "yes", "yes")
        assert lab.exec(node, "stat", "-c", "%a %U", "/srv/it-pool").strip() == "711 root"
        assert made["pool"]["id"] in lab.exec(node, "ovs-vsctl", "get", "Open_vSwitch", ".", "external_ids")
    assert "it-pool" not in lab.exec("node3", "virsh", "pool-list", "--all", "--name").split()
    assert not have_pool(storage, nodes=["node1", "node2"])["changed"]
    [found] = call(storage, POOL_INFO, names=["it-pool"])["pools"]
    assert found["id"] == made["pool"]["id"]
    assert [(node["name"], node["status"]) for node in found["nodes"]] == [
        ("node1", "available"),
        ("node2", "available"),
    ]


def test_what_was_changed_by_hand_is_predicted_and_mended(storage: Site, lab: Lab) -> None:
    have_pool(storage)
    lab.sh("node2", "virsh pool-destroy it-pool && virsh pool-undefine it-pool")
    lab.sh("node3", "virsh pool-destroy it-pool && virsh pool-autostart --disable it-pool")
    predicted = call(storage, POOL, check=True, name="it-pool", path="/srv/it-pool")
    mended = have_pool(storage)
    assert predicted["actions"] == mended["actions"]
    assert sorted(action.split(":")[0] for action in mended["actions"]) == [
        "pool it-pool on node2",
        "pool it-pool on node3",
    ]
    assert {pool_state(lab, node, "it-pool")["State"] for node in lab.nodes} == {"running"}
    assert not have_pool(storage)["changed"]


def test_foreign_pools_are_refused_and_stay(storage: Site, lab: Lab) -> None:
    lab.sh("node2", "mkdir -p /srv/it-pool/theirs && virsh pool-define-as theirs dir --target /srv/it-pool/theirs")
    before = lab.exec("node2", "virsh", "pool-dumpxml", "theirs")
    try:
        refused = have_pool(storage)
        assert refused["failed"]
        assert "storage pool theirs at /srv/it-pool/theirs, which is not ours" in refused["msg"]
        assert lab.exec("node2", "virsh", "pool-dumpxml", "theirs") == before
        assert "it-pool" not in lab.exec("node1", "virsh", "pool-list", "--all", "--name").split()
    finally:
        lab.exec("node2", "virsh", "pool-undefine", "theirs")


def test_a_pool_stays_while_a_node_holds_volumes(storage: Site, lab: Lab) -> None:
    have_pool(storage)
    lab.exec("node3", "virsh", "vol-create-as", "it-pool", "theirs.img", "1M")
    refused = have_pool(storage, nodes=["node1"])
    assert refused["failed"]
    assert "node3: pool it-pool: the node still holds volumes in it: theirs.img" in refused["msg"]
    assert pool_state(lab, "node2", "it-pool")["State"] == "running"
    lab.exec("node3", "virsh", "vol-delete", "theirs.img", "it-pool")
    assert call(storage, POOL, name="it-pool", state="absent")["changed"]
    assert "it-pool" not in lab.exec("node3", "virsh", "pool-list", "--all", "--name").split()
    assert lab.exec("node3", "ls", "-d", "/srv/it-pool").strip() == "/srv/it-pool"


def test_an_image_arrives_whole_on_every_node(storage: Site, lab: Lab, file: Path) -> None:
    have_pool(storage)
    predicted = have_image(storage, file, check=True)
    assert predicted["changed"]
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert lab.sh("node1", f"ls {CACHE}/{digest} 2>/dev/null || true") == ""
    made = have_image(storage, file)
    assert [(copy["node"], copy["status"]) for copy in made["image"]["copies"]] == [
        (node, "complete") for node in lab.nodes
    ]
    volume = f"/srv/it-pool/{made['image']['id']}.raw"
    for node in lab.nodes:
        assert lab.exec(node, "sha256sum", volume).split()[0] == digest
        assert lab.exec(node, "stat", "-c", "%a", volume).strip() == "600"
    assert lab.exec("node1", "stat", "-c", "%a %U", f"{CACHE}/{digest}").strip() == "600 root"
    assert not have_image(storage, file)["changed"]


def test_a_copy_that_is_gone_or_not_complete_is_written_again(storage: Site, lab: Lab, file: Path) -> None:
    have_pool(storage)
    volume = f"{have_image(storage, file)['image']['id']}.raw"
    lab.exec("node2", "rm", f"/srv/it-pool/{volume}")
    again = have_image(storage, file)
    assert again["actions"] == ["image it-image on node2: copy into pool it-pool"]
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert lab.exec("node2", "sha256sum", f"/srv/it-pool/{volume}").split()[0] == digest


@pytest.mark.long
def test_a_killed_run_is_taken_up(storage: Site, lab: Lab, tmp_path: Path) -> None:
    big = tmp_path / "big.img"
    with big.open("wb") as target:
        for _ in range(256):
            target.write(os.urandom(1024**2))
    have_pool(storage)
    options = {"name": "it-image", "source": str(big), "format": "raw", "pools": ["it-pool"]}
    playbook = tmp_path / "image.yml"
    playbook.write_text(json.dumps([{"hosts": "node1", "tasks": [{IMAGE: options}]}]))
    killed = subprocess.Popen(
        storage.command(playbook=str(playbook)),
        cwd=ROOT,
        env=storage.environment(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until("a copy is under way", lambda: lab.sh("node2", "ls /srv/it-pool"))
    finally:
        storage.kill(killed)
        # Pipelined modules have no name of their own.
        lab.sh("node1", "pkill -9 -x python3", check=False)
    made = have_image(storage, big)
    assert {copy["status"] for copy in made["image"]["copies"]} == {"complete"}
    digest = made["image"]["sha256"]
    for node in lab.nodes:
        assert lab.sh(node, "ls /srv/it-pool | wc -l").strip() == "1"
        assert lab.sh(node, "sha256sum /srv/it-pool/*").split()[0] == digest
    assert not have_image(storage, big)["changed"]


def test_a_hostile_file_is_refused_before_anything(storage: Site, lab: Lab, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.img"
    hostile.write_bytes(b"QFI\xfb".ljust(512, b"\0"))
    have_pool(storage)
    refused = have_image(storage, hostile)
    assert refused["failed"]
    assert "looks like qcow2" in refused["msg"]
    found = call(storage, IMAGE_INFO, names=["it-image"])
    assert json.dumps(found["images"]) == "[]"
    assert lab.sh("node1", "ls /srv/it-pool").strip() == ""


def test_a_full_disk_is_told_and_the_other_nodes_go_on(storage: Site, lab: Lab, file: Path) -> None:
    lab.sh("node2", "mkdir -p /srv/it-pool && mount -t tmpfs -o size=8m tmpfs /srv/it-pool")
    try:
        have_pool(storage)
        refused = have_image(storage, file)
        assert refused["failed"]
        assert refused["msg"].startswith("node2: image it-image in pool it-pool: ")
        assert "No space left on device. The disk is full: free space, or use another storage pool." in refused["msg"]
        assert lab.exec("node2", "ls", "/srv/it-pool") == ""
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        for node in ("node1", "node3"):
            assert lab.sh(node, "sha256sum /srv/it-pool/*").split()[0] == digest
        [image] = call(storage, IMAGE_INFO, names=["it-image"])["images"]
        assert {copy["node"]: copy["status"] for copy in image["copies"]} == {
            "node1": "complete",
            "node3": "complete",
        }
        lab.exec("node2", "mount", "-o", "remount,size=64m", "/srv/it-pool")
        assert {copy["status"] for copy in have_image(storage, file)["image"]["copies"]} == {"complete"}
        assert lab.sh("node2", "sha256sum /srv/it-pool/*").split()[0] == digest
    finally:
        call(storage, IMAGE, name="it-image", state="absent")
        call(storage, POOL, name="it-pool", state="absent")
        lab.exec("node2", "umount", "/srv/it-pool")
