# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to an instance. Each is a type: what plans and what carries out are checked against one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...._model.rows import Row
from .. import acts
from ..definition import Disk, DomainModel, Interface
from ..labels import Labels


@dataclass(frozen=True)
class Register:
    """Done before anything else, for all instances at once: a killed run's choices stand."""

    row: Row


@dataclass(frozen=True)
class Settle:
    row: Row


@dataclass(frozen=True)
class Unregister:
    id: str


@dataclass(frozen=True, kw_only=True)
class CreateVolume:
    """mode: empty, overlay, copy, or unpack of a container's; all but the first need the image's copy in the pool.
    size is MiB, image_size bytes. type: the pool's.
    """

    pool: str
    pool_row: Row
    volume: str
    size: int
    type: str
    format: str
    mode: str = "empty"
    image_volume: str = ""
    image_format: str = ""
    image_size: int = 0


@dataclass(frozen=True, kw_only=True)
class GrowVolume:
    """size is MiB. target: the disk's name in a guest that runs with it, None where none does. type: the pool's."""

    pool: str
    volume: str
    size: int
    type: str
    target: str | None = None


@dataclass(frozen=True)
class DeleteVolume:
    """wipe: what stood in its blocks would be read by whoever gets them next."""

    pool: str
    volume: str
    wipe: bool


@dataclass(frozen=True)
class DeleteTree:
    """The root volume of a container: a directory, with all that is in it."""

    pool: str
    volume: str


@dataclass(frozen=True)
class WriteSeed:
    pool: str
    pool_row: Row
    volume: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class Define:
    """xml: the definition that is edited, None for a new instance, which runs with virt_type."""

    model: DomainModel
    xml: str | None
    virt_type: str = ""


@dataclass(frozen=True)
class Undefine:
    """loses_state: what its firmware and its TPM hold goes with it."""

    node: str
    uuid: str
    loses_state: bool = False


@dataclass(frozen=True)
class Autostart:
    autostart: bool


@dataclass(frozen=True)
class Start:
    """saved: it goes on from what was saved of its memory, however it was when it was saved. limit_s: how long its
    start is waited for; None for as long as usual.
    """

    paused: bool
    saved: bool = False
    limit_s: float | None = None


@dataclass(frozen=True)
class Resume:
    """may_fail: one that cannot go on, since its storage is gone, can still be switched off."""

    may_fail: bool = False


@dataclass(frozen=True)
class Suspend:
    """It has no more to say."""


@dataclass(frozen=True)
class Stop:
    """is_forced: after that time its power is cut."""

    timeout_s: float
    is_forced: bool


@dataclass(frozen=True)
class Reset:
    """As its reset button does."""


@dataclass(frozen=True)
class InjectNmi:
    """It has no more to say."""


@dataclass(frozen=True)
class Sleep:
    """Its agent suspends it to memory (S3)."""


@dataclass(frozen=True)
class Wake:
    """From there. may_fail: one that does not wake up can still be switched off."""

    may_fail: bool = False


@dataclass(frozen=True)
class Save:
    """Its memory goes to the node's disk."""


@dataclass(frozen=True)
class DiscardSaved:
    """What was saved of its memory."""


@dataclass(frozen=True)
class AttachNic:
    interface: Interface


@dataclass(frozen=True)
class DetachNic:
    interface: Interface


@dataclass(frozen=True)
class UpdateNic:
    """To another port group of the same switch, another link or other limits."""

    interface: Interface


@dataclass(frozen=True)
class ReplugNic:
    """To another switch: a port of one cannot become one of another."""

    interface: Interface


@dataclass(frozen=True)
class AttachDisk:
    disk: Disk


@dataclass(frozen=True)
class DetachDisk:
    disk: Disk


@dataclass(frozen=True)
class LimitDisk:
    """As the disk's `further` says."""

    disk: Disk


@dataclass(frozen=True)
class ChangeMedium:
    """drive: with what is to be in it."""

    drive: Disk


@dataclass(frozen=True)
class Label:
    labels: Labels


@dataclass(frozen=True)
class Adopt:
    """Its first labels, of a domain that was there before."""

    labels: Labels


@dataclass(frozen=True, kw_only=True)
class Move:
    """xml: the definition as it is, made for the target's virt_type and address. pools: what the target has to see;
    attached: disks of volumes that live on their own. screen: the address where its running screens listen, and where
    they will.
    """

    target: str
    model: DomainModel
    xml: str
    live: bool
    pools: tuple[str, ...]
    attached: tuple[Disk, ...]
    autostart: bool
    screen: tuple[str, str] | None = None


@dataclass(frozen=True)
class Plug:
    """What the walk over aspects and devices found to be done to the running guest."""

    act: acts.Act


Act = (
    Register
    | Settle
    | Unregister
    | CreateVolume
    | GrowVolume
    | DeleteVolume
    | DeleteTree
    | WriteSeed
    | Define
    | Undefine
    | Autostart
    | Start
    | Resume
    | Suspend
    | Stop
    | Reset
    | InjectNmi
    | Sleep
    | Wake
    | Save
    | DiscardSaved
    | AttachNic
    | DetachNic
    | UpdateNic
    | ReplugNic
    | AttachDisk
    | DetachDisk
    | LimitDisk
    | ChangeMedium
    | Label
    | Adopt
    | Move
    | Plug
)
