# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image whose content changes while instances use it: what stays, what goes, and who is said to use it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lab import Lab, Site

pytestmark = pytest.mark.long

DIRECTORY = "/srv/it-pool"


@pytest.fixture
def storage(cloud: Site, lab: Lab) -> Iterator[Site]:
    """A pool on every node; nothing is left of what a test makes."""
    cloud.module("pextra_pool", name="it-pool", path=DIRECTORY)
    yield cloud
    gone = {"state": "absent", "confirm": "DESTROY"}
    instances = [{"name": f"it-{number}", "state": "absent"} for number in (1, 2)]
    cloud.play(
        [
            {"pextra.cloud.pextra_vm": {"vms": instances} | _WITH_VOLUMES},
            {"pextra.cloud.pextra_image": {"name": "it-image"} | gone},
            {"pextra.cloud.pextra_pool": {"name": "it-pool", "state": "absent"}},
        ]
    )
    lab.on_all("rm", "-rf", DIRECTORY)


_WITH_VOLUMES = {"remove_volumes": True, "confirm": "DESTROY"}


@pytest.fixture
def contents(tmp_path: Path) -> list[Path]:
    """Raw disks that are like no others."""
    paths = [tmp_path / f"{number}.img" for number in range(4)]
    for path in paths:
        path.write_bytes(os.urandom(2 * 1024**2))
    return paths


def image_options(source: Path, **more: Any) -> dict[str, Any]:
    return {"name": "it-image", "source": str(source), "format": "raw", "pools": ["it-pool"], **more}


def have(site: Site, source: Path, **more: Any) -> dict[str, Any]:
    return dict(site.module("pextra_image", **image_options(source, **more)))


def have_instance(site: Site, name: str, node: str) -> None:
    root = {"pool": "it-pool", "size": "8 MiB"}
    site.module("pextra_vm", name=name, node=node, image="it-image", root=root, memory="64 MiB", power="stopped")


def info(site: Site) -> dict[str, Any]:
    [image] = site.module("pextra_image_info", names=["it-image"])["images"]
    return dict(image)


def files(lab: Lab, node: str) -> set[str]:
    """The copies of images that a node holds."""
    return {name for name in lab.exec(node, "ls", DIRECTORY).split() if name.startswith("img-")}


def test_versions_stay_while_instances_use_them(storage: Site, lab: Lab, contents: list[Path]) -> None:
    first = have(storage, contents[0])["image"]
    assert (info(storage)["unused"], info(storage)["used_by"]) == (True, [])
    have_instance(storage, "it-1", "node2")
    use = {"type": "instance", "name": "it-1", "node": "node2", "pool": None, "version": first["id"]}
    assert (info(storage)["unused"], info(storage)["used_by"]) == (False, [use])

    second = have(storage, contents[1])["image"]
    assert (second["number"], [old["id"] for old in second["versions"]]) == (2, [first["id"]])
    for node in lab.nodes:
        assert files(lab, node) == {f"{first['id']}.raw", f"{second['id']}.raw"}
    assert not have(storage, contents[1])["changed"]
    have_instance(storage, "it-2", "node3")
    for name, node, version in (("it-1", "node2", first), ("it-2", "node3", second)):
        found = lab.sh(node, f"qemu-img info {DIRECTORY}/{name}.*.root.qcow2 | grep '^backing file:'")
        assert f"/{version['id']}.raw" in found
    refused = storage.refused_module("pextra_image", name="it-image", state="absent", confirm="DESTROY")
    assert "instance it-1 on node2, instance it-2 on node3" in refused["msg"]

    # Its registry is lost: the nodes know of both versions.
    before = info(storage)
    lab.sh("node1", "rm -f /var/lib/pextra/registry.db*")
    storage.run("--tags", "coordinator,cluster,storage").must_succeed()
    assert info(storage) == before
    assert not have(storage, contents[1])["changed"]

    storage.module("pextra_vm", name="it-1", state="absent", **_WITH_VOLUMES)
    gone = have(storage, contents[1])
    assert {action.partition(": ")[2] for action in gone["actions"]} == {
        "delete version 1 in pool it-pool",
        "write its label",
    }
    for node in lab.nodes:
        assert files(lab, node) == {f"{second['id']}.raw"}
    assert [use["name"] for use in info(storage)["used_by"]] == ["it-2"]


def test_as_many_versions_are_kept_as_was_asked_for(storage: Site, lab: Lab, contents: list[Path]) -> None:
    made = [have(storage, path, retention=2)["image"]["id"] for path in contents[:3]]
    assert [old["id"] for old in info(storage)["versions"]] == [made[1], made[0]]
    fourth = have(storage, contents[3])["image"]
    assert [old["id"] for old in fourth["versions"]] == [made[2], made[1]]
    assert files(lab, "node3") == {f"{one}.raw" for one in (fourth["id"], made[2], made[1])}

    back = have(storage, contents[2])
    assert back["image"]["id"] == made[2]
    assert not [action for action in back["actions"] if "copy" in action]
    assert [old["id"] for old in back["image"]["versions"]] == [fourth["id"], made[1]]
    assert not have(storage, contents[2])["changed"]

    refused = storage.refused_module("pextra_image", **image_options(contents[2], retention=1))
    assert "would destroy version 2 of image it-image" in refused["msg"]
    assert files(lab, "node1") == {f"{one}.raw" for one in (fourth["id"], made[2], made[1])}
    assert info(storage)["retention"] == 2
    have(storage, contents[2], retention=1, confirm="DESTROY")
    assert files(lab, "node1") == {f"{one}.raw" for one in (fourth["id"], made[2])}
    assert "would destroy" in storage.refused_module("pextra_image", name="it-image", state="absent")["msg"]


def test_volumes_of_others_count(storage: Site, lab: Lab, contents: list[Path]) -> None:
    first = have(storage, contents[0])["image"]
    lab.exec(
        "node2",
        *("virsh", "vol-create-as", "it-pool", "overlay.qcow2", "8M", "--format", "qcow2"),
        *("--backing-vol", f"{first['id']}.raw", "--backing-vol-format", "raw"),
    )
    try:
        refused = storage.refused_module("pextra_image", name="it-image", state="absent")
        assert "used by volume overlay.qcow2 in pool it-pool on node2" in refused["msg"]
        second = have(storage, contents[1])["image"]
        assert files(lab, "node2") == {f"{first['id']}.raw", f"{second['id']}.raw"}
        [use] = info(storage)["used_by"]
        assert (use["type"], use["name"], use["version"]) == ("volume", "overlay.qcow2", first["id"])
    finally:
        lab.exec("node2", "virsh", "vol-delete", "overlay.qcow2", "it-pool")
    assert have(storage, contents[1])["changed"]
    assert files(lab, "node2") == {f"{second['id']}.raw"}


def test_a_new_content_that_cannot_be_used_costs_nothing(storage: Site, lab: Lab, contents: list[Path]) -> None:
    first = have(storage, contents[0])["image"]
    before = info(storage)
    hostile = contents[1]
    hostile.write_bytes(b"QFI\xfb".ljust(2 * 1024**2, b"\0"))
    refused = storage.refused_module("pextra_image", **image_options(hostile))
    assert "looks like qcow2" in refused["msg"]
    assert json.dumps(info(storage)) == json.dumps(before)
    assert files(lab, "node3") == {f"{first['id']}.raw"}
