# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTML and SVG as text, in which nothing that anybody has named can become markup.

`Markup` is what is markup already, and only this file makes it. Whatever else is put in is text, and is escaped.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

# Elements of HTML that have no end.
_VOID = frozenset({"br", "col", "input", "link", "meta"})
# What a browser would not show, or refuses: control characters, halves of pairs, and what turns the direction of text.
_CONTROLS = (*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0))
_TURNING = (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)
_NO_CHARACTERS = (*range(0xD800, 0xE000), 0xFFFE, 0xFFFF)
_NOT_SHOWN = dict.fromkeys((*_CONTROLS, *_TURNING, *_NO_CHARACTERS), "\ufffd")

Attribute = str | int | float | bool | None


class Markup(str):
    """Text that is markup."""

    __slots__ = ()


def escape(text: object) -> Markup:
    """Return it as it can stand anywhere in an element, or in the quotes of an attribute."""
    if isinstance(text, Markup):
        return text
    return Markup(html.escape(str(text).translate(_NOT_SHOWN), quote=True))


def join(parts: Iterable[object]) -> Markup:
    """Return all parts, one after the other. None and nothing are left out."""
    return Markup("".join(escape(part) for part in parts if part is not None))


def tag(name: str, /, *children: object, **attributes: Attribute) -> Markup:
    """Return an element. In names of attributes `_` stands for `-`, one at the end is dropped; False and None are
    attributes that are not there.
    """
    written = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        shown = key.removesuffix("_").replace("_", "-")
        written.append(shown if value is True else f'{shown}="{escape(_number(value))}"')
    begin = f"<{' '.join(written)}>"
    return Markup(begin if name in _VOID else f"{begin}{join(children)}</{name}>")


def raw(name: str, text: str) -> Markup:
    """Return a style or script of the collection's own, to the letter: its digest is what a browser compares."""
    if "</" in text:
        raise ValueError(f"the {name} would end before its end")
    return Markup(f"<{name}>{text}</{name}>")


def document(root: Markup) -> Markup:
    return Markup(f"<!doctype html>\n{root}\n")


def _number(value: Attribute) -> object:
    """Coordinates have at most one digit behind the point."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value
