# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All nouns in one call: what is refused stops only what needs it. On a real registry, without nodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._document.converge import (
    Order,
    Outcome,
    converge_deployment,
    read_everything,
    tell_apart,
    without_refused,
)
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
from ansible_collections.pextra.cloud.plugins.module_utils._engine.converge import Terms
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.cluster.spec import Cluster
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.spec import Pool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.registry.tree import render_tree

PLACES: dict[str, list[dict[str, Any]]] = {
    "organizations": [{"name": "acme"}],
    "datacenters": [{"name": "Montreal", "organization": "acme"}],
    "clusters": [{"name": "mtl-1", "datacenter": "Montreal"}],
}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with Registry(f"sqlite:///{tmp_path}/registry.db", create=True) as registry, Cloud(registry) as cloud:
        yield cloud


def run(cloud: Cloud, elements: dict[str, list[dict[str, Any]]], *, apply: bool = True) -> Outcome:
    return converge_deployment(cloud, Order(elements, {}), Terms("test", 5, apply=apply))


def test_all_nouns_in_one_call_and_a_second_does_nothing(cloud: Cloud) -> None:
    first = run(cloud, PLACES)
    assert (first.changed, first.problems) == (True, [])
    assert [action.partition(":")[0] for action in first.told["actions"]] == [
        "organization acme",
        "datacenter Montreal",
        "cluster mtl-1",
    ]
    second = run(cloud, PLACES)
    assert (second.changed, second.told["actions"], second.problems) == (False, [], [])


def test_works_are_told_with_what_was_there_before_and_how_long_they_took(cloud: Cloud) -> None:
    check = run(cloud, {"organizations": PLACES["organizations"]}, apply=False)
    assert [(one["does"], one["took_s"], one["failed"]) for one in check.works] == [("make", None, False)]
    first = run(cloud, PLACES)
    assert [(one["kind"], one["name"], one["does"]) for one in first.works] == [
        ("organization", "acme", "make"),
        ("datacenter", "Montreal", "make"),
        ("cluster", "mtl-1", "make"),
    ]
    assert all(0 <= one["took_s"] < 60 and not one["failed"] for one in first.works)
    changed = run(cloud, {**PLACES, "clusters": [{**PLACES["clusters"][0], "description": "ours"}]})
    assert [(one["name"], one["does"]) for one in changed.works] == [("mtl-1", "change")]
    gone = run(cloud, {"clusters": [{"name": "mtl-1", "state": "absent"}]})
    assert [(one["name"], one["does"]) for one in gone.works] == [("mtl-1", "destroy")]


def test_the_cloud_is_shown(cloud: Cloud) -> None:
    assert render_tree(**read_everything(cloud), declared={}) == []
    run(cloud, PLACES)
    (line,) = render_tree(**read_everything(cloud), declared={})
    assert line.startswith("acme · Montreal · mtl-1")


def test_what_is_refused_stops_only_what_needs_it(cloud: Cloud) -> None:
    bad = [{"name": "Nowhere", "organization": "nobody"}, *PLACES["datacenters"], {"name": "x" * 200}]
    clusters = [{"name": "lost", "datacenter": "Nowhere"}, *PLACES["clusters"]]
    outcome = run(cloud, {**PLACES, "datacenters": bad, "clusters": clusters})
    assert outcome.changed
    assert {row.name for kind in ("datacenter", "cluster") for row in cloud.registry.rows(kind)} == {
        "Montreal",
        "mtl-1",
    }
    assert [problem.resource for problem in outcome.problems][-2:] == ["datacenter Nowhere", "cluster lost"]
    assert "datacenters[2]" in str(outcome.problems[0])


def test_in_a_check_what_earlier_nouns_would_change_is_unknown_not_wrong(cloud: Cloud) -> None:
    outcome = run(cloud, PLACES, apply=False)
    assert outcome.changed
    assert outcome.problems == []
    assert any("there is no organization acme" in text for text in outcome.unknown)
    assert not cloud.registry.rows("organization")


def test_the_refused_are_known_by_their_whole_names() -> None:
    wants = [Cluster(name="a"), Cluster(name="a-2"), Cluster(name="2")]
    left = without_refused(wants, [Problem("no", resource="cluster a"), Problem("no", resource="node node1")])
    assert [want.name for want in left] == ["a-2", "2"]


def test_what_is_refused_in_one_cluster_is_not_in_another(cloud: Cloud) -> None:
    clusters = [{"name": name, "datacenter": "Montreal"} for name in ("mtl-1", "mtl-2")]
    refused: dict[str, Any] = {"name": "local", "cluster": "mtl-1", "path": "/srv/a", "nodes": []}
    run(cloud, {**PLACES, "clusters": clusters, "pools": [refused]})
    other = {**refused, "cluster": "mtl-2"}
    for pools in ([{**refused, "path": "/srv/b"}, other], [other, {**refused, "path": "/srv/c"}]):
        outcome = run(cloud, {"pools": pools})
        (problem,) = outcome.problems
        assert (problem.resource, "its path is /srv/a" in problem.what) == ("pool local", True)
    scopes = {row.id: row.name for row in cloud.registry.rows("cluster")}
    assert sorted(scopes[row.scope] for row in cloud.registry.rows("pool")) == ["mtl-1", "mtl-2"]


def test_only_those_that_have_a_name_in_common_are_asked_about_by_themselves() -> None:
    wants = [Pool(name="a", cluster="one"), Pool(name="a", cluster="two"), Pool(name="b", cluster="one")]
    assert tell_apart(wants, []) == [wants[:1], wants[1:2]]
    assert tell_apart(wants, wants[1:]) == []
    assert tell_apart([*wants[:1], *wants[:1]], []) == []
