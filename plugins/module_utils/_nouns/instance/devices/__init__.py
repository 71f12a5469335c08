# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The devices of an instance, one file each. Written by tools/write_instance_kinds.py."""

from __future__ import annotations

from ..kinds import Device
from . import balloon, graphics, panic, rng, sound, tpm, video, vsock, watchdog

DEVICES: tuple[Device, ...] = (
    balloon.DEVICE,
    graphics.DEVICE,
    panic.DEVICE,
    rng.DEVICE,
    sound.DEVICE,
    tpm.DEVICE,
    video.DEVICE,
    vsock.DEVICE,
    watchdog.DEVICE,
)
