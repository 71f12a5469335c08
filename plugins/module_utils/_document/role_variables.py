# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that roles read, judged before any host is asked, as the roles will read them.

What the argument specs of the roles accept is Ansible's: the word `yes` is true there, and a text with commas a list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._fields.field import (
    Field,
    Kind,
    Table,
    parse_value,
)
from .._model.mistake import Mistake

_KINDS: dict[str, Kind] = {"str": "str", "path": "str", "int": "int", "float": "float", "bool": "bool"}
_KINDS |= {"list": "list", "dict": "dict"}
# Playbooks read these, and take one that is left empty for one that is not given. Roles get theirs as they are.
_OF_PLAYBOOKS = "pextra_"
# Ansible's own words, in lower case.
_WORDS = {
    **dict.fromkeys(("yes", "y", "on", "1", "true", "t", "1.0"), True),
    **dict.fromkeys(("no", "n", "off", "0", "false", "f", "0.0"), False),
}


def read_argument_spec(options: Mapping[str, Any]) -> dict[str, Field]:
    """Return the options of a role's argument spec (`meta/argument_specs.yml`) as a table."""
    return {name: _read_option(option) for name, option in options.items()}


def _read_option(option: Mapping[str, Any], kind: str | None = None) -> Field:
    kind = kind or option.get("type", "str")
    table = read_argument_spec(option["options"]) if option.get("options") and kind == "dict" else None
    choices = option.get("choices")
    return Field(
        kind=_KINDS.get(str(kind), "raw"),
        help="",
        required=bool(option.get("required")),
        # Of a list they are its elements'.
        choices=tuple(choices) if choices and kind != "list" else None,
        element=_read_option({**option, "required": False}, option.get("elements", "raw")) if kind == "list" else None,
        table=table,
        no_log=option.get("no_log"),
    )


def find_role_mistakes(table: Table, values: Mapping[str, Any], locate: Callable[[str], str] = str) -> list[Mistake]:
    """Check variables of roles. locate: makes the path of a variable of its name."""
    mistakes: list[Mistake] = []
    for name, value in values.items():
        if name in table and value is None and not name.startswith(_OF_PLAYBOOKS):
            problem = "is left empty, which is no value that the role can use; write one, or take the line away"
            mistakes.append(Mistake(locate(name), problem))
        elif name in table and value is not None:
            _, found = parse_value(table[name], _convert(table[name], value), locate(name))
            mistakes += found
    return mistakes


def _convert(field: Field, value: Any) -> Any:
    """Return a value as Ansible converts it for an option; one that it cannot convert stays."""
    if field.kind == "bool":
        return _WORDS.get(str(value).lower(), value) if isinstance(value, str | int | float) else value
    if field.kind == "str" and isinstance(value, int | float):
        return str(value)
    if field.kind == "list":
        if isinstance(value, str | int | float):
            value = str(value).split(",")
        if isinstance(value, Sequence) and field.element is not None:
            return [_convert(field.element, item) for item in value]
    if field.kind == "dict" and field.table is not None and isinstance(value, Mapping):
        return {key: _convert(field.table[key], item) if key in field.table else item for key, item in value.items()}
    return value
