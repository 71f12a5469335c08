# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing volumes to files of the coordinator. An act: each call writes anew."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Mapping, Sequence
from typing import Any

from ..._cloud import Cloud
from ..._doors.bounded import TooLateError, bounded
from ..._doors.host.foreign_disk_inspection import inspect_disk
from ..._doors.libvirt.hypervisor import Hypervisor
from ..._engine.noun import Options
from ..._model.errors import HypervisorError, PextraError, Problem
from ..._model.mistake import Mistake
from ..._model.plan import Plan, Step, Work
from ..hierarchy.reading import read_hierarchy
from ..volume.definition import render_volume
from ..volume.places import kind_of
from ..volume.reading import open_regular, read_volumes, require_form
from ..volume.spec import MAX_IMPORT_MIB
from ..volume.state import VolumeHave
from ..volume.transfer import download_file, write_disk_file
from .plan import plan_exports
from .spec import FIELDS, Export, parse_export

_LOOK_TIMEOUT_S = 20.0


class ExportResource:
    noun = "export"
    plural = "exports"
    table = FIELDS

    def __init__(self) -> None:
        # What this call has written, by path: its SHA-256 and its size in bytes.
        self._written: dict[str, tuple[str, int]] = {}

    def parse(self, raw: Mapping[str, Any], path: str) -> tuple[Export | None, list[Mistake]]:
        return parse_export(raw, path)

    def read(self, cloud: Cloud, wants: Sequence[Export], options: Options) -> VolumeHave:
        return read_volumes(cloud, read_hierarchy(cloud), ())

    def plan(self, wants: Sequence[Export], have: VolumeHave, options: Options) -> Plan:
        return plan_exports(wants, have, {want.path: _look_at_target(want.path) for want in wants}, self._written)

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        """Nothing: an export is not registered."""

    def apply(self, cloud: Cloud, work: Work, step: Step) -> None:
        hypervisor, data, label = cloud.hypervisor(step.data["node"]), step.data, f"volume {work.name}"
        try:
            if step.act == "convert":
                self._convert(cloud, hypervisor, data, label)
            else:
                self._download(cloud, hypervisor, data, label)
        except PextraError:
            # Half a copy is of no use, and on a full disk in the way.
            if "staging" in data:
                with contextlib.suppress(PextraError):
                    hypervisor.delete_volume(data["pool"].name, data["staging"], label)
            raise

    def _convert(self, cloud: Cloud, hypervisor: Hypervisor, data: Mapping[str, Any], label: str) -> None:
        node, pool = data["node"], data["pool"]
        hypervisor.delete_volume(pool.name, data["staging"], label)  # what a killed run has left
        size = _require_source(cloud, data, label)
        xml = render_volume(data["staging"], size, data["format"])
        hypervisor.clone_volume(pool.name, xml, pool.name, data["source"], label)
        if require_form(cloud, node, pool, data["staging"], data["format"], label, backing=False) != size:
            raise HypervisorError([Problem("the converted copy has another size", "Run again.", node, label)])

    def _download(self, cloud: Cloud, hypervisor: Hypervisor, data: Mapping[str, Any], label: str) -> None:
        pool, path = data["pool"], data["path"]
        partial = f"{path}.{secrets.token_hex(4)}.part"
        size = None if "staging" in data else _require_source(cloud, data, label)
        try:
            if size is not None and kind_of(pool).disk != "file":
                place = (data["node"], pool, data["source"], size)
                digest = write_disk_file(cloud, *place, partial, data["format"], label)
            else:
                volume = data.get("staging", data["source"])
                length = hypervisor.volume_length(pool.name, volume)
                digest = download_file(hypervisor, pool.name, volume, length, partial, label)
            length = os.stat(partial).st_size
            with open_regular(partial) as file:
                inspect_disk(file, data["format"], MAX_IMPORT_MIB, label)
            if data["overwrite"]:
                os.replace(partial, path)
            else:
                os.link(partial, path, follow_symlinks=False)  # fails if there is a file by now
        except OSError as error:
            what = f"{path} cannot be written: {error.strerror or error}"
            raise PextraError([Problem(what, "Free space, or choose another path.", resource=label)]) from error
        finally:
            with contextlib.suppress(OSError):
                os.unlink(partial)
        if "staging" in data:
            hypervisor.delete_volume(pool.name, data["staging"], label)
        self._written[path] = (digest, length)

    def describe(self, wants: Sequence[Export], have: VolumeHave) -> list[dict[str, Any]]:
        described = []
        for want in wants:
            digest, size = self._written.get(want.path, (None, None))
            described.append(
                {"name": want.name, "path": want.path, "format": want.format, "sha256": digest, "size": size}
            )
        return described


def _require_source(cloud: Cloud, data: Mapping[str, Any], label: str) -> int:
    place = (data["node"], data["pool"], data["source"], data["source_format"])
    return require_form(cloud, *place, label, backing=data["backing"])


def _look_at_target(path: str) -> str:
    """Return nothing, file, or why nothing can be written there."""
    try:
        return bounded(lambda: _look_at_path(path), _LOOK_TIMEOUT_S)
    except TooLateError:
        return f"its file system does not answer within {_LOOK_TIMEOUT_S:g} s; look at the coordinator's mounts"


def _look_at_path(path: str) -> str:
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        return f"there is no directory {directory}"
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return "nothing"
    except OSError as error:
        return error.strerror or str(error)
    return "file" if stat.S_ISREG(mode) else "it is not a regular file"
