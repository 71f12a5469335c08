# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs, from the tables of fields. Paired with plugins/doc_fragments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from .._model.registry_url import DEFAULT_URL
from .field import Field, Table

_TYPES = {"size": "str", "raw": "raw"}

COMMON: dict[str, dict[str, Any]] = {
    "registry": {"type": "str", "default": DEFAULT_URL, "no_log": False},
    "actor": {"type": "str"},
    "job": {"type": "str"},
    "revision": {"type": "str"},
}
CHANGING: dict[str, dict[str, Any]] = {
    **COMMON,
    "confirm": {"type": "str", "choices": ["DESTROY"]},
    "lease_timeout": {"type": "int", "default": 60},
    "earlier_changes": {"type": "bool", "default": False},
}


def options_of(table: Table) -> dict[str, dict[str, Any]]:
    """Return the argument spec of a table."""
    return {name: _option(field) for name, field in table.items()}


def resource_arguments(table: Table, plural: str, extra: dict[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return the keyword arguments of AnsibleModule for a module that takes one resource, or many by `plural`."""
    # With many given by the plural, nothing is required of the single one; what it lacks, parsing tells.
    single = {name: {**option, "required": False} for name, option in options_of(table).items()}
    return {
        "argument_spec": {
            **single,
            plural: {"type": "list", "elements": "dict", "options": options_of(table)},
            **CHANGING,
            **(extra or {}),
        },
        "mutually_exclusive": [("name", plural)],
        "required_one_of": [("name", plural)],
        "supports_check_mode": True,
    }


def act_arguments(table: Table) -> dict[str, Any]:
    """Return the keyword arguments of AnsibleModule for a module that does the same to one or several by `name`."""
    names = {"type": "list", "elements": "str", "required": True}
    return {"argument_spec": {**options_of(table), "name": names, **CHANGING}, "supports_check_mode": True}


def look_arguments(table: Table) -> dict[str, Any]:
    """Return the argument spec of a module that looks at one or several by `name`, on its own host."""
    return {**options_of(table), "name": {"type": "list", "elements": "str", "required": True}}


def info_arguments(extra: dict[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return the keyword arguments of AnsibleModule for an _info module."""
    return {
        "argument_spec": {
            "names": {"type": "list", "elements": "str"},
            **COMMON,
            **(extra or {}),
        },
        "supports_check_mode": True,
    }


def narrow_options(options: Mapping[str, Any], elements: object) -> Mapping[str, Any]:
    """Return the options that any of the elements names, and those that each has to; so with the options of these.
    Ansible looks at every option of every element eight times, and of dozens most are named by none; what is not named
    is ours to fill in.

    All of them where Ansible will have to tell what is allowed.
    """
    if not isinstance(elements, list) or not all(isinstance(one, dict) for one in elements):
        return options
    named = set().union(*elements)
    if not named <= options.keys():
        return options
    return {
        name: _narrow(option, [one[name] for one in elements if name in one]) if "options" in option else option
        for name, option in options.items()
        if name in named or option.get("required")
    }


def _narrow(option: Mapping[str, Any], values: Sequence[object]) -> Mapping[str, Any]:
    """Return an option that has options, of which the values name some."""
    given = [value for value in values if value is not None]
    if option["type"] == "list":
        if not all(isinstance(value, list) for value in given):
            return option
        given = [one for value in given for one in cast("list[object]", value)]
    return {**option, "options": narrow_options(option["options"], given)}


def _option(field: Field) -> dict[str, Any]:
    option: dict[str, Any] = {"type": _TYPES.get(field.kind, field.kind)}
    if field.required:
        option["required"] = True
    if field.choices is not None:
        option["choices"] = list(field.choices)
    if field.default not in (None, ()) and field.kind != "size":
        option["default"] = field.default
    if field.kind == "list" and field.element is not None:
        option["elements"] = _TYPES.get(field.element.kind, field.element.kind)
        if field.element.table is not None:
            option["options"] = options_of(field.element.table)
    if field.table is not None:
        option["options"] = options_of(field.table)
    if field.no_log is not None:
        option["no_log"] = field.no_log
    return option
