# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs this process, and what a call of a module comes from."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from typing import Any

from .._model.origin import Origin, bound


def read_origin(given: Mapping[str, Any]) -> Origin:
    """Return what a call comes from: what the controller has handed over, or else who runs it. given: its options."""
    return Origin(bound(given["actor"]) or find_user(), bound(given["job"]), bound(given["revision"]))


def find_user() -> str:
    """Return who has called sudo, or whose process it is. In a container the user may have no name."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = os.environ.get("USER") or ""
    return bound(os.environ.get("SUDO_USER")) or bound(name) or f"user {os.getuid()}"
