# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the walk does to a running guest, each as a type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class AttachDevice:
    """device: what it is called; element: what the running guest gets."""

    device: str
    element: Any

    @property
    def text(self) -> str:
        return f"attach the {self.device}"


@dataclass(frozen=True)
class DetachDevice:
    """element: what the running guest has."""

    device: str
    element: Any

    @property
    def text(self) -> str:
        return f"detach the {self.device}"


@dataclass(frozen=True)
class UpdateDevice:
    """element: what the running guest has, as it should be."""

    device: str
    element: Any

    @property
    def text(self) -> str:
        return f"change the {self.device}"


@dataclass(frozen=True)
class Describe:
    """description: the new one, None for none."""

    description: str | None

    @property
    def text(self) -> str:
        return "set the description"


@dataclass(frozen=True)
class SetVcpus:
    """vcpus: how many the running guest has then, more than it has."""

    vcpus: int

    @property
    def text(self) -> str:
        return f"plug in virtual CPUs, up to {self.vcpus}"


@dataclass(frozen=True)
class PinVcpus:
    """pins: the numbers of virtual CPUs, each with the threads of the node that it runs on from now on."""

    pins: tuple[tuple[int, tuple[int, ...]], ...]

    @property
    def text(self) -> str:
        return f"pin the virtual CPUs {', '.join(str(number) for number, _ in self.pins)}"


@dataclass(frozen=True)
class ResizeMemory:
    """element: the device by which it gets it, as it should be; memory: MiB, how much the running guest has then."""

    element: Any
    memory: int

    @property
    def text(self) -> str:
        return f"plug memory, or take it back, to {self.memory} MiB"


@dataclass(frozen=True)
class LimitContainer:
    """What a running container can have from now on. memory is MiB; processors: so many processors' time."""

    memory: int | None = None
    processors: int | None = None

    @property
    def text(self) -> str:
        if self.memory is not None:
            return f"limit its memory to {self.memory} MiB"
        return f"limit it to {self.processors} virtual CPUs"


Act = AttachDevice | DetachDevice | UpdateDevice | Describe | SetVcpus | PinVcpus | ResizeMemory | LimitContainer
