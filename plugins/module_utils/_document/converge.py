# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All nouns of a document in one call: one registry, one connection to each node, noun after noun.

What is refused or fails stops only what needs it: the rest of its noun and the nouns after it are converged, and
everything that went wrong is told in the end. Without Ansible, as the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._cloud import Cloud
from .._engine.converge import Result, Terms, converge
from .._engine.diff import render_diff
from .._engine.noun import Options
from .._engine.telling import list_works, tell
from .._model.errors import (
    ConsentError,
    PextraError,
    Problem,
    RefusedError,
    RegistryError,
)
from .._model.nouns import KINDS, NOUNS
from .._model.plan import Plan
from .._nouns.cluster.resource import ClusterResource
from .._nouns.datacenter.resource import DatacenterResource
from .._nouns.image.resource import ImageResource
from .._nouns.instance.resource import VmResource
from .._nouns.node.resource import NodeResource
from .._nouns.organization.resource import TenantResource
from .._nouns.pool.resource import PoolResource
from .._nouns.port_group.resource import PortGroupResource
from .._nouns.volume.resource import VolumeResource
from .._nouns.vswitch.resource import VswitchResource

_RESOURCES: Mapping[str, Callable[[], Any]] = {
    "organization": TenantResource,
    "datacenter": DatacenterResource,
    "cluster": ClusterResource,
    "node": NodeResource,
    "vswitch": VswitchResource,
    "port_group": PortGroupResource,
    "pool": PoolResource,
    "image": ImageResource,
    "instance": VmResource,
    "volume": VolumeResource,
}
_KINDS: Mapping[Any, str] = {make: kind for kind, make in _RESOURCES.items()}
RESOURCES = {noun.many: _RESOURCES[noun.kind] for noun in NOUNS}
# How a planner names a resource in what it says of it.
_LABELS = (*KINDS, *(noun.words.partition(" ")[2] for noun in NOUNS))
_KEY_LIFETIME_MIN = 30


@dataclass
class Outcome:
    """What was done, or would be, and what went wrong. told: of all plans, as by `tell`. works: likewise, as by
    `list_works`. unknown: why more cannot be known, in a check.
    """

    changed: bool = False
    told: dict[str, list[Any]] = field(default_factory=lambda: tell(Plan()))
    works: list[dict[str, Any]] = field(default_factory=list)
    diffs: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def _tell(self, problems: Sequence[Problem]) -> None:
        # Of a node that is off every noun says the same.
        self.problems += [problem for problem in problems if problem not in self.problems]

    def add(self, result: Result, known: Container[str | None]) -> None:
        """Note what was done. known: the identifiers that were registered before."""
        plan = result.plan
        self.works += list_works(plan, known, result.took_s)
        self.changed = self.changed or result.changed
        for name, found in tell(plan).items():
            self.told[name] += found
        self.diffs += [render_diff(work) for work in plan.all if work.steps or work.pending]
        self.warnings += plan.warnings
        self._tell(result.problems)

    def fail(self, problems: Sequence[Problem], *, may_follow: bool) -> None:
        """Note what went wrong. may_follow: in a check, earlier nouns would change what it comes from."""
        if may_follow:
            self.unknown += [text for text in map(str, problems) if text not in self.unknown]
        else:
            self._tell(problems)


@dataclass(frozen=True)
class Order:
    """What is to be: the elements of each noun that is managed, and the further options of the modules."""

    elements: Mapping[str, Sequence[Mapping[str, Any]]]
    options: Mapping[str, Any]
    # In a check: whether stages before this call would change something.
    earlier_changes: bool = False


def declared_power(order: Order) -> dict[str, str]:
    """Return the declared power state of each instance, by its name."""
    present = (raw for raw in order.elements["instances"] if raw.get("state") != "absent")
    # Of what is adopted nobody has declared it, unless it is said.
    told = (raw for raw in present if raw.get("power") or not raw.get("adopt"))
    return {str(raw.get("name")): raw.get("power") or "running" for raw in told}


def converge_deployment(cloud: Cloud, order: Order, terms: Terms) -> Outcome:
    """Bring everything to what the document says. Raises RegistryError when nothing can be done at all."""
    outcome = Outcome()
    for name, make in RESOURCES.items():
        elements = order.elements.get(name)
        if not elements:
            continue
        resource = make()
        # In a check no node has joined before, and none can be asked.
        may_follow = not terms.apply and (order.earlier_changes or outcome.changed or name == "nodes")
        wants: list[Any] = []
        for index, raw in enumerate(elements):
            want, mistakes = resource.parse(raw, f"{name}[{index}] ({raw.get('name')})")
            outcome.fail([Problem(one.problem, resource=one.path) for one in mistakes], may_follow=False)
            wants += [] if want is None or mistakes else [want]
        if name == "nodes" and terms.apply:
            _let_join(cloud, wants, order, terms, outcome)
        _converge_noun(cloud, resource, wants, Options(order.options), terms, outcome, may_follow=may_follow)
        cloud.refresh_nodes()
    return outcome


def _converge_noun(
    cloud: Cloud,
    resource: Any,
    wants: Sequence[Any],
    options: Options,
    terms: Terms,
    outcome: Outcome,
    *,
    may_follow: bool,
) -> None:
    """Converge what is not refused. A planner refuses before anything is touched, so what it refused is left out."""
    known = {row.id for row in cloud.registry.rows(_KINDS[type(resource)])}
    rest = list(wants)
    while rest:
        try:
            result = converge(cloud, resource, rest, options, terms)
        except RegistryError:
            raise
        except (RefusedError, ConsentError) as error:
            outcome.fail(error.problems, may_follow=may_follow)
            allowed = without_refused(rest, error.problems)
            if len(allowed) == len(rest):
                return
            for alike in tell_apart(rest, allowed):
                _converge_noun(cloud, resource, alike, options, terms, outcome, may_follow=may_follow)
            rest = allowed
        except PextraError as error:
            outcome.fail(error.problems, may_follow=may_follow)
            return
        else:
            outcome.add(result, known)
            outcome.fail(result.plan.failures, may_follow=may_follow)
            return


def without_refused(wants: Sequence[Any], problems: Sequence[Problem]) -> list[Any]:
    """Return the wants that no problem is about."""
    refused = {problem.resource for problem in problems}
    return [want for want in wants if not refused.intersection(f"{label} {want.name}" for label in _LABELS)]


def tell_apart(wants: Sequence[Any], allowed: Sequence[Any]) -> list[list[Any]]:
    """Return, cluster by cluster, the wants that were left out and have a name in common: a problem tells the name
    alone, and what is refused in one cluster is not in another.
    """
    kept = {id(want) for want in allowed}
    by_name: dict[str, dict[str | None, list[Any]]] = {}
    for want in wants:
        if id(want) not in kept:
            by_name.setdefault(want.name, {}).setdefault(getattr(want, "cluster", None), []).append(want)
    apart: dict[str | None, list[Any]] = {}
    for alike in by_name.values():
        for cluster, found in alike.items() if len(alike) > 1 else ():
            apart.setdefault(cluster, []).extend(found)
    return list(apart.values())


def _let_join(cloud: Cloud, wants: Sequence[Any], order: Order, terms: Terms, outcome: Outcome) -> None:
    """Let nodes that have not joined yet join their clusters, each with a key that is issued for it."""
    joined = {row.name for row in cloud.registry.rows("node")}
    new = [want for want in wants if want.name not in joined and want.state == "present"]
    for cluster in dict.fromkeys(want.cluster for want in new if want.cluster):
        clusters: Any = ClusterResource()
        named, _ = clusters.parse({"name": cluster}, "nodes")
        options = Options({**order.options, "issue_key": True, "key_lifetime": _KEY_LIFETIME_MIN})
        try:
            issued = converge(cloud, clusters, [named], options, terms)
        except RegistryError:
            raise
        except PextraError as error:
            outcome.fail(error.problems, may_follow=False)
            continue
        key = next((one.get("clustering_key") for one in clusters.describe([named], issued.have)), None)
        members = [want for want in new if want.cluster == cluster]
        with_key = Options({**order.options, "clustering_key": key})
        _converge_noun(cloud, NodeResource(), members, with_key, terms, outcome, may_follow=False)
        cloud.refresh_nodes()


def read_everything(cloud: Cloud) -> dict[str, list[dict[str, Any]]]:
    """Return what the tree shows, as the _info modules do, by the names of the document."""
    shown = ["organizations", "datacenters", "clusters", "nodes", "pools", "vswitches", "instances"]
    if cloud.registry.rows("volume"):
        shown.append("volumes")  # to look for them takes as long as all the rest
    found: dict[str, list[dict[str, Any]]] = {"volumes": []}
    for name in shown:
        resource = RESOURCES[name]()
        found[name] = resource.describe((), resource.read(cloud, (), Options({})))
    return found
