# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How definitions are read, edited and written without loss."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

from .labels import URI

PREFIX = "pextra"
Make = Callable[[str, dict[str, str]], Any]


def read_tree(xml: str) -> Any:
    from lxml import etree

    parser = etree.XMLParser(remove_blank_text=False, strip_cdata=False, resolve_entities=False, no_network=True)
    return etree.fromstring(xml.encode(), parser)


def show_tree(root: Any) -> str:
    from lxml import etree

    return str(etree.tostring(root, encoding="unicode"))


def add(parent: Any, tag: str, /, **attributes: str) -> Any:
    element = parent.makeelement(tag, attributes)
    parent.append(element)
    return element


def find_or_add(parent: Any, tag: str) -> Any:
    found = parent.find(tag)
    return found if found is not None else add(parent, tag)


def set_text(root: Any, tag: str, text: str | None) -> None:
    if text is not None:
        find_or_add(root, tag).text = text
        return
    for found in root.findall(tag):
        root.remove(found)


def maker(root: Any) -> Make:
    """Return what makes elements of the root's kind; of lxml's, with our prefix declared where it is used."""
    if isinstance(root, ET.Element):
        return ET.Element

    def make(tag: str, attributes: dict[str, str]) -> Any:
        return root.makeelement(tag, attributes, nsmap={PREFIX: URI} if tag.startswith("{") else None)

    return make


def append(parent: Any, make: Make, tag: str, /, **attributes: str) -> Any:
    element = make(tag, attributes)
    parent.append(element)
    return element
