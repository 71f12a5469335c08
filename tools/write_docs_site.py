#!/usr/bin/env python3
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lay the guides together as Sphinx takes them: write_docs_site.py DIRECTORY.

The guides of docs/ and the pages beside the README become pages of one folder. Their links follow: to another page of
the site, or to the file in the repository. The site's contents are those of docs/index.md, by its headings.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
# Pages of the site that do not lie in docs/.
BESIDE_THE_README = ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "CHANGELOG.md")
REFERENCE = "collections/pextra/cloud/index"

# Labels of Ansible's own documentation that our pages refer to: the kind, the name, and where it is.
ANSIBLE = (
    ("std:label", "common_return_values", "reference_appendices/common_return_values.html#common-return-values"),
    ("std:label", "action_plugins", "plugins/action.html#action-plugins"),
    ("std:label", "callback_plugins", "plugins/callback.html#callback-plugins"),
    ("std:label", "ansible_configuration_settings", "reference_appendices/config.html#ansible-configuration-settings"),
    *(
        (
            "std:label",
            f"ansible_collections.ansible.builtin.{name}_module",
            f"collections/ansible/builtin/{name}_module.html",
        )
        for name in ("debug", "systemd_service")
    ),
    *(
        ("std:envvar", name, f"reference_appendices/config.html#envvar-{name}")
        for name in (
            "ANSIBLE_CACHE_PLUGIN",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION",
            "ANSIBLE_CACHE_PLUGIN_PREFIX",
            "ANSIBLE_CACHE_PLUGIN_TIMEOUT",
            "ANSIBLE_NOCOLOR",
            "NO_COLOR",
        )
    ),
)

_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_FENCE = re.compile(r"(^```.*?^```[^\n]*$)", re.MULTILINE | re.DOTALL)


def main() -> int:
    target = Path(sys.argv[1])
    sources = {f"docs/{page.name}": page.name for page in sorted((ROOT / "docs").glob("*.md"))}
    sources |= {name: name for name in BESIDE_THE_README}
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*") if path.is_file()}
    others = {name: name.removeprefix("docs/") for name in files - set(sources) if not name.startswith("docs/docsite/")}
    repository = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["repository"]
    target.mkdir(parents=True, exist_ok=True)
    for gone in {path.name for path in target.iterdir() if path.is_file()} - set((sources | others).values()):
        (target / gone).unlink()
    for source, page in sources.items():
        text = follow_links((ROOT / source).read_text(encoding="utf-8"), source, sources | others, repository)
        if page == "index.md":
            text += "".join(contents(text, set(sources.values())))
        _write(target / page, text)
    for source, file in others.items():
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / source, target / file)
    target.with_name("ansible.inv").write_bytes(inventory())
    return 0


def follow_links(text: str, source: str, pages: dict[str, str], repository: str) -> str:
    """Return a document of the repository with links as they are on the site.

    `source` is the document's path in the repository, `pages` says where on the site what of the repository lies.
    """

    def follow(match: re.Match[str]) -> str:
        name, mark, anchor = match[2].partition("#")
        if not name or re.match(r"[a-z]+:", name):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), name))
        where = pages.get(path, f"{repository}/blob/main/{path}")
        return f"{match[1]}{where}{mark}{anchor}{match[3]}"

    # What stands in a block of code is no link.
    parts = _FENCE.split(text)
    return "".join(part if part.startswith("```") else _LINK.sub(follow, part) for part in parts)


def contents(index: str, pages: set[str]) -> Iterator[str]:
    """Yield the site's contents: each page once, below the heading of the index that names it first."""
    seen = {"index.md"}
    pieces = _HEADING.split(index)[1:]
    for heading, text in zip(pieces[::2], pieces[1::2], strict=True):
        named = [link[2].partition("#")[0] for link in _LINK.finditer(text)]
        here = [page for page in dict.fromkeys(named) if page in pages and page not in seen]
        seen.update(here)
        if here:
            yield _toctree(heading, here)
    yield _toctree("Reference", [f"Modules, roles and plugins <{REFERENCE}>"])
    if rest := sorted(pages - seen):
        yield _toctree("The project", rest)


def inventory() -> bytes:
    """Return a list of labels as Sphinx reads it from other sites: four lines, and the compressed list."""
    head = ("# Sphinx inventory version 2", "# Project: Ansible", "# Version: latest", "# The rest: zlib")
    labels = "".join(f"{name} {kind} 1 {place} -\n" for kind, name, place in ANSIBLE)
    return "".join(f"{line}\n" for line in head).encode() + zlib.compress(labels.encode())


def _toctree(caption: str, entries: list[str]) -> str:
    pages = "\n".join(entry.removesuffix(".md") for entry in entries)
    return f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{pages}\n```\n"


def _write(path: Path, text: str) -> None:
    """Write a page unless it is there already: Sphinx reads again what is newer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
