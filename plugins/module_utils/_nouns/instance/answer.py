# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a coordinator tells the inventory plugin: made there and read on the controller by one table. Pure.

The controller takes nothing on trust: what is not in the table, or not of its type, makes the whole answer no answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from ..._fields.field import Field, Table, parse
from ..._model.errors import InvalidInputError, Problem
from ..._model.ids import is_id
from ..._model.mistake import shown

# Raised with every change of the tables. A controller reads the answers of its own version of the collection alone.
FORMAT = 2
# Of the whole text. An instance takes half a KiB, with long texts and many NICs a few.
MAX_BYTES = 32 * 1024**2
_SHOWN_MISTAKES = 3
_UPDATE = "Run site.yml --tags coordinator with the collection that asks, so that both are of one version."


def _check_id(text: str) -> str | None:
    return None if is_id(text, "instance") else f"{shown(text)} is no identifier of an instance"


_TEXT = Field(kind="str", help="A text.")
NIC: Table = {
    "name": Field(kind="str", help="The name by which it is known."),
    "mac": Field(kind="str", required=True, help="The MAC address."),
    "vswitch": Field(kind="str", required=True, help="The vSwitch it attaches to."),
    "port_group": Field(kind="str", required=True, help="The port group it attaches to."),
    "addresses": Field(kind="list", element=_TEXT, required=True, help="What cloud-init gives it, with prefixes."),
}
# What `describe_instance` tells of the same names. Of an instance whose node does not answer it knows less.
INSTANCE: Table = {
    "id": Field(kind="str", required=True, check=_check_id, help="The identifier."),
    "uuid": Field(kind="str", required=True, help="The UUID of the libvirt domain."),
    "name": Field(kind="str", required=True, help="The name."),
    "organization": Field(kind="str", help="The organization that owns it."),
    "datacenter": Field(kind="str", help="The datacenter of its cluster."),
    "cluster": Field(kind="str", help="The cluster."),
    "node": Field(kind="str", help="The node that it is on."),
    "power": Field(
        kind="str",
        required=True,
        choices=("running", "stopped", "paused", "undefined", "unknown"),
        help="The power state.",
    ),
    "vcpus": Field(kind="int", minimum=0, help="The number of virtual CPUs."),
    "memory": Field(kind="int", minimum=0, help="The memory in MiB."),
    "image": Field(kind="str", help="The image that the root volume was made from."),
    "autostart": Field(kind="bool", help="Whether it starts with its node."),
    "description": Field(kind="str", help="One line about it."),
    "tags": Field(kind="list", element=_TEXT, help="Its tags."),
    "flavor": Field(kind="str", help="The flavor of the document that it is made of."),
    "profiles": Field(kind="list", element=_TEXT, help="The profiles of the document that it is made of."),
    "nics": Field(kind="list", element=Field(kind="dict", table=NIC, help="A NIC."), help="Its NICs."),
}
_PROBLEM: Table = {
    "node": Field(kind="str", help="The node it is about."),
    "resource": Field(kind="str", help="The resource it is about."),
    "what": Field(kind="str", required=True, help="What happened."),
    "remedy": Field(kind="str", help="What to do."),
}
_ANSWER: Table = {
    "format": Field(kind="int", required=True, help="The version of these tables."),
    "instances": Field(
        kind="list", element=Field(kind="dict", table=INSTANCE, help="An instance."), required=True, help="All of them."
    ),
    "unreachable_nodes": Field(
        kind="list",
        element=Field(kind="dict", table=_PROBLEM, help="Why."),
        required=True,
        help="Nodes without answer.",
    ),
    "warnings": Field(kind="list", element=_TEXT, required=True, help="What else a person should know."),
}


@dataclass(frozen=True)
class Answer:
    """instances: as in INSTANCE, complete; None is not known. unreachable: why nodes do not answer."""

    instances: Sequence[Mapping[str, Any]]
    unreachable: Sequence[Problem]
    warnings: Sequence[str]


def make_answer(
    described: Iterable[Mapping[str, Any]], unreachable: Iterable[Problem], warnings: Iterable[str]
) -> dict[str, Any]:
    """Return the answer as JSON types. described: what `describe_instance` returns."""
    return {
        "format": FORMAT,
        "instances": [_keep(INSTANCE, item) for item in described],
        "unreachable_nodes": [problem.as_dict() for problem in unreachable],
        "warnings": list(warnings),
    }


def _keep(table: Table, item: Mapping[str, Any]) -> dict[str, Any]:
    """Return of what is described what the table has."""
    kept = {}
    for key, field in table.items():
        value = item.get(key)
        if value is not None:
            inner = field.element.table if field.element is not None else None
            kept[key] = value if inner is None else [_keep(inner, one) for one in value]
    return kept


def read_answer(text: str) -> Answer:
    """Return what an answer says. Raises InvalidInputError for what is none, with the first of what is wrong."""
    try:
        raw = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        what = f"it is no JSON ({error}); it begins with {shown(text[:80])}" if text.strip() else "it is empty"
        raise _refuse([what], "Only the program may print there: see what a log-in by ssh prints.") from error
    version = raw.get("format") if isinstance(raw, Mapping) else None
    if isinstance(version, int) and version != FORMAT:
        raise _refuse([f"it has the format {version}, and this collection reads {FORMAT}"], _UPDATE)
    values, mistakes = parse(_ANSWER, raw, "")
    if mistakes:
        wrong = [f"{mistake.path or 'it'}: {mistake.problem}" for mistake in mistakes[:_SHOWN_MISTAKES]]
        more = len(mistakes) - len(wrong)
        raise _refuse([*wrong, *([f"and {more} more"] if more else [])], _UPDATE)
    return Answer(
        values["instances"],
        [Problem(**{**one, "remedy": one["remedy"] or ""}) for one in values["unreachable_nodes"]],
        values["warnings"],
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _refuse(wrong: Sequence[str], remedy: str) -> InvalidInputError:
    return InvalidInputError(
        [Problem(f"what the coordinator's program printed is no answer: {'; '.join(wrong)}", remedy)]
    )
