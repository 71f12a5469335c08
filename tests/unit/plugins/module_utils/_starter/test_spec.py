# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a new deployment: every way to write it, and every mistake."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.pextra.cloud.plugins.module_utils._starter.spec import read_starter
from ansible_collections.pextra.cloud.plugins.module_utils._starter.surroundings import render_starter

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8nF1p0YFZCq3mDkq6VtJHcE5m1QoRkQm7N0cGmX9kA it's me"
GIVEN: dict[str, Any] = {"directory": "cloud", "deployment": "acme", "nodes": "one=192.168.1.10"}
THREE = {"one": "192.168.1.11", "two": "192.168.1.12", "three": "192.168.1.13"}


@pytest.mark.parametrize(
    "nodes",
    [
        THREE,
        "one=192.168.1.11, two=192.168.1.12,three=192.168.1.13",
        "one = 192.168.1.11,two=192.168.1.12,three=192.168.1.13,",
        [{"name": name, "address": address} for name, address in THREE.items()],
    ],
)
def test_hosts_in_each_way_to_write_them(nodes: object) -> None:
    starter, mistakes = read_starter({**GIVEN, "nodes": nodes, "uplinks": "eno2, eno3", "vlan": "42"})
    assert mistakes == []
    assert starter is not None
    assert {node.name: node.address for node in starter.nodes} == THREE
    assert starter.coordinators == ("one", "two", "three")
    assert (starter.uplinks, starter.vlan) == (("eno2", "eno3"), 42)


def test_what_is_blank_is_not_given() -> None:
    starter, _ = read_starter({**GIVEN, "uplinks": "", "vlan": " ", "ssh_key": "", "subnet": "", "pipelines": None})
    assert starter is not None
    assert (starter.uplinks, starter.vlan, starter.ssh_key, starter.subnet) == ((), 0, None, "172.20.0.0/24")
    assert starter.pipelines == ("github", "gitlab")


def test_none_is_an_answer() -> None:
    starter, mistakes = read_starter({**GIVEN, "uplinks": "none", "vlan": "untagged", "ssh_key": " None "})
    assert starter is not None, mistakes
    assert (starter.uplinks, starter.vlan, starter.ssh_key) == ((), 0, None)


@pytest.mark.parametrize(
    ("nodes", "subnet", "address"),
    [
        ("one=192.168.1.11", "192.168.1.0/24", "192.168.1.12/24"),
        (THREE, "192.168.1.0/24", "192.168.1.14/24"),
        ({"one": "192.168.1.12"}, "192.168.1.0/24", "192.168.1.11/24"),
        ({f"n{number}": f"10.0.0.{number}" for number in range(11, 16)}, "10.0.0.0/27", "10.0.0.16/27"),
        ("one=fd00::b", "172.20.0.0/24", "172.20.0.11/24"),
    ],
)
def test_the_first_instance_takes_no_address_of_a_host(nodes: object, subnet: str, address: str) -> None:
    starter, mistakes = read_starter({**GIVEN, "nodes": nodes, "subnet": subnet})
    assert starter is not None, mistakes
    assert starter.first_address == address


@pytest.mark.parametrize(
    ("given", "path", "said"),
    [
        ({"nodes": ""}, "nodes", "is missing"),
        ({"deployment": ""}, "deployment", "is missing"),
        ({"deployment": "a b"}, "deployment", "is not a name"),
        ({"nodes": "one=192.168.1.10,two=192.168.1.11"}, "nodes", "has 2 hosts; begin with one, three or five"),
        ({"nodes": "one"}, "nodes[0] (one).address", "is missing"),
        ({"nodes": "One_=192.168.1.10"}, "nodes[0] (One_).name", "is not a host name"),
        ({"nodes": "one=127.0.0.1"}, "nodes[0] (one).address", "loopback"),
        ({"nodes": "one=192.168.1"}, "nodes[0] (one).address", "is not an IP address"),
        ({"nodes": dict.fromkeys(THREE, "192.168.1.10")}, "nodes", 'has the address "192.168.1.10" twice'),
        ({"nodes": 5}, "nodes", "is not a list"),
        (
            {"nodes": "one=192.168.1.1", "subnet": "192.168.1.0/24"},
            "nodes",
            "has a host at 192.168.1.1, which is the gateway of the instances in 192.168.1.0/24",
        ),
        ({"nodes": "one=172.20.0.1"}, "nodes", "is the gateway of the instances in 172.20.0.0/24"),
        ({"uplinks": "eno2, none"}, "uplinks[1]", '"none" is no NIC; write it alone'),
        ({"user": "a;b"}, "user", "a;b"),
        ({"uplinks": "lo"}, "uplinks[0]", "is the loopback interface"),
        ({"uplinks": "svswitch1"}, "uplinks[0]", "is a vSwitch"),
        ({"uplinks": "eno2,eno2"}, "uplinks[1]", "twice"),
        ({"vlan": "5000"}, "vlan", "4094"),
        ({"subnet": "172.20.0.1/24"}, "subnet", "is not a network of IPv4"),
        ({"subnet": "172.20.0.0/30"}, "subnet", "unsuitable prefix length"),
        ({"subnet": "127.0.0.0/24"}, "subnet", "loopback"),
        ({"image": "debian-21"}, "image", "debian-12"),
        ({"ssh_key": "-----BEGIN OPENSSH PRIVATE KEY-----"}, "ssh_key", ""),
        ({"pipelines": "jenkins"}, "pipelines[0]", "github"),
        ({"dir": "x"}, "dir", ""),
    ],
)
def test_each_mistake(given: dict[str, Any], path: str, said: str) -> None:
    starter, mistakes = read_starter({**GIVEN, **given})
    assert starter is None
    assert [mistake.path for mistake in mistakes] == [path], mistakes
    assert said in mistakes[0].problem


def test_all_mistakes_at_once() -> None:
    _, mistakes = read_starter({"directory": "x", "nodes": "one=1,two=2", "vlan": "0", "image": "windows"})
    places = {mistake.path for mistake in mistakes}
    assert places == {"deployment", "nodes", "nodes[0] (one).address", "nodes[1] (two).address", "vlan", "image"}


@pytest.mark.parametrize("name", ["on", "no", "n1", "1", "0x10", "1e3", "10.1"])
def test_words_that_yaml_takes_for_something_else(name: str) -> None:
    given = {**GIVEN, "nodes": f"{name}=192.168.1.10", "deployment": "0x10", "ssh_key": KEY}
    starter, mistakes = read_starter(given)
    assert starter is not None, mistakes
    files = render_starter(starter, "{}", "0.1.0")
    hosts = yaml.safe_load(files["inventory/hosts.yml"])["pextra"]["children"]
    assert hosts["pextra_nodes"]["hosts"] == {name: {"ansible_host": "192.168.1.10"}}
    document = yaml.safe_load(files["inventory/group_vars/all/00-deployment.yml"])
    assert document["pextra_deployment_name"] == "0x10"
    [first] = yaml.safe_load(files["inventory/group_vars/all/50-instances.yml"])["pextra_instances"]
    assert first["cloud_init"]["users"][0]["ssh_authorized_keys"] == [KEY]


@pytest.mark.parametrize("image", ["debian-12", "none"])
def test_what_is_written_reads_the_same_uncommented(image: str) -> None:
    starter, _ = read_starter({**GIVEN, "image": image})
    assert starter is not None
    for name in ("40-images", "50-instances"):
        text = render_starter(starter, "{}", "0.1.0")[f"inventory/group_vars/all/{name}.yml"]
        assert (yaml.safe_load(text) is None) is (image == "none")
        lines = [line[2:] if line.startswith("# ") and "$schema" not in line else line for line in text.splitlines()]
        assert yaml.safe_load("\n".join(lines)), text


def test_only_what_is_asked_for_is_written() -> None:
    starter, _ = read_starter({**GIVEN, "pipelines": "gitlab"})
    assert starter is not None
    files = render_starter(starter, "{}", "0.1.0")
    assert ".gitlab-ci.yml" in files
    assert ".github/workflows/cloud.yml" not in files
    inventory = [name for name in files if name.startswith("inventory/")]
    assert all(name.endswith(".yml") for name in inventory), "Ansible reads all that lies there"
    assert all("$schema=../../../deployment.schema.json" in files[name] for name in inventory if "group_vars" in name)
