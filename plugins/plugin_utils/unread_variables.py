# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and folders of variables that Ansible reads for no host, since their names are no group's and no host's.

A misspelt `group_vars/al` would otherwise be a document with nothing in it, and that is right.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence

from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import Mistake, shown, suggest

# As Ansible's `YAML_FILENAME_EXTENSIONS`.
_EXTENSIONS = (".yml", ".yaml", ".json")


def find_unread(sources: Sequence[str], groups: Collection[str], hosts: Collection[str]) -> list[Mistake]:
    """Return a warning for each. sources: of the inventory, as given to Ansible; what is no path is passed over."""
    directories = [source if os.path.isdir(source) else os.path.dirname(source) for source in sources if source]
    found = []
    for directory in dict.fromkeys(os.path.abspath(one) for one in directories):
        for folder, kind, names in (("group_vars", "group", groups), ("host_vars", "host", hosts)):
            path = os.path.join(directory, folder)
            for entry, name in _list_names(path):
                if name not in names:
                    problem = f"is read for no host: the inventory has no {kind} {shown(name)}.{suggest(name, names)}"
                    found.append(Mistake(f"{folder}/{entry}", problem, file=os.path.join(path, entry)))
    return found


def _list_names(folder: str) -> Iterator[tuple[str, str]]:
    """Yield what is in a folder of variables: its name there, and the name of the group or host that it is for."""
    try:
        entries = sorted(os.listdir(folder))
    except OSError:
        return
    for entry in entries:
        stem, extension = os.path.splitext(entry)
        if entry.startswith(".") or entry.endswith("~"):
            continue
        if os.path.isdir(os.path.join(folder, entry)):
            yield entry, entry
        elif extension in _EXTENSIONS:
            yield entry, stem
        elif not extension:
            yield entry, entry
