# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The screen of a terminal as a page: each cell where it stands, in the colours that the terminal was told. Pure."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace

_SEQUENCE = re.compile(r"\x1b\[([0-9;]*)m")
# The sixteen colours are the terminal's own. Those of light terminals are darker, for all to be read on white.
_DARK = (
    *("#2e3440", "#ff6b6b", "#7ddc7d", "#e6c15c", "#6fa8ff", "#d08cf0", "#5fd0d0", "#d8dee9"),
    *("#7a8499", "#ff8f8f", "#9be89b", "#f2d58a", "#93bfff", "#e0aef8", "#8be3e3", "#ffffff"),
)
_LIGHT = (
    *("#1f2328", "#c21f2c", "#116329", "#8a5a00", "#0a58ca", "#8033b0", "#0b6b74", "#5b6470"),
    *("#59636e", "#d63440", "#1a7f37", "#9a6700", "#2f6fe4", "#9a4fcb", "#1b7c83", "#24292f"),
)
_STEPS = (0, 95, 135, 175, 215, 255)
_STYLE = """
body {{ margin: 0; padding: 0; background: {background}; width: max-content }}
pre {{ margin: 0; padding: 14px 18px; min-width: {columns}ch; color: {foreground}; border: 1px solid {edge};
  border-radius: 6px; font: 14px/1.4 "DejaVu Sans Mono", monospace; font-variant-ligatures: none }}
b {{ font-weight: 700 }}
"""


@dataclass(frozen=True)
class _Look:
    """How characters look. Colours as the page writes them, None for the terminal's own."""

    foreground: str | None = None
    background: str | None = None
    is_bold: bool = False
    is_underlined: bool = False
    is_reversed: bool = False


def render_screen(screen: str, columns: int, *, is_dark: bool = False) -> str:
    """Return the page. screen: lines with the sequences that colour them, and no others."""
    palette = _DARK if is_dark else _LIGHT
    own = ("#d8dee9", "#16191f", "#3a404c") if is_dark else ("#1f2328", "#ffffff", "#c8ced6")
    style = _STYLE.format(foreground=own[0], background=own[1], edge=own[2], columns=columns)
    look = _Look()
    parts: list[str] = []
    place = 0
    for match in _SEQUENCE.finditer(screen):
        parts.append(_draw(screen[place : match.start()], look, own))
        look = _change(look, [int(one or 0) for one in match[1].split(";")], palette)
        place = match.end()
    parts.append(_draw(screen[place:], look, own))
    return f'<!doctype html><meta charset="utf-8"><style>{style}</style><pre>{"".join(parts)}</pre>'


def _draw(text: str, look: _Look, own: tuple[str, str, str]) -> str:
    if "\x1b" in text:
        raise ValueError(f"no colour, and nothing that this page could show: {text!r}")
    if not text:
        return ""
    foreground, background = look.foreground, look.background
    if look.is_reversed:
        foreground, background = background or own[1], foreground or own[0]
    css = [f"color:{foreground}"] if foreground else []
    css += [f"background:{background}"] if background else []
    css += ["text-decoration:underline"] if look.is_underlined else []
    shown = html.escape(text)
    shown = f'<span style="{";".join(css)}">{shown}</span>' if css else shown
    return f"<b>{shown}</b>" if look.is_bold else shown


def _change(look: _Look, codes: list[int], palette: tuple[str, ...]) -> _Look:
    """Return how it looks after some codes."""
    while codes:
        code, *codes = codes
        if code == 0:
            look = _Look()
        elif code in (1, 22):
            look = replace(look, is_bold=code == 1)
        elif code in (4, 24):
            look = replace(look, is_underlined=code == 4)
        elif code in (7, 27):
            look = replace(look, is_reversed=code == 7)
        elif code in (38, 48):
            colour, codes = _read_colour(codes, palette)
            look = replace(look, foreground=colour) if code == 38 else replace(look, background=colour)
        elif code in (39, 49):
            look = replace(look, foreground=None) if code == 39 else replace(look, background=None)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            look = replace(look, foreground=palette[code - 30 if code < 90 else code - 82])
        elif 40 <= code <= 47 or 100 <= code <= 107:
            look = replace(look, background=palette[code - 40 if code < 100 else code - 92])
        else:
            raise ValueError(f"this page does not know what ESC[{code}m looks like")
    return look


def _read_colour(codes: list[int], palette: tuple[str, ...]) -> tuple[str, list[int]]:
    """Return a colour of the 256, or one by its parts, and the codes after it."""
    if codes[0] == 2:
        return "#{:02x}{:02x}{:02x}".format(*codes[1:4]), codes[4:]
    number = codes[1]
    if number < 16:
        return palette[number], codes[2:]
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return f"#{grey:02x}{grey:02x}{grey:02x}", codes[2:]
    red, rest = divmod(number - 16, 36)
    green, blue = divmod(rest, 6)
    return "#{:02x}{:02x}{:02x}".format(*(_STEPS[one] for one in (red, green, blue))), codes[2:]
