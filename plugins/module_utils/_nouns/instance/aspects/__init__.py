"""The aspects of an instance, one file each. Written by tools/write_instance_kinds.py."""

from __future__ import annotations

from ..kinds import Aspect
from . import cpu

ASPECTS: tuple[Aspect, ...] = (cpu.ASPECT,)
