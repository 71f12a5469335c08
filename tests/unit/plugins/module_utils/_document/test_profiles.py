# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flavors and profiles: what is stronger, what is told where, and where values come from."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.pextra.cloud.plugins.module_utils._document.effective import HIDDEN, render_effective
from ansible_collections.pextra.cloud.plugins.module_utils._document.layers import merge
from ansible_collections.pextra.cloud.plugins.module_utils._document.schema import build_schema
from ansible_collections.pextra.cloud.plugins.module_utils._document.variables import FLAVOR, INSTANCE, PROFILE
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance import walk
from deployment_document import VARIABLES, instance, read, told
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

HASH = "$6$aaaaaaaa$" + "b" * 86


def document(*instances: dict[str, Any], flavors: Any = (), profiles: Any = ()) -> dict[str, Any]:
    return {
        "pextra_flavors": list(flavors),
        "pextra_profiles": list(profiles),
        "pextra_instances": list(instances),
    }


def only(*instances: dict[str, Any], flavors: Any = (), profiles: Any = ()) -> dict[str, Any]:
    deployment = read(document(*instances, flavors=flavors, profiles=profiles))
    assert told(deployment) == []
    found: dict[str, Any] = deployment.document["instances"][0]
    return found


def test_every_option_of_a_machine_is_in_flavors_and_profiles() -> None:
    assert {*walk.OPTIONS, "name"} == set(FLAVOR)
    assert walk.OPTIONS.keys() | {"nics", "root", "volumes", "cloud_init", "tags", "power", "autostart"} <= set(PROFILE)
    assert {"cluster", "node", "state", "count", "image", "flavor", "profiles", "protected"}.isdisjoint(PROFILE)


@pytest.mark.parametrize(
    ("weaker", "stronger", "expected"),
    [
        pytest.param({"vcpus": 1}, {"vcpus": 2}, {"vcpus": 2}, id="the stronger one counts"),
        pytest.param({"vcpus": 1}, {"vcpus": None}, {"vcpus": 1}, id="nothing is not said"),
        pytest.param(
            {"cpu": {"model": "a", "require": ("x",), "topology": {"cores": 2, "threads": 1}}},
            {"cpu": {"model": "b", "topology": {"cores": 4, "threads": None}}},
            {"cpu": {"model": "b", "require": ("x",), "topology": {"cores": 4, "threads": 1}}},
            id="mappings key by key",
        ),
        pytest.param({"tags": ("a", "b")}, {"tags": ("c",)}, {"tags": ("c",)}, id="lists as a whole"),
        pytest.param({"tags": ("a",)}, {"tags": ()}, {"tags": ()}, id="an empty list"),
        pytest.param(
            {"nics": ({"name": "one", "mtu": 1500, "link": True}, {"name": "two"})},
            {"nics": ({"name": "three"}, {"name": "one", "mtu": 9000})},
            {"nics": ({"name": "one", "mtu": 9000, "link": True}, {"name": "two"}, {"name": "three"})},
            id="named things by name",
        ),
        pytest.param(
            {"nics": ({"name": "one", "mtu": 1500},)},
            {"nics": ({"name": None, "mtu": 9000},)},
            {"nics": ({"name": None, "mtu": 9000},)},
            id="things without names as a whole",
        ),
        pytest.param({"nics": ({"name": "one"},)}, {"nics": ()}, {"nics": ()}, id="no NICs"),
        pytest.param(
            {"volumes": ({"name": "data"},)},
            {"volumes": ({"name": "logs"}, {"name": "logs"})},
            {"volumes": ({"name": "logs"}, {"name": "logs"})},
            id="a name given twice, to be told",
        ),
        pytest.param(
            {"cloud_init": {"users": ({"name": "a", "sudo": True},)}},
            {"cloud_init": {"users": ({"name": "b"}, {"name": "a", "sudo": False})}},
            {"cloud_init": {"users": ({"name": "a", "sudo": False}, {"name": "b"})}},
            id="users within cloud-init",
        ),
    ],
)
def test_merging(weaker: dict[str, Any], stronger: dict[str, Any], expected: dict[str, Any]) -> None:
    assert merge(INSTANCE, weaker, stronger) == expected


_NAMED = st.dictionaries(st.sampled_from("abc"), st.integers(1, 3), min_size=1).map(
    lambda sizes: tuple({"name": name, "size": size} for name, size in sizes.items())
)
_SAID = st.fixed_dictionaries(
    {},
    optional={
        "vcpus": st.integers(1, 4),
        "tags": st.lists(st.sampled_from("xyz"), unique=True).map(tuple),
        "cpu": st.fixed_dictionaries({}, optional={"model": st.sampled_from(["a", "b"]), "require": st.just(("f",))}),
        "volumes": _NAMED,
    },
)


@given(_SAID, _SAID, _SAID)
def test_merging_is_associative(one: Any, two: Any, three: Any) -> None:
    assert merge(INSTANCE, merge(INSTANCE, one, two), three) == merge(INSTANCE, one, merge(INSTANCE, two, three))


@given(_SAID, _SAID)
def test_who_says_everything_takes_nothing(weaker: Any, said: Any) -> None:
    """But for further things of a name of their own."""
    every = {"vcpus": 2, "tags": ("x",), "cpu": {"model": "a", "require": ()}, **said, "volumes": ()}
    every["cpu"] = {"model": "a", "require": (), **every["cpu"]}
    assert merge(INSTANCE, weaker, every) == every


def test_precedence() -> None:
    flavors = [{"name": "big", "vcpus": 4, "memory": "2 GiB", "cpu": {"model": "Haswell", "require": ["aes"]}}]
    profiles = [
        {"name": "base", "vcpus": 3, "tags": ["base"], "power": "stopped", "watchdog": {"model": "i6300esb"}},
        {"name": "web", "vcpus": 2, "tags": ["web"], "root": {"pool": "shared", "size": "3 GiB"}},
    ]
    own = {"name": "one", "image": "tiny", "flavor": "big", "profiles": ["base", "web"]}
    found = only({**own, "cpu": {"model": "Skylake"}, "root": {"size": "9 GiB"}}, flavors=flavors, profiles=profiles)
    assert found["memory"] == "2 GiB"
    assert found["vcpus"] == 2
    assert found["tags"] == ["web"]
    assert found["power"] == "stopped"
    assert found["watchdog"]["model"] == "i6300esb"
    assert found["autostart"] is True
    assert {key: found["cpu"][key] for key in ("model", "require", "disable")} == {
        "model": "Skylake",
        "require": ["aes"],
        "disable": [],
    }
    assert {key: found["root"][key] for key in ("pool", "size")} == {"pool": "shared", "size": "9 GiB"}
    # By name only.
    assert (found["flavor"], found["profiles"]) == ("big", ["base", "web"])
    assert only({**own, "profiles": ["web", "base"]}, flavors=flavors, profiles=profiles)["vcpus"] == 3


def test_an_empty_profile_changes_nothing() -> None:
    """What is not said is what a new one gets, however it is read."""
    plain = VARIABLES["pextra_instances"][0]
    found = only({**plain, "profiles": ["empty"]}, profiles=[{"name": "empty"}])
    assert found == {**only(plain), "profiles": ["empty"]}


def test_a_profile_in_several_instances_numbers_each() -> None:
    nic = {"name": "front", "port_group": "Production", "addresses": ["172.20.0.{{ pextra_index }}/24"]}
    web = {"name": "web", "nics": [nic]}
    own = [instance("a", count=3, profiles=["web"]), instance("b", profiles=["web"], nics=[])]
    deployment = read(document(*own, profiles=[web]))
    assert told(deployment) == []
    found = deployment.document["instances"]
    assert [one["nics"][0]["addresses"] for one in found[:3]] == [[f"172.20.0.{number}/24"] for number in (1, 2, 3)]
    assert found[3]["nics"] == []


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param(
            document(instance("db", profiles=["wbe"]), profiles=[{"name": "web"}]),
            ['pextra_instances[0] (db).profiles[0]: "wbe" is not a profile. Did you mean "web"?'],
            id="an unknown profile",
        ),
        pytest.param(
            document(instance("db", profiles=["web", "web"]), profiles=[{"name": "web"}]),
            ['pextra_instances[0] (db).profiles[1]: "web" is given twice'],
            id="a profile given twice",
        ),
        pytest.param(
            document(profiles=[{"name": "web"}, {"name": "Web"}]),
            ['pextra_profiles[1] (Web).name: "Web" is a profile already: pextra_profiles[0] (web)'],
            id="two profiles of one name",
        ),
        pytest.param(
            document(profiles=[{"name": "web", "node": "node1", "count": 2, "state": "absent", "profiles": ["x"]}]),
            [
                "pextra_profiles[0] (web).node: a profile cannot have it; write it in the instance",
                "pextra_profiles[0] (web).count: a profile cannot have it; write it in the instance",
                "pextra_profiles[0] (web).state: a profile cannot have it; write it in the instance",
                "pextra_profiles[0] (web).profiles: a profile cannot have it; write it in the instance",
            ],
            id="what a profile cannot have",
        ),
        pytest.param(
            document(flavors=[{"name": "big", "nics": [], "image": "tiny"}]),
            [
                "pextra_flavors[0] (big).nics: a flavor cannot have it; write it in a profile, or in the instance",
                "pextra_flavors[0] (big).image: a flavor cannot have it; write it in the instance",
            ],
            id="what a flavor cannot have",
        ),
        pytest.param(
            document(
                *(instance(f"i{number}", profiles=["web"]) for number in range(3)),
                profiles=[{"name": "web", "nics": [{"name": "one", "prot_group": "DMZ"}], "memory": 5}],
            ),
            [
                'pextra_profiles[0] (web).nics[0] (one).prot_group: unknown key. Did you mean "port_group"?',
                "pextra_profiles[0] (web).memory: 5 is not a size; write a number and a unit, such as 512 MiB or 2 GiB",
            ],
            id="mistakes in a profile are told once",
        ),
        pytest.param(
            document(
                *(instance(f"i{number}", profiles=["web"]) for number in range(3)),
                profiles=[{"name": "web", "nics": [{"name": "one", "port_group": "Prodction"}]}],
            ),
            [
                'pextra_profiles[0] (web).nics[0] (one).port_group: "Prodction" is not a port group. Did you mean '
                '"Production"?'
            ],
            id="references of a profile are told once",
        ),
        pytest.param(
            document(
                *(instance(f"i{number}", flavor="big") for number in range(3)),
                flavors=[{"name": "big", "vcpus": 4, "vcpus_max": 2}],
            ),
            [
                "pextra_flavors[0] (big).vcpus_max: is 2, and vcpus is 4; write at least as many, or leave it out",
            ],
            id="what is wrong in a flavor by itself is told there",
        ),
        pytest.param(
            document(
                instance("db", flavor="big", vcpus_max=2),
                instance("ok", flavor="big"),
                flavors=[{"name": "big", "vcpus": 4}],
            ),
            [
                "pextra_instances[0] (db).vcpus_max: is 2, and vcpus is 4; write at least as many, or leave it out "
                "(vcpus_max: instance; vcpus: flavor big)",
            ],
            id="what is wrong only together is told at the instance",
        ),
        pytest.param(
            document(
                instance("db", count=2, profiles=["web"], nics=[{"name": "one", "limits": {"bandwidth_in": "0 MiB"}}]),
                profiles=[
                    {"name": "web", "nics": [{"name": "one", "port_group": "DMZ", "limits": {"burst_in": "1 MiB"}}]},
                    {"name": "fast", "nics": [{"name": "one", "limits": {"burst_in": "1 MiB"}}]},
                ],
            ),
            [
                "pextra_profiles[0] (web).nics[0].limits.burst_in: is beyond bandwidth_in; write that as well, or "
                "leave it out",
            ],
            id="an unfinished profile is told where it is used",
        ),
        pytest.param(
            document(instance("db", profiles=["web"], nics=[{"name": "two", "port_group": "Nowhere"}]))
            | {"pextra_profiles": [{"name": "web", "nics": [{"name": "one", "port_group": "DMZ"}]}]},
            [
                'pextra_instances[0] (db).nics[0] (two).port_group: "Nowhere" is not a port group. Declared: '
                "Production, DMZ."
            ],
            id="a list of one's own is counted as it is written",
        ),
        pytest.param(
            document(instance("db", profiles=["web"]), profiles=[{"name": "web", "volumes": [{"name": "data"}]}]),
            [
                "pextra_instances[0] (db).volumes[0] (data).pool: is missing; write a text: The storage pool of the "
                "volume. (volumes: profile web)",
                "pextra_instances[0] (db).volumes[0] (data).size: is missing; write the size of the volume, or the "
                "unit of a pool of type iscsi (volumes: profile web)",
            ],
            id="what nobody says",
        ),
        pytest.param(
            document(
                instance("db", profiles=["web"], nics=[{"name": "front"}]),
                instance("ok", nics=[], profiles=["web"]),
                profiles=[{"name": "web", "nics": [{"name": "back", "mtu": 9000}]}],
            ),
            [
                "pextra_instances[0] (db).nics[0] (back).port_group: is missing; write a text: The port group it "
                "attaches to. (nics: profile web, instance)",
                "pextra_instances[0] (db).nics[1] (front).port_group: is missing; write a text: The port group it "
                "attaches to. (nics: profile web, instance)",
            ],
            id="a NIC that nobody finishes",
        ),
        pytest.param(
            document(
                instance("db", profiles=["wbe"], nics=[{"name": "front"}], vcpus_max=1),
                profiles=[{"name": "web", "nics": [{"name": "front", "port_group": "DMZ"}]}],
            ),
            ['pextra_instances[0] (db).profiles[0]: "wbe" is not a profile. Did you mean "web"?'],
            id="of an unknown profile nothing follows",
        ),
        pytest.param(
            document(instance("db", flavor="big"), flavors=[{"name": "big", "memory": "900 GiB"}]),
            [],
            id="nothing is wrong",
        ),
        pytest.param({"pextra_profiles": "x"}, ['pextra_profiles: "x" is not a list'], id="no list"),
    ],
)
def test_mistakes(variables: dict[str, Any], expected: list[str]) -> None:
    assert told(read(variables)) == expected


def test_room_is_told_with_where_the_size_comes_from() -> None:
    hosts = {f"node{number}": {"ansible_host": f"10.91.0.1{number}", "pextra_memory": "8 GiB"} for number in (1, 2)}
    found = told(read(document(instance("db", flavor="big"), flavors=[{"name": "big", "memory": "9 GiB"}]), hosts))
    assert len(found) == 1
    assert found[0].startswith("pextra_instances[0] (db).memory: 9 GiB does not fit")
    assert found[0].endswith("(memory: flavor big)")


def test_unused_profiles_are_fine() -> None:
    assert (
        told(read(document(profiles=[{"name": "web", "nics": [{"name": "one", "limits": {"burst_in": "1 MiB"}}]}])))
        == []
    )


def test_where_values_come_from() -> None:
    user = {"name": "ops", "sudo": True, "hashed_password": HASH}
    profiles = [
        {"name": "web", "nics": [{"name": "front", "port_group": "DMZ", "mtu": 1400}], "tags": ["web"]},
        {"name": "ops", "cloud_init": {"users": [user]}, "cpu": {"model": "Haswell"}},
    ]
    own = instance(
        "db", flavor="big", profiles=["web", "ops"], nics=[{"name": "front", "mtu": 9000}], cpu={"require": ["aes"]}
    )
    flavors = [{"name": "big", "memory": "2 GiB", "cpu": {"model": "Nehalem"}}]
    deployment = read(document(own, flavors=flavors, profiles=profiles), explain="db")
    assert told(deployment) == []
    (path, values), *_ = deployment.effective.items()
    assert path == "pextra_instances[0] (db)"
    found = {one.path: (one.value, one.source) for one in values}
    expected = {
        "name": ("db", "instance"),
        "cluster": ("mtl-1", "default"),
        "power": ("running", "default"),
        "state": ("present", "default"),
        "vcpus": (1, "default"),
        "memory": ("2 GiB", "flavor big"),
        "cpu.model": ("Haswell", "profile ops"),
        "cpu.require": (["aes"], "instance"),
        "cpu.disable": ([], "default"),
        "tags": (["web"], "profile web"),
        "flavor": ("big", "instance"),
        "profiles": (["web", "ops"], "instance"),
        "nics[0].name": ("front", "instance"),
        "nics[0].port_group": ("DMZ", "profile web"),
        "nics[0].mtu": (9000, "instance"),
        "nics[0].gateway": ("", "default"),
        "root.pool": ("local", "instance"),
        "cloud_init.users[0].sudo": (True, "profile ops"),
        "cloud_init.users[0].hashed_password": (HIDDEN, "profile ops"),
        "cloud_init.hostname": ("", "default"),
    }
    assert {key: found.get(key) for key in expected} == expected
    assert HASH not in str(values)
    lines = render_effective(values)
    model = next(line for line in lines if line.startswith("cpu.model"))
    assert model.split() == ["cpu.model:", '"Haswell"', "#", "profile", "ops"]
    # All of it is YAML.
    assert yaml.safe_load("\n".join(lines))["cpu.require"] == ["aes"]
    # What is told is what is handed on.
    assert found["memory"][0] == deployment.document["instances"][0]["memory"]


def test_where_values_come_from_without_profiles() -> None:
    deployment = read(explain="db")
    values = {one.path: one.source for one in deployment.effective["pextra_instances[0] (db)"]}
    assert (values["image"], values["nics[0].port_group"], values["vcpus"]) == ("instance", "instance", "default")
    assert read(explain="nobody").effective == {}


def test_each_of_several_is_told() -> None:
    own = instance("web", count=2, profiles=["p"], description="number {{ pextra_index }}")
    found = read(document(own, profiles=[{"name": "p", "vcpus": 2}]), explain="web-2").effective
    assert list(found) == ["pextra_instances[0] (web-2)"]
    values = {one.path: (one.value, one.source) for one in found["pextra_instances[0] (web-2)"]}
    assert values["description"] == ("number 2", "instance")
    assert values["vcpus"] == (2, "profile p")


@pytest.mark.parametrize(
    ("document", "is_right"),
    [
        ({"pextra_profiles": [{"name": "web", "root": {"size": "1 GiB"}, "nics": [{"name": "front"}]}]}, True),
        ({"pextra_profiles": [{"name": "web", "volumes": [{"size": "1 GiB"}]}]}, False),
        ({"pextra_profiles": [{"name": "web", "node": "node1"}]}, False),
        ({"pextra_flavors": [{"name": "big", "cpu": {"model": "Haswell"}}]}, True),
        ({"pextra_instances": [{"name": "db", "profiles": ["web"], "nics": [{"name": "front"}]}]}, True),
        ({"pextra_instances": [{"name": "db", "profiles": ["web"], "root": {"mode": "copy"}}]}, True),
        ({"pextra_instances": [{"name": "db", "nics": [{"name": "front"}]}]}, False),
        ({"pextra_instances": [{"name": "db", "root": {"mode": "copy"}}]}, False),
        ({"pextra_instances": [{"name": "db", "volumes": [{"name": "data", "size": "1 GiB"}]}]}, False),
    ],
)
def test_an_editor_asks_for_what_nobody_else_can_say(document: dict[str, Any], is_right: bool) -> None:
    assert Draft202012Validator(build_schema()).is_valid(document) is is_right


def test_an_element_of_a_plain_list_keeps_its_place() -> None:
    nics = {"nics": [{"port_group": "Production", "addresses": ["172.20.0.9/24", "172.20.0.11/24"]}]}
    other = {"nics": [{"port_group": "Production", "addresses": ["172.20.0.11/24"]}]}
    small = {"name": "small", "vcpus": 1, "memory": "128 MiB"}
    deployment = read(document({"name": "a", **other}, {"name": "b", "flavor": "small", **nics}, flavors=[small]))
    (mistake,) = told(deployment)
    assert mistake.startswith("pextra_instances[1] (b).nics[0].addresses[1]: 172.20.0.11 is an address of a")
