# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sections of the page are put together from: sections, tables, states, bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .drawing import state_class
from .markup import Markup, join, tag


@dataclass(frozen=True)
class Column:
    """kind: `text`, `number` (aligned at the right), or `name` (stands out)."""

    title: str
    kind: str = "text"


@dataclass(frozen=True)
class Cell:
    """sort: what rows are ordered by, where that is not what is shown."""

    content: object
    sort: float | str | None = None


def section(name: str, title: str, *content: object, note: str = "") -> Markup:
    """Return a section. name: its anchor."""
    heading = tag("h2", title, tag("span", note, class_="note") if note else None)
    return tag("section", heading, *content, id=name)


def subheading(title: str, note: str = "") -> Markup:
    return tag("h3", title, tag("span", note, class_="note") if note else None)


def table(columns: Sequence[Column], rows: Sequence[Sequence[object]], name: str = "", noun: str = "") -> Markup:
    """Return a table. name: with it, rows can be searched and sorted. noun: what its rows are called, as in
    `3 of 9 instances`.
    """
    head = tag("tr", *(tag("th", column.title, scope="col", class_=_class(column)) for column in columns))
    body = [tag("tr", *(_cell(column, value) for column, value in zip(columns, row, strict=True))) for row in rows]
    inner = tag("table", tag("thead", head), tag("tbody", *body), id=name or None, data_noun=noun or None)
    return tag("div", inner, class_="scroll")


def _cell(column: Column, value: object) -> Markup:
    cell = value if isinstance(value, Cell) else Cell(value)
    if column.kind == "name":
        return tag("th", cell.content, scope="row", data_sort=cell.sort)
    return tag("td", cell.content, class_=_class(column), data_sort=cell.sort)


def _class(column: Column) -> str | None:
    return "number" if column.kind == "number" else None


def state(text: str, shown: str = "") -> Markup:
    """Return a state with its mark, which what is only declared has not. shown: another word for it."""
    if text == "declared":
        return tag("span", shown or text)
    return tag("span", shown or text, class_=f"state s-{state_class(text)}")


def bar(part: float, whole: float, class_: str = "") -> Markup:
    """Return how much of a whole is taken. The figures stand beside it: for who does not see it, it is nothing."""
    share = min(max(part / whole, 0), 1) if whole else 0
    kind = "bad" if part > whole else "wait" if share > 0.9 else ""
    return tag(
        "svg",
        tag("rect", width="100", height="8", class_="track"),
        tag("rect", width=f"{100 * share:.1f}", height="8", class_=f"fill {kind}".rstrip()),
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        class_=f"bar {class_}".rstrip(),
        aria_hidden="true",
    )


def words(parts: Sequence[object], class_: str) -> Markup:
    return join(tag("span", part, class_=class_) for part in parts)


def nothing(text: str) -> Markup:
    return tag("p", text, class_="nothing")
