# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference of the deployment document's keys in Markdown, from the same tables that validation reads."""

from __future__ import annotations

from collections.abc import Iterator

from .._fields.field import (
    REQUIRED,
    Field,
    Table,
    show_made,
    strip_markup,
)
from .variables import (
    DOCUMENT,
    HOST,
    ROLE_FAMILIES,
    ROLE_VARIABLES,
)

_TYPES = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "size": "size",
    "list": "list",
    "dict": "mapping",
    "raw": "anything",
}


def render_reference() -> str:
    """Return a section for each variable, with a table of its keys."""
    lines: list[str] = []
    for name, field in DOCUMENT.items():
        lines += [f"### {name}", "", _format(field.help), ""]
        if field.element and field.element.table:
            lines += [*_render_table(field.element.table), ""]
    lines += ["### Variables of a node", "", "Host variables of the hosts in the inventory group `pextra_nodes`.", ""]
    lines += [*_render_table(HOST), ""]
    lines += [
        "### Variables of roles and playbooks",
        "",
        "Every other variable that begins with `pextra_` is a mistake.",
    ]
    lines += ["", "| variable | what it is |", "|---|---|"]
    lines += [f"| `{name}` | {_format(field.help)} |" for name, field in ROLE_VARIABLES.items()]
    lines += [f"| `{family}…` | {_format(text)} |" for family, text in ROLE_FAMILIES.items()]
    return "\n".join(lines) + "\n"


def _render_table(table: Table) -> list[str]:
    rows = [f"| `{key}` | {kind} | {text} |" for key, kind, text in _list_keys(table, "")]
    return ["| key | type | what it is |", "|---|---|---|", *rows]


def _list_keys(table: Table, prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in table.items():
        key = f"{prefix}{name}"
        yield key, _name_type(field), _describe(field)
        element = field.element if field.kind == "list" else field
        if element and element.table:
            yield from _list_keys(element.table, f"{key}[]." if field.kind == "list" else f"{key}.")


def _format(text: str) -> str:
    return strip_markup(text, code="`")


def _name_type(field: Field) -> str:
    if field.kind == "list" and field.element:
        return f"list of {_TYPES[field.element.kind]}s"
    return _TYPES[field.kind]


def _describe(field: Field) -> str:
    text = _format(field.help)
    if field.required or field.create is REQUIRED:
        text = f"**Required.** {text}"
    if field.choices:
        text += f" One of {', '.join(f'`{choice}`' for choice in field.choices)}."
    if field.kind in ("int", "float") and field.minimum is not None and str(field.minimum) not in text:
        text += f" From {field.minimum} to {field.maximum}."
    made = show_made(field)
    if made is not None and f"{made} unless" not in text.replace("`", ""):
        text += f" `{made}` unless given."
    return text.replace("|", "\\|")
