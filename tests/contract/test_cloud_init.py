# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeds as the real cloud-init of Debian understands them, whatever manages the guest's network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.cloud_init import render_seed
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.labels import VolumeLabel
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Nic
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm, complete_new
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.vendor_data import (
    NETWORK,
    render_vendor_data,
)
from ansible_collections.pextra.cloud.plugins.plugin_utils.cloud_config import CloudConfigCheck

MAC = "52:54:00:12:34:56"
# cloud-init, and what its renderers and handlers import that is no requirement of ours. All of it is Python alone.
PACKAGES = ("cloud-init", "python3-configobj", "python3-jsonpatch", "python3-json-pointer", "python3-six")
RENDERERS = ("netplan", "eni", "networkd", "network-manager", "sysconfig")
IPV4 = {
    "netplan": ["addresses:\n            - 192.0.2.10/24", "to: 0.0.0.0/0\n                via: 192.0.2.1"],
    "eni": ["address 192.0.2.10/24", "add default gw 192.0.2.1"],
    "networkd": ["Address=192.0.2.10/24", "Destination=0.0.0.0/0\n\nGateway=192.0.2.1\n"],
    "network-manager": ["address1=192.0.2.10/24", "route1=0.0.0.0/0,192.0.2.1\n"],
    "sysconfig": ["IPADDR=192.0.2.10\n", "\nGATEWAY=192.0.2.1\n"],
}
IPV6 = {
    "netplan": ["- 2001:db8::10/64", "gateway6: 2001:db8::1\n"],
    "eni": ["inet6 static\n    address 2001:db8::10/64", "gateway 2001:db8::1\n"],
    "networkd": ["Address=2001:db8::10/64", "[Route]\nGateway=2001:db8::1\n"],
    "network-manager": ["address1=2001:db8::10/64", "gateway=2001:db8::1\n"],
    "sysconfig": ["IPV6ADDR=2001:db8::10/64", "IPV6_DEFAULTGW=2001:db8::1\n"],
}
BY_DHCP = {
    "netplan": ["dhcp4: true"],
    "eni": ["inet dhcp"],
    "networkd": ["DHCP=ipv4"],
    "network-manager": ["[ipv4]\nmethod=auto"],
    "sysconfig": ["BOOTPROTO=dhcp"],
}


@pytest.fixture(scope="module")
def cloud_init(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Debian's package, unpacked and not installed."""
    target = tmp_path_factory.mktemp("cloud-init")
    subprocess.run(["apt-get", "download", "-q", *PACKAGES], cwd=target, check=True, timeout=120, capture_output=True)
    for package in target.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, target], check=True, timeout=60)
    return target / "usr/lib/python3/dist-packages"


def rendered(cloud_init: Path, nic: Nic) -> dict[str, Any]:
    """Return what each renderer writes for a new instance with one NIC."""
    seed = render_seed(complete_new(Vm(name="web", nics=(nic,))), "inst-1", [MAC])
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("render_network.py")), str(cloud_init)],
        input=seed["network-config"],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def by_nic(cloud_init: Path) -> dict[str, dict[str, Any]]:
    nics = {
        "ipv4": Nic(port_group="p", addresses=("192.0.2.10/24",), gateway="192.0.2.1"),
        "ipv6": Nic(port_group="p", addresses=("2001:db8::10/64",), gateway="2001:db8::1"),
        "both": Nic(
            port_group="p",
            addresses=("192.0.2.10/24", "2001:db8::10/64"),
            gateway="192.0.2.1",
            gateway6="2001:db8::1",
        ),
        "dhcp": Nic(port_group="p"),
    }
    return {name: rendered(cloud_init, nic) for name, nic in nics.items()}


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize(
    ("nic", "expected"),
    [("ipv4", [IPV4]), ("ipv6", [IPV6]), ("both", [IPV4, IPV6]), ("dhcp", [BY_DHCP])],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_renderer_writes_addresses_and_default_routes(
    by_nic: dict[str, dict[str, Any]], nic: str, expected: list[dict[str, list[str]]], renderer: str
) -> None:
    text = by_nic[nic][renderer]
    assert MAC in text
    for family in expected:
        for part in family[renderer]:
            assert part in text
    # A default route of cloud-init 22.4 to ::/0 would have become one to ::/64.
    assert "::/64" not in text.replace("2001:db8::10/64", "")


def test_a_gateway_of_ipv6_given_as_gateway_is_the_same(cloud_init: Path, by_nic: dict[str, dict[str, Any]]) -> None:
    nic = Nic(port_group="p", addresses=("2001:db8::10/64",), gateway6="2001:db8::1")
    assert rendered(cloud_init, nic) == by_nic["ipv6"]


def test_an_interface_is_called_as_its_nic(by_nic: dict[str, dict[str, Any]]) -> None:
    """Renderers without a match by MAC address look for an interface that is called as the entry is."""
    for files in by_nic.values():
        assert files["names"] == {MAC: "nic0"}
        assert "nic0" in files["eni"]


def read_vendor_data(cloud_init: Path, declared: str, *volumes: VolumeLabel) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("read_vendor_data.py")), str(cloud_init)],
        input=render_vendor_data(declared, volumes),
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    return dict(json.loads(done.stdout))


ARCHIVE = (
    "#cloud-config-archive\n- type: text/cloud-config\n  content: |\n    timezone: Europe/Zürich\n- '#!/bin/sh\n'\n"
)
MIME = (
    'Content-Type: multipart/mixed; boundary="b"\nMIME-Version: 1.0\n\n--b\nContent-Type: text/cloud-config\n\n'
    "timezone: UTC\n--b\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n--b--\n"
)


@pytest.mark.parametrize(
    ("declared", "types", "config"),
    [
        ("", [], {}),
        ("#cloud-config\ntimezone: Europe/Zürich\n", ["text/cloud-config"], {"timezone": "Europe/Zürich"}),
        ("#cloud-config\nupdates: {}\n", ["text/cloud-config"], {"updates": {}}),
        ("#!/bin/sh\necho ü\n", ["text/x-shellscript"], {}),
        (ARCHIVE, ["text/cloud-config", "text/x-shellscript"], {"timezone": "Europe/Zürich"}),
        (MIME, ["text/cloud-config", "text/x-shellscript"], {"timezone": "UTC"}),
    ],
    ids=["none", "config", "config that counts for more", "script", "archive", "mime"],
)
def test_vendor_data_are_ours_and_the_declared_ones(
    cloud_init: Path, declared: str, types: list[str], config: dict[str, Any]
) -> None:
    label = VolumeLabel(name="data", pool="p", size=1, filesystem="ext4", mountpoint="/srv/data")
    read = read_vendor_data(cloud_init, declared, label)
    assert read["types"] == ["text/cloud-config", "text/cloud-boothook", *types]
    ours = {"updates": {"network": {"when": ["boot-new-instance", "boot"]}}}
    assert {key: value for key, value in read["config"].items() if key != "merge_how"} == {**ours, **config}
    assert "\nvolume data data ext4 /srv/data\n" in read["texts"][1]


def test_our_part_follows_the_schema_and_the_hook_is_shell(cloud_init: Path) -> None:
    assert CloudConfigCheck().find_problem(NETWORK) is None
    hook = read_vendor_data(cloud_init, "")["texts"][1].removeprefix("#cloud-boothook\n")
    assert hook.startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n"], input=hook, text=True, check=True, timeout=60)
