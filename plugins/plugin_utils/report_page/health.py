# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a cluster is not well, in one list."""

from __future__ import annotations

from collections.abc import Iterator

from .model import Cluster, Trouble


def find_troubles(cluster: Cluster) -> list[Trouble]:
    """Return what is not well. A node that does not answer is told once, and not again by what lies on it."""
    silent = {node.name for node in cluster.nodes if node.health == "unreachable"}
    return [
        *_of_nodes(cluster),
        *_of_switches(cluster, silent),
        *_of_pools(cluster, silent),
        *_of_images(cluster),
        *_of_instances(cluster),
        *_of_volumes(cluster),
    ]


def _of_nodes(cluster: Cluster) -> Iterator[Trouble]:
    for node in cluster.nodes:
        if node.health == "unreachable":
            yield Trouble(
                where=f"node {node.name}",
                what=node.reason or "it does not answer",
                remedy="Check that it is up, and that the network leads to it.",
            )


def _of_switches(cluster: Cluster, silent: set[str]) -> Iterator[Trouble]:
    for switch in cluster.switches:
        for on in switch.on:
            if on.node in silent:
                continue
            if on.status not in ("available", "declared"):
                yield Trouble(where=f"{switch.name} on {on.node}", what=on.reason or on.status)
                continue
            for uplink in on.uplinks:
                if uplink.link in ("down", "error"):
                    yield Trouble(
                        where=f"{switch.name} on {on.node}",
                        what=f"the uplink {uplink.name} has no link",
                        remedy="Check its cable and the port of the switch.",
                    )


def _of_pools(cluster: Cluster, silent: set[str]) -> Iterator[Trouble]:
    for pool in cluster.pools:
        for on in pool.on:
            if on.node not in silent and on.status == "error":
                yield Trouble(where=f"storage pool {pool.name} on {on.node}", what=on.error or "it is in error")


def _of_images(cluster: Cluster) -> Iterator[Trouble]:
    for image in cluster.images:
        for copy in image.copies:
            if copy.status == "missing":
                where = f" on {copy.node}" if copy.node else ""
                yield Trouble(
                    where=f"image {image.name}",
                    what=f"its copy in {copy.pool}{where} has gone",
                    remedy="Run site.yml, which copies it again.",
                )


def _of_instances(cluster: Cluster) -> Iterator[Trouble]:
    for instance in cluster.instances:
        if instance.is_as_declared:
            continue
        yield Trouble(
            where=f"instance {instance.name}",
            what=f"it is {instance.power}, and declared to be {instance.declared}",
            remedy="Run site.yml, or declare it as it is.",
        )


def _of_volumes(cluster: Cluster) -> Iterator[Trouble]:
    for volume in cluster.volumes:
        if volume.status in ("missing", "unfinished"):
            yield Trouble(where=f"volume {volume.name}", what=f"it is {volume.status} in {volume.pool}")
