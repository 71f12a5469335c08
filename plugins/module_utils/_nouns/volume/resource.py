# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that live on their own: carrying out what was planned."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..._cloud import Cloud
from ..._engine.noun import Options
from ..._model.errors import HypervisorError, NotFoundError, Problem
from ..._model.mistake import Mistake
from ..._model.plan import Plan, Step, Work
from ..hierarchy.reading import read_hierarchy, reserve_rows
from ..instance.slots import has_free_slot
from ..pool.looking import look_again
from . import apply as making
from .attached import Attachment, render_attachment
from .places import kind_of
from .plan import find_imports, plan_volumes
from .reading import read_volumes
from .report import describe_leftovers, describe_volumes
from .spec import FIELDS, Volume, parse_volume
from .state import VolumeHave
from .transfer import upload_file

_LOOK_TIMEOUT_S = 60.0


class VolumeResource:
    noun = "volume"
    plural = "volumes"
    table = FIELDS

    def parse(self, raw: Mapping[str, Any], path: str) -> tuple[Volume | None, list[Mistake]]:
        return parse_volume(raw, path)

    def read(self, cloud: Cloud, wants: Sequence[Volume], options: Options) -> VolumeHave:
        hierarchy = read_hierarchy(cloud)
        return read_volumes(cloud, hierarchy, find_imports(wants, hierarchy))

    def plan(self, wants: Sequence[Volume], have: VolumeHave, options: Options) -> Plan:
        return plan_volumes(wants, have, purge=bool(options["purge"]))

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        """Register new volumes before one is made: what a killed run leaves is known by its identifier."""
        reserve_rows(cloud, plan)

    def apply(self, cloud: Cloud, work: Work, step: Step) -> Iterator[float] | None:
        apply: Callable[..., Iterator[float] | None] = getattr(self, f"_{step.act}")
        return apply(cloud, work, step.data)

    def describe(self, wants: Sequence[Volume], have: VolumeHave) -> list[dict[str, Any]]:
        return describe_volumes([(want.cluster, want.name) for want in wants] or None, have)

    def describe_further(self, have: VolumeHave) -> dict[str, list[dict[str, Any]]]:
        """Return what the _info module tells beyond the volumes."""
        return {"leftovers": describe_leftovers(have)}

    # The registry

    def _register(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        """Done by `reserve`."""

    def _settle(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        cloud.registry.put([data["row"]])

    def _unregister(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        cloud.registry.remove([data["id"]])

    def _label(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        cloud.labels(data["node"]).write(data["labels"])

    # Making

    def _create(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        making.make_empty(cloud, data, work.key)

    def _link(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        making.make_linked_clone(cloud, data, work.key)

    def _clone(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        making.make_full_clone(cloud, data, work.key)

    def _fill(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        making.make_from_file(cloud, data, work.key)

    def _upload(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        upload_file(cloud.hypervisor(data["node"]), data, work.key)

    def _convert(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        self._clone(cloud, work, data)
        making.delete(cloud, data["node"], data["source_pool"], data["source"], work.key)

    def _verify(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        making.verify(cloud, data, work.key)

    # Size

    def _grow(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        hypervisor = cloud.hypervisor(data["node"])
        pool = data["pool"].name
        if data["thick"] or hypervisor.volume_size(pool, data["volume"]) < data["size"]:
            hypervisor.grow_volume(pool, data["volume"], data["size"], work.key, allocate=data["thick"])

    def _grow_live(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        """The running guest sees the new size at once. Space for all of it has to be taken before."""
        hypervisor = cloud.hypervisor(data["node"])
        if data["thick"]:
            pool = data["pool"].name
            look_again(hypervisor, pool, work.key, _LOOK_TIMEOUT_S)
            hypervisor.grow_volume(pool, data["volume"], data["size"], work.key, allocate=True)
        hypervisor.grow_disk(data["uuid"], data["target"], data["size"], work.key)

    def _shrink(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        pool, volume = data["pool"], data["volume"]
        if kind_of(pool).disk == "rbd":
            cloud.ceph_pool(pool).shrink(volume, data["size"])
        else:
            cloud.hypervisor(data["node"]).shrink_volume(pool.name, volume, data["size"], work.key)

    def _delete(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        making.delete(cloud, data["node"], data["pool"], data["volume"], work.key)

    # Attaching

    def _attach(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        xml = render_attachment(data["attachment"])
        hypervisor = cloud.hypervisor(data["node"])
        try:
            hypervisor.attach_device(data["uuid"], xml, work.key, live=data["live"], config=data["config"])
        except HypervisorError as error:
            if not data["live"] or has_free_slot(hypervisor.live_xml_of(data["uuid"])):
                raise
            problem = error.problems[0]
            remedy = "Its slots for new devices are used up: stop it, attach the volume, and start it."
            raise HypervisorError([Problem(problem.what, remedy, problem.node, problem.resource)]) from error

    def _detach(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> Iterator[float] | None:
        hypervisor = cloud.hypervisor(data["node"])
        attachment: Attachment = data["attachment"]
        xml, uuid = render_attachment(attachment), data["uuid"]
        if not data["live"]:
            hypervisor.detach_device(uuid, xml, work.key, live=False, config=True)
            return None
        with contextlib.suppress(NotFoundError):
            hypervisor.detach_device(uuid, xml, work.key, live=True, config=False)
        return hypervisor.await_release(uuid, attachment.disk.path, f"the disk {attachment.disk.target}", work.key)

    def _edit(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        cloud.hypervisor(data["node"]).update_device(data["uuid"], data["xml"], work.key, live=False, config=True)

    def _limit(self, cloud: Cloud, work: Work, data: Mapping[str, Any]) -> None:
        hypervisor = cloud.hypervisor(data["node"])
        hypervisor.limit_disk(data["uuid"], data["target"], data["tuning"], work.key, live=True, config=False)
