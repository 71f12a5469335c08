#!/usr/bin/env python3
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what is generated from the tables of the deployment document: its JSON Schema, and the reference of its keys.

The tables in plugins/module_utils/_nouns are the source. `--check` writes nothing and fails if a file differs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "docs" / "deployment.schema.json"
GUIDE = ROOT / "docs" / "deployment.md"
BEGIN = "<!-- Reference: written by tools/write_json_schema.py -->\n"
END = "<!-- End of the reference -->\n"


def render_files() -> dict[Path, str]:
    """Return each generated file with its content."""
    sys.path.insert(0, str(ROOT / ".build" / "unit"))
    from ansible_collections.pextra.cloud.plugins.module_utils._document.reference import render_reference
    from ansible_collections.pextra.cloud.plugins.module_utils._document.schema import build_schema

    guide = GUIDE.read_text(encoding="utf-8")
    head, rest = guide.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    return {
        SCHEMA: json.dumps(build_schema(), indent=2, ensure_ascii=False) + "\n",
        GUIDE: f"{head}{BEGIN}\n{render_reference()}\n{END}{tail}",
    }


def main() -> int:
    stale = []
    for path, text in render_files().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
            if "--check" not in sys.argv:
                path.write_text(text, encoding="utf-8")
    said = "differs from" if "--check" in sys.argv else "written from"
    for path in stale:
        print(f"{path.relative_to(ROOT)}: {said} the tables")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
