# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people give with -e must not be a word of Ansible's own, which it warns of in every run."""

from __future__ import annotations

import re
from pathlib import Path

from ansible.vars.reserved import get_reserved_names

ROOT = Path(__file__).resolve().parents[3]
_GIVEN = re.compile(r"-e (\w+)=")


def test_no_variable_of_a_playbook_is_a_word_of_ansible() -> None:
    files = [*(ROOT / "docs").glob("*.md"), *(ROOT / "playbooks").glob("*.yml"), ROOT / "README.md"]
    given = {name for path in files for name in _GIVEN.findall(path.read_text(encoding="utf-8"))}
    assert {"audit_until", "nodes", "confirm"} <= given
    assert given & get_reserved_names() == set()
