# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the work tree importable as `ansible_collections.pextra.cloud`, the way Ansible itself imports collections."""

from __future__ import annotations

import os
from pathlib import Path

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[2]
TREE = REPOSITORY / ".build" / "unit"


def _link_tree() -> None:
    """A link, as `make` makes it: what is tested is the source, not an installed copy."""
    link = TREE / "ansible_collections" / "pextra" / "cloud"
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink() and link.resolve() == REPOSITORY:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(REPOSITORY, link.parent))


_link_tree()
_AnsibleCollectionFinder(paths=[str(TREE)])._install()

# How long an example takes depends on what else the machine does; that is no property of the code.
settings.register_profile("pextra", deadline=None)
settings.load_profile("pextra")
