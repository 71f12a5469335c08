# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of instances' screens, as the engine sees them. An act: each call takes new ones."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..._cloud import Cloud
from ..._doors.bounded import TooLateError, bounded
from ..._engine.noun import Options
from ..._model.errors import HypervisorError, PextraError, Problem
from ..._model.ids import uuid_of
from ..._model.mistake import Mistake
from ..._model.pictures import Picture, read_picture
from ..._model.plan import Plan, Step, Work
from ..instance.finding import read_whereabouts
from ..instance.whereabouts import Whereabouts, describe_whereabouts
from .plan import Take, plan_screenshots
from .spec import FIELDS, Screenshot, parse_screenshot

_LOOK_TIMEOUT_S = 20.0


class ScreenshotResource:
    noun = "vm"
    plural = "vms"
    table = FIELDS

    def __init__(self) -> None:
        # What this call has taken, by the instance's identifier: path, width, height.
        self._taken: dict[str, tuple[str, int, int]] = {}

    def parse(self, raw: Mapping[str, Any], path: str) -> tuple[Screenshot | None, list[Mistake]]:
        return parse_screenshot(raw, path)

    def read(self, cloud: Cloud, wants: Sequence[Screenshot], options: Options) -> Whereabouts:
        return read_whereabouts(cloud, [want.name for want in wants])

    def plan(self, wants: Sequence[Screenshot], have: Whereabouts, options: Options) -> Plan:
        hindrances = {directory: _hindrance_at(directory) for directory in {want.directory for want in wants}}
        return plan_screenshots(wants, have, hindrances, self._taken)

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        """Nothing: a picture is not registered."""

    def apply(self, cloud: Cloud, work: Work, step: Step) -> Iterator[float]:
        act: Take = step.does
        if work.node is None or work.id is None:
            raise ValueError(f"{work.label} is planned on no node")
        data = yield from cloud.hypervisor(work.node).screenshot(uuid_of(work.id), act.screen, work.label)
        try:
            picture = read_picture(data)
        except ValueError as error:
            what = f"the picture of its screen cannot be read: {error}"
            raise HypervisorError([Problem(what, "Try again.", work.node, work.label)]) from error
        _write(act.path, picture, work.label)
        self._taken[work.id] = (act.path, picture.width, picture.height)

    def describe(self, wants: Sequence[Screenshot], have: Whereabouts) -> list[dict[str, Any]]:
        found = describe_whereabouts(wants, have)
        for item in found:
            item["path"], item["width"], item["height"] = self._taken.get(str(item.get("id")), (None, None, None))
        return found


def _write(path: str, picture: Picture, label: str) -> None:
    """A screen may show what is nobody else's business. The file has its name when all of it is there."""
    partial = f"{path}.{secrets.token_hex(4)}.part"
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(picture.png)
        os.replace(partial, path)
    except OSError as error:
        what = f"{path} cannot be written: {error.strerror or error}"
        raise PextraError([Problem(what, "Free space, or choose another directory.", resource=label)]) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(partial)


def _hindrance_at(directory: str) -> str | None:
    try:
        is_there = bounded(lambda: os.path.isdir(directory), _LOOK_TIMEOUT_S)
    except TooLateError:
        return f"its file system does not answer within {_LOOK_TIMEOUT_S:g} s"
    return None if is_there else "there is no such directory"
