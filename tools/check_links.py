#!/usr/bin/env python3
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow every link of the pages below a directory that stays within it: check_links.py DIRECTORY.

A link is broken if there is no such file, or no such anchor in it. Links to other servers are not followed: what is
built here must not depend on what answers elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lxml import html

# Where a page refers to something: the attribute, of whatever element.
_REFERRING = ("href", "src")


@dataclass(frozen=True)
class Page:
    """What a page refers to, and the anchors that it has."""

    links: tuple[str, ...]
    anchors: frozenset[str]


def main() -> int:
    root = Path(sys.argv[1]).resolve()
    pages = {path: read_page(path.read_bytes()) for path in sorted(root.rglob("*.html"))}
    if not pages:
        print(f"There are no pages below {root}: build them first, by `make docs`.", file=sys.stderr)
        return 1
    mistakes = list(broken(pages, root))
    for mistake in mistakes:
        print(mistake, file=sys.stderr)
    links = sum(len(page.links) for page in pages.values())
    print(f"{len(pages)} pages, {links} links, {len(mistakes)} of them broken")
    return 1 if mistakes else 0


def read_page(text: bytes) -> Page:
    """Return what a page refers to within the site, and its anchors."""
    tree = html.fromstring(text)
    links = [element.get(name) for name in _REFERRING for element in tree.iter() if element.get(name)]
    anchors = {*tree.xpath("//@id"), *tree.xpath("//a/@name")}
    ours = dict.fromkeys(link for link in links if _is_ours(link))
    return Page(tuple(ours), frozenset(str(name) for name in anchors))


def broken(pages: Mapping[Path, Page], root: Path) -> Iterator[str]:
    """Yield what is wrong: on which page, which link, and why."""
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            here = f"{path.relative_to(root)}: {link}"
            if parts.path.startswith("/") or not target.is_relative_to(root):
                yield f"{here}: leads out of the site"
            elif not target.is_file():
                yield f"{here}: there is no such file"
            elif anchor and target in pages and anchor not in pages[target].anchors:
                yield f"{here}: there is no such anchor on that page"


def _is_ours(link: str) -> bool:
    parts = urlsplit(link)
    return not parts.scheme and not parts.netloc


if __name__ == "__main__":
    sys.exit(main())
