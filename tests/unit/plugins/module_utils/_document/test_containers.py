# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers in the document: what is wrong with them is told before anything is touched, all at once."""

from __future__ import annotations

from typing import Any

import pytest
from deployment_document import FILES, HOSTS, read, told

IMAGES = [
    {"name": "tiny", "source": "images/tiny.qcow2"},
    {"name": "files", "source": "images/tiny.qcow2", "format": "tar"},
]
BOX = {"name": "box", "type": "lxc", "image": "files", "root": {"pool": "local"}}
WITH_ONE = HOSTS | {"node2": HOSTS["node2"] | {"pextra_containers": True}}


def mistakes(*instances: dict[str, Any], hosts: dict[str, Any] = WITH_ONE) -> list[str]:
    assert "/site/images/tiny.qcow2" in FILES
    return told(read({"pextra_images": IMAGES, "pextra_instances": list(instances)}, hosts))


def test_one_that_is_right() -> None:
    nics = [{"port_group": "Production", "addresses": ["172.20.0.8/24"], "gateway": "172.20.0.1"}]
    deployment = read({"pextra_images": IMAGES, "pextra_instances": [BOX | {"nics": nics}]}, WITH_ONE)
    assert told(deployment) == []
    assert [node["containers"] for node in deployment.document["nodes"]] == [False, True, False]


@pytest.mark.parametrize(
    ("instance", "told_of", "problem"),
    [
        (BOX | {"image": "tiny"}, "image", '"tiny" is a disk (qcow2), and a container begins from files'),
        (BOX | {"type": "qemu"}, "image", '"files" holds the files of a container (tar), and is no disk'),
        (BOX | {"node": "node1"}, "node", "node1 has no containers; write pextra_containers: true"),
        (BOX | {"tpm": {}}, "tpm", "is nothing that a container has"),
        (BOX | {"firmware": {"type": "efi"}}, "firmware", "is nothing that a container has"),
        (BOX | {"cloud_init": {"users": [{"name": "me"}]}}, "cloud_init.users", "cannot be told to a container"),
        ({"name": "box", "type": "lxc"}, "image", "is missing; a container begins from the files of an image"),
    ],
)
def test_what_is_wrong(instance: dict[str, Any], told_of: str, problem: str) -> None:
    found = [one for one in mistakes(instance) if f"(box).{told_of}" in one]
    assert len(found) == 1, mistakes(instance)
    assert problem in found[0]


def test_no_node_has_them() -> None:
    (found,) = mistakes(BOX, hosts=HOSTS)
    assert "(box).type" in found
    assert "no node of its cluster has containers; write pextra_containers: true for a host" in found


def test_files_lie_in_directories() -> None:
    pools = [{"name": "vms", "type": "lvm"}, {"name": "local"}]
    images = [IMAGES[0], IMAGES[1] | {"pools": ["vms", "local"]}]
    box = BOX | {"root": {"pool": "vms"}}
    found = told(read({"pextra_images": images, "pextra_pools": pools, "pextra_instances": [box]}, WITH_ONE))
    assert any("(box).root.pool" in one and "where no container can be" in one for one in found), found
