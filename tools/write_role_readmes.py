#!/usr/bin/env python3
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write each role's README.md from its argument specs. `--check` writes nothing and fails if one differs."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
_LICENCE = """\
<!-- SPDX-FileCopyrightText: the pextra.cloud founders -->
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
"""
# O(x), V(x), C(x) and M(x) are Ansible's markup.
_MARKUP = re.compile(r"\b[OVCMR]\(([^)]*)\)")


def main() -> int:
    is_check = "--check" in sys.argv
    stale = []
    for role in sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir()):
        text = render(role)
        path = role / "README.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(role.name)
            if not is_check:
                path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"roles/{name}/README.md: {'differs from' if is_check else 'written from'} its argument specs")
    return 1 if stale and is_check else 0


def render(role: Path) -> str:
    """Return the README of a role: what it does, its entry points, their options."""
    meta = yaml.safe_load((role / "meta" / "main.yml").read_text(encoding="utf-8"))["galaxy_info"]
    entries = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    lines = [_LICENCE, f"# pextra.cloud.{role.name}", "", str(meta["description"]).strip(), ""]
    lines += [
        f"`playbooks/{_playbook(role.name)}` runs it with what the deployment document says; `ansible-doc -t role "
        f"pextra.cloud.{role.name}`",
        "shows the same as this page.",
        "",
    ]
    for name, entry in entries.items():
        lines += _render_entry(name, entry)
    lines += ["## License", "", f"{meta['license']}, see LICENSE in the collection.", ""]
    return "\n".join(lines)


def _playbook(role: str) -> str:
    """Return the playbook that runs a role: site.yml, itself or by one that it imports, or that of the role's name."""
    site = (ROOT / "playbooks" / "site.yml").read_text(encoding="utf-8")
    is_stage = f"pextra.cloud.{role}" in site or f"import_playbook: {role}.yml" in site
    return "site.yml" if is_stage else f"{role}.yml"


def _render_entry(name: str, entry: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {entry['short_description'].rstrip('.')}" + ("" if name == "main" else f" (`tasks_from: {name}.yml`)")
    yield ""
    for paragraph in _sentences(entry.get("description")):
        yield from (f"{paragraph}", "")
    options = entry.get("options") or {}
    if not options:
        return
    yield from ("| variable | type | default | |", "|---|---|---|---|")
    yield from _render_options(options, "")
    yield ""


def _render_options(options: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, option in options.items():
        here = f"{path}{name}"
        help_ = " ".join(_sentences(option.get("description")))
        choices = ", ".join(f"`{choice}`" for choice in option.get("choices", ()))
        text = f"{help_} One of {choices}." if choices else help_
        yield f"| `{here}` | {_type(option)} | {_default(option)} | {text.replace('|', chr(92) + '|')} |"
        yield from _render_options(option.get("options") or {}, f"{here}[]." if option.get("elements") else f"{here}.")


def _type(option: Mapping[str, Any]) -> str:
    kind = option.get("type", "str")
    return f"{kind} of {option['elements']}" if option.get("elements") else str(kind)


def _default(option: Mapping[str, Any]) -> str:
    if option.get("required"):
        return "**required**"
    value = option.get("default")
    if value is None or value == "":
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{' '.join(text.split()).replace('|', chr(92) + '|')}`"


def _sentences(description: str | list[str] | None) -> list[str]:
    paragraphs = [description] if isinstance(description, str) else description or []
    return [_MARKUP.sub(r"`\1`", " ".join(str(paragraph).split())) for paragraph in paragraphs]


if __name__ == "__main__":
    sys.exit(main())
