# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Vendor data: what the guest is told of its volumes, and what of it makes another instance of it."""

from __future__ import annotations

import email
import re
from dataclasses import replace
from typing import Any

import pytest
import yaml
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.cloud_init import (
    UnknownSeedError,
    parse_seed,
    render_seed,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.cloud_init_checks import check_mountpoint
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.labels import VolumeLabel
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import CloudInit, Nic, User, Volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import (
    Vm,
    complete_new,
    find_missing,
    find_mistakes_within,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.vendor_data import render_vendor_data

LONG = "a-name-of-more-than-20-letters"
VOLUMES = (
    VolumeLabel(name="root", pool="p", size=1),
    VolumeLabel(name="logs", pool="p", size=1, filesystem="xfs", mountpoint="/srv/data/logs"),
    VolumeLabel(name=LONG, pool="p", size=1, filesystem="ext4", mountpoint="/srv/data"),
    VolumeLabel(name="raw", pool="p", size=1),
    VolumeLabel(name="old", pool="p", size=1, mountpoint="/srv/old"),
)


def parts(text: str) -> list[str]:
    found = email.message_from_string(text).walk()
    return [part.get_payload(decode=True).decode() for part in found if not part.is_multipart()]


def test_volumes_are_told_from_the_outer_to_the_inner() -> None:
    network, hook = parts(render_vendor_data("", VOLUMES))
    assert network.startswith("#cloud-config\n")
    assert hook.startswith("#cloud-boothook\n#!/bin/sh\n")
    assert re.findall(r"^volume (.*)$", hook, re.MULTILINE) == [
        f"{LONG} {LONG[:20]} ext4 /srv/data",
        "logs logs xfs /srv/data/logs",
        "old old '' /srv/old",
    ]


def test_the_order_of_volumes_says_nothing() -> None:
    assert render_vendor_data("", VOLUMES) == render_vendor_data("", VOLUMES[::-1])


@pytest.mark.parametrize(
    "text", ["#cloud-config\ntimezone: UTC\n", "#!/bin/sh\necho 'ü'\nFrom here\n.\n", "#include\n"]
)
def test_the_declared_part_comes_last_and_as_it_is(text: str) -> None:
    assert parts(render_vendor_data(text, ()))[2:] == [text]


def test_declared_parts_stay_parts() -> None:
    text = (
        'Content-Type: multipart/mixed; boundary="b"\nMIME-Version: 1.0\n\n--b\nContent-Type: text/cloud-config\n\n'
        "timezone: UTC\n--b\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n--b--\n"
    )
    assert parts(render_vendor_data(text, ()))[2:] == ["timezone: UTC", "#!/bin/sh"]


def identity(vm: Vm, *volumes: VolumeLabel) -> Any:
    macs = ["52:00:00:00:00:01"] * len(vm.nics or ())
    return yaml.safe_load(render_seed(complete_new(vm), "inst-1", macs, volumes)["meta-data"])["instance-id"]


def test_what_is_done_once_makes_another_instance_of_it_and_nothing_else() -> None:
    first = identity(Vm(name="web"))
    assert first.startswith("inst-1-")
    assert identity(Vm(name="web", nics=(Nic(port_group="p", addresses=("192.0.2.1/24",)),)), *VOLUMES) == first
    others = {
        identity(Vm(name="web", cloud_init=init))
        for init in (
            CloudInit(users=(User(name="ann"),)),
            CloudInit(user_data="#!/bin/sh\n"),
            CloudInit(vendor_data="#!/bin/sh\n"),
            CloudInit(hostname="www"),
        )
    }
    assert len(others | {first}) == 5


def test_vendor_data_that_are_not_named_stay() -> None:
    whole = complete_new(Vm(name="web", cloud_init=CloudInit(vendor_data="#!/bin/sh\necho secret\n")))
    before = parse_seed(render_seed(whole, "inst-1", [], VOLUMES), yaml.safe_load)
    part = Vm(name="web", cloud_init=CloudInit(hostname="www"))
    expected = replace(whole, cloud_init=replace(whole.cloud_init, hostname="www"))
    assert render_seed(part, "inst-1", [], VOLUMES, before) == render_seed(expected, "inst-1", [], VOLUMES)
    gone = render_seed(replace(part, cloud_init=CloudInit(hostname="www", vendor_data="")), "inst-1", [], (), before)
    assert "secret" not in str(gone)
    with pytest.raises(UnknownSeedError):
        render_seed(replace(part, cloud_init=CloudInit(hostname="www", users=())), "inst-1", [])


@pytest.mark.parametrize(
    "value", ["", "/data", "/srv/data", "/home", "/var/lib/postgresql", "/opt/a_b-c.d", "/var/log"]
)
def test_mount_points(value: str) -> None:
    assert check_mountpoint(value) is None


@pytest.mark.parametrize(
    "value",
    [
        *("/", "data", "/srv/", "//srv", "/srv/..", "/srv/../etc", "/srv/./x", "/a b", "/a\n", "/$(x)", "/'x", "/ü"),
        *("/etc", "/etc/x", "/usr/local/data", "/var", "/var/lib", "/proc/x", "/dev/shm", "/root", "/" + "x" * 300),
    ],
)
def test_what_is_no_mount_point(value: str) -> None:
    problem = check_mountpoint(value)
    assert problem is not None
    assert "/srv/data" in problem


def test_what_makes_them_comes_with_an_image_and_no_two_are_in_one_place() -> None:
    plain = Volume(name="raw", pool="p", size=1, filesystem="none", mountpoint="")
    one = replace(plain, name="one", mountpoint="/srv/data")
    assert find_missing(Vm(name="web", volumes=(plain,)), "vm") == []
    (missing,) = find_missing(Vm(name="web", volumes=(plain, one)), "vm")
    assert (missing.path, missing.problem.partition(";")[0]) == ("vm.image", "is missing")
    assert "volume one" in missing.problem
    two = replace(one, name="two")
    (twice,) = find_mistakes_within(Vm(name="web", volumes=(plain, one, two)), "vm")
    assert (twice.path, twice.problem) == (
        "vm.volumes[2] (two).mountpoint",
        '"/srv/data" is that of another volume of it',
    )
