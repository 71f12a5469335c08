# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields and parsing that all resources share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .._model.mistake import Mistake
from .._model.protection import find_contradiction
from .checks import check_name, check_plain_text
from .field import Field, Table, join, parse

Spec = TypeVar("Spec")

# What qcow2 can hold with clusters of its usual size.
MAX_VOLUME_MIB = 2 * 1024**3

NAME = Field(kind="str", required=True, check=check_name, help="The name, by which everything else refers to it.")
FORMER_NAME = Field(
    kind="str",
    check=check_name,
    help="The name that it had. What is registered by that name gets the new one, and keeps its identifier and all "
    "that belongs to it. Without this, another name is another thing. Of no effect afterwards.",
)
DESCRIPTION = Field(kind="str", check=check_plain_text, help="One line about it, for people.")
CLUSTER = Field(kind="str", help="The cluster, by name or identifier. With a single cluster it need not be given.")
NODES = Field(
    kind="list",
    element=Field(kind="str", help="A node, by name or identifier."),
    unique=True,
    help="The nodes it is on, by name or identifier. All nodes of the cluster unless given.",
)
STATE = Field(
    kind="str",
    default="present",
    choices=("present", "absent"),
    help="Whether it exists.",
)


def protected(what: str, further: str = "") -> Field:
    """Return the option of a kind of resource. what: what it keeps this one from, a clause; further: sentences."""
    return Field(
        kind="bool",
        create=False,
        help=f"Whether it is protected: {what}, whatever else a call says or consents to. "
        f"A call of its own that sets V(false) ends that. {further}".rstrip(),
    )


def adopting(what: str) -> Field:
    """Return the option of a kind of resource. what: what becomes of what is there, a sentence or more."""
    return Field(
        kind="bool",
        help=f"Whether {what} The call says only what it names, also in the deployment document. What is said "
        "otherwise than it is, is refused. Of no effect where it is the cloud's already.",
    )


def parse_spec(
    table: Table, make: Callable[..., Spec], raw: Mapping[str, Any], path: str
) -> tuple[Spec | None, list[Mistake]]:
    """Parse one resource by its table into its dataclass. Returns (spec or None, mistakes)."""
    values, mistakes = parse(table, raw, path)
    mistakes += find_contradictions(values, path)
    return (None, mistakes) if mistakes else (make(**values), [])


def find_contradictions(values: Mapping[str, Any], path: str) -> list[Mistake]:
    """Return what is wrong with the options that all resources share, as `parse` has normalised them."""
    problem = find_contradiction(values)
    return [Mistake(join(path, "protected"), problem)] if problem else []
