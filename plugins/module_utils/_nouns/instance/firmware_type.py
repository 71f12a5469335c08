# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What starts a guest, as its definition tells it. Pure."""

from __future__ import annotations

from typing import Any


def read_firmware_type(root: Any) -> str | None:
    """Return `efi` or `bios`; None of a definition that does not say what starts it at all."""
    os_ = root.find("os")
    if os_ is None:
        return None
    loader = os_.find("loader")
    is_flash = loader is not None and loader.get("type") == "pflash"
    return "efi" if os_.get("firmware") == "efi" or is_flash else "bios"
