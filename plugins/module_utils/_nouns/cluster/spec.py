# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cluster: nodes that share storage pools, networks and instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ..._fields.common import (
    DESCRIPTION,
    FORMER_NAME,
    NAME,
    STATE,
)
from ..._fields.field import Field, join
from ..._model.mistake import Mistake

FIELDS = {
    "name": NAME,
    "former_name": FORMER_NAME,
    "description": DESCRIPTION,
    "datacenter": Field(
        kind="str", help="The datacenter it stands in, by name or identifier. With a single one it need not be given."
    ),
    "vcpus_per_thread": Field(
        kind="float",
        create=4.0,
        minimum=0.1,
        maximum=100,
        help="How many virtual CPUs may run on a node for each of its threads. It may be a fraction, such as 1.5. "
        "What would take a node beyond this is refused: an instance that is made, started, grows or moves there. What "
        "runs already goes on.",
    ),
    "vcpus_per_thread_warn": Field(
        kind="float",
        create=3.0,
        minimum=0.1,
        maximum=100,
        help="How many virtual CPUs may run on a node for each of its threads without a warning. At most "
        "O(vcpus_per_thread).",
    ),
    "state": STATE,
}


@dataclass(frozen=True, kw_only=True)
class Cluster:
    name: str
    former_name: str | None = None
    description: str | None = None
    datacenter: str | None = None
    vcpus_per_thread: float | None = None
    vcpus_per_thread_warn: float | None = None
    state: str = "present"


class Ratios(NamedTuple):
    """How many virtual CPUs a node may run for each of its threads: at most, and without a warning."""

    vcpus_per_thread: float
    vcpus_per_thread_warn: float


def ratios_of(attributes: Mapping[str, Any]) -> Ratios:
    """Return the ratios of a cluster. What it does not say, as one that an older version registered, is a new one's."""
    return Ratios(*(float(attributes.get(key) or FIELDS[key].made) for key in Ratios._fields))


def complete_cluster(cluster: Cluster, registered: Mapping[str, Any]) -> Cluster:
    """Return what a call makes of a cluster: ratios that it does not name are as registered, or a new one's."""
    named = {key: value for key in Ratios._fields if (value := getattr(cluster, key)) is not None}
    return replace(cluster, **ratios_of({**registered, **named})._asdict())


def find_mistakes_within(cluster: Cluster, path: str) -> list[Mistake]:
    """Check what no single field can tell: a warning comes before the refusal."""
    most, warn = cluster.vcpus_per_thread, cluster.vcpus_per_thread_warn
    if most is None or warn is None or warn <= most:
        return []
    problem = f"{warn:g} is more than vcpus_per_thread, which is {most:g}; write {most:g} or less"
    return [Mistake(join(path, "vcpus_per_thread_warn"), problem)]
