# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of single values: what passes, what does not, and that schema patterns are no stricter."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._fields import checks
from ansible_collections.pextra.cloud.plugins.module_utils._model.source import check_source, is_url
from hypothesis import given
from hypothesis import strategies as st

Check = Callable[[str], str | None]

PASS: list[tuple[Check, list[str]]] = [
    (checks.check_name, ["a", "mtl-1", "Debian_12.qcow2", "x" * 63, "1e3", "no"]),
    (checks.check_name_or_none, ["", "a", "mtl-1"]),
    (checks.check_hostname_or_none, ["", "a", "node1.example.com"]),
    (checks.check_address_or_none, ["", "172.20.0.1", "fe80::1"]),
    (checks.check_inventory_name, ["a", "localhost-1", "all.example.com"]),
    (checks.check_hostname, ["a", "localhost", "web-1", "node1.example.com", "x" * 63]),
    (checks.check_vswitch_name, ["svswitch1", "svswitch10"]),
    (checks.check_interface, ["eth0", "enp3s0f1", "bond0.42"]),
    (checks.check_uplink, ["eth0", "svswitch"]),
    (checks.check_device_name, ["abc", "data-1"]),
    (checks.check_nic_name, ["nic0", "x" * 15]),
    (checks.check_unit, ["unit:0:0:1", "unit:0:0:255"]),
    (checks.check_plain_text, ["", 'What it is for: müde {{ x }} & "so"', "x" * 255]),
    (checks.check_tag, ["frontend"]),
    (checks.check_word, ["Nehalem", "sse4.2", "host-model", "x_y"]),
    (checks.check_absolute_path, ["/srv", "/srv/a b/c"]),
    (checks.check_sha256, ["0" * 64, "aF" * 32]),
    (checks.check_mac, ["52:54:00:12:34:56", "52-54-00-AB-CD-EF", "0:1:2:3:4:5", "5254.0012.3456", "525400123456"]),
    (checks.check_address, ["10.0.0.1", "fd00::1"]),
    (
        checks.check_address_with_prefix,
        ["172.20.0.11/24", "10.0.0.0/31", "fd00::1/64", "10.0.0.1/32", "fe80::1/64", "169.254.0.5/16"],
    ),
    (checks.check_node_address, ["10.91.0.11", "192.168.1.1", "fd00::1"]),
    (checks.check_interface_or_none, ["", "enp3s0f1"]),
    (checks.check_pci, ["0000:65:00.0", "ffff:ff:1f.7"]),
    (checks.check_usb, ["046d:c52b"]),
    (checks.check_pci_model, ["10de:2204"]),
    (checks.check_mdev, ["4b20d080-1b54-4048-85b3-a6a62d165c01"]),
    (checks.check_mdev_type, ["nvidia-63", "i915-GVTg_V5_4"]),
    (check_source, ["images/a.qcow2", "/srv/a.qcow2", "https://images.example.com/a.qcow2", "http://10.0.0.1/a"]),
]
FAIL: list[tuple[Check, list[str]]] = [
    (checks.check_interface_or_none, ["-i", "a/b", " "]),
    (checks.check_pci, ["", "65:00.0", "0000:65:00.8", "0000:65:20.0", "0000:65:00.0\n", "0000:6G:00.0"]),
    (checks.check_usb, ["", "046d", "046D:C52B", "046d:c52b\n", "046d:c52b:1"]),
    (checks.check_pci_model, ["", "10de", "10DE:2204", "10de:2204\n"]),
    (checks.check_mdev, ["", "4b20d080", "4B20D080-1B54-4048-85B3-A6A62D165C01", "x" * 36]),
    (checks.check_mdev_type, ["", "a b", "<a>", "nvidia-63\n"]),
    (checks.check_name, ["", "-a", "a-", "../a", "a..b", "a/b", "a b", "a\n", "x" * 64, "a\0b", "<a>", "{{ a }}"]),
    (checks.check_name_or_none, ["-a", "a b", " "]),
    (checks.check_hostname_or_none, ["Web", "a..b", " "]),
    (checks.check_address_or_none, ["172.20.0", "x", " "]),
    (checks.check_inventory_name, ["localhost", "all", "ungrouped", "Web"]),
    (checks.check_hostname, ["", "Web", "web_1", "-web", "web-", "a..b", "a\nb", "web\n", "x" * 64, "a." * 127 + "aa"]),
    (checks.check_vswitch_name, ["svswitch0", "svswitch", "svswitch01", "br0", "svswitch1\n", "Svswitch1"]),
    (checks.check_interface, ["", "-i", "a/b", "x" * 16, "eth0\n", "--all", "eth 0"]),
    (checks.check_uplink, ["", "a/b", "svswitch1"]),
    (checks.check_device_name, ["ab", "x" * 33, "a b", "../..", "a..b"]),
    (checks.check_nic_name, ["ab", "x" * 16, "a b", "a..b"]),
    (checks.check_unit, ["", "unit:0:0", "lun-1", "unit:0:0:1/../x", "unit:0:0:1\n", "unit:-1:0:0", "/dev/sda"]),
    (checks.check_plain_text, ["<disk/>", "a\nb", "a\0b", "x" * 256, "\x1b[31m", "\u202e"]),
    (checks.check_tag, ["a b", ""]),
    (checks.check_word, ["", "a b", "<model>", "a\n", "é"]),
    (checks.check_absolute_path, ["srv", "/", "/srv/", "/srv/../etc", "/srv/./a", "//srv", "/srv\n", ""]),
    (checks.check_sha256, ["0" * 63, "G" * 64, "0" * 64 + "\n"]),
    (checks.check_mac, ["", "52:54:00:12:34", "53:54:00:12:34:56", "52:54:00:12:34:5g", "ff:ff:ff:ff:ff:ff"]),
    (checks.check_mac, ["1.2.3", "52:54:00:12:34:56\n", "52:54-00:12:34:56", "0:0:0:0:0:0", "fe:54:00:12:34:56"]),
    (checks.check_address, ["", "10.0.0", "10.0.0.256", "fe80::1%eth0", "10.0.0.1\0", "\ud800", "::g", "010.0.0.1"]),
    (
        checks.check_address_with_prefix,
        ["10.0.0.1", "10.0.0.1/33", "10.0.0.1/", "10.0.0.1/-1", "10.0.0.0/24", "10.0.0.255/24", "fd00::1/129", "a/٢"],
    ),
    (
        checks.check_address_with_prefix,
        [
            *("10.0.0.1/0", "fd00::1/0", "224.0.0.5/24", "ff02::1/64", "127.0.0.2/8", "::1/128", "0.0.0.0/24", "::/64"),
            *("0.1.2.3/24", "240.0.0.1/24", "255.255.255.255/32", "192.0.0.8/29"),
            *("::ffff:10.0.0.1/120", "::ffff:a00:1/120", "::10.0.0.1/120", "2002:a00:1::1/48"),
        ],
    ),
    (
        checks.check_node_address,
        [
            "127.0.0.1",
            "169.254.1.1",
            "224.0.0.1",
            "192.0.2.1",
            "100.64.0.1",
            "198.18.0.1",
            "240.0.0.1",
            "0.0.0.0",
            "::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "::",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "2002:a00:1::1",
            "node1",
        ],
    ),
    (
        check_source,
        [
            *("", "-a", "../a", "a/../b", "a\nb", "file:/etc/passwd", "file:///etc/passwd", "ftp://a/b", "https://"),
            *("https://u:p@a/b", "http://localhost/a", "http://a.localhost./a", "http://127.0.0.1/a", "http://[::1]/a"),
            *("http://169.254.169.254/a", "http://0.0.0.0/a", "http://2130706433/a", "http://0x7f.1/a"),
        ],
    ),
]
ALL = [check for check, _ in PASS]


@pytest.mark.parametrize(("check", "value"), [(check, value) for check, values in PASS for value in values])
def test_passes(check: Check, value: str) -> None:
    assert check(value) is None
    pattern = checks.PATTERNS.get(check)
    assert pattern is None or re.search(pattern, value), "the pattern is stricter than the check"


@pytest.mark.parametrize(("check", "value"), [(check, value) for check, values in FAIL for value in values])
def test_refuses(check: Check, value: str) -> None:
    problem = check(value)
    assert problem
    assert problem.isprintable()


def test_every_check_is_in_these_tables() -> None:
    here = {getattr(checks, name) for name in dir(checks) if name.startswith("check_")}
    assert here <= set(ALL)
    assert set(checks.PATTERNS) == here


@given(st.sampled_from(ALL), st.text() | st.text(alphabet="0123456789abcdef.:/%-[]@\0"))
def test_no_text_raises(check: Check, value: str) -> None:
    problem = check(value)
    assert problem is None or problem.isprintable()


def test_what_a_url_is() -> None:
    assert is_url("https://a/b")
    assert is_url("file:/a")
    assert not is_url("images/a:b.qcow2")
