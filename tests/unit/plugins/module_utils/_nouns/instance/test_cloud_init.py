# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeds: what the guest's cloud-init is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
import yaml
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.cloud_init import (
    UnknownSeedError,
    digest_of,
    parse_seed,
    render_seed,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import CloudInit, Nic, User
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm, complete_new
from hypothesis import given
from hypothesis import strategies as st

MAC = "52:00:00:00:00:01"
# Everything but halves of characters, which no text holds.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def render(vm: Vm, instance_id: str, macs: Sequence[str]) -> dict[str, str]:
    """Render the seed of a new instance."""
    return render_seed(complete_new(vm), instance_id, macs)


def test_defaults() -> None:
    seed = render(Vm(name="web"), "inst-1", [])
    assert list(seed) == ["meta-data", "user-data", "network-config", "vendor-data"]
    del seed["vendor-data"]
    assert seed == {
        "meta-data": 'instance-id: "inst-1-0c878b7a7933"\nlocal-hostname: "web"\n',
        "user-data": '#cloud-config\nhostname: "web"\n',
        "network-config": "version: 2\nethernets: {}\n",
    }


def test_hostname() -> None:
    seed = render(Vm(name="web", cloud_init=CloudInit(hostname="www")), "inst-1", [])
    assert yaml.safe_load(seed["meta-data"])["local-hostname"] == "www"
    assert yaml.safe_load(seed["user-data"]) == {"hostname": "www"}


def test_users() -> None:
    users = (
        User(name="ann", ssh_authorized_keys=("ssh-ed25519 AAAA ann@desk", "ssh-rsa BBBB"), sudo=True),
        User(name="bob", hashed_password="$6$x$y"),
        User(name="cid"),
    )
    seed = render(Vm(name="web", cloud_init=CloudInit(users=users)), "inst-1", [])
    assert seed["user-data"].startswith("#cloud-config\n")
    assert yaml.safe_load(seed["user-data"])["users"] == [
        {
            "name": "ann",
            "lock_passwd": True,
            "ssh_authorized_keys": ["ssh-ed25519 AAAA ann@desk", "ssh-rsa BBBB"],
            "sudo": "ALL=(ALL) NOPASSWD:ALL",
        },
        {"name": "bob", "lock_passwd": False, "hashed_passwd": "$6$x$y"},
        {"name": "cid", "lock_passwd": True},
    ]


def test_user_data_is_passed_on_as_it_is() -> None:
    text = "#!/bin/sh\n\techo 'ü' {{ not_ours }}"
    vm = Vm(name="web", cloud_init=CloudInit(user_data=text, users=(User(name="ann"),)))
    assert render(vm, "inst-1", [])["user-data"] == text


@pytest.mark.parametrize(
    ("nic", "expected"),
    [
        (Nic(port_group="p"), {"dhcp4": True}),
        (
            Nic(port_group="p", addresses=("172.20.0.5/24",), gateway="172.20.0.1", nameservers=("10.0.0.1", "::1")),
            {
                "addresses": ["172.20.0.5/24"],
                "routes": [{"to": "0.0.0.0/0", "via": "172.20.0.1"}],
                "nameservers": {"addresses": ["10.0.0.1", "::1"]},
            },
        ),
        (
            Nic(port_group="p", addresses=("fd00::5/64",), gateway="fd00::1"),
            {"addresses": ["fd00::5/64"], "gateway6": "fd00::1"},
        ),
        (
            Nic(port_group="p", addresses=("172.20.0.5/24", "fd00::5/64"), gateway="172.20.0.1", gateway6="fe80::1"),
            {
                "addresses": ["172.20.0.5/24", "fd00::5/64"],
                "routes": [{"to": "0.0.0.0/0", "via": "172.20.0.1"}],
                "gateway6": "fe80::1",
            },
        ),
        (
            Nic(port_group="p", addresses=("203.0.113.5/32",), gateway="198.51.100.1"),
            {
                "addresses": ["203.0.113.5/32"],
                "routes": [{"to": "0.0.0.0/0", "via": "198.51.100.1", "on-link": True}],
            },
        ),
    ],
)
def test_network(nic: Nic, expected: dict[str, object]) -> None:
    seed = render(Vm(name="web", nics=(nic,)), "inst-1", [MAC])
    assert yaml.safe_load(seed["network-config"]) == {
        "version": 2,
        "ethernets": {"nic0": {"match": {"macaddress": MAC}, "set-name": "nic0", **expected}},
    }


def test_nics_are_told_apart_by_their_macs() -> None:
    macs = [f"52:00:00:00:00:0{n}" for n in range(3)]
    seed = render(Vm(name="web", nics=(Nic(port_group="p"),) * 3), "inst-1", macs)
    ethernets = yaml.safe_load(seed["network-config"])["ethernets"]
    assert [ethernets[f"nic{n}"]["match"]["macaddress"] for n in range(3)] == macs


@given(TEXTS, TEXTS, st.lists(TEXTS, max_size=3))
def test_any_text_arrives_as_it_is(hostname: str, user: str, keys: list[str]) -> None:
    """Whatever is in it ends as one scalar: nothing becomes a key, a list or another document."""
    init = CloudInit(hostname=hostname, users=(User(name=user, ssh_authorized_keys=tuple(keys)),))
    seed = render(Vm(name="web", cloud_init=init), "inst-1", [])
    data = yaml.safe_load(seed["user-data"])
    assert data["hostname"] == (hostname or "web")
    assert data["users"][0]["name"] == user
    assert data["users"][0].get("ssh_authorized_keys", []) == keys


def test_digests() -> None:
    one = render(Vm(name="web"), "inst-1", [])
    assert digest_of(one) == digest_of(dict(reversed(one.items())))
    assert len(digest_of(one)) == 64
    others = [
        render(Vm(name="web"), "inst-2", []),
        render(Vm(name="db"), "inst-1", []),
        render(Vm(name="web", nics=(Nic(port_group="p"),)), "inst-1", [MAC]),
        render(Vm(name="web", cloud_init=CloudInit(user_data="x")), "inst-1", []),
    ]
    assert len({digest_of(seed) for seed in [one, *others]}) == 5


def test_secrets_are_not_shown() -> None:
    init = CloudInit(users=(User(name="ann", hashed_password="hush"),), user_data="hush")
    assert "hush" not in repr(Vm(name="web", cloud_init=init))


OLD = complete_new(
    Vm(
        name="web",
        cloud_init=CloudInit(hostname="www", users=(User(name="ann", hashed_password="$6$x$y"),)),
        nics=(
            Nic(port_group="p", addresses=("172.20.0.5/24",), gateway="172.20.0.1", nameservers=("10.0.0.1",)),
            Nic(port_group="p"),
        ),
    )
)
MACS = [MAC, "52:00:00:00:00:02"]


@pytest.mark.parametrize(
    ("named", "whole"),
    [
        (
            {"cloud_init": CloudInit(hostname="new")},
            {"cloud_init": CloudInit(hostname="new", users=OLD.cloud_init.users)},
        ),
        ({"cloud_init": CloudInit(users=())}, {"cloud_init": CloudInit(hostname="www", users=())}),
        (
            {"cloud_init": CloudInit(user_data="#!/bin/sh")},
            {"cloud_init": CloudInit(hostname="www", user_data="#!/bin/sh")},
        ),
        (
            {"nics": (Nic(gateway="172.20.0.2"), Nic())},
            {"nics": (replace(OLD.nics[0], gateway="172.20.0.2"), OLD.nics[1])},
        ),
        ({"nics": (Nic(name="nic1"),)}, {"nics": (replace(OLD.nics[1], name="nic1"),)}),
        (
            {"nics": (Nic(addresses=()), Nic(nameservers=("::1",)))},
            {"nics": (replace(OLD.nics[0], addresses=()), replace(OLD.nics[1], nameservers=("::1",)))},
        ),
    ],
)
def test_what_is_not_named_stays(named: dict[str, Any], whole: dict[str, Any]) -> None:
    before = parse_seed(render_seed(OLD, "inst-1", MACS), yaml.safe_load)
    macs = MACS[: len(named.get("nics", MACS))]
    partial = render_seed(Vm(name="web", **named), "inst-1", macs, before=before)
    assert partial == render_seed(complete_new(replace(OLD, **whole)), "inst-1", macs)


TOLD = {
    "addresses": ("172.20.0.5/24", "fd00::5/64"),
    "gateway": "172.20.0.1",
    "gateway6": "fe80::1",
    "nameservers": ("10.0.0.1",),
}


@pytest.mark.parametrize("named", [set(names) for n in range(5) for names in combinations(TOLD, n)])
def test_whatever_a_nic_is_told_of_stays(named: set[str]) -> None:
    """With any of it named as it is, nothing of the rest is lost."""
    old = replace(OLD, nics=(replace(OLD.nics[1], **TOLD),))
    before = parse_seed(render_seed(old, "inst-1", [MAC]), yaml.safe_load)
    nic = Nic(**{key: value for key, value in TOLD.items() if key in named})
    assert render_seed(Vm(name="web", nics=(nic,)), "inst-1", [MAC], before=before) == before.files


@pytest.mark.parametrize("named", [{"cloud_init": CloudInit(hostname="new")}, {"nics": (Nic(),)}])
def test_what_is_not_known_is_not_made_up(named: dict[str, Any]) -> None:
    with pytest.raises(UnknownSeedError):
        render_seed(Vm(name="web", **named), "inst-1", [MAC])


@pytest.mark.parametrize(
    "files", [{}, {"meta-data": "x", "network-config": "y"}, {"meta-data": "{}", "network-config": "{}"}]
)
def test_what_is_no_seed_is_told(files: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="no seed"):
        parse_seed(files, yaml.safe_load)
