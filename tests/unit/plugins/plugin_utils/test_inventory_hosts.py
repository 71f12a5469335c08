# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, addresses, groups and filters of hosts."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import InvalidInputError
from ansible_collections.pextra.cloud.plugins.plugin_utils.inventory_hosts import (
    Filters,
    Reach,
    find_address,
    groups_of,
    name_hosts,
    prefixes_of,
    variables_of,
)
from inventory_answers import id_of, nic, read, told, unknown


def nothing_is_taken(name: str, id_: str) -> bool:
    return False


def named(style: str, *names: tuple[str, str], taken: frozenset[str] = frozenset()) -> list[str]:
    instances = [told(number, name, cluster=cluster) for number, (name, cluster) in enumerate(names)]
    return name_hosts(read(*instances), style, lambda name, _: name in taken)


@pytest.mark.parametrize(
    ("style", "names", "expected"),
    [
        ("name", [("web", "a"), ("db", "a")], ["web", "db"]),
        ("name", [("web", "a"), ("web", "b"), ("db", "b")], ["web.a", "web.b", "db"]),
        ("full", [("web", "a"), ("db", "b")], ["web.a", "db.b"]),
        ("id", [("web", "a"), ("web", "b")], [id_of(0), id_of(1)]),
        # One is called as another would be to be told from a third.
        ("name", [("web", "a"), ("web", "b"), ("web.a", "b")], [id_of(0), "web.b", "web.a"]),
        ("full", [("web.a", "b"), ("web", "a.b")], [id_of(0), id_of(1)]),
        # What Ansible, a pattern of hosts, or ssh takes for something else.
        ("name", [("localhost", "a"), ("all", "a")], ["localhost.a", "all.a"]),
        ("name", [("LocalHost", "a"), ("::1", "a")], ["LocalHost.a", id_of(1)]),
        ("name", [("-oProxyCommand=x", "a"), ("a b", "c"), ("a:b", "c")], [id_of(0), id_of(1), id_of(2)]),
        ("name", [("{{ 7*7 }}", "a"), ("web[1:3]", "a"), ("", "a")], [id_of(0), id_of(1), id_of(2)]),
        ("full", [("web", "a b")], [id_of(0)]),
    ],
)
def test_names(style: str, names: list[tuple[str, str]], expected: list[str]) -> None:
    assert named(style, *names) == expected


def test_a_name_that_is_taken_is_not_used() -> None:
    web = ("web", "a")
    assert named("name", web, taken=frozenset({"web"})) == ["web.a"]
    assert named("name", web, taken=frozenset({"web", "web.a"})) == [id_of(0)]


def test_one_whose_cluster_is_not_known_has_a_name() -> None:
    instances = read(unknown(0, "web", cluster=None), unknown(1, "web"))
    assert name_hosts(instances, "name", nothing_is_taken) == [id_of(0), "web.mtl-1"]


NICS: list[dict[str, Any]] = [
    nic(name="nic0", port_group="Backup"),
    nic("fd00::11/64", "172.20.0.11/24", name="nic1", port_group="Production"),
    nic("10.0.0.5/8", name="nic2", port_group="DMZ"),
    nic("172.20.0.12/24", name="nic3", port_group="Production"),
]


@pytest.mark.parametrize(
    ("reach", "address"),
    [
        (Reach(), "fd00::11"),
        (Reach(address_family="ipv4"), "172.20.0.11"),
        (Reach(address_family="ipv6"), "fd00::11"),
        (Reach(nic="nic3"), "172.20.0.12"),
        (Reach(nic="nic0"), None),
        (Reach(network="DMZ"), "10.0.0.5"),
        (Reach(network="DMZ", address_family="ipv6"), None),
        (Reach(network="Production", nic="nic3"), "172.20.0.12"),
        (Reach(network="DMZ", nic="nic3"), None),
        (Reach(nic="none"), None),
    ],
)
def test_addresses(reach: Reach, address: str | None) -> None:
    assert find_address(NICS, reach) == address


@pytest.mark.parametrize("text", ["-oProxyCommand=touch x", "{{ 7*7 }}", "example.org", "", "172.20.0.300/24", "x/24"])
def test_what_is_no_address_is_none_to_connect_to(text: str) -> None:
    assert find_address([nic(text, "172.20.0.11/24")], Reach()) == "172.20.0.11"
    (instance,) = read(told(0, "web", nics=[nic(text)]))
    assert "ansible_host" not in variables_of(instance, Reach())


def test_variables_are_plain_and_complete() -> None:
    first, second = (variables_of(one, Reach()) for one in read(told(0, "web"), unknown(1, "db")))
    assert first["ansible_host"] == "172.20.0.1"
    assert first["pextra_nics"] == [nic("172.20.0.1/24")]
    assert first["pextra_tags"] == ["frontend"]
    assert type(first["pextra_tags"]) is list
    assert set(first) - set(second) == {"ansible_host"}
    assert (second["pextra_tags"], second["pextra_nics"], second["pextra_memory"]) == ([], [], None)
    assert all(name.startswith("pextra_") for name in second)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(), "web db mail away"),
        (Filters(clusters=["mtl-1"]), "web mail away"),
        (Filters(organizations=["umbrella"]), "mail"),
        (Filters(tags=["a"]), "web db"),
        (Filters(tags=["a", "c"]), "web db mail"),
        (Filters(power=["stopped", "unknown"]), "db away"),
        (Filters(tags=["a"], clusters=["mtl-1", "mtl-2"], power=["running"]), "web"),
        (Filters(clusters=["no"]), ""),
    ],
)
def test_filters(filters: Filters, expected: str) -> None:
    instances = read(
        told(0, "web", tags=["a"]),
        told(1, "db", cluster="mtl-2", tags=["b", "a"], power="stopped"),
        told(2, "mail", organization="umbrella", tags=["c"]),
        unknown(3, "away"),
    )
    assert " ".join(one["name"] for one in instances if filters.passes(one)) == expected


def test_groups() -> None:
    (first, second) = read(told(0, "web", tags=["a", "b c"]), unknown(1, "db", datacenter=None))
    assert list(groups_of(first, prefixes_of({}))) == [
        "pextra_organization_acme",
        "pextra_datacenter_Montreal",
        "pextra_cluster_mtl-1",
        "pextra_node_node1",
        "pextra_tag_a",
        "pextra_tag_b c",
        "pextra_flavor_small",
        "pextra_profile_base",
        "pextra_profile_web",
        "pextra_power_running",
    ]
    chosen = prefixes_of({"organization": False, "datacenter": "dc_", "node": "", "tag": "t_", "power": None})
    assert list(groups_of(first, chosen)) == [
        *("dc_Montreal", "pextra_cluster_mtl-1", "t_a", "t_b c"),
        *("pextra_flavor_small", "pextra_profile_base", "pextra_profile_web"),
    ]
    assert list(groups_of(second, chosen)) == ["pextra_cluster_mtl-1"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"tags": "x_"}, 'there are no groups by "tags". Did you mean "tag"?'),
        ({"mass": "x_"}, 'there are no groups by "mass". Allowed: organization'),
        ({"tag": True}, "group_prefixes.tag: true is no text"),
        ({"tag": ["x"]}, "group_prefixes.tag: a list is no text"),
    ],
)
def test_prefixes_that_are_wrong(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidInputError, match="group_prefixes") as caught:
        prefixes_of(given)
    assert problem in str(caught.value)
