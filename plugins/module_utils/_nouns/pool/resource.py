# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage pools on the nodes."""

from __future__ import annotations

import base64
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..._cloud import Cloud
from ..._doors.ceph.keys import drop_key, keep_key, read_key
from ..._doors.libvirt.hypervisor import Hypervisor
from ..._engine.noun import Options
from ..._fields.field import Table
from ..._model.errors import HypervisorError, PextraError, Problem
from ..._model.mistake import Mistake
from ..._model.plan import Plan, Step, Work
from ..._model.rows import AssociationRow, Row
from ..instance.labels import URI
from .definition import parse_pool
from .kinds import volume_place
from .looking import look_again
from .plan.adoption import describe_strangers, find_stranger
from .plan.departure import can_hold_volumes
from .plan.planning import plan_pools
from .plan.report import describe_pools
from .plan.sources import find_source_tests
from .plan.state import PoolHave, SeenNode, SeenPool, seen_ours
from .plan.targets import find_concerned, find_leaving
from .source_test import find_bad_sources
from .spec import (
    FIELDS,
    Pool,
    digest_of_credential,
    parse_pool_spec,
)

_LOOK_TIMEOUT_S = 10.0


class PoolResource:
    noun = "pool"
    plural = "pools"
    table: Table = FIELDS

    def __init__(self, planner: Callable[[Sequence[Pool], PoolHave], Plan] = plan_pools) -> None:
        self._planner = planner
        # As this run has found them, by (pool, node): one work at a time sees to each.
        self._noted: dict[tuple[str, str], AssociationRow] = {}
        # What is still to be written on each node.
        self._labels: dict[str, dict[str, str | None]] = {}
        self._label_locks: dict[str, threading.Lock] = {}

    def parse(self, raw: Mapping[str, Any], path: str) -> tuple[Pool | None, list[Mistake]]:
        return parse_pool_spec(raw, path)

    def read(self, cloud: Cloud, wants: Sequence[Pool], options: Options) -> PoolHave:
        """One query for all rows; per node one call for its pools, one for its labels."""
        rows = cloud.registry.rows("cluster", "node", "pool", "image")
        have = PoolHave(
            tuple(row for row in rows if row.kind == "cluster"),
            tuple(row for row in rows if row.kind == "node"),
            tuple(row for row in rows if row.kind == "pool"),
            tuple(cloud.registry.associations("pool")),
            images=tuple(row for row in rows if row.kind == "image"),
        )
        leaving = find_leaving(wants, have)
        if leaving or any(want.state == "absent" for want in wants):
            have = replace(have, volumes=tuple(cloud.registry.rows("volume")))
        has_credentials = any((want.iscsi or {}).get("password") or (want.rbd or {}).get("key") for want in wants)

        def read_node(name: str) -> SeenNode:
            hypervisor = cloud.hypervisor(name)
            seen = tuple(
                SeenPool(
                    parse_pool(pool.xml),
                    pool.active,
                    pool.autostart,
                    pool.capacity,
                    pool.allocation,
                    pool.available,
                    pool.persistent,
                    pool.xml,
                )
                for pool in hypervisor.pools()
            )
            labels = cloud.labels(name).read()
            node = SeenNode(seen, labels)
            gone = {
                row.name: volume_place(row.attributes["type"], row.name, row.attributes, "")
                for row in leaving.get(name, ())
            }
            given_back = {row.name for row in leaving.get(name, ()) if find_stranger(row.name, node, have) is not None}
            volumes, unread = _read_leaving(hypervisor, leaving.get(name, ()), node)
            return replace(
                node,
                secrets=hypervisor.secrets() if has_credentials else frozenset(),
                volumes=volumes,
                unread=unread,
                users=_find_users(hypervisor, gone, given_back) if gone else {},
            )

        concerned = [row.name for row in have.nodes] if options["foreign"] else find_concerned(wants, have)
        cloud.connect(concerned)
        seen_nodes = cloud.on_each(concerned, read_node)
        down = {name: cloud.unreachable[name] for name in concerned if name not in seen_nodes}
        have = replace(have, seen=seen_nodes, down=down, kept_keys=_digest_keys(wants, have))
        have = replace(have, tells_foreign=bool(options["foreign"]))
        return replace(have, bad_sources=find_bad_sources(cloud, find_source_tests(wants, have)))

    def plan(self, wants: Sequence[Pool], have: PoolHave, options: Options) -> Plan:
        return self._planner(wants, have)

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        """Register pools and mark associations before a node is touched, so that a killed run can be taken up."""
        steps = [step for work in plan.first for step in work.steps if step.act == "register"]

        def write() -> None:
            cloud.registry.put([step.data["row"] for step in steps])
            cloud.registry.associate(
                [_stamped(association) for step in steps for association in step.data["associations"]]
            )
            for step in steps:
                for node in step.data["dropped"]:
                    cloud.registry.dissociate(step.data["row"].id, node)

        if steps:
            cloud.registry.transaction(write)
        self._labels = {}
        for work in plan.works:
            for step in work.steps:
                if step.act == "label":
                    self._labels.setdefault(work.node or "", {}).update(step.data["labels"])
        self._label_locks = {node: threading.Lock() for node in self._labels}

    def apply(self, cloud: Cloud, work: Work, step: Step) -> None:
        if step.act == "register":
            return  # `reserve` has done it
        if step.act == "deregister":
            _deregister(cloud, step.data["id"])
            drop_key(step.data["id"])
            return
        if step.act == "keep_key":
            keep_key(step.data["id"], step.data["credential"])
            return
        if work.node is None:
            raise AssertionError(step.act)
        if step.act == "label":
            self._write_labels(cloud, work.node)
            return
        association: AssociationRow = step.data["association"]
        try:
            self._apply_on_node(cloud, work, work.node, step, association)
        except PextraError as error:
            self._record(cloud, association, status="error", error=error.problems[0].what)
            raise

    def _apply_on_node(self, cloud: Cloud, work: Work, node: str, step: Step, association: AssociationRow) -> None:
        label = f"pool {work.name}"
        if step.act == "fail":
            # The planner reports it; this only keeps it for those who look later.
            self._record(cloud, association, status="error", error=step.data["reason"])
            return
        if step.act == "forget":
            self._record(cloud, association, internal_id=None, status="propagating")
            return
        if step.act == "record":
            self._record(cloud, association, internal_id=step.data["uuid"], status="available")
            return
        if step.act == "dissociate":
            self._dissociate(cloud, work, node, step, association)
            return
        hypervisor = cloud.hypervisor(node)
        uuid = step.data["uuid"]
        if step.act == "secret":
            hypervisor.set_secret(uuid, step.data["secret_xml"], secret_value(step.data), label)
            status = self._current(association).attributes["status"]
            self._note(association, status=status, credential=step.data["digest"])
            # These write it along with what comes of it.
            if not {"define", "start"} & {later.act for later in work.steps}:
                self._record(cloud, association, status=status)
        elif step.act == "undefine":
            hypervisor.remove_pool(uuid, label)
        elif step.act == "define":
            uuid = hypervisor.define_pool(step.data["xml"], label)
            # Written with what comes of it: a run that is killed here finds it defined, and defines it again.
            self._note(association, internal_id=uuid, status="propagating")
            hypervisor.start_pool(uuid, label, build=step.data["build"], autostart=True)
            self._record(cloud, association, internal_id=uuid, status="available")
        elif step.act == "start":
            hypervisor.start_pool(uuid, label, build=step.data["build"])
            self._record(cloud, association, internal_id=uuid, status="available")
        elif step.act == "autostart":
            hypervisor.set_pool_autostart(uuid, label)
        elif step.act == "delete_copies":
            for name in step.data["copies"]:
                hypervisor.delete_volume(step.data["pool"], name, label, with_snapshots=step.data["with_snapshots"])
        elif step.act == "remove":
            hypervisor.remove_pool(uuid, label)
            if step.data["has_secret"]:
                hypervisor.remove_secret(uuid, label)
            self._dissociate(cloud, work, node, step, association)
        else:
            raise AssertionError(step.act)

    def _write_labels(self, cloud: Cloud, node: str) -> None:
        """Write the labels of all works of a node at once, when the first of them comes to it."""
        with self._label_locks[node]:
            if node in self._labels:
                cloud.labels(node).write(self._labels[node])
                del self._labels[node]

    def _dissociate(self, cloud: Cloud, work: Work, node: str, step: Step, association: AssociationRow) -> None:
        """Forget that the pool was there, and the copies of images in it."""
        # Here, because a run that takes no pool away need not wait for them to load.
        from ..image.copies import forget_copies
        from ..image.plan.labels import labels_without_pool

        if not step.data["shared"]:
            forget_copies(cloud.registry, association.resource, association.node)
        labels = cloud.labels(node)
        stale = {**labels_without_pool(labels.read(), association.resource), **step.data["label"]}
        if stale:
            labels.write(stale)
        cloud.registry.dissociate(association.resource, association.node)

    def _record(
        self, cloud: Cloud, association: AssociationRow, *, status: str, error: str | None = None, **more: Any
    ) -> None:
        """Write how it stands on the node; what is not given stays as it is."""
        cloud.registry.associate([self._note(association, status=status, error=error, **more)])

    def _note(
        self, association: AssociationRow, *, status: str, error: str | None = None, **more: Any
    ) -> AssociationRow:
        current = self._current(association)
        error_at = time.time() if error else None
        attributes = {**current.attributes, "status": status, "error": error, "error_at": error_at, **more}
        if status == "available":
            attributes["was_available"] = True
        noted = replace(current, attributes=attributes)
        self._noted[association.resource, association.node] = noted
        return noted

    def _current(self, association: AssociationRow) -> AssociationRow:
        return self._noted.get((association.resource, association.node), association)

    def describe_further(self, have: PoolHave) -> dict[str, list[dict[str, Any]]]:
        """Return the pools of the nodes that are not ours, where they were asked for."""
        return {"foreign": describe_strangers(have) if have.tells_foreign else []}

    def describe(self, wants: Sequence[Pool], have: PoolHave) -> list[dict[str, Any]]:
        return describe_pools([(want.cluster, want.name) for want in wants] or None, have)


def secret_value(data: Mapping[str, Any]) -> bytes:
    """Return a credential as libvirt wants it: Ceph's keys are base64 of what they are."""
    credential: str = data["credential"]
    return base64.b64decode(credential) if data["pool_type"] == "rbd" else credential.encode()


def _read_leaving(
    hypervisor: Hypervisor, leaving: Sequence[Row], node: SeenNode
) -> tuple[dict[str, frozenset[str]], dict[str, Problem]]:
    """Return what the pools that are to leave a node hold there, and why libvirt could not look, by the pool's name.

    A pool that cannot be read keeps nobody from reading the others, nor the node.
    """
    volumes, unread = {}, {}
    for row in leaving:
        pool = seen_ours(row, node)
        if pool is None or not pool.active or not can_hold_volumes(row):
            continue
        try:
            # Whoever wrote there may not have told libvirt.
            look_again(hypervisor, pool.definition.name, f"pool {row.name}", _LOOK_TIMEOUT_S)
            volumes[row.name] = frozenset(hypervisor.volume_names(pool.definition.name))
        except HypervisorError as error:
            unread[row.name] = error.problems[0]
    return volumes, unread


def _find_users(
    hypervisor: Hypervisor, places: Mapping[str, str], given_back: Container[str] = ()
) -> dict[str, tuple[str, ...]]:
    """Return, by pool, the domains of a node with a disk in it. places: what the paths of its volumes begin with.

    given_back: pools that are ours no more; of these our instances alone count.
    """
    users: dict[str, set[str]] = {}
    for domain in hypervisor.domains():
        is_ours = URI in domain.config
        for text in filter(None, (domain.config, domain.live)):
            devices = ET.fromstring(text)
            for source in (*devices.iterfind("devices/disk//source"), *devices.iterfind("devices/filesystem/source")):
                path = source.get("file") or source.get("dev") or source.get("name") or source.get("dir") or ""
                for pool, place in places.items():
                    if pool in given_back and not is_ours:
                        continue
                    if path.startswith(place) or source.get("pool") == pool:
                        users.setdefault(pool, set()).add(domain.name)
    return {pool: tuple(sorted(names)) for pool, names in users.items()}


def _digest_keys(wants: Sequence[Pool], have: PoolHave) -> dict[str, str]:
    """Return the digests of the keys of Ceph that are kept here."""
    if not any(want.rbd for want in wants):
        return {}
    kept = {row.id: read_key(row.id) for row in have.pools if row.attributes["type"] == "rbd"}
    return {pool_id: digest_of_credential("rbd", pool_id, key) for pool_id, key in kept.items() if key is not None}


def _stamped(association: AssociationRow) -> AssociationRow:
    attributes = dict(association.attributes)
    if attributes.get("error") and not attributes.get("error_at"):
        attributes["error_at"] = time.time()
    return replace(association, attributes=attributes)


def _deregister(cloud: Cloud, pool_id: str) -> None:
    """Let go of the name, once the pool is gone from every node."""

    def write() -> int:
        rest = [one for one in cloud.registry.associations("pool") if one.resource == pool_id]
        if not rest:
            cloud.registry.remove([pool_id])
        return len(rest)

    rest = cloud.registry.transaction(write)
    if rest:
        raise PextraError(
            [Problem(f"its name stays taken: it is still on {rest} of its nodes", "Run again once they are mended.")]
        )
