# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runner needs to know about a noun."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from .._cloud import Cloud
from .._fields.field import Table
from .._model.errors import InvalidInputError, Problem
from .._model.mistake import Mistake
from .._model.plan import Plan, Step, Work

Spec = TypeVar("Spec")
Have = TypeVar("Have")


@dataclass(frozen=True)
class Options:
    """Options of the call, not of one resource. `extra` holds what only one noun knows, by option name."""

    extra: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.extra.get(name)


class Resource(Protocol, Generic[Spec, Have]):
    """A noun. One object serves one run; reading and applying are called from several threads."""

    noun: str
    plural: str
    table: Table

    def parse(self, raw: Mapping[str, Any], path: str) -> tuple[Spec | None, list[Mistake]]:
        """Normalise one element. Returns (spec or None, mistakes)."""

    def read(self, cloud: Cloud, wants: Sequence[Spec], options: Options) -> Have:
        """Read everything that planning needs, in bulk."""

    def plan(self, wants: Sequence[Spec], have: Have, options: Options) -> Plan:
        """Return what to do. Pure."""

    def reserve(self, cloud: Cloud, plan: Plan) -> None:
        """Write what must be in the registry before a node is touched. It is called in a transaction, and does nothing
        else there.
        """

    def apply(self, cloud: Cloud, work: Work, step: Step) -> Iterator[float] | None:
        """Carry out one step. Must be harmless when it was done already by a run that was killed.

        A step that waits for something outside yields how many seconds to wait instead of sleeping, until it is done.
        """

    def describe(self, wants: Sequence[Spec], have: Have) -> list[dict[str, Any]]:
        """Return the resources as results, in the order of `wants`; all that are known if `wants` is empty."""


def parse_all(resource: Resource[Any, Any], params: Mapping[str, Any]) -> list[Any]:
    """Return the specs of the options of a call: of the one resource, or of the many by the plural. Raises
    InvalidInputError for all mistakes at once. Of a module that does one thing to several, `name` is a list.
    """
    many = params.get(resource.plural)
    if isinstance(params["name"], list):
        shared = {name: params[name] for name in resource.table}
        raws = [(f"name[{index}] ({name})", {**shared, "name": name}) for index, name in enumerate(params["name"])]
    elif many is not None:
        raws = [(f"{resource.plural}[{index}] ({raw.get('name')})", raw) for index, raw in enumerate(many)]
    else:
        raws = [("", {name: params[name] for name in resource.table})]
    specs: list[Any] = []
    mistakes: list[Mistake] = []
    seen: dict[tuple[Any, Any], str] = {}
    for path, raw in raws:
        spec, found = resource.parse(raw, path)
        mistakes += found
        specs.append(spec)
        if spec is not None:
            key = (getattr(spec, "cluster", None), spec.name)
            if key in seen:
                mistakes.append(Mistake(f"{path}.name", f'"{spec.name}" is given twice'))
            seen[key] = path
    if mistakes:
        raise InvalidInputError([Problem(mistake.problem, resource=mistake.path) for mistake in mistakes])
    return specs
