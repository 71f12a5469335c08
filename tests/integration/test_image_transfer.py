# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of an image to the nodes, on the lab: once to each, and half of one is never taken for a whole one.

What was transferred is read from the nodes' network interfaces.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.image_server import Served, serve_image
from tests.integration.lab import ROOT, Lab, Site, wait_until

pytestmark = pytest.mark.long

# `make image-transfer` takes 1024.
SIZE_MIB = int(os.environ.get("PEXTRA_IMAGE_MIB", "64"))
MIB = 1024**2
CACHE = "/var/lib/pextra/images"
DIRECTORY = "/srv/it-pool"
POOL, IMAGE, IMAGE_INFO = (f"pextra.cloud.pextra_{noun}" for noun in ("pool", "image", "image_info"))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw disk that is like no other."""
    path = tmp_path_factory.mktemp("image") / "big.img"
    with path.open("wb") as target:
        for _ in range(SIZE_MIB):
            target.write(os.urandom(MIB))
    return path


@pytest.fixture(scope="module")
def digest(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


@pytest.fixture
def storage(cloud: Site, lab: Lab) -> Iterator[Site]:
    """A pool on every node; nothing is left of what a test makes."""
    assert cloud.play([{POOL: {"name": "it-pool", "path": DIRECTORY}}])[-1]["pool"]["status"] == "available"
    yield cloud
    cloud.play(
        [{module: {"name": name, "state": "absent"}} for module, name in ((IMAGE, "it-image"), (POOL, "it-pool"))]
    )
    lab.on_all("rm", "-rf", DIRECTORY)


def have_image(site: Site, source: Path | str, **more: Any) -> dict[str, Any]:
    return site.play([{IMAGE: options_of(source, **more)}])[-1]


def options_of(source: Path | str, **more: Any) -> dict[str, Any]:
    return {"name": "it-image", "source": str(source), "format": "raw", "pools": ["it-pool"], **more}


def received(lab: Lab) -> dict[str, int]:
    """Return the bytes that each node has received on its management interface."""
    return {node: int(text) for node, text in lab.on_all("cat", "/sys/class/net/eth0/statistics/rx_bytes").items()}


def start(site: Site, tmp_path: Path, options: dict[str, Any]) -> subprocess.Popen[str]:
    """Start a run that is to be killed."""
    playbook = tmp_path / "image.yml"
    playbook.write_text(json.dumps([{"hosts": "node1", "gather_facts": False, "tasks": [{IMAGE: options}]}]))
    return subprocess.Popen(
        site.command(playbook=str(playbook)),
        cwd=ROOT,
        env=site.environment(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_it_reaches_each_node_once_and_a_second_run_transfers_nothing(
    storage: Site, lab: Lab, file: Path, digest: str
) -> None:
    before, began = received(lab), time.monotonic()
    made = have_image(storage, file)
    took = time.monotonic() - began
    first = {node: count - before[node] for node, count in received(lab).items()}
    assert {copy["status"] for copy in made["image"]["copies"]} == {"complete"}
    volume = f"{DIRECTORY}/{made['image']['id']}.raw"
    assert {text.split()[0] for text in lab.on_all("sha256sum", volume).values()} == {digest}
    for node in ("node2", "node3"):
        assert SIZE_MIB * MIB <= first[node] < SIZE_MIB * MIB * 1.1

    files = lab.on_all("stat", "-c", "%i %Z", volume)
    before, began = received(lab), time.monotonic()
    again = have_image(storage, file)
    second = {node: count - before[node] for node, count in received(lab).items()}
    print(f"\n{SIZE_MIB} MiB: first run {took:.1f} s, received {_in_mib(first)}")
    print(f"second run {time.monotonic() - began:.1f} s, received {_in_mib(second)}")
    assert not again["changed"]
    assert max(second.values()) < 2 * MIB
    assert lab.on_all("stat", "-c", "%i %Z", volume) == files


def _in_mib(counts: dict[str, int]) -> str:
    return ", ".join(f"{node} {count / MIB:.1f} MiB" for node, count in counts.items())


def test_half_a_copy_is_never_taken_for_a_whole_one(
    storage: Site, lab: Lab, file: Path, digest: str, tmp_path: Path
) -> None:
    """The hard case: the copy was recorded as complete, was deleted by hand, and the run that mends it is killed."""
    made = have_image(storage, file)["image"]
    volume = f"{DIRECTORY}/{made['id']}.raw"
    lab.exec("node2", "rm", volume)
    # libvirtd stops in the middle of the transfer, however fast that is.
    lab.exec(
        "node2",
        *("systemd-run", "--collect", "--unit", "it-stop", "sh", "-c"),
        f"until [ $(stat -c %b {volume} 2>/dev/null || echo 0) -gt 16000 ]; do :; done; pkill -STOP -x libvirtd",
    )
    run = start(storage, tmp_path, options_of(file))
    try:
        stopped = "ps -o state= -C libvirtd | grep T || true"
        wait_until("a copy is half written", lambda: lab.sh("node2", stopped))
    finally:
        storage.kill(run)
        lab.exec("node2", "pkill", "-CONT", "-x", "libvirtd", check=False)
        lab.exec("node2", "systemctl", "stop", "it-stop", check=False)
    assert lab.exec("node2", "sha256sum", volume).split()[0] != digest

    [image] = storage.play([{IMAGE_INFO: {"names": ["it-image"]}}])[-1]["images"]
    assert [copy["node"] for copy in image["copies"]] == ["node1", "node3"]
    vm = {"name": "it-half", "image": "it-image", "node": "node2", "root": {"pool": "it-pool"}, "memory": "64 MiB"}
    refused = storage.refused_module("pextra_vm", **vm, vcpus=1, power="stopped")
    assert "the copy of image it-image in storage pool it-pool there is not complete" in refused["msg"]

    before = received(lab)
    again = have_image(storage, file)
    assert again["actions"] == ["image it-image on node2: copy into pool it-pool"]
    assert received(lab)["node3"] - before["node3"] < 2 * MIB
    assert lab.exec("node2", "sha256sum", volume).split()[0] == digest
    assert lab.exec("node2", "ls", DIRECTORY).split() == [volume.rsplit("/", 1)[1]]
    assert not have_image(storage, file)["changed"]


@pytest.fixture
def served(lab: Lab) -> Iterator[Served]:
    with serve_image(lab, SIZE_MIB) as served:
        yield served


def test_a_killed_download_is_taken_up_and_leaves_no_secret(
    storage: Site, lab: Lab, served: Served, tmp_path: Path
) -> None:
    token = "it-hunter2-of-the-url"
    options = options_of(f"{served.url}/stall/big.img?token={token}", sha256=served.digest)
    part = f"{CACHE}/.{served.digest}.part"
    run = start(storage, tmp_path, options)
    try:
        size = f"stat -c %s {part} 2>/dev/null || echo 0"
        wait_until("half of it has come", lambda: int(lab.sh("node1", size)) >= SIZE_MIB * MIB // 2 - MIB)
    finally:
        storage.kill(run)
    assert lab.sh("node1", f"ls {CACHE}/{served.digest} 2>/dev/null || true") == ""
    assert storage.play([{IMAGE_INFO: {"names": ["it-image"]}}])[-1]["images"] == []
    assert set(lab.on_all("ls", DIRECTORY).values()) == {""}
    had = int(lab.exec("node1", "stat", "-c", "%s", part))
    assert had < SIZE_MIB * MIB

    made = have_image(storage, f"{served.url}/whole/big.img?token={token}", sha256=served.digest)
    assert {copy["status"] for copy in made["image"]["copies"]} == {"complete"}
    assert served.asked() == ["/stall/big.img all", f"/whole/big.img bytes={had}-"]
    volume = f"{DIRECTORY}/{made['image']['id']}.raw"
    assert {text.split()[0] for text in lab.on_all("sha256sum", volume).values()} == {served.digest}
    assert not have_image(storage, f"{served.url}/whole/big.img?token={token}", sha256=served.digest)["changed"]
    assert len(served.asked()) == 2

    look = f"journalctl --no-pager | grep -c {token}; grep -rlF {token} /var/log /run/pextra /var/lib/pextra || true"
    assert {lab.sh(node, look, check=False).strip() for node in lab.nodes} == {"0"}


def test_a_server_without_ranges_sends_it_whole(storage: Site, lab: Lab, served: Served) -> None:
    lab.sh("node1", f"umask 077; mkdir -p {CACHE}; head -c {5 * MIB} /dev/zero >{CACHE}/.{served.digest}.part")
    made = have_image(storage, f"{served.url}/plain/big.img", sha256=served.digest)
    assert {copy["status"] for copy in made["image"]["copies"]} == {"complete"}
    assert served.asked() == [f"/plain/big.img bytes={5 * MIB}-"]
    assert lab.exec("node2", "sha256sum", f"{DIRECTORY}/{made['image']['id']}.raw").split()[0] == served.digest


def test_what_cannot_be_had_is_refused_and_leaves_nothing(storage: Site, lab: Lab, served: Served) -> None:
    for source, sha256, said in (
        (f"{served.url}/whole/none.img", served.digest, "answers 404"),
        (f"{served.url}/whole/big.img", "0" * 64, f"has the SHA-256 {served.digest}, not {'0' * 64} as declared"),
        ("http://127.0.0.1:8000/whole/big.img", served.digest, "loopback or link-local"),
    ):
        refused = have_image(storage, source, sha256=sha256)
        assert refused["failed"]
        assert said in refused["msg"]
        assert storage.play([{IMAGE_INFO: {"names": ["it-image"]}}])[-1]["images"] == []
        assert set(lab.on_all("ls", DIRECTORY).values()) == {""}
        assert lab.sh("node1", f"ls {CACHE}/{sha256} 2>/dev/null || true") == ""
