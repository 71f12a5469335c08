# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of organizations, datacenters and clusters."""

from __future__ import annotations

from typing import Any

import pytest
from deployment_document import HOSTS, read, told

ACME, OTHER = {"name": "acme"}, {"name": "other"}


@pytest.mark.parametrize(
    ("organizations", "mistakes"),
    [
        ([ACME, {"name": "beta", "former_name": "alpha"}], []),
        ([ACME, {"name": "beta", "former_name": "alpha"}, {"name": "alpha", "state": "absent"}], []),
        (
            [ACME, {"name": "beta", "former_name": "alpha", "state": "absent"}, {"name": "c", "former_name": "alpha"}],
            [],
        ),
        (
            [ACME, {"name": "beta", "former_name": "beta"}],
            ['pextra_organizations[1] (beta).former_name: "beta" is the name that it has; leave it out'],
        ),
        (
            [ACME, {"name": "beta", "former_name": "acme"}],
            ['pextra_organizations[1] (beta).former_name: "acme" is the name of another one that is declared'],
        ),
        (
            [ACME, {"name": "beta", "former_name": "alpha"}, {"name": "gamma", "former_name": "alpha"}],
            ['pextra_organizations[2] (gamma).former_name: "alpha" is what beta was called; leave one out'],
        ),
    ],
)
def test_names_that_were(organizations: list[dict[str, Any]], mistakes: list[str]) -> None:
    found = told(read({"pextra_organizations": organizations}))
    assert len(found) == len(mistakes), found
    assert all(one.startswith(mistake) for one, mistake in zip(found, mistakes, strict=True)), found


@pytest.mark.parametrize("variable", ["pextra_datacenters", "pextra_clusters"])
def test_names_that_were_of_the_other_kinds(variable: str) -> None:
    first = "Montreal" if variable == "pextra_datacenters" else "mtl-1"
    where = {"datacenter": "Montreal"} if variable == "pextra_clusters" else {}
    found = told(read({variable: [{"name": first, **where}, {"name": "beta", "former_name": first, **where}]}))
    assert any(one.startswith(f"{variable}[1] (beta).former_name:") for one in found), found


@pytest.mark.parametrize(
    ("datacenters", "cluster", "mistakes"),
    [
        ([{"name": "Montreal"}], {"name": "mtl-1"}, 0),
        ([{"name": "Montreal"}, {"name": "old", "state": "absent"}], {"name": "mtl-1"}, 0),
        ([{"name": "Montreal", "state": "absent"}], {"name": "mtl-1"}, 1),
        ([{"name": "Montreal", "state": "absent"}], {"name": "mtl-1", "datacenter": "Montreal"}, 1),
    ],
)
def test_a_cluster_is_in_a_datacenter(
    datacenters: list[dict[str, Any]], cluster: dict[str, Any], mistakes: int
) -> None:
    found = told(read({"pextra_datacenters": datacenters, "pextra_clusters": [cluster]}))
    assert [one.partition(":")[0] for one in found] == ["pextra_clusters[0] (mtl-1).datacenter"] * mistakes, found


@pytest.mark.parametrize("datacenters", ["Montreal", [7], [{"name": ["x"]}, {"name": "old", "state": "absent"}]])
def test_datacenters_that_cannot_be_read_are_no_missing_ones(datacenters: Any) -> None:
    found = told(read({"pextra_datacenters": datacenters}))
    assert found
    assert not any(one.startswith("pextra_clusters") for one in found), found


def test_a_node_of_no_cluster_is_a_node_all_the_same() -> None:
    """That its cluster is wrong is told, and not that what names it is."""
    hosts = {**HOSTS, "node3": {**HOSTS["node3"], "pextra_cluster": "mtl-2"}}
    found = told(read({"pextra_pools": [{"name": "local", "nodes": ["node1", "node3"]}]}, hosts))
    assert [one.partition(":")[0] for one in found] == ["pextra_nodes (node3).pextra_cluster"]
