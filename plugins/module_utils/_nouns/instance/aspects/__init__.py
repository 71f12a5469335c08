# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The aspects of an instance, one file each. Written by tools/write_instance_kinds.py."""

from __future__ import annotations

from ..kinds import Aspect
from . import (
    architecture,
    boot,
    clock,
    cpu,
    description,
    filesystems,
    firmware,
    host_devices,
    io_threads,
    launch_security,
    memory,
    memory_backing,
    memory_max,
    numa,
    on_crash,
    pinning,
    vcpus,
    vcpus_max,
)

ASPECTS: tuple[Aspect, ...] = (
    architecture.ASPECT,
    boot.ASPECT,
    clock.ASPECT,
    cpu.ASPECT,
    description.ASPECT,
    filesystems.ASPECT,
    firmware.ASPECT,
    host_devices.ASPECT,
    io_threads.ASPECT,
    launch_security.ASPECT,
    memory.ASPECT,
    memory_backing.ASPECT,
    memory_max.ASPECT,
    numa.ASPECT,
    on_crash.ASPECT,
    pinning.ASPECT,
    vcpus.ASPECT,
    vcpus_max.ASPECT,
)
