# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pictures are drawn of: text that fits, chips in rows, lines. Lengths are in the picture's own units.

How wide text is, only the browser knows: it is taken for as wide as in the widest of the usual fonts, so that it fits
in all of them. Colours are the style sheet's, by class, so that a picture follows light and dark.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from .markup import Markup, join, tag

WIDTH = 1120
CHIP_HEIGHT = 36
GAP = 8
_CHIP_WIDTH = 146
# Of more the tables tell: a picture of a thousand names is none.
_MOST_CHIPS, _MOST_OF_MANY, _MANY = 24, 12, 200
_SIZE = {"big": 14, "mid": 12.5, "low": 11}
_NARROW = frozenset("iIjl.,:;'|!")
_SLIM = frozenset('frt()[]/-\\ "')
_BROAD = frozenset("mwMW@%&")


@dataclass(frozen=True, kw_only=True)
class Chip:
    """A small box with a name and a line about it. state: of its dot, empty for none. tone: a class of its edge."""

    name: str
    about: str = ""
    title: str = ""
    state: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Drawn:
    """A part of a picture, and how high it is."""

    markup: Markup
    height: float


def fit(text: str, width: float, size: str) -> str:
    """Return as much of a text as fits, with an ellipsis where it was cut."""
    if measure(text, size) <= width:
        return text
    room = width / _SIZE[size] - 1
    shown = 0
    for char in text:
        room -= _wide(char)
        if room < 0:
            break
        shown += 1
    return f"{text[:shown].rstrip()}\u2026"


def label(text: str, x: float, y: float, width: float, size: str = "mid", class_: str = "") -> Markup:
    """Return a line of text. x, y: where it begins, and its base line. What is cut is told when pointed at."""
    shown = fit(text, width, size)
    title = tag("title", text) if shown != text else None
    return tag("text", shown, title, x=float(x), y=float(y), class_=f"t-{size} {class_}".rstrip())


def box(x: float, y: float, width: float, height: float, class_: str, radius: int = 6) -> Markup:
    return tag("rect", x=float(x), y=float(y), width=float(width), height=float(height), rx=radius, class_=class_)


def elbow(x: float, y: float, to_x: float, to_y: float, class_: str) -> Markup:
    """Return a line that goes right, then up or down, then right."""
    if abs(y - to_y) < 0.1:
        return tag("path", d=f"M{x:.1f} {y:.1f}H{to_x:.1f}", class_=class_)
    middle = (x + to_x) / 2
    return tag("path", d=f"M{x:.1f} {y:.1f}H{middle:.1f}V{to_y:.1f}H{to_x:.1f}", class_=class_)


def dot(x: float, y: float, state: str) -> Markup | None:
    """Return the mark of a state, which differs by form as well as by colour. What is only declared has none."""
    if state in ("", "declared"):
        return None
    return tag("circle", cx=float(x), cy=float(y), r=4, class_=f"dot s-{state_class(state)}")


def state_class(state: str) -> str:
    """Return by which class a state is shown."""
    from .model import BAD, GOOD, WAITING

    return "good" if state in GOOD else "bad" if state in BAD else "wait" if state in WAITING else "off"


def most_chips(instances: int) -> int:
    """Return how many chips there are at most in one place, in a picture of so many instances."""
    return _MOST_CHIPS if instances <= _MANY else _MOST_OF_MANY


def chips(items: Sequence[Chip], x: float, y: float, width: float, most: int) -> Drawn:
    """Return the items in rows; of those that are more than `most`, how many they are."""
    columns = max(1, int((width + GAP) // (_CHIP_WIDTH + GAP)))
    each = (width - GAP * (columns - 1)) / columns
    shown = list(items)
    if len(shown) > most:
        left_out = len(shown) - most + 1
        more = Chip(name=f"and {left_out:,} more", about="see the tables", tone="more")
        shown = [*shown[: most - 1], more]
    parts = []
    for index, item in enumerate(shown):
        row, column = divmod(index, columns)
        parts.append(_chip(item, x + column * (each + GAP), y + row * (CHIP_HEIGHT + GAP), each))
    rows = (len(shown) + columns - 1) // columns
    return Drawn(join(parts), max(rows * (CHIP_HEIGHT + GAP) - GAP, 0))


def _chip(item: Chip, x: float, y: float, width: float) -> Markup:
    left = x + 12
    room = width - 20 - (12 if item.state else 0)
    name_y = y + (15 if item.about else CHIP_HEIGHT / 2 + 4)
    return tag(
        "g",
        tag("title", item.title) if item.title else None,
        box(x, y, width, CHIP_HEIGHT, f"chip {item.tone}".rstrip(), 5),
        box(x, y + 5, 3, CHIP_HEIGHT - 10, f"edge {item.tone}", 1) if item.tone.startswith("hue") else None,
        dot(x + width - 12, y + 12, item.state),
        label(item.name, left, name_y, room, "mid", "strong"),
        label(item.about, left, y + 29, width - 20, "low", "muted") if item.about else None,
    )


def picture(parts: Sequence[object], height: float, title: str, about: str, name: str) -> Markup:
    """Return the whole. title, about: what a person is told who does not see it. name: its anchor."""
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", about, id=f"{name}-desc"),
        *parts,
        viewBox=f"0 0 {WIDTH} {height:.0f}",
        role="img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-desc",
        class_="picture",
        preserveAspectRatio="xMidYMin meet",
    )


def measure(text: str, size: str) -> float:
    """Return how wide a text is at most."""
    return sum(_wide(char) for char in text) * _SIZE[size]


@cache
def _wide(char: str) -> float:
    """Return how wide a character is, in parts of the size of the text."""
    if char in _NARROW:
        return 0.36
    if char in _SLIM:
        return 0.45
    if char in _BROAD:
        return 1.02
    if unicodedata.combining(char):
        return 0
    if not char.isascii():
        return 1.3 if unicodedata.east_asian_width(char) in "WF" else 1.0
    return 0.76 if char.isupper() else 0.65
