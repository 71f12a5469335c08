# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole page: one file that holds all it needs, and asks for nothing from elsewhere.

What a browser may do with it is said in it: run the one script and use the one style sheet that are in it, known by
their digests, and nothing else. So even markup that nobody foresaw could load, run and send nothing.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from .markup import Markup, document, escape, join, raw, tag
from .model import Page
from .network_picture import draw_network
from .overview import render_health, render_overview
from .parts import nothing, section, subheading
from .storage_picture import draw_storage
from .tables import render_capacity, render_differences, render_images, render_instances, render_pools, render_trail
from .tree import render_tree

# By which a file is known to be a page of ours.
GENERATOR = "pextra.cloud"
_SECTIONS = {
    "overview": "Overview",
    "health": "Health",
    "tree": "Tree",
    "capacity": "Capacity",
    "network": "Network",
    "storage": "Storage",
    "pools": "Pools",
    "images": "Images",
    "instances": "Instances",
    "differences": "Differences",
    "trail": "Audit trail",
}
_RENDERED: Mapping[str, Callable[[Page], Markup]] = {
    "overview": render_overview,
    "health": render_health,
    "tree": render_tree,
    "capacity": render_capacity,
    "pools": render_pools,
    "images": render_images,
    "instances": render_instances,
    "differences": render_differences,
    "trail": render_trail,
}
# Of these a document knows nothing.
_OF_THE_CLOUD = frozenset({"health", "differences", "trail"})
# The only thing on the page that changes by itself.
_TIME = re.compile(r'<time datetime="[^"]*">[^<]*</time>')


def render_page(page: Page, at: str) -> str:
    """Return the page as text. at: when it was read, in UTC, such as 2026-11-29T15:04Z."""
    style, script = _read_own("page.css"), _read_own("page.js")
    title = f"{page.deployment}: private cloud"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content=GENERATOR),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="robots", content="noindex"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        raw("style", style),
    )
    shown = {name: title for name, title in _SECTIONS.items() if page.is_live or name not in _OF_THE_CLOUD}
    main = tag("main", *(_render(page, name) for name in shown))
    body = tag("body", _top(page, at), _navigation(shown), main, raw("script", script))
    return document(tag("html", head, body, lang="en"))


def is_same(text: str, other: str) -> bool:
    """Tell whether two pages show the same, whenever they were made."""
    return _TIME.sub("", text) == _TIME.sub("", other)


def is_page(text: str) -> bool:
    """Tell whether a text is a page that was made here."""
    return bool(tag("meta", name="generator", content=GENERATOR) in text)


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def _read_own(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _top(page: Page, at: str) -> Markup:
    source = "As the cloud was at" if page.is_live else "As the document said at"
    shown = at.replace("T", " ").removesuffix("Z")
    # Raw, for `is_same` to find it: an attribute's order is part of what it looks for.
    moment = Markup(f'<time datetime="{escape(at)}">{escape(shown)} UTC</time>')
    choices = [
        tag(
            "label",
            tag("input", type="radio", name="theme", id=f"theme-{name}", value=name, checked=name == "auto"),
            tag("span", text),
        )
        for name, text in (("auto", "Auto"), ("light", "Light"), ("dark", "Dark"))
    ]
    return tag(
        "header",
        tag("div", tag("h1", page.deployment), tag("p", source, " ", moment), class_="title"),
        tag("fieldset", tag("legend", "Colours"), *choices, class_="theme"),
    )


def _render(page: Page, name: str) -> Markup:
    if name in ("network", "storage"):
        return _pictures(page, name)
    return _RENDERED[name](page)


def _navigation(shown: Mapping[str, str]) -> Markup:
    links = (tag("a", title, href=f"#{name}") for name, title in shown.items())
    return tag("nav", *links, aria_label="Sections")


def _pictures(page: Page, which: str) -> Markup:
    draw = draw_network if which == "network" else draw_storage
    parts: list[Markup] = []
    for number, cluster in enumerate(page.clusters, 1):
        if len(page.clusters) > 1:
            parts.append(subheading(cluster.name))
        parts.append(tag("figure", draw(cluster, f"{which}-{number}")))
    if not parts:
        parts.append(nothing("There is nothing to draw."))
    note = {
        "network": "uplinks, vSwitches, port groups and what is attached to them, on each node",
        "storage": "storage pools on each node and shared, with the images and volumes in them",
    }[which]
    return section(which, _SECTIONS[which], join(parts), note=note)
