# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices of domains: attaching, changing and detaching them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

import libvirt

from ..._model.errors import HypervisorError, NotFoundError, Problem
from .domains import Domains, affect

# A guest that runs takes a moment to let go of a device; one that does not listen, or uses it, takes for ever.
_RELEASE_LIMIT_S = 20.0
_RELEASE_POLL_S = 0.25


class Devices(Domains):
    """What is done with devices of domains."""

    def attach_device(self, uuid: str, xml: str, resource: str, *, live: bool, config: bool) -> None:
        flags = affect(live, config)
        self._of_guest("attach a device", uuid, resource, lambda domain: domain.attachDeviceFlags(xml, flags))

    def detach_device(self, uuid: str, xml: str, resource: str, *, live: bool, config: bool) -> None:
        flags = affect(live, config)
        self._of_guest("detach a device", uuid, resource, lambda domain: domain.detachDeviceFlags(xml, flags))

    def await_release(self, uuid: str, mark: str, what: str, resource: str) -> Iterator[float]:
        """Wait until the guest has let go of a device, by which detaching ends: yields for how many seconds to pause
        before the next look. mark: what of it is in the XML.

        Raises HypervisorError if it does not; what does not run has let go of everything.
        """
        deadline = time.monotonic() + _RELEASE_LIMIT_S
        with contextlib.suppress(NotFoundError):
            while mark in self.live_xml_of(uuid):
                if time.monotonic() >= deadline:
                    problem = Problem(
                        f"the guest did not let go of {what} within {_RELEASE_LIMIT_S:g} s",
                        "See that nothing in the guest uses it, or stop the instance; then run again.",
                        self.node,
                        resource,
                    )
                    raise HypervisorError([problem])
                yield _RELEASE_POLL_S

    def update_device(self, uuid: str, xml: str, resource: str, *, live: bool, config: bool) -> None:
        flags = affect(live, config)
        self._of_guest("change a device", uuid, resource, lambda domain: domain.updateDeviceFlags(xml, flags))

    def grow_disk(self, uuid: str, target: str, size_bytes: int, resource: str) -> None:
        """Make a disk larger, and let the running guest see it. One that is as large already is left alone: libvirt
        would cut it off.
        """

        def grow(domain: Any) -> None:
            # What QEMU has open counts: a logical volume may have been made larger by hand, and be the old one to it.
            if domain.blockInfo(target)[0] < size_bytes:
                domain.blockResize(target, size_bytes, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)

        self._of_guest("grow a disk", uuid, resource, grow)

    def limit_disk(
        self, uuid: str, target: str, tuning: Mapping[str, int], resource: str, *, live: bool, config: bool
    ) -> None:
        """Limit a disk's input and output, at once and for good. tuning: libvirt's names; 0 is no limit."""
        limits, flags = dict(tuning), affect(live, config)
        self._of_guest("limit a disk", uuid, resource, lambda domain: domain.setBlockIoTune(target, limits, flags))
