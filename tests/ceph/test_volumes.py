# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that live on their own, on Ceph: what rbd, qemu-img and a guest that runs say of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ceph.ceph import POOL, Ceph
from tests.ceph.conftest import volumes
from tests.ceph.scribe import MIB, NAME, Scribe
from tests.integration.lab import Lab, Site, wait_until

VOLUME, EXPORT = "pextra.cloud.pextra_volume", "pextra.cloud.pextra_volume_export"
FILES = "/srv/it-files"


@pytest.fixture
def clean(cloud: Site, lab: Lab, ceph: Ceph) -> Iterator[Site]:
    """The cloud, and nothing left of what a test makes."""
    ceph.give_key("node1")
    lab.exec("node1", "mkdir", "-p", FILES)
    yield cloud
    cloud.remove_volumes("it-")
    lab.exec("node1", "rm", "-rf", FILES)
    assert not [name for name in volumes(lab) if name.startswith("it-")]


def rbd_info(lab: Lab, found: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(lab.exec("node1", "rbd", "info", "--format=json", f"{POOL}/{found['file']}")))


def snapshots(lab: Lab, found: dict[str, Any]) -> list[str]:
    return [
        one["name"]
        for one in json.loads(lab.exec("node1", "rbd", "snap", "ls", "--format=json", f"{POOL}/{found['file']}"))
    ]


def holds(ceph: Ceph, found: dict[str, Any], pattern: str) -> bool:
    said = ceph.qemu_io("node1", found["file"], f"read -P {pattern} 1M 1M", check=False)
    assert "read 1048576/1048576" in said
    return "Pattern verification failed" not in said


def write(ceph: Ceph, found: dict[str, Any], pattern: str) -> None:
    ceph.qemu_io("node1", found["file"], f"write -P {pattern} 1M 1M")


def test_it_comes_grows_and_goes_while_a_guest_runs(scribe: Scribe, clean: Site, lab: Lab) -> None:
    want = {"name": "it-data", "pool": POOL, "size": "40 MiB", "attached_to": NAME}
    grown = {"name": "it-data", "size": "48 MiB"}
    predicted, made, again, cut, destroyed = clean.calls(
        "pextra_volume",
        want | {"check": True},
        want,
        want,
        {"name": "it-data", "size": "8 MiB", "confirm": "DESTROY", "fails": True},
        {"name": "it-data", "state": "absent", "confirm": "DESTROY", "fails": True},
    )
    assert predicted["actions"] == made["actions"]
    assert not again["changed"]
    assert "which runs, and cannot shrink" in cut["msg"]
    assert "only a detached volume can be destroyed" in destroyed["msg"]
    found = made["volume"]
    assert (found["status"], found["format"], found["provisioning"], found["node"]) == ("attached", "raw", "thin", None)
    wait_until("the guest sees it", lambda: f"{40 * MIB} bytes" in lab.console(NAME), 30)
    predicted, done, again = clean.calls("pextra_volume", grown | {"check": True}, grown, grown)
    assert predicted["actions"] == done["actions"]
    assert not again["changed"]
    assert rbd_info(lab, found)["size"] == 48 * MIB
    wait_until("the guest sees it grow", lambda: f"{48 * MIB} bytes" in lab.console(NAME), 30)
    away, again = clean.calls("pextra_volume", *[{"name": "it-data", "attached_to": ""}] * 2)
    assert (away["volume"]["status"], again["changed"]) == ("available", False)
    wait_until("the guest sees it go", lambda: lab.console(NAME).rstrip().count("gone") >= 1, 30)
    before = scribe.written()
    wait_until("the guest goes on writing", lambda: scribe.written() > before + 2, 60)
    unconsented, smaller, gone = clean.calls(
        "pextra_volume",
        {"name": "it-data", "size": "24 MiB", "fails": True},
        {"name": "it-data", "size": "24 MiB", "confirm": "DESTROY"},
        {"name": "it-data", "state": "absent", "confirm": "DESTROY"},
    )
    assert "confirm: DESTROY" in unconsented["msg"]
    assert smaller["volume"]["size"] == 24
    assert gone["changed"]
    assert found["file"] not in volumes(lab)


def test_copies_hold_the_same_and_share_what_they_are_to_share(
    scribe: Scribe, clean: Site, lab: Lab, ceph: Ceph
) -> None:
    full = {"name": "it-full", "pool": POOL, "clone_of": "it-base"}
    linked = {"name": "it-linked", "pool": POOL, "clone_of": "it-base", "clone_mode": "linked", "size": "64 MiB"}
    (made,) = clean.calls("pextra_volume", {"name": "it-base", "pool": POOL, "size": "40 MiB"})
    base = made["volume"]
    write(ceph, base, "0xa5")
    predicted, both, again, *kept = clean.calls(
        "pextra_volume",
        {"volumes": [full, linked], "check": True},
        {"volumes": [full, linked]},
        {"volumes": [full, linked]},
        {"name": "it-base", "attached_to": NAME, "fails": True},
        {"name": "it-base", "size": "48 MiB", "fails": True},
        {"name": "it-base", "state": "absent", "confirm": "DESTROY", "fails": True},
    )
    assert predicted["actions"] == both["actions"]
    assert not again["changed"]
    assert all("linked clones share its blocks" in one["msg"] for one in kept)
    whole, thin = both["volumes"]
    assert (whole["size"], thin["size"], thin["clone_mode"]) == (40, 64, "linked")
    assert "parent" not in rbd_info(lab, whole)
    assert rbd_info(lab, thin)["parent"]["image"] == base["file"]
    assert [holds(ceph, one, "0xa5") for one in (base, whole, thin)] == [True, True, True]
    write(ceph, thin, "0x5a")
    assert [holds(ceph, one, "0xa5") for one in (base, whole, thin)] == [True, True, False]
    clean.calls("pextra_volume", {"name": "it-linked", "state": "absent", "confirm": "DESTROY"})
    assert snapshots(lab, base) == []
    # What was written since is in the next clone: it does not hang on an old snapshot.
    lab.exec("node1", "rbd", "snap", "create", f"{POOL}/{base['file']}@pextra")
    write(ceph, base, "0x77")
    (second,) = clean.calls("pextra_volume", {**linked, "size": "40 MiB"})
    assert holds(ceph, second["volume"], "0x77")
    # Both go in one call, the clone first.
    absent = [{"name": name, "state": "absent"} for name in ("it-base", "it-linked", "it-full")]
    clean.calls("pextra_volume", {"volumes": absent, "confirm": "DESTROY"})
    assert not [name for name in volumes(lab) if name.startswith("it-")]


def test_files_come_in_and_go_out_whole(clean: Site, lab: Lab, ceph: Ceph) -> None:
    lab.sh(
        "node1",
        f"cd {FILES} && head -c 6M /dev/urandom > disk.raw && truncate -s 16M disk.raw && "
        "for format in qcow2 vmdk; do qemu-img convert -f raw -O $format disk.raw disk.$format; done",
    )
    wants = [
        {"name": f"it-{kind}", "pool": POOL, "import_from": {"path": f"{FILES}/disk.{kind}", "format": kind}}
        for kind in ("raw", "qcow2", "vmdk")
    ]
    rounds = [("raw", "qcow2"), ("qcow2", "raw")]
    wants[0]["import_from"]["sha256"] = lab.exec("node1", "sha256sum", f"{FILES}/disk.raw").split()[0]
    exports = [
        [
            {"name": f"it-{name}", "path": f"{FILES}/{name}.{kind}", "format": kind}
            for name, kind in zip(("raw", "qcow2"), kinds, strict=True)
        ]
        for kinds in rounds
    ]
    refused, made, again, other = clean.calls(
        "pextra_volume",
        {**wants[2], "fails": True},
        {"volumes": wants[:2]},
        {"volumes": wants[:2]},
        {"name": "it-other", "pool": "local", "node": "node1", "format": "raw", "clone_of": "it-raw"},
    )
    assert "and vmdk cannot" in refused["msg"]
    assert not again["changed"]
    results = clean.play([{EXPORT: {"exports": one}} for one in exports])
    for result in results:
        for one in result["exports"]:
            assert lab.exec("node1", "sha256sum", one["path"]).split()[0] == one["sha256"]
            lab.exec("node1", "qemu-img", "compare", "-f", "raw", "-F", one["format"], f"{FILES}/disk.raw", one["path"])
    place = f"/var/lib/pextra/pools/local/{other['volume']['file']}"
    lab.exec("node1", "cmp", place, f"{FILES}/disk.raw")
    assert [found["size"] for found in made["volumes"]] == [16, 16]
    (told,) = clean.play(
        [{EXPORT: {"name": "it-raw", "path": f"{FILES}/a.vdi", "format": "vdi"}, "ignore_errors": True}]
    )
    assert "and vdi cannot" in told["msg"]


def test_what_a_killed_run_has_left_is_reported_and_purged(clean: Site, lab: Lab) -> None:
    lab.sh("node1", f"cd {FILES} && head -c 400M /dev/urandom > disk.raw")
    declared = {"name": "it-killed", "pool": POOL, "import_from": {"path": f"{FILES}/disk.raw", "format": "raw"}}
    with clean.overlay({"pextra_volumes": [declared]}) as overlay:
        run = clean.start("--tags", "volumes", *overlay)
        wait_until("it is on its way", lambda: any(name.startswith("it-killed") for name in volumes(lab)), 60)
        clean.kill(run)
        info, kept, purged = clean.play(
            [
                {"pextra.cloud.pextra_volume_info": {}},
                {VOLUME: {"volumes": [], "purge": True, "lease_timeout": 40}, "ignore_errors": True},
                {VOLUME: {"volumes": [], "purge": True, "lease_timeout": 40, "confirm": "DESTROY"}},
            ]
        )
        (left,) = info["leftovers"]
        assert left["file"].startswith("it-killed.vol-")
        assert left["file"] in kept["msg"]
        assert purged["changed"]
        assert not [name for name in volumes(lab) if name.startswith("it-")]
        assert clean.run("--tags", "volumes", *overlay).must_succeed().changed
        clean.run("--tags", "volumes", *overlay).must_change_nothing()
