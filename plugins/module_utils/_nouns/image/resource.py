# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images: the coordinator's files, and their copies in storage pools."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from ..._cloud import Cloud
from ..._doors.host import image_files as cache
from ..._doors.web.fetch import Fetched, fetch_image
from ..._engine.noun import Options
from ..._engine.progress import note_transfer
from ..._fields.common import parse_spec
from ..._model.digest import is_sha512
from ..._model.errors import HypervisorError, PextraError, Problem
from ..._model.mistake import Mistake
from ..._model.plan import Plan, Step, Work
from ..._model.rows import Row
from ..._model.source import is_url
from ..pool.kinds import KINDS, TREE_FORMATS
from ..volume.definition import render_volume
from .blocks import write_block_copy
from .content import drop_changed, inspect_cached, open_cached, register, verify
from .copies import forget_copy, record_copy, withdraw_copy
from .plan.departure import find_losing
from .plan.labels import LABEL, labels_of_image
from .plan.planning import plan_images
from .plan.report import describe_images, describe_use
from .plan.state import ImageHave, User
from .plan.targets import find_fresh, find_sites
from .published import Publishers
from .reading import SeenNode, find_clones, look_at_node
from .spec import FIELDS, Image, find_mistakes_within
from .trust import find_trust_mistakes
from .versions import keep_copies, versions_of

_RENEWED = (
    "Its publisher has another one by now: set renew: true to have that; what began from the one before keeps it."
)


class ImageResource:
    noun = "image"
    plural = "images"
    table = FIELDS

    def __init__(self) -> None:
        # Images whose file turned out not to be usable in this run.
        self._unusable: set[str] = set()
        # What short names mean in this run.
        self._publishers = Publishers()
        # What was verified in this run, and where files were had from; by the image's identifier.
        self._proven: dict[str, dict[str, str]] = {}
        self._fetched: dict[str, Fetched] = {}

    def parse(self, raw: Mapping[str, Any], path: str) -> tuple[Image | None, list[Mistake]]:
        image, mistakes = parse_spec(FIELDS, Image, raw, path)
        if image is not None and image.source and is_url(image.source) and image.sha256 is None:
            here = f"{path}.sha256" if path else "sha256"
            mistakes.append(Mistake(here, "is missing; an image from a URL needs the SHA-256 that its publisher gives"))
        if image is not None and image.state == "present":
            mistakes += [*find_mistakes_within(image, path), *find_trust_mistakes(image, path)]
        return image, mistakes

    def read(self, cloud: Cloud, wants: Sequence[Image], options: Options) -> ImageHave:
        """One query for all rows; per node one call for its pools, two for each pool that has to do with images."""
        rows = cloud.registry.rows("cluster", "node", "pool", "image", "instance")
        have = ImageHave(
            tuple(row for row in rows if row.kind == "cluster"),
            tuple(row for row in rows if row.kind == "node"),
            tuple(row for row in rows if row.kind == "pool"),
            tuple(row for row in rows if row.kind == "image"),
            tuple(cloud.registry.associations("pool")),
            instances=tuple(row for row in rows if row.kind == "instance"),
        )
        have = self._publishers.look_up(wants, have)
        digests = {want.sha256 for want in wants if want.sha256}
        digests |= {one.digest for one in have.published.values()}
        digests |= {str(row.attributes["sha256"]) for row in have.images}
        have = replace(have, cached=frozenset(digest for digest in digests if cache.is_cached(digest)))
        pools_of: dict[str, dict[str, Row]] = {}
        for site in find_sites(wants, have):
            for node in site.through:
                pools_of.setdefault(node.name, {})[site.pool.id] = site.pool
        losing = find_losing(wants, have)

        def read_node(name: str) -> SeenNode:
            return look_at_node(cloud, name, list(pools_of[name].values()), losing)

        cloud.connect(pools_of)
        seen = cloud.on_each(pools_of, read_node)
        users: dict[str, list[User]] = {}
        for image_id, user in find_clones(cloud, losing, find_sites(wants, have), seen):
            users.setdefault(image_id, []).append(user)
        for seen_node in seen.values():
            for image_id, user in seen_node.users:
                users.setdefault(image_id, []).append(user)
        return replace(
            have,
            volumes={(name, pool): names for name, node in seen.items() for pool, names in node.volumes.items()},
            unusable={(name, pool): why for name, node in seen.items() for pool, why in node.unusable.items()},
            doubts={(name, pool): why for name, node in seen.items() for pool, why in node.doubts.items()},
            labels={name: node.labels for name, node in seen.items()},
            users={image_id: tuple(found) for image_id, found in users.items()},
            refused=inspect_cached(find_fresh(wants, have)),
            down={name: cloud.unreachable[name] for name in pools_of if name not in seen},
        )

    def plan(self, wants: Sequence[Image], have: ImageHave, options: Options) -> Plan:
        return plan_images(wants, have)

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        """Nothing: an image is registered once its file has been looked at, which is before a node is touched."""

    def apply(self, cloud: Cloud, work: Work, step: Step) -> None:
        label = f"image {work.name}"
        step = _with_sha256(step)
        if step.act in ("stage", "fetch", "verify", "register"):
            try:
                self._prepare(cloud, step, label)
            except PextraError:
                self._unusable.add(step.data["row"].id)
                raise
        elif step.act == "upload":
            if step.data["id"] in self._unusable:
                raise PextraError([Problem("was not copied, because its file cannot be used", "", work.node, label)])
            withdraw_copy(cloud.registry, step.data["id"], step.data["key"])
            if KINDS[step.data["pool_row"].attributes["type"]].disk == "file":
                self._upload(cloud, _node_of(work), step.data, label)
            else:
                write_block_copy(cloud, _node_of(work), step.data, label)
                record_copy(cloud.registry, step.data["id"], step.data["key"])
        elif step.act == "delete":
            self._delete(cloud, work, step.data, label)
            forget_copy(cloud.registry, step.data["scope"], step.data["name"], step.data["key"], step.data["volume"])
        elif step.act == "label":
            _write_label(cloud, _node_of(work), step.data)
        elif step.act == "deregister":
            _deregister(cloud, step.data, label)
        else:
            raise AssertionError(step.act)

    def _delete(self, cloud: Cloud, work: Work, data: Mapping[str, Any], label: str) -> None:
        """Delete a copy that was not used when that was looked at; an instance may have been made since."""
        if data["newest"] in self._unusable:
            what = "an older copy stays, because the file of the new content cannot be used"
            raise PextraError([Problem(what, "", work.node, label)])
        if data["pool"] is None:
            return
        hypervisor = cloud.hypervisor(_node_of(work))
        backing = hypervisor.backing_paths(data["pool"])
        users = sorted(name for name, path in backing.items() if os.path.basename(path) == data["volume"])
        if users:
            what = f"its copy in pool {data['pool']} has come into use by {', '.join(users[:10])}, and stays"
            raise PextraError([Problem(what, "Run again.", work.node, label)])
        hypervisor.delete_volume(data["pool"], data["volume"], label, with_snapshots=data["with_snapshots"])

    def _prepare(self, cloud: Cloud, step: Step, label: str) -> None:
        sha256, row = step.data["sha256"], step.data["row"]
        if step.act == "stage":
            if not cache.is_cached(sha256):
                raise PextraError(
                    [
                        Problem(
                            f"its file is not in {cache.DIRECTORY} on the coordinator",
                            "The action plugin of pextra_image copies it there; call the module by its full name.",
                            resource=label,
                        )
                    ]
                )
        elif step.act == "fetch":
            if not cache.is_cached(sha256):
                fetched = fetch_image(
                    step.data["urls"],
                    sha256,
                    max_size_mib=step.data["max_size"],
                    label=label,
                    if_other=_RENEWED if row.attributes.get("origin") else None,
                    progress=lambda done, total: note_transfer(f"{label} from its source", done, total),
                )
                self._fetched |= {row.id: fetched} if fetched is not None else {}
        elif step.act == "verify":
            try:
                self._proven[row.id] = verify(step.data["proof"], sha256, label)
            except PextraError:
                if all(one.attributes["sha256"] != sha256 for one in cloud.registry.rows("image")):
                    cache.drop(sha256)
                raise
        else:
            register(cloud, row, step.data, self._proven.get(row.id, step.data["proven"]), label)

    def _upload(self, cloud: Cloud, node: str, data: Mapping[str, Any], label: str) -> None:
        """Write a copy, read it back, and only then record it: a copy that is not recorded is written anew."""
        hypervisor = cloud.hypervisor(node)
        pool, volume, sha256 = data["pool"], data["volume"], data["sha256"]
        resource = f"{label} in pool {pool}"
        hypervisor.delete_volume(pool, volume, resource)  # what a killed run has left
        with open_cached(sha256, label) as file:
            size = os.fstat(file.fileno()).st_size
            digest = hashlib.sha256()

            def read(length: int) -> bytes:
                chunk = file.read(length)
                digest.update(chunk)
                return chunk

            # A raw volume of exactly the file's length; libvirt finds out the real format when it looks again.
            # A container's root, who unpacks its files, is nobody on the node.
            xml = render_volume(volume, size, "raw", is_readable=data["format"] in TREE_FORMATS)
            hypervisor.create_volume(pool, xml, resource)
            try:
                hypervisor.upload_volume(
                    pool,
                    volume,
                    read,
                    size,
                    resource,
                    progress=lambda sent: note_transfer(f"{resource} on {node}", sent, size),
                )
            except PextraError:
                # What arrived is of no use, and on a full disk in the way.
                with contextlib.suppress(PextraError):
                    hypervisor.delete_volume(pool, volume, resource)
                raise
        if digest.hexdigest() != sha256:
            changed = drop_changed(sha256, label)
            hypervisor.delete_volume(pool, volume, resource)
            raise changed
        written = hashlib.sha256()
        hypervisor.download_volume(pool, volume, written.update, size, resource)
        if written.hexdigest() != sha256:
            hypervisor.delete_volume(pool, volume, resource)
            raise PextraError(
                [
                    Problem(
                        "what was written there reads back differently, and was deleted",
                        "Check the node's disk and memory, then run again.",
                        node,
                        resource,
                    )
                ]
            )
        record_copy(cloud.registry, data["id"], data["key"])

    def describe(self, wants: Sequence[Image], have: ImageHave) -> list[dict[str, Any]]:
        if wants:
            found = describe_images([(want.cluster, want.name) for want in wants], have)
            fetched = {image_id: asdict(one) for image_id, one in self._fetched.items()}
            return [one | ({"fetched": fetched[one["id"]]} if one["id"] in fetched else {}) for one in found]
        uses = [describe_use(row, have) for row in have.images]
        return [described | use for described, use in zip(describe_images(None, have), uses, strict=True)]


def _with_sha256(step: Step) -> Step:
    """Return the step with the SHA-256 of a file of which only the SHA-512 was known when it was planned."""
    digest = str(step.data.get("sha256") or "")
    known = cache.known_sha256(digest) if is_sha512(digest) else None
    if known is None:
        return step
    row = step.data.get("row")
    changed = {"row": replace(row, attributes={**row.attributes, "sha256": known})} if row is not None else {}
    return replace(step, data={**step.data, "sha256": known, **changed})


def _write_label(cloud: Cloud, node: str, data: Mapping[str, Any]) -> None:
    """Write what the registry now says; only copies that are complete count."""
    row = next(
        (row for row in cloud.registry.rows("image") if (row.scope, row.name) == (data["scope"], data["name"])), None
    )
    labels: dict[str, str | None] = {f"{LABEL}{data['name']}": None}
    if row is not None:
        seen = keep_copies(row, lambda version, key: key in data["copies"].get(version.id, ()))
        labels.update(labels_of_image(seen, {key for version in versions_of(seen) for key in version.copies}))
    cloud.labels(node).write(labels)
    for pool in data["refresh"]:
        # Another node has written there: let this one's libvirt see it. It looks by itself sooner or later.
        with contextlib.suppress(HypervisorError):
            cloud.hypervisor(node).refresh_pool(pool)


def _deregister(cloud: Cloud, data: Mapping[str, Any], label: str) -> None:
    """Let go of the name once no copy is left, and of the coordinator's file once no image needs it."""

    def write() -> tuple[int, bool]:
        rows = cloud.registry.rows("image")
        mine = [row for row in rows if row.id == data["id"]]
        left = sum(len(version.copies) for row in mine for version in versions_of(row))
        if not left:
            cloud.registry.remove([data["id"]])
        is_needed = any(row.attributes["sha256"] == data["sha256"] for row in rows if row.id != data["id"])
        return left, is_needed

    left, is_needed = cloud.registry.transaction(write)
    if left:
        raise PextraError(
            [Problem(f"its name stays taken: {left} of its copies could not be deleted", "Run again.", resource=label)]
        )
    if not is_needed:
        cache.drop(data["sha256"])


def _node_of(work: Work) -> str:
    if work.node is None:
        raise AssertionError(work)
    return work.node
