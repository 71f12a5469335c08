# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of images in pools of each type: their names, and who stands in the way of deleting them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import AssociationRow, Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.planning import plan_images
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.state import ImageHave, User
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.spec import Image

CLUSTER = Row(new_id("cluster"), "cluster", "mtl-1")
NODES = tuple(Row(new_id("node"), "node", f"node{n}", CLUSTER.id, {}) for n in (1, 2))
SHARED = {"netfs", "iscsi", "rbd"}
TYPES = ("directory", "netfs", "rbd", "zfs", "lvm", "iscsi")
POOLS = {
    kind: Row(
        new_id("pool"),
        "pool",
        kind,
        CLUSTER.id,
        {"type": kind, "path": f"/srv/{kind}" if kind in ("directory", "netfs") else None, "shared": kind in SHARED},
    )
    for kind in TYPES
}
SHA256 = "a" * 64


def have(*images: Row, names: str = "", **changes: Any) -> ImageHave:
    """All nodes have all pools. names: the volume that is in all of them."""
    associations = tuple(AssociationRow(one.id, node.id, {"enabled": True}) for one in POOLS.values() for node in NODES)
    held = frozenset({names} - {""})
    volumes = {(node.name, one.id): held for node in NODES for one in POOLS.values()}
    labels: dict[str, dict[str, str]] = {node.name: {} for node in NODES}
    rows = tuple(POOLS.values())
    return ImageHave(
        (CLUSTER,), NODES, rows, images, associations, volumes, {}, labels, cached=frozenset({SHA256}), **changes
    )


@pytest.mark.parametrize(
    ("image_format", "names"),
    [
        ("qcow2", {"directory": "qcow2", "netfs": "qcow2", "rbd": "raw", "zfs": "raw", "lvm": "raw"}),
        ("raw", {"directory": "raw", "netfs": "raw", "rbd": "raw", "zfs": "raw", "lvm": "raw"}),
    ],
)
def test_copies_are_named_for_what_they_are(image_format: str, names: dict[str, str]) -> None:
    want = Image(name="tiny", source="/srv/tiny", sha256=SHA256, format=image_format)
    plan = plan_images([want], have())
    steps = [step for work in plan.works for step in work.steps if step.act == "upload"]
    assert {step.data["pool"]: step.data["volume"].rpartition(".")[2] for step in steps} == names
    # On each node, or once where the pool is shared; and not among the units of a target.
    assert sorted(step.data["pool"] for step in steps) == sorted(
        ["directory", "directory", "lvm", "lvm", "zfs", "zfs", "netfs", "rbd"]
    )


def test_a_target_holds_no_image() -> None:
    plan = plan_images([Image(name="tiny", source="/srv/tiny", sha256=SHA256, pools=("iscsi",))], have())
    (problem,) = plan.refusals
    assert "no image can be copied there" in problem.what
    assert problem.remedy == "Choose one of type directory, netfs, rbd, zfs, lvm."


def image(*kinds: str) -> Row:
    keys = [f"{POOLS[kind].id}/{'' if kind in SHARED else NODES[0].id}" for kind in kinds]
    attributes = {"sha256": SHA256, "format": "qcow2", "description": None, "virtual_size": 1024, "size": 1000}
    return Row("img-AAAAAAAAAAAAAAAAAAAAA", "image", "tiny", CLUSTER.id, {**attributes, "copies": sorted(keys)})


def test_a_copy_within_ceph_goes_with_its_snapshot() -> None:
    row = image("rbd", "lvm", "directory")
    plan = plan_images([Image(name="tiny", state="absent")], have(row, names=f"{row.id}.raw"))
    steps = {step.data["pool"]: step.data for work in plan.works for step in work.steps if step.act == "delete"}
    assert {pool: (data["volume"], data["with_snapshots"]) for pool, data in steps.items()} == {
        "rbd": (f"{row.id}.raw", True),
        "lvm": (f"{row.id}.raw", False),
        "directory": (f"{row.id}.qcow2", False),
    }


def test_a_clone_keeps_its_image() -> None:
    row = image("rbd")
    user = User("volume", "vms/web.root.raw", "node1", "rbd", frozenset({POOLS["rbd"].id}))
    plan = plan_images([Image(name="tiny", state="absent")], have(row, names=f"{row.id}.raw", users={row.id: (user,)}))
    (problem,) = plan.refusals
    assert problem.what == "it is used by volume vms/web.root.raw in pool rbd on node1"
