# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Organizations, datacenters and clusters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import is_id
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.cluster.resource import ClusterResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.cluster.spec import Cluster
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.datacenter.spec import Datacenter
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.hierarchy.plan import (
    Hierarchy,
    find,
    find_cluster,
    plan_clusters,
    plan_datacenters,
    plan_organizations,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.organization.spec import Organization

ACME = Row("org-1", "organization", "acme", "", {"root": True, "description": "All of it"})
UMBRELLA = Row("org-2", "organization", "umbrella", "", {})
MONTREAL = Row("dc-1", "datacenter", "Montreal", "", {"organization": "org-1", "latitude": 45.5, "longitude": -73.6})
MTL = Row("cls-1", "cluster", "mtl-1", "", {"datacenter": "dc-1", "secret": "hush"})
NODE = Row("node-1", "node", "node1", "cls-1", {"address": "10.91.0.11"})
DEFAULT_RATIOS = {"vcpus_per_thread": 4.0, "vcpus_per_thread_warn": 3.0}
ALL = Hierarchy((ACME, UMBRELLA), (MONTREAL,), (MTL,), (NODE,))


def secret() -> str:
    return "fresh"


def changes(plan: Plan) -> list[tuple[str, Any, Any]]:
    return [(change.field, change.before, change.after) for work in plan.works for change in work.changes]


def rows(plan: Plan) -> list[Row]:
    return [step.data["row"] for work in plan.works for step in work.steps if step.act == "put"]


def refusals(plan: Plan) -> list[tuple[str | None, str]]:
    return [(problem.resource, problem.what) for problem in plan.refusals]


def apply(plan: Plan, have: Hierarchy) -> Hierarchy:
    """Return what the registry holds when a plan of one kind is applied."""
    table = {row.id: row for row in (*have.organizations, *have.datacenters, *have.clusters)}
    for work in plan.works:
        for step in work.steps:
            if step.act == "put":
                table[step.data["row"].id] = step.data["row"]
            else:
                del table[step.data["id"]]
    kinds = ("organization", "datacenter", "cluster")
    one, two, three = (tuple(row for row in table.values() if row.kind == kind) for kind in kinds)
    return Hierarchy(one, two, three, have.members)


# Organizations


def test_the_first_organization_is_the_root() -> None:
    wants = [Organization(name="acme", description="All of it"), Organization(name="umbrella")]
    plan = plan_organizations(wants, Hierarchy())
    first, second = rows(plan)
    assert (first.name, first.kind, first.scope) == ("acme", "organization", "")
    assert first.attributes == {"description": "All of it", "root": True}
    assert second.attributes == {}
    assert is_id(first.id, "organization")
    assert plan_organizations(wants, apply(plan, Hierarchy())).is_empty
    assert [work.node for work in plan.works] == [None, None]


@pytest.mark.parametrize(
    ("plan", "before"),
    [
        (lambda: plan_organizations([Organization(name="new", former_name="acme")], ALL), ACME),
        (lambda: plan_datacenters([Datacenter(name="new", former_name="Montreal")], ALL), MONTREAL),
        (lambda: plan_clusters([Cluster(name="new", former_name="mtl-1")], ALL, secret), MTL),
    ],
)
def test_another_name_for_the_same(plan: Callable[[], Plan], before: Row) -> None:
    assert rows(plan()) == [replace(before, name="new")]
    assert changes(plan()) == [("name", before.name, "new")]


def test_a_former_name_has_no_effect_afterwards() -> None:
    want = [Organization(name="new", former_name="acme")]
    assert plan_organizations(want, apply(plan_organizations(want, ALL), ALL)).is_empty
    # And none on what has taken the name since.
    again = replace(ALL, organizations=(replace(ACME, name="new"), replace(UMBRELLA, name="acme")))
    assert plan_organizations(want, again).is_empty


def test_there_is_one_root() -> None:
    (row,) = rows(plan_organizations([Organization(name="new")], ALL))
    assert "root" not in row.attributes


def test_a_description_is_changed_alone() -> None:
    plan = plan_organizations([Organization(name="acme", description="Other")], ALL)
    assert changes(plan) == [("description", "All of it", "Other")]
    assert rows(plan) == [replace(ACME, attributes={"root": True, "description": "Other"})]
    assert plan_organizations([Organization(name="acme")], ALL).is_empty


@pytest.mark.parametrize(
    ("name", "members", "what"),
    [
        ("acme", (), "it is the root organization, which owns the deployment"),
        ("umbrella", (Row("inst-1", "instance", "web", "cls-1", {"organization": "org-2"}),), "it still holds web"),
    ],
)
def test_organizations_that_stay(name: str, members: tuple[Row, ...], what: str) -> None:
    plan = plan_organizations([Organization(name=name, state="absent")], replace(ALL, members=members))
    assert refusals(plan) == [(f"organization {name}", what)]
    assert plan.works == ()


def test_an_organization_with_a_datacenter_stays() -> None:
    have = replace(ALL, datacenters=(replace(MONTREAL, attributes={"organization": "org-2"}),))
    plan = plan_organizations([Organization(name="umbrella", state="absent")], have)
    assert refusals(plan) == [("organization umbrella", "it still holds Montreal")]


def test_an_organization_goes() -> None:
    plan = plan_organizations([Organization(name="umbrella", state="absent")], ALL)
    assert changes(plan) == [("name", "umbrella", None)]
    assert apply(plan, ALL).organizations == (ACME,)
    assert plan_organizations([Organization(name="gone", state="absent")], ALL).is_empty


# Datacenters


@pytest.mark.parametrize(("given", "owner"), [(None, "org-1"), ("umbrella", "org-2"), ("org-2", "org-2")])
def test_a_new_datacenter(given: str | None, owner: str) -> None:
    want = Datacenter(name="Toronto", organization=given, location={"latitude": 43.7, "longitude": -79.4})
    plan = plan_datacenters([want], ALL)
    (row,) = rows(plan)
    assert row.attributes == {"organization": owner, "latitude": 43.7, "longitude": -79.4}
    # People read names.
    assert ("organization", None, "acme" if owner == "org-1" else "umbrella") in changes(plan)
    assert plan_datacenters([want], apply(plan, ALL)).is_empty


def test_a_datacenter_that_is_as_wanted() -> None:
    assert plan_datacenters([Datacenter(name="Montreal")], ALL).is_empty


def test_a_datacenter_moves() -> None:
    plan = plan_datacenters([Datacenter(name="Montreal", location={"latitude": 1.0, "longitude": -73.6})], ALL)
    assert changes(plan) == [("latitude", 45.5, 1.0)]


def test_datacenters_refused() -> None:
    assert refusals(plan_datacenters([Datacenter(name="x", organization="y")], ALL)) == [
        ("datacenter x", "there is no organization y")
    ]
    assert refusals(plan_datacenters([Datacenter(name="x")], Hierarchy())) == [
        ("datacenter x", "there is no organization yet")
    ]
    assert refusals(plan_datacenters([Datacenter(name="Montreal", state="absent")], ALL)) == [
        ("datacenter Montreal", "it still holds mtl-1")
    ]


# Clusters


@pytest.mark.parametrize("given", [None, "Montreal", "dc-1"])
def test_a_new_cluster(given: str | None) -> None:
    plan = plan_clusters([Cluster(name="mtl-2", datacenter=given)], ALL, secret)
    (row,) = rows(plan)
    assert row.attributes == {"datacenter": "dc-1", "secret": "fresh", **DEFAULT_RATIOS}
    assert changes(plan) == [
        ("name", None, "mtl-2"),
        ("datacenter", None, "Montreal"),
        ("vcpus_per_thread", None, 4.0),
        ("vcpus_per_thread_warn", None, 3.0),
    ]
    assert plan_clusters([Cluster(name="mtl-2")], apply(plan, ALL), secret).is_empty


def test_a_cluster_keeps_its_secret() -> None:
    plan = plan_clusters([Cluster(name="mtl-1", description="x")], ALL, secret)
    assert rows(plan)[0].attributes["secret"] == "hush"
    assert "hush" not in repr(plan.works)


def test_a_cluster_without_a_secret_gets_one() -> None:
    """As after rebuilding: nothing to see but the step."""
    bare = replace(ALL, clusters=(replace(MTL, attributes={"datacenter": "dc-1"}),))
    plan = plan_clusters([Cluster(name="mtl-1")], bare, secret)
    assert rows(plan)[0].attributes["secret"] == "fresh"
    assert changes(plan) == []


def test_what_an_older_version_registered_is_as_a_new_one() -> None:
    assert plan_clusters([Cluster(name="mtl-1", **DEFAULT_RATIOS)], ALL, secret).is_empty
    ratios = {"vcpus_per_thread": 2.0, "vcpus_per_thread_warn": 1.5}
    plan = plan_clusters([Cluster(name="mtl-1", **ratios)], ALL, secret)
    assert changes(plan) == [("vcpus_per_thread", None, 2.0), ("vcpus_per_thread_warn", None, 1.5)]
    have = apply(plan, ALL)
    assert have.clusters[0].attributes == {**MTL.attributes, **ratios}
    # What a call does not name stays.
    assert plan_clusters([Cluster(name="mtl-1")], have, secret).is_empty
    plan = plan_clusters([Cluster(name="mtl-1", vcpus_per_thread=8.0)], have, secret)
    assert changes(plan) == [("vcpus_per_thread", 2.0, 8.0)]


@pytest.mark.parametrize(
    ("given", "known", "refused"),
    [
        ({"vcpus_per_thread": 2.0, "vcpus_per_thread_warn": 2.0}, {}, None),
        ({"vcpus_per_thread": 3.0}, {}, None),
        ({"vcpus_per_thread": 2.5}, {}, ("3", "2.5")),
        ({"vcpus_per_thread_warn": 4.5}, {}, ("4.5", "4")),
        ({"vcpus_per_thread_warn": 4.5}, {"vcpus_per_thread": 8.0}, None),
        ({"vcpus_per_thread": 5.0}, {"vcpus_per_thread": 8.0, "vcpus_per_thread_warn": 6.0}, ("6", "5")),
    ],
)
@pytest.mark.parametrize("name", ["mtl-1", "new"])
def test_a_warning_comes_before_the_refusal(
    name: str, given: dict[str, float], known: dict[str, float], refused: tuple[str, str] | None
) -> None:
    """Whether a call names both, or one of them is registered, or a new one's."""
    if name == "new":
        given = {**known, **given}
    have = replace(ALL, clusters=(replace(MTL, attributes={**MTL.attributes, **known}),))
    plan = plan_clusters([Cluster(name=name, **given)], have, secret)
    what = [
        (
            f"cluster {name}",
            f"vcpus_per_thread_warn: {warn} is more than vcpus_per_thread, which is {most}; write {most} or less",
        )
        for warn, most in ([refused] if refused else [])
    ]
    assert refusals(plan) == what


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({"vcpus_per_thread": 1.5, "vcpus_per_thread_warn": "1.5"}, None),
        ({"vcpus_per_thread": 2}, None),  # what the warning is depends on what is registered
        ({"vcpus_per_thread": 2, "vcpus_per_thread_warn": 2.5}, "2.5 is more than vcpus_per_thread, which is 2; "),
        ({"vcpus_per_thread": 0}, "0.0 is out of range; allowed is 0.1 to 100"),
        ({"vcpus_per_thread": "four"}, '"four" is not a number'),
    ],
)
def test_ratios_of_a_call(raw: dict[str, Any], problem: str | None) -> None:
    _, mistakes = ClusterResource().parse({"name": "mtl-1", **raw}, "clusters[0]")
    assert [mistake.problem.startswith(problem or "?") for mistake in mistakes] == [True] * bool(problem)


def test_ratios_told() -> None:
    (told,) = ClusterResource().describe((), ALL)
    assert {key: told[key] for key in DEFAULT_RATIOS} == DEFAULT_RATIOS


def test_clusters_refused() -> None:
    two = replace(ALL, datacenters=(MONTREAL, replace(MONTREAL, id="dc-2", name="Toronto")))
    for want, have, what in (
        (Cluster(name="x", datacenter="y"), ALL, "there is no datacenter y"),
        (Cluster(name="x"), two, "it must name its datacenter"),
        (Cluster(name="x"), Hierarchy(), "it must name its datacenter"),
        (Cluster(name="mtl-1", state="absent"), ALL, "it still holds node node1"),
    ):
        assert refusals(plan_clusters([want], have, secret)) == [(f"cluster {want.name}", what)]


def test_an_empty_cluster_goes() -> None:
    plan = plan_clusters([Cluster(name="mtl-1", state="absent")], replace(ALL, members=()), secret)
    assert apply(plan, ALL).clusters == ()


# References


def test_find() -> None:
    assert find("acme", ALL.organizations) is find("org-1", ALL.organizations) is ACME
    assert find("x", ALL.organizations) is None
    assert ALL.root is ACME
    assert Hierarchy().root is None


def test_find_cluster() -> None:
    other = replace(MTL, id="cls-2", name="mtl-2")
    assert find_cluster(None, [MTL]) is MTL
    assert find_cluster("cls-2", [MTL, other]) is other
    assert find_cluster("x", [MTL]) == 'there is no cluster "x"'
    assert find_cluster(None, []) == "there is no cluster yet; run the cluster stage of site.yml first"
    assert find_cluster(None, [MTL, other]) == ("there are several clusters; say which with cluster: mtl-1 or mtl-2")


def test_the_resource_pools_of_a_cluster() -> None:
    def pool(name: str, **said: Any) -> dict[str, Any]:
        keys = ("pci_model", "mdev_type", "numa", "devices", "memory")
        return {"name": name, **dict.fromkeys(keys), **said}

    member = {"node": "node1", "pci": "0000:65:00.0", "mdev": None}
    pools = (pool("gpus", pci_model="10de:2204", memory=24576), pool("cards", devices=(member,)))
    want = Cluster(name="mtl-1", resource_pools=pools)
    have = apply(plan_clusters([want], ALL, secret), ALL)
    assert have.clusters[0].attributes["resource_pools"] == [
        {"name": "cards", "devices": [{"node": "node1", "pci": "0000:65:00.0"}]},
        {"name": "gpus", "pci_model": "10de:2204", "memory": 24576},
    ]
    # Their order says nothing, and what a call does not name stays.
    for again in (replace(want, resource_pools=pools[::-1]), replace(want, resource_pools=None)):
        assert rows(plan_clusters([again], have, secret)) == []
    without = apply(plan_clusters([replace(want, resource_pools=())], have, secret), have)
    assert without.clusters[0].attributes["resource_pools"] == []
    assert rows(plan_clusters([replace(want, resource_pools=())], ALL, secret)) == []
