# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry itself: its schema, and its rebuilding from the nodes when it was lost."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..._cloud import Cloud
from ..._doors.registry import audit
from ..._doors.registry.audit import Event
from ..._doors.registry.connection import sqlite_path
from ..._doors.registry.look import Found, look_at
from ..._doors.registry.store import Registry
from ..._engine.own_host import HostPlan
from ..._model.errors import Problem
from ..._model.origin import Origin
from ..._model.registry_url import without_password
from ..._model.rows import Row
from ..instance.definition import DomainModel, parse_domain
from .rebuild import Carried, Rebuilt, rebuild_registry

# One that nobody else sees: nodes are read through a registry, and there may be none yet.
_BLANK = "sqlite:///:memory:"


@dataclass(frozen=True)
class Candidate:
    """A node as the inventory has it."""

    name: str
    address: str


@dataclass(frozen=True)
class MakeSchema:
    """Make the database, or bring its schema to this version."""

    text: str


@dataclass(frozen=True)
class Register:
    """Write what the nodes carry into the registry, which is empty."""

    rebuilt: Rebuilt

    @property
    def text(self) -> str:
        count = len(self.rebuilt.rows)
        return f"register {count} resource{'' if count == 1 else 's'} that the nodes carry"


@dataclass(frozen=True)
class _Carried:
    """What all nodes carry, and what stands against making a registry of it."""

    rebuilt: Rebuilt
    refusals: tuple[Problem, ...]


class RegistryWork:
    """The work of pextra_registry. url: the database; candidates: the nodes to rebuild from. holder says to people who
    it is: user, host, run.
    """

    def __init__(self, url: str, candidates: Sequence[Candidate], origin: Origin, holder: str) -> None:
        self._url = url
        self._candidates = candidates
        self._origin = origin
        self._holder = holder
        self._run = secrets.token_hex(4)
        self._newest = 0
        self._carried: _Carried | None = None

    @contextmanager
    def prepared(self) -> Iterator[None]:
        yield

    def plan(self) -> HostPlan[MakeSchema | Register]:
        found = look_at(self._url)
        self._newest = found.newest
        acts: list[MakeSchema | Register] = []
        before, after = "", ""
        if found.version != found.newest:
            acts.append(MakeSchema(self._describe_making(found)))
            before, after = self._diff_making(found)
        carried = self._read_once() if found.is_empty and self._candidates else None
        if carried is not None and carried.rebuilt.rows:
            acts.append(Register(carried.rebuilt))
            after += "".join(f"{row.kind} {row.name}: {row.id}\n" for row in carried.rebuilt.rows)
        return HostPlan(
            acts=tuple(acts), refusals=carried.refusals if carried is not None else (), before=before, after=after
        )

    def apply(self, acts: Sequence[MakeSchema | Register]) -> None:
        with Registry(self._url, create=True) as registry:  # that makes the schema
            for act in acts:
                registry.transaction(partial(self._carry_out, registry, act))

    def _carry_out(self, registry: Registry, act: MakeSchema | Register) -> None:
        """What is written and what is said of it are one transaction."""
        if isinstance(act, Register):
            write(registry, act.rebuilt)
        event = Event(
            run=self._run,
            actor=self._holder,
            kind="registry",
            name="registry",
            what=act.text,
            outcome="done",
            job=self._origin.job or None,
            revision=self._origin.revision or None,
        )
        audit.record(registry, [event])

    def describe(self, *, applied: bool) -> Mapping[str, Any]:
        """Return the version of the schema and how many resources were rebuilt, or in a check what they would be."""
        rebuilt = len(self._carried.rebuilt.rows) if self._carried is not None else 0
        return {"registry": {"schema_version": self._newest, "rebuilt": rebuilt}}

    def _read_once(self) -> _Carried:
        """Read the nodes, of which nothing is changed here. An identifier or a secret that is made anew stays so."""
        if self._carried is None:
            with Registry(_BLANK, create=True) as blank, Cloud(blank) as cloud:
                self._carried = read_nodes(cloud, self._candidates)
        return self._carried

    def _describe_making(self, found: Found) -> str:
        if found.version:
            return f"bring the registry's schema from version {found.version} to {found.newest}"
        return f"make the registry at {self._place}"

    def _diff_making(self, found: Found) -> tuple[str, str]:
        if found.version:
            return f"schema version {found.version}\n", f"schema version {found.newest}\n"
        return "", f"a registry at {self._place}\n"

    @property
    def _place(self) -> str:
        return sqlite_path(self._url) or without_password(self._url)


def make_work(params: Mapping[str, Any], origin: Origin, holder: str) -> RegistryWork:
    """Return the work for the options of pextra_registry."""
    candidates = [Candidate(node["name"], node["address"]) for node in params["nodes"]]
    return RegistryWork(params["registry"], candidates, origin, holder)


def read_nodes(cloud: Cloud, candidates: Sequence[Candidate]) -> _Carried:
    """Read what the nodes carry. It is refused if some carry our identity and others do not answer.

    Instances on a node that does not answer would be missing, and be made a second time elsewhere.
    """
    for candidate in candidates:
        cloud.add_candidate(candidate.name, candidate.address)
    found = cloud.on_each([candidate.name for candidate in candidates], lambda node: _read_node(cloud, node))
    rebuilt = rebuild_registry(found.values())
    missing = [cloud.unreachable[candidate.name] for candidate in candidates if candidate.name in cloud.unreachable]
    refusals = tuple(
        Problem(
            "the registry was lost, and cannot be rebuilt without this node, since its instances would be "
            f"forgotten: {problem.what}",
            f"{problem.remedy} A node that is gone for good is taken out of the inventory first.",
            problem.node,
        )
        for problem in missing
    )
    rows = tuple(_complete(row) for row in rebuilt.rows)
    return _Carried(replace(rebuilt, rows=rows), refusals if rows else ())


def write(registry: Registry, rebuilt: Rebuilt) -> None:
    """Write all at once, so that a killed rebuild leaves an empty registry."""

    def insert() -> None:
        registry.put(rebuilt.rows)
        registry.associate(rebuilt.associations)

    registry.transaction(insert)


def _read_node(cloud: Cloud, node: str) -> Carried:
    switch = cloud.switch(node).read()
    models = [_model_of(record.config) for record in cloud.domains(node)]
    return Carried(
        dict(switch.labels), tuple(switch.bridges.values()), tuple(model for model in models if model is not None)
    )


def _model_of(xml: str) -> DomainModel | None:
    """What cannot be understood is nobody's, as far as the registry goes; pextra_vm says what is wrong with it."""
    try:
        return parse_domain(xml)
    except (ValueError, KeyError):
        return None


def _complete(row: Row) -> Row:
    """A cluster's secret never leaves the registry: a new one is made, and old clustering keys are void."""
    if row.kind != "cluster":
        return row
    return replace(row, attributes={**row.attributes, "secret": secrets.token_hex(32)})
