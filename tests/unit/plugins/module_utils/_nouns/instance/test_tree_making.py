# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The helpers that fill and empty the root volumes of containers: how they are seen to have ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.containers import Permissions
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import HypervisorError
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_container import COMPLETE, LEFT
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.acts import CreateVolume, DeleteTree
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.tree_making import (
    delete_tree,
    unpack_limit_s,
    unpack_tree,
)

VOLUME = "box.inst-AAAAAAAAAAAAAAAAAAAAA.root.dir"
GIB = 1024**3
FILL = CreateVolume(
    pool="local",
    pool_row=Row("pool-AAAAAAAAAAAAAAAAAAAAA", "pool", "local", ""),
    volume=VOLUME,
    size=0,
    type="directory",
    format="dir",
    mode="unpack",
    image_volume="img-AAAAAAAAAAAAAAAAAAAAA.raw",
    image_size=GIB,
)


class Silent:
    """A node whose libvirt never says that a helper has ended. seen: the permissions of the volume, one after the
    other; the first are those from before.
    """

    node = "node1"

    def __init__(self, *seen: Permissions) -> None:
        self.seen = list(seen)
        self.names: set[str] = set()
        self.pauses = 0
        self.limit_s = 0.0

    def create_volume(self, pool: str, xml: str, resource: str) -> None:
        self.names.add(VOLUME)

    def delete_volume(self, pool: str, volume: str, resource: str) -> None:
        self.names.discard(volume)

    def refresh_pool(self, pool: str) -> None:
        pass

    def volume_names(self, pool: str) -> set[str]:
        return self.names

    def volume_path(self, pool: str, volume: str) -> str:
        return f"/srv/{volume}"

    def permissions_of_volume(self, pool: str, volume: str, resource: str) -> Permissions:
        return self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]

    def run_container(self, xml: str, limit_s: float, resource: str, has_ended: Callable[[], bool]) -> Iterator[float]:
        self.limit_s = limit_s
        while not has_ended():
            self.pauses += 1
            assert self.pauses < 10, "it is never seen to end"
            yield 0.0


def carry_out(node: Silent, act: CreateVolume | DeleteTree) -> None:
    cloud: Any = SimpleNamespace(hypervisor=lambda _: node)
    steps = unpack_tree(cloud, "node1", act, "") if isinstance(act, CreateVolume) else delete_tree(cloud, "", act, "")
    for _ in steps:
        pass


NEW, BEGUN = Permissions(0o700, "1"), Permissions(0o700, "2")


def test_one_that_has_filled_its_volume_has_ended() -> None:
    node = Silent(NEW, BEGUN, BEGUN, Permissions(COMPLETE, "3"))
    carry_out(node, FILL)
    assert node.pauses == 2
    assert node.limit_s == unpack_limit_s(GIB)


@pytest.mark.parametrize("before", [NEW, Permissions(LEFT, "1")])
def test_one_that_has_failed_has_ended(before: Permissions) -> None:
    """Also where an earlier one has left the volume with the same permissions: those are no sign of this one."""
    node = Silent(before, before, before, BEGUN, Permissions(LEFT, "3"))
    with pytest.raises(HypervisorError, match="its image could not be unpacked"):
        carry_out(node, FILL)
    assert node.pauses == 3


def test_one_that_has_emptied_its_volume_has_ended() -> None:
    node = Silent(Permissions(COMPLETE, "1"), Permissions(COMPLETE, "1"), BEGUN, Permissions(LEFT, "3"))
    node.names.add(VOLUME)
    carry_out(node, DeleteTree("local", VOLUME))
    assert node.pauses == 2
    assert node.names == set()


def test_a_volume_that_is_gone_needs_no_helper() -> None:
    node = Silent(NEW)
    carry_out(node, DeleteTree("local", VOLUME))
    assert node.limit_s == 0


def test_a_larger_image_may_take_longer() -> None:
    assert unpack_limit_s(0) == 300
    assert unpack_limit_s(GIB) == 300 + 2048
