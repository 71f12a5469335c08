# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What guests show on their screens."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator

import libvirt

from ..._model.errors import HypervisorError, Problem
from .domains import Domains

_SCREEN_LIMIT_S = 60.0
_PART = 256 * 1024
# A screen of 8K is 100 MB without compression.
_MOST_BYTES = 128 * 1024**2


class Screens(Domains):
    """What is asked of a guest's graphics device."""

    def screenshot(self, uuid: str, screen: int, resource: str) -> Generator[float, None, bytes]:
        """Return a picture of a screen, in the format that its QEMU gives; yields how long to wait meanwhile."""

        def take() -> bytes:
            with self._errors("take a picture of the screen", resource, limit_s=math.inf):
                stream, data = self._connection.newStream(), bytearray()
                try:
                    self._domain(uuid).screenshot(stream, screen)
                    while chunk := stream.recv(_PART):
                        data += chunk
                        if len(data) > _MOST_BYTES:
                            problem = Problem("its picture is larger than any screen", "", self.node, resource)
                            raise HypervisorError([problem])
                    stream.finish()
                except (libvirt.libvirtError, HypervisorError):
                    with contextlib.suppress(libvirt.libvirtError):
                        stream.abort()
                    raise
                return bytes(data)

        late = Problem(
            f"no picture of its screen within {_SCREEN_LIMIT_S:g} s, while libvirtd answers: its QEMU may be frozen",
            f"On {self.node}: virsh list, and look at the process of its QEMU.",
            self.node,
            resource,
        )
        return (yield from self._in_turn(take, _SCREEN_LIMIT_S, late))
