#!/usr/bin/env python3
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/instance-options.md: every option of an instance, what a new one gets, and when a difference takes effect.

The tables in plugins/module_utils/_nouns/instance are the source. `--check` writes nothing and fails if it differs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "instance-options.md"
sys.path.insert(0, str(ROOT / ".build" / "unit"))

EFFECTS = {
    "live": "at once",
    "hot_plug": "at once, if the guest plays along",
    "next_boot": "at its next start",
    "replace": "by beginning again, with the loss of what it holds",
    "fixed": "never: chosen when it is made",
}
HEAD = """\
<!-- SPDX-FileCopyrightText: the pextra.cloud founders -->
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->

# Options of an instance

Written from the tables of options. What each means: `ansible-doc pextra.cloud.pextra_vm`, or
[the deployment document](deployment.md#pextra_instances).

A call of the module changes only what it names; an element of the document states a whole, and gets what a new
instance gets where it says nothing. *Nothing* means that the option is not managed then. What stands below a device or
an aspect, such as `graphics.type`, is what one gets that is named (`graphics: {}`).

What waits for the next start is told as `pending`, by every run until then; `allow_restart: true` restarts for it. What
a call changes, and when each of that takes effect, its result tells [as data](instances.md#when-a-change-takes-effect).
What a running guest is to have at once and does not take, such as a device that it does not let go of, is an error that
says so, and the next run tries again.

| option | a new instance gets | a change takes effect |
|---|---|---|
"""


def render_files() -> dict[Path, str]:
    """Return the page with its text."""
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import FIELDS

    rows = [f"| `{name}` | {made} | {effect} |\n" for name, made, effect in _rows(FIELDS, "")]
    return {PAGE: HEAD + "".join(rows)}


def _rows(table: Any, prefix: str) -> Iterator[tuple[str, str, str]]:
    from ansible_collections.pextra.cloud.plugins.module_utils._fields.field import REQUIRED, show_made

    for key, field in sorted(table.items()):
        inner = field.element.table if field.element is not None else field.table
        name = f"{prefix}{key}"
        if inner and not field.at:
            yield from _rows(inner, f"{name}[]." if field.element is not None else f"{name}.")
            continue
        made = show_made(field)
        if field.required or field.create is REQUIRED:
            told = "it has to say it"
        elif made is not None:
            told = f"`{made}`"
        else:
            told = "none" if field.create is not None else "nothing"
        if field.effect is not None:
            yield name, told, EFFECTS[field.effect]


def main() -> int:
    is_check = "--check" in sys.argv
    stale = [
        path for path, text in render_files().items() if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        print(f"{path.relative_to(ROOT)}: {'differs from' if is_check else 'written from'} the tables")
        if not is_check:
            path.write_text(render_files()[path], encoding="utf-8")
    return 1 if stale and is_check else 0


if __name__ == "__main__":
    sys.exit(main())
