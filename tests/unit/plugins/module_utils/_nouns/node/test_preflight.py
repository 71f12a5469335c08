# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule for nodes: a host that is just good enough, and each way to be not."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.facts import (
    parse_mounts,
    read_pool_directories,
    resolve,
)
from ansible_collections.pextra.cloud.plugins.module_utils._fields import checks as _checks
from ansible_collections.pextra.cloud.plugins.module_utils._fields.address_ranges import REFUSED_RANGES
from ansible_collections.pextra.cloud.plugins.module_utils._model.host_facts import (
    Directory,
    HostFacts,
    Interface,
    Membership,
    Mount,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node.preflight import (
    GB,
    RULE_NAMES,
    RULES,
    Violation,
    Wanted,
    check_exceptions,
    evaluate,
)
from hypothesis import given
from hypothesis import strategies as st

ETH0 = Interface(name="eth0", addresses=("10.0.0.11", "fe80::1"), speed_mbits=1000, has_default_route=True)
ETH1 = Interface(name="eth1", addresses=("fe80::2",))
HOST = HostFacts(
    architecture="x86_64",
    word_bits=64,
    os_id="debian",
    os_version="12",
    init="systemd",
    cores=4,
    sockets=1,
    memory_bytes=8 * GB,
    storage_bytes=16 * GB,
    cpu_flags=frozenset({"vmx", "avx2"}),
    kvm="works",
    interfaces=(Interface(name="lo", addresses=("127.0.0.1", "::1")), ETH0, ETH1),
)
WANTED = Wanted(node="node1", address="10.0.0.11", uplinks=("eth1",), ca_fingerprint="aa" * 32)
VMS: dict[str, Any] = {"directories": (Directory("vms", "/srv/vms"),)}
NFS: dict[str, Any] = {"mounts": (Mount("/srv/vms", "192.0.2.9:/export/vms", "nfs"),)}
ACME = Membership(deployment="acme", fingerprint="bb" * 32)


def with_nic(nic: Interface, *others: Interface) -> dict[str, Any]:
    kept = tuple(item for item in HOST.interfaces if item.name != nic.name)
    return {"interfaces": (*kept, nic, *others)}


def test_the_smallest_allowed_host_breaks_no_rule() -> None:
    assert evaluate(HOST, WANTED).violations == ()


def test_an_arm_host_needs_no_avx2() -> None:
    assert evaluate(replace(HOST, architecture="aarch64", cpu_flags=frozenset()), WANTED).violations == ()


def test_what_a_pool_has_mounted_and_what_is_elsewhere_is_not_in_its_way() -> None:
    mounts = tuple(
        Mount(path, source)
        for path, source in (
            ("/", "/dev/sda1"),
            ("/srv", "/dev/sdb1"),
            ("/srv/vms", "192.0.2.9:/export/vms/"),
            ("/srv/vms2", "tmpfs"),
        )
    )
    assert evaluate(replace(HOST, mounts=mounts), replace(WANTED, **NFS)).violations == ()


def test_mounts_are_read_with_their_escapes() -> None:
    text = "nas:/a /srv/with\\040blank nfs4 rw 0 0\n\ntmpfs /run tmpfs rw 0 0\n"
    assert parse_mounts(text) == (Mount("/srv/with blank", "nas:/a"), Mount("/run", "tmpfs"))


@pytest.mark.parametrize(
    ("rule", "facts", "wanted", "found"),
    [
        ("architecture", {"architecture": "i686", "word_bits": 32}, {}, "i686, 32 bits"),
        ("architecture", {"word_bits": 32}, {}, "x86_64, 32 bits"),
        ("os_release", {"os_version": "11"}, {}, "debian 11"),
        ("os_release", {"os_id": "ubuntu", "os_version": "12"}, {}, "ubuntu 12"),
        ("os_release", {"os_id": "", "os_version": ""}, {}, "unknown"),
        ("init_system", {"init": "bash"}, {}, "bash as process 1"),
        ("cpu_cores", {"cores": 3}, {}, "3 cores"),
        ("avx2", {"cpu_flags": frozenset({"svm"})}, {}, "a processor without AVX2"),
        ("virtualization", {"kvm": "broken", "kvm_reason": "it emulates"}, {}, "KVM is broken: it emulates"),
        (
            "virtualization",
            {"kvm": "absent", "kvm_reason": "there is no device", "cpu_flags": frozenset({"avx2"})},
            {},
            "no VT-x or AMD-V, and KVM is absent: there is no device",
        ),
        ("memory", {"memory_bytes": 7 * GB}, {}, "7.0 GB"),
        ("storage", {"storage_bytes": 14 * GB}, {}, "14.0 GB below /var/lib"),
        ("hardware_raid", {"raid_volumes": ("sda (megaraid_sas)",)}, {}, "hardware RAID (sda (megaraid_sas))"),
        ("nic_speed", with_nic(replace(ETH0, speed_mbits=100)), {}, "100 Mbit/s on eth0"),
        ("address_present", {}, {"address": "10.0.0.12"}, "10.0.0.12 on no interface"),
        ("uplink_exists", {}, {"uplinks": ("eth1", "eth7")}, 'no interface "eth7"'),
        ("uplink_management", {}, {"uplinks": ("eth0",)}, "carries the management address 10.0.0.11"),
        (
            "uplink_management",
            with_nic(replace(ETH1, has_default_route=True)),
            {},
            "uplink eth1 carries the host's default route",
        ),
        (
            "uplink_management",
            with_nic(replace(ETH1, addresses=("fe80::2", "10.9.0.1"))),
            {},
            "uplink eth1 carries the address 10.9.0.1",
        ),
        (
            "uplink_management",
            {
                "interfaces": (
                    replace(ETH0, addresses=(), has_default_route=False),
                    replace(ETH1, uppers=("br0",)),
                    Interface(name="br0", addresses=("10.0.0.11",), has_default_route=True),
                )
            },
            {},
            "uplink eth1, through br0 on top of it, carries the management address",
        ),
        ("pool_mount", {"mounts": (Mount("/srv/vms", "/dev/sdb1"),)}, NFS, "/dev/sdb1 mounted at /srv/vms"),
        ("pool_mount", {"mounts": (Mount("/srv/vms", "192.0.2.9:/other"),)}, NFS, "192.0.2.9:/other mounted at"),
        ("pool_mount", {"mounts": (Mount("/srv/vms/a", "tmpfs"),)}, NFS, "tmpfs mounted at /srv/vms/a"),
        (
            "pool_directory",
            {"resolved": {"/srv/vms": "/etc/libvirt"}},
            VMS,
            "/srv/vms, which leads to /etc/libvirt, a place of the system",
        ),
        (
            "pool_directory",
            {"resolved": {"/srv/vms": "/srv/theirs/a"}, "directories": (Directory("default", "/srv/theirs"),)},
            VMS,
            "/srv/vms, which leads to /srv/theirs/a, in the way of libvirt's storage pool default at /srv/theirs",
        ),
        (
            "pool_directory",
            {"resolved": {"/mnt/link": "/srv/vms"}, "directories": (Directory("default", "/mnt/link"),)},
            VMS,
            "/srv/vms, in the way of libvirt's storage pool default at /srv/vms",
        ),
        (
            "pool_directory",
            {"resolved": {"/srv/b": "/srv/a"}},
            {"directories": (Directory("a", "/srv/a"), Directory("b", "/srv/b"))},
            "/srv/b, which leads to /srv/a, in the way of the pool a at /srv/a",
        ),
        ("foreign_deployment", {"membership": ACME}, {}, 'a certificate of the deployment "acme"'),
        ("foreign_deployment", {"membership": ACME}, {"ca_fingerprint": None}, 'the deployment "acme"'),
        ("foreign_deployment", {"membership": ACME}, {"takeover": "another"}, 'the deployment "acme"'),
    ],
)
def test_each_rule_names_what_it_found(rule: str, facts: dict[str, Any], wanted: dict[str, Any], found: str) -> None:
    violations = evaluate(replace(HOST, **facts), replace(WANTED, **wanted)).violations
    assert [violation.rule for violation in violations] == [rule]
    assert found in violations[0].found
    assert violations[0].required
    assert violations[0].remedy
    assert violations[0].node == "node1"


def test_the_table_above_knows_every_rule() -> None:
    marks = test_each_rule_names_what_it_found.pytestmark  # type: ignore[attr-defined]
    assert {row[0] for row in marks[0].args[1]} == set(RULE_NAMES) - {"address_range"}


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("224.0.0.1", "multicast"),
        ("192.0.2.1", "documentation"),
        ("2001:db8::1", "documentation"),
        ("100.64.0.1", "carrier-grade NAT"),
        ("198.18.0.1", "benchmark"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("0.0.0.0", "reserved"),
        ("::ffff:10.0.0.1", "mapped IPv4"),
        ("2002:a00:1::1", "6to4"),
    ],
)
def test_addresses_of_these_ranges_are_refused(address: str, kind: str) -> None:
    facts = replace(HOST, **with_nic(replace(ETH0, addresses=(address,))))
    violations = evaluate(facts, replace(WANTED, address=address)).violations
    assert [(violation.rule, violation.found) for violation in violations] == [
        ("address_range", f"{address}, a {kind} address")
    ]


@pytest.mark.parametrize("address", ["node1", "", "10.0.0", "10.0.0.11/24", "10.0.0.11\nx"])
def test_what_is_no_address_breaks_one_rule_only(address: str) -> None:
    violations = evaluate(HOST, replace(WANTED, address=address)).violations
    assert [violation.rule for violation in violations] == ["address_range"]
    assert "\n" not in violations[0].found


@given(st.ip_addresses())
def test_the_documents_check_refuses_the_same_addresses(address: ipaddress.IPv4Address) -> None:
    facts = replace(HOST, **with_nic(replace(ETH0, addresses=(str(address),))))
    is_refused = bool(evaluate(facts, replace(WANTED, address=str(address))).violations)
    assert is_refused is (_checks.check_node_address(str(address)) is not None)


def test_ranges_are_ranges() -> None:
    for ranges in REFUSED_RANGES.values():
        for text in ranges:
            ipaddress.ip_network(text)


def test_an_address_is_found_in_whatever_form_it_is_written() -> None:
    facts = replace(HOST, **with_nic(replace(ETH0, addresses=("2a00:1::b",))))
    assert evaluate(facts, replace(WANTED, address="2A00:0001:0::000B")).violations == ()


def test_an_unknown_speed_breaks_no_rule() -> None:
    assert evaluate(replace(HOST, **with_nic(replace(ETH0, speed_mbits=None))), WANTED).violations == ()


def test_all_violations_come_at_once() -> None:
    facts = replace(HOST, cores=1, memory_bytes=GB, os_version="10", membership=ACME)
    rules = [violation.rule for violation in evaluate(facts, WANTED).violations]
    assert rules == ["os_release", "cpu_cores", "memory", "foreign_deployment"]


def test_an_exception_turns_a_violation_into_a_notice() -> None:
    result = evaluate(replace(HOST, cores=1, memory_bytes=GB), WANTED, ["cpu_cores"])
    assert [violation.rule for violation in result.violations] == ["memory"]
    assert [violation.rule for violation in result.excused] == ["cpu_cores"]


def test_a_foreign_deployment_knows_no_exception() -> None:
    result = evaluate(replace(HOST, membership=ACME), WANTED, ["foreign_deployment"])
    assert [violation.rule for violation in result.violations] == ["foreign_deployment"]


def test_a_takeover_names_the_deployment() -> None:
    assert evaluate(replace(HOST, membership=ACME), replace(WANTED, takeover="acme")).violations == ()


def test_the_own_certificate_is_no_foreign_one() -> None:
    own = Membership(deployment="acme", fingerprint=str(WANTED.ca_fingerprint))
    assert evaluate(replace(HOST, membership=own), WANTED).violations == ()


def test_wrong_exceptions_are_named_with_the_nearest_rule() -> None:
    problems = check_exceptions(["cpu_core", "memory", "foreign_deployment"])
    assert len(problems) == 2
    assert 'Did you mean "cpu_cores"?' in problems[0]
    assert "pextra_takeover" in problems[1]


def test_every_rule_has_a_name_of_its_own() -> None:
    assert len(set(RULE_NAMES)) == len(RULES)
    assert [rule.name for rule in RULES if not rule.is_excusable] == [
        "architecture",
        "avx2",
        "pool_mount",
        "pool_directory",
        "foreign_deployment",
    ]


@pytest.mark.parametrize(
    ("resolved", "directories"),
    [
        # Moved to a larger disk by a link, which is nobody's business.
        ({"/srv/vms": "/mnt/nvme/vms"}, (Directory("default", "/var/lib/libvirt/images"),)),
        # The pool itself, as libvirt has it.
        ({"/srv/vms": "/mnt/nvme/vms"}, (Directory("vms", "/srv/vms"),)),
        # What the paths tell is told by the module that defines pools.
        ({}, (Directory("default", "/srv/vms/a"),)),
    ],
)
def test_links_that_are_in_nobodys_way(resolved: dict[str, str], directories: tuple[Directory, ...]) -> None:
    assert evaluate(replace(HOST, resolved=resolved, directories=directories), replace(WANTED, **VMS)).violations == ()


def test_links_are_followed_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "real" / "a").mkdir(parents=True)
    (tmp_path / "near").symlink_to("real")
    (tmp_path / "far").symlink_to(tmp_path / "near")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "real" / "up").symlink_to("../near/../real/a")
    where = str(tmp_path)
    assert resolve(f"{where}/far/a", ()) == f"{where}/real/a"
    assert resolve(f"{where}/near/up/new/one", ()) == f"{where}/real/a/new/one"
    assert resolve(f"{where}/circle", ()) == f"{where}/circle"
    assert resolve("/", ()) == "/"


def test_what_is_mounted_from_the_network_is_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "nas").mkdir()
    (tmp_path / "nas" / "link").symlink_to("/nowhere")
    (tmp_path / "near").symlink_to("nas")
    path = f"{tmp_path}/near/link/a"
    assert resolve(path, ()) == "/nowhere/a"
    for source in ("nas:/export", "//nas/share"):
        assert resolve(path, (Mount(f"{tmp_path}/nas", source),)) == f"{tmp_path}/nas/link/a"
    assert resolve(path, (Mount(f"{tmp_path}/nas", "/dev/sdb1"),)) == "/nowhere/a"


def test_directories_of_libvirts_pools(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    pool = "<!-- theirs --><pool type='{}'><name>default</name><target><path>{}</path></target></pool>"
    (tmp_path / "default.xml").write_text(pool.format("dir", "/srv/theirs"))
    (tmp_path / "vg0.xml").write_text(pool.format("logical", "/dev/vg0"))
    (tmp_path / "broken.xml").write_text("<pool")
    (tmp_path / "run" / "default.xml").write_text(f"<poolstate>{pool.format('dir', '/srv/theirs')}</poolstate>")
    places = (tmp_path, tmp_path / "run", tmp_path / "nowhere")
    assert read_pool_directories(places) == (Directory("default", "/srv/theirs"),)


def test_who_made_an_exception_needs_no_advice() -> None:
    violation = Violation("memory", "1 GiB", "at least 2 GiB", "Give the host more memory.", "node1")
    assert str(violation) == "memory: found 1 GiB; required: at least 2 GiB. Give the host more memory."
    assert violation.excused == "memory: found 1 GiB; required: at least 2 GiB. An exception is made."
