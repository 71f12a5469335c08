# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a cluster's storage: nodes as lanes with the storage pools of their own, and in each the images and
volumes there. Below them the pools that are shared, each with a rail that joins the nodes that have it.
"""

from __future__ import annotations

from collections.abc import Sequence

from .drawing import CHIP_HEIGHT, WIDTH, Chip, Drawn, box, chips, dot, elbow, label, most_chips, picture
from .figures import show_bytes, show_count, show_mib
from .markup import Markup, join, tag
from .model import Cluster, Node, Pool, PoolOnNode
from .network_picture import head
from .order import by_name

_RAIL_STEP = 18
_PAD = 14
_HEADING = 40
_POOL_WIDTH = 196
_POOL_HEIGHT = 68
_BETWEEN = 34


def draw_storage(cluster: Cluster, name: str) -> Markup:
    """Return the picture. name: its anchor."""
    shared = [pool for pool in cluster.pools if pool.shared]
    local = [pool for pool in cluster.pools if not pool.shared]
    rails = {pool.name: 20.0 + index * _RAIL_STEP for index, pool in enumerate(shared)}
    left = 20 + len(rails) * _RAIL_STEP + (6 if rails else -10)
    top = 8.0
    parts: list[Markup] = []
    joints: dict[str, list[tuple[float, str]]] = {pool: [] for pool in rails}
    for node in cluster.nodes:
        for pool in shared:
            on = next((on for on in pool.on if on.node == node.name), None)
            if on is not None:
                joints[pool.name].append((top + 20, on.status))
        lane = _node_lane(cluster, node, local, left, top)
        parts.append(lane.markup)
        top += lane.height + 12
    homeless = _homeless_lane(cluster, local, left, top)
    if homeless is not None:
        parts.append(homeless.markup)
        top += homeless.height + 12
    for pool in shared:
        lane = _shared_lane(cluster, pool, left, top)
        parts.append(lane.markup)
        joints[pool.name].append((top + _PAD + _POOL_HEIGHT / 2, pool.status))
        top += lane.height + 12
    lines = [_rail(pool, rails[pool.name], joints[pool.name], left) for pool in shared]
    about = ", ".join(
        [
            show_count(len(cluster.nodes), "node"),
            show_count(len(cluster.pools), "storage pool"),
            show_count(len(cluster.images), "image"),
            show_count(sum(len(one.disks) for one in cluster.instances) + len(cluster.volumes), "volume"),
        ]
    )
    return picture([*lines, *parts], top, f"The storage of {cluster.name}", about, name)


def _rail(pool: Pool, x: float, joints: Sequence[tuple[float, str]], left: float) -> Markup:
    """Return the line from the nodes that have a shared pool to the pool."""
    ends = [y for y, _ in joints]
    parts: list[Markup] = [
        tag("title", f"The nodes that have {pool.name}"),
        tag("path", d=f"M{x:.1f} {min(ends):.1f}V{max(ends):.1f}", class_="rail"),
    ]
    for y, status in joints:
        is_cut = status == "error"
        parts.append(tag("path", d=f"M{x:.1f} {y:.1f}H{left:.1f}", class_="wire cut" if is_cut else "wire"))
        parts.append(tag("circle", cx=x, cy=y, r=3, class_="joint"))
    return tag("g", *parts)


def _node_lane(cluster: Cluster, node: Node, local: Sequence[Pool], left: float, top: float) -> Drawn:
    mine = [one for one in cluster.instances if one.node == node.name]
    parts: list[Markup] = []
    y = top + _HEADING
    for pool in local:
        on = next((on for on in pool.on if on.node == node.name), None)
        if on is None:
            continue
        block = _block(pool, on, _chips(cluster, pool, node.name), left + _PAD, y, most_chips(len(cluster.instances)))
        parts.append(block.markup)
        y += block.height + _PAD
    if not parts:
        y = top + _HEADING
    lane = box(left, top, WIDTH - left - 2, y - top, "lane", 10)
    return Drawn(join([lane, head(node, mine, left, top), *parts]), y - top)


def _homeless_lane(cluster: Cluster, local: Sequence[Pool], left: float, top: float) -> Drawn | None:
    """Return the lane of what is to lie in pools that are each node's own, of instances that are on no node yet."""
    mine = [one for one in cluster.instances if one.node is None]
    parts: list[Markup] = []
    y = top + _HEADING
    for pool in local:
        items = _chips(cluster, pool, None)
        if not items:
            continue
        block = _block(pool, PoolOnNode(node=""), items, left + _PAD, y, most_chips(len(cluster.instances)))
        parts.append(block.markup)
        y += block.height + _PAD
    if not parts:
        return None
    lane = box(left, top, WIDTH - left - 2, y - top, "lane", 10)
    return Drawn(join([lane, head(None, mine, left, top), *parts]), y - top)


def _shared_lane(cluster: Cluster, pool: Pool, left: float, top: float) -> Drawn:
    on = PoolOnNode(node="", status=pool.status, capacity=pool.capacity, available=pool.available)
    block = _block(pool, on, _chips(cluster, pool, None), left + _PAD, top + _PAD, most_chips(len(cluster.instances)))
    height = block.height + 2 * _PAD
    return Drawn(join([box(left, top, WIDTH - left - 2, height, "lane shared", 10), block.markup]), height)


def _chips(cluster: Cluster, pool: Pool, node: str | None) -> list[Chip]:
    """Return the images and volumes that lie in a pool; on a node, where each has its own."""
    items = [
        Chip(
            name=image.name,
            about="image" if image.size is None else f"image, {show_bytes(image.size)}",
            title=f"image {image.name}: {copy.status} in {pool.name}",
            state="" if copy.status in ("complete", "declared") else copy.status,
            tone="image",
        )
        for image in cluster.images
        for copy in image.copies
        if copy.pool == pool.name and copy.node == node
    ]
    items += [
        Chip(
            name=volume.name,
            about=f"volume, {_size(volume.size, pool)}",
            title=f"volume {volume.name}: {volume.status} {volume.attached_to and f'to {volume.attached_to}'}".rstrip(),
            state=volume.status if volume.status in ("missing", "unfinished") else "",
            tone="volume",
        )
        for volume in cluster.volumes
        if volume.pool == pool.name and volume.node == node
    ]
    own = {(volume.attached_to, volume.name) for volume in cluster.volumes}
    items += [
        Chip(
            name=f"{one.name} / {disk.name}",
            about=_size(disk.size, pool, one.type),
            title=f"{disk.name} of {one.name}: {show_mib(disk.size)} in {pool.name}",
        )
        for one in by_name(cluster.instances)
        for disk in one.disks
        if disk.pool == pool.name and (pool.shared or one.node == node) and (one.name, disk.name) not in own
    ]
    return items


def _size(mib: int | None, pool: Pool, instance_type: str = "") -> str:
    """Return a size, or what it is the size of where the document does not say it."""
    if mib is not None:
        return show_mib(mib)
    if pool.type == "iscsi":
        return "size of its unit"
    # A container's files have no limit of their own.
    return "a directory" if instance_type == "lxc" else "size of its image"


def _block(pool: Pool, on: PoolOnNode, items: Sequence[Chip], x: float, y: float, most: int) -> Drawn:
    chips_x = x + _POOL_WIDTH + _BETWEEN
    drawn = chips(items, chips_x, y, WIDTH - chips_x - 2 - _PAD, most)
    height = max(drawn.height, _POOL_HEIGHT)
    first = y + (CHIP_HEIGHT if items else _POOL_HEIGHT) / 2
    parts: list[Markup | None] = [
        elbow(x + _POOL_WIDTH, first, chips_x, first, "wire") if items else None,
        _pool(pool, on, x, y),
        drawn.markup,
        None if items else label("nothing of ours in it", chips_x, y + 38, 300, "low", "muted"),
    ]
    return Drawn(tag("g", *parts), height)


def _pool(pool: Pool, on: PoolOnNode, x: float, y: float) -> Markup:
    inner = _POOL_WIDTH - 24
    kind = f"{pool.type}, shared" if pool.shared else pool.type
    parts: list[Markup | None] = [
        tag("title", pool.description or f"storage pool {pool.name}"),
        box(x, y, _POOL_WIDTH, _POOL_HEIGHT, "pool bad" if on.status == "error" else "pool"),
        label(pool.name, x + 12, y + 18, inner - 14, "mid", "strong"),
        label(kind, x + 12, y + 32, inner, "low", "muted"),
        dot(x + _POOL_WIDTH - 14, y + 14, on.status),
    ]
    if on.capacity and on.available is not None:
        used = max(on.capacity - on.available, 0)
        parts += [
            box(x + 12, y + 39, inner, 5, "track", 3),
            box(x + 12, y + 39, inner * min(used / on.capacity, 1), 5, "fill", 3) if used else None,
            label(
                f"{show_bytes(on.available)} of {show_bytes(on.capacity)} free", x + 12, y + 59, inner, "low", "muted"
            ),
        ]
    else:
        told = on.error or (pool.path if on.status in ("available", "declared") else on.status)
        parts.append(label(told, x + 12, y + 51, inner, "low", "bad" if on.error else "muted"))
    return tag("g", *parts)
