# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON Schema of the deployment document, from the same tables that validation reads.

It is for editors: they complete keys and mark slips while a person writes. What concerns several elements (references,
addresses, capacity) only validation can tell.
"""

from __future__ import annotations

from typing import Any

from .._fields.checks import PATTERNS, check_vswitch_name
from .._fields.field import REQUIRED, Field, Table, strip_markup
from .._model.sizes import show_size
from .._nouns.vswitch import spec as vswitch
from .variables import (
    DOCUMENT,
    HOST,
    ROLE_FAMILIES,
    ROLE_VARIABLES,
    leave_open,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SIZE = r"^\s*[0-9]+(\.[0-9]+)?\s*[KkMmGgTtPp]([Ii][Bb])?\s*$"


def build_schema() -> dict[str, Any]:
    """Return the schema of a file of group_vars or host_vars."""
    known = [*DOCUMENT, *HOST, *ROLE_VARIABLES]
    # Other variables are nobody's business; those that begin like ours must be ours.
    unknown = f"^pextra_(?!({'|'.join(sorted(name.removeprefix('pextra_') for name in known))})$"
    unknown += "".join(f"|{family.removeprefix('pextra_')}" for family in sorted(ROLE_FAMILIES)) + ")"
    return {
        "$schema": DIALECT,
        "title": "Deployment document of pextra.cloud",
        "description": "Variables in group_vars and host_vars that describe a whole deployment.",
        "type": "object",
        "properties": {
            **{name: _describe_value(field) for name, field in {**DOCUMENT, **HOST}.items()},
            **{name: {"description": strip_markup(field.help)} for name, field in ROLE_VARIABLES.items()},
        },
        "patternProperties": {unknown: False},
        "$defs": {
            "template": {
                "description": "A template, which gives the value when it is used.",
                "type": "string",
                "pattern": r"\{\{|\{%",
            },
        },
    }


def _describe_value(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": strip_markup(field.help)}
    default = _describe_default(field)
    if default is not None:
        schema["default"] = default
    exact = _describe_type(field)
    alternatives: list[dict[str, Any]] = [exact]
    if exact != {"type": "string"}:
        alternatives.append({"$ref": "#/$defs/template"})
    if not field.required and field.create is not REQUIRED:
        # Not given.
        alternatives.append({"type": "null"})
    return {**schema, **(exact if len(alternatives) == 1 else {"anyOf": alternatives})}


def _describe_type(field: Field) -> dict[str, Any]:
    if field.choices:
        return {"enum": list(field.choices)}
    if field.kind == "list":
        items = _describe_value(field.element) if field.element else {}
        return {"type": "array", "items": items, **({"uniqueItems": True} if field.unique else {})}
    if field.kind == "dict":
        return _describe_table(field.table) if field.table else {"type": "object"}
    if field.kind in ("int", "float"):
        limits = {"minimum": field.minimum, "maximum": field.maximum}
        kind = "integer" if field.kind == "int" else "number"
        return {"type": kind, **{key: limit for key, limit in limits.items() if limit is not None}}
    if field.kind == "bool":
        return {"type": "boolean"}
    if field.kind == "size":
        return {"type": "string", "pattern": _SIZE}
    pattern = PATTERNS.get(field.check) if field.check else None
    return {"type": "string", **({"pattern": pattern} if pattern else {})}


def _describe_table(table: Table) -> dict[str, Any]:
    if "profiles" in table:
        # What it may leave to profiles it has to say where it names none.
        needed = {"if": {"not": {"required": ["profiles"]}}, "then": _describe_needed(table)}
        return {**_describe_keys(leave_open(table)), **needed}
    if table is vswitch.FIELDS:
        return {**_describe_keys(table), **_describe_own_name()}
    return _describe_keys(table)


def _describe_own_name() -> dict[str, Any]:
    """Return how a vSwitch is called that is neither adopted, for such a name is not ours to choose, nor absent."""
    others = [
        {"required": [key], "properties": {key: {"not": {"enum": [usual, None]}}}}
        for key, usual in (("adopt", False), ("state", "present"))
    ]
    own = {"anyOf": [{"pattern": PATTERNS[check_vswitch_name]}, {"$ref": "#/$defs/template"}]}
    return {"if": {"not": {"anyOf": others}}, "then": {"properties": {"name": own}}}


def _describe_needed(table: Table) -> dict[str, Any]:
    """Return what is required, at any depth, and nothing else."""
    inner = {
        name: needed
        for name, field in table.items()
        if (needed := _describe_needed(field.table) if field.table is not None else _describe_needed_items(field))
    }
    required = [name for name, field in table.items() if field.create is REQUIRED]
    return {**({"properties": inner} if inner else {}), **({"required": required} if required else {})}


def _describe_needed_items(field: Field) -> dict[str, Any]:
    needed = _describe_needed(field.element.table) if field.element is not None and field.element.table else {}
    return {"items": needed} if needed else {}


def _describe_keys(table: Table) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: _describe_value(field) for name, field in table.items()},
        "required": [name for name, field in table.items() if field.required or field.create is REQUIRED],
        "additionalProperties": False,
    }


def _describe_default(field: Field) -> Any:
    if field.made in (None, (), "") or field.kind == "dict":
        return None
    return show_size(field.made) if field.kind == "size" else field.made
