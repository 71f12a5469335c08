"""The devices of an instance, one file each. Written by tools/write_instance_kinds.py."""

from __future__ import annotations

from ..kinds import Device
from . import watchdog

DEVICES: tuple[Device, ...] = (watchdog.DEVICE,)
