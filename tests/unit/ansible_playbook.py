# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook with the collection as it stands, in a folder of its own, with nothing of the caller's Ansible."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def play(
    folder: Path, *arguments: str, without: set[str] | None = None, timeout_s: float = 240, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run it from the folder, which is its home as well, whatever comes of it. without: variables of the environment
    that it is not to see.
    """
    hidden = without or set()
    return subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", *arguments],
        env={
            **{key: one for key, one in os.environ.items() if not key.startswith("ANSIBLE_") and key not in hidden},
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "unit"),
            "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
            "ANSIBLE_REMOTE_TEMP": str(folder / "tmp"),
            "ANSIBLE_NOCOLOR": "1",
            "HOME": str(folder),
            **environment,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
