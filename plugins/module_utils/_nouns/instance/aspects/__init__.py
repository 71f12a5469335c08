# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The aspects of an instance, one file each. Written by tools/write_instance_kinds.py."""

from __future__ import annotations

from ..kinds import Aspect
from . import cpu, description, memory, vcpus

ASPECTS: tuple[Aspect, ...] = (cpu.ASPECT, description.ASPECT, memory.ASPECT, vcpus.ASPECT)
