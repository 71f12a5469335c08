#!/usr/bin/env python3
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the lists of an instance's aspects and kinds of device from the files that there are.

Ansible packs what a module imports by name, so a list has to name each file. `--check` writes nothing and fails if a
list differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INSTANCE = ROOT / "plugins" / "module_utils" / "_nouns" / "instance"
LISTS = {"aspects": ("Aspect", "ASPECT", "ASPECTS"), "devices": ("Device", "DEVICE", "DEVICES")}
# What ruff allows, with the end of the line.
_LINE = 121


def main() -> int:
    is_check = "--check" in sys.argv
    stale = [path for path, text in render_files().items() if path.read_text(encoding="utf-8") != text]
    for path in stale:
        print(f"{path.relative_to(ROOT)}: {'differs from' if is_check else 'written from'} the files beside it")
        if not is_check:
            path.write_text(render_files()[path], encoding="utf-8")
    return 1 if stale and is_check else 0


def render_files() -> dict[Path, str]:
    """Return each list with its text."""
    return {INSTANCE / folder / "__init__.py": render(folder) for folder in LISTS}


def render(folder: str) -> str:
    kind, one, many = LISTS[folder]
    # Of some devices there are many in an instance: their files have a table, and are named where they are told apart.
    files = [path for path in (INSTANCE / folder).glob("*.py") if f"\n{one} = " in path.read_text(encoding="utf-8")]
    names = sorted(path.stem for path in files)
    # As ruff leaves them: one line as long as it fits, and one line each.
    imports = f"from . import {', '.join(names)}\n" if names else ""
    if len(imports) > _LINE:
        imports = "from . import (\n" + "".join(f"    {name},\n" for name in names) + ")\n"
    members = "".join(f"    {name}.{one},\n" for name in names)
    licence = (INSTANCE / "walk.py").read_text(encoding="utf-8").partition('"""')[0]
    return (
        f'{licence}"""The {folder} of an instance, one file each. Written by tools/write_instance_kinds.py."""\n\n'
        "from __future__ import annotations\n\n"
        f"from ..kinds import {kind}\n"
        f"{imports}\n"
        f"{many}: tuple[{kind}, ...] = (\n{members})\n"
    )


if __name__ == "__main__":
    sys.exit(main())
