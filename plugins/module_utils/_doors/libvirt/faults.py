# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What libvirt's errors are told by: numbers, never texts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import libvirt


def errno_of(error: libvirt.libvirtError) -> int | None:
    """Return the operating system's reason, where that is what libvirt reports; its text is of some language."""
    return error.get_int1() if error.get_error_code() == libvirt.VIR_ERR_SYSTEM_ERROR else None


@contextlib.contextmanager
def passing_over(*codes: int) -> Iterator[None]:
    """Take these errors of libvirt's for an answer, and no other."""
    try:
        yield
    except libvirt.libvirtError as error:
        if error.get_error_code() not in codes:
            raise
