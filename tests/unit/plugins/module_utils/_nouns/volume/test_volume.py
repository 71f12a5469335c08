# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the planner of volumes plans, refuses and fails, case by case; and that it converges wherever it is killed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id, uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.names import find_standalones
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Change
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.hierarchy.plan import Hierarchy
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.attached import parse_attachments
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.definition import VolumeFacts
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.plan import find_imports, plan_volumes
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.reading import find_strange
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.report import (
    describe_leftovers,
    describe_volumes,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.spec import Import, Limits, Volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.state import ImportFile, User
from volume_model import CEPH, CLUSTER, GIB, LVM, MIB, SHARED, ZFS, KilledError, Model, acts, refusals
from volume_model import LOCAL as LOCAL_POOL

DATA = Volume(name="data", pool="shared", size=1024)
LOCAL = Volume(name="data", pool="local", size=1024)
VMDK = Import(path="/srv/disk.vmdk", format="vmdk")
QCOW2 = Import(path="/srv/disk.qcow2", format="qcow2")
ZSTD = Import(path="/srv/zstd.qcow2", format="qcow2")
CEPHS = Volume(name="data", pool="vms", size=1024)
VG = Volume(name="data", pool="vg0", size=1022, node="node2")
TANK = Volume(name="data", pool="tank", size=1024, node="node2")


@pytest.fixture
def model() -> Model:
    model = Model()
    model.add_guest("web", "node1")
    model.add_guest("db", "node2")
    model.add_guest("off", "node2", power="stopped")
    model.files = {
        VMDK: ImportFile(virtual_size=64 * MIB + 512, size=10 * MIB),
        QCOW2: ImportFile(virtual_size=64 * MIB, size=10 * MIB),
        ZSTD: ImportFile(virtual_size=64 * MIB, size=10 * MIB, unreadable=(Problem("it is compressed with zstd"),)),
    }
    return model


def describe(model: Model, name: str = "data") -> dict[str, Any]:
    (found,) = describe_volumes([(None, name)], model.have())
    return found


def refusal(model: Model, *wants: Volume) -> str:
    plan = model.plan(*wants)
    assert plan.refusals, acts(plan)
    return refusals(plan)[0]


def failure(model: Model, *wants: Volume) -> Problem:
    plan = model.plan(*wants)
    assert not plan.refusals, plan.refusals
    assert plan.failures, acts(plan)
    return plan.failures[0]


# What every declaration leads to, wherever the run is killed on its way

COPY = Volume(name="copy", pool="shared", clone_of="data")
CASES: dict[str, tuple[tuple[Volume, ...], tuple[Volume, ...]]] = {
    "made": ((), (DATA,)),
    "made and attached": ((), (replace(DATA, attached_to="web"),)),
    "attached to a stopped one": ((), (replace(DATA, attached_to="off"),)),
    "local": ((), (replace(LOCAL, attached_to="db"),)),
    "thick": ((), (replace(LOCAL, provisioning="thick", node="node3"),)),
    "imported as it is": ((), (Volume(name="data", pool="shared", import_from=QCOW2),)),
    "imported otherwise": ((), (Volume(name="data", pool="shared", import_from=VMDK, size=128),)),
    "raw": ((), (replace(DATA, format="raw", limits=Limits(iops=100), cache="writeback", discard="ignore"),)),
    "cloned": ((DATA,), (Volume(name="copy", pool="local", clone_of="data", size=2048),)),
    "linked": ((DATA,), (Volume(name="copy", pool="shared", clone_of="data", clone_mode="linked"),)),
    "chain": (
        (),
        (
            Volume(name="third", pool="shared", clone_of="second"),
            DATA,
            Volume(name="second", pool="shared", clone_of="data", clone_mode="linked", attached_to=""),
        ),
    ),
    "cloned and attached": ((DATA,), (replace(DATA, attached_to="web"), replace(COPY, attached_to="web"))),
    "cloned, grown and attached": ((DATA,), (COPY, replace(DATA, attached_to="web", size=2048))),
    "shrunk and cloned": ((DATA,), (COPY, replace(DATA, size=512))),
    "made, cloned, and both attached": ((), (replace(DATA, attached_to="web"), replace(COPY, attached_to="db"))),
    "a chain of what is attached": (
        (),
        (
            Volume(name="third", pool="shared", clone_of="copy", attached_to="db"),
            replace(COPY, attached_to="db"),
            replace(DATA, attached_to="web"),
        ),
    ),
    "cloned on its way elsewhere": (
        (replace(DATA, attached_to="off"),),
        (replace(DATA, attached_to="web", limits=Limits(iops=1)), COPY),
    ),
    "attached": ((DATA,), (replace(DATA, attached_to="web"),)),
    "detached": ((replace(DATA, attached_to="web"),), (replace(DATA, attached_to=""),)),
    "attached elsewhere": ((replace(DATA, attached_to="web"),), (replace(DATA, attached_to="db"),)),
    "grown": ((DATA,), (replace(DATA, size=2048),)),
    "grown live": ((replace(DATA, attached_to="web"),), (replace(DATA, size=2048),)),
    "grown by": ((DATA,), (replace(DATA, size=1024, grow_by=1024),)),
    "shrunk": ((DATA,), (replace(DATA, size=512),)),
    "grown on its way elsewhere": (
        (replace(DATA, attached_to="web"),),
        (replace(DATA, attached_to="off", size=2048, cache="unsafe", limits=Limits(bandwidth=10)),),
    ),
    "limited": ((replace(DATA, attached_to="web"),), (replace(DATA, limits=Limits(iops_read=5)),)),
    "not limited": (
        (replace(DATA, attached_to="web", limits=Limits(iops=1)),),
        (replace(DATA, limits=Limits(iops=0)),),
    ),
    "described": ((DATA,), (replace(DATA, description="Database"),)),
    "destroyed": ((DATA,), (replace(DATA, state="absent"),)),
    "in Ceph": ((), (replace(CEPHS, attached_to="web"),)),
    "imported into Ceph": ((), (Volume(name="data", pool="vms", import_from=QCOW2, size=128, attached_to="db"),)),
    "copied in Ceph": ((CEPHS,), (Volume(name="copy", pool="vms", clone_of="data", size=2048),)),
    "linked in Ceph": (
        (CEPHS,),
        (Volume(name="copy", pool="vms", clone_of="data", clone_mode="linked", size=2048, attached_to="web"),),
    ),
    "grown in Ceph": ((replace(CEPHS, attached_to="web"),), (replace(CEPHS, size=2048),)),
    "shrunk in Ceph": ((CEPHS,), (replace(CEPHS, size=512),)),
    "linked pair of Ceph destroyed": (
        (CEPHS, Volume(name="copy", pool="vms", clone_of="data", clone_mode="linked")),
        (replace(CEPHS, state="absent"), Volume(name="copy", state="absent")),
    ),
    "in a volume group": ((), (replace(VG, attached_to="db"),)),
    "imported into a volume group": ((), (Volume(name="data", pool="vg0", node="node2", import_from=QCOW2),)),
    "copied in a volume group": ((VG,), (Volume(name="copy", pool="vg0", clone_of="data", size=2050),)),
    "copied from a volume group to Ceph": ((VG,), (Volume(name="copy", pool="vms", clone_of="data"),)),
    "copied from Ceph to a volume group": ((CEPHS,), (Volume(name="copy", pool="vg0", clone_of="data", size=1030),)),
    "copied from raw files to Ceph": (
        (replace(DATA, format="raw"),),
        (Volume(name="copy", pool="vms", clone_of="data"),),
    ),
    "moved within a volume group": ((replace(VG, attached_to="off"),), (replace(VG, attached_to="db"),)),
    "destroyed in a volume group": ((VG,), (replace(VG, state="absent"),)),
    "in a zpool": ((), (replace(TANK, attached_to="off"),)),
    "thick in a zpool": ((), (replace(TANK, provisioning="thick"),)),
    "copied in a zpool": ((TANK,), (Volume(name="copy", pool="tank", clone_of="data", size=2048),)),
    "linked pair destroyed": (
        (DATA, Volume(name="copy", pool="shared", clone_of="data", clone_mode="linked")),
        (replace(DATA, state="absent"), Volume(name="copy", state="absent")),
    ),
}


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_it_converges_wherever_it_is_killed(model: Model, case: str, *, backwards: bool) -> None:
    before, wants = CASES[case]
    for want in before:
        model.converge(want)
    steps = len(acts(model.plan(*wants)))
    assert steps
    for kill_after in range(steps):
        victim = _copied(model)
        with pytest.raises(KilledError):
            victim.converge(*wants, kill_after=kill_after, backwards=backwards)
        victim.converge(*wants, backwards=backwards)
        assert not describe_leftovers(victim.have())
        for want in wants:
            if want.state == "present":
                assert describe(victim, want.name)["status"] in ("available", "attached")
    model.converge(*wants, backwards=backwards)


def _copied(model: Model) -> Model:
    import copy

    return copy.deepcopy(model)


def test_the_steps_of_a_new_one(model: Model) -> None:
    plan = model.converge(replace(DATA, attached_to="web"))
    assert acts(plan) == ["register", "create", "verify", "settle", "label", "label", "label", "attach"]
    (work,) = plan.works or plan.first
    assert (work.kind, work.node, work.loses, work.touches) == ("volume", "node1", (), ("instance web",))
    found = describe(model)
    assert (found["status"], found["attached_to"], found["target"]) == ("attached", "web", "vdb")
    assert (found["size"], found["format"], found["node"], found["pool"]) == (1024, "qcow2", None, "shared")
    assert found["serial"] == found["id"].removeprefix("vol-")[:20]


def test_what_is_not_given_stays(model: Model) -> None:
    model.converge(replace(DATA, attached_to="web", cache="writeback", limits=Limits(iops=9), description="x"))
    assert model.plan(Volume(name="data")).is_empty


def test_a_device_name_is_kept_and_none_is_given_twice(model: Model) -> None:
    first, second = replace(DATA, attached_to="web"), replace(DATA, name="more", attached_to="web")
    model.converge(first, second)
    assert {describe(model)["target"], describe(model, "more")["target"]} == {"vdb", "vdc"}
    kept = describe(model, "more")["target"]
    model.converge(replace(first, attached_to=""))
    assert describe(model, "more")["target"] == kept


def test_a_local_one_lies_where_its_instance_is(model: Model) -> None:
    model.converge(replace(LOCAL, attached_to="db"))
    assert describe(model)["node"] == "node2"


def test_cache_waits_for_a_restart(model: Model) -> None:
    model.converge(replace(DATA, attached_to="web"))
    plan = model.plan(replace(DATA, cache="writeback"))
    (work,) = plan.effective
    for told in (work.changes, work.pending):
        assert told == (Change("cache", "none", "writeback", "next_boot"),)
    model.converge(replace(DATA, cache="writeback"))
    (still,) = model.plan(Volume(name="data")).all
    assert still.pending
    assert not still.steps


@pytest.mark.parametrize(("power", "when"), [("running", "hot_plug"), ("stopped", "live")])
def test_it_is_plugged_into_what_runs(model: Model, power: str, when: str) -> None:
    model.guests["web"].power = power
    model.converge(DATA)
    for name, change in (("web", (None, "web")), ("", ("web", None))):
        (work,) = model.converge(replace(DATA, attached_to=name)).effective
        assert work.changes == (Change("attached_to", *change, when),)


def test_shrinking_and_destroying_need_consent(model: Model) -> None:
    model.converge(DATA)
    (work,) = model.plan(replace(DATA, size=512)).effective
    assert work.loses == ("what lies beyond 512 MiB of volume data, which has 1 GiB",)
    (work,) = model.plan(replace(DATA, state="absent")).effective
    assert work.loses == ("volume data of 1 GiB in storage pool shared",)


def test_what_was_detached_by_hand_is_attached_again(model: Model) -> None:
    model.converge(replace(DATA, attached_to="web"))
    guest = model.guests["web"]
    guest.live.find("devices").clear()  # type: ignore[union-attr]
    plan = model.converge(replace(DATA, attached_to="web"))
    assert acts(plan) == ["attach"]
    guest.config.find("devices").clear()  # type: ignore[union-attr]
    assert acts(model.converge(replace(DATA, attached_to="web"))) == ["attach"]


def test_a_removed_instance_lets_it_go(model: Model) -> None:
    model.converge(replace(DATA, attached_to="web"))
    guest = model.guests.pop("web")
    del model.rows[guest.row.id]
    assert describe(model)["status"] == "available"
    model.converge(replace(DATA, attached_to="db"))
    assert describe(model)["attached_to"] == "db"


def test_a_delta_counts_once(model: Model) -> None:
    model.converge(DATA)
    want = replace(DATA, grow_by=512)
    model.converge(want)
    assert describe(model)["size"] == 1536
    assert model.plan(want).is_empty
    model.converge(replace(DATA, size=1600))
    assert "it has 1600 MiB: neither the 1 GiB" in refusal(model, want)


def test_sizes_are_whole_mebibytes(model: Model) -> None:
    model.converge(Volume(name="data", pool="shared", import_from=VMDK))
    assert model.volume("data").capacity == 65 * MIB


# Refusals: (what is there, what is wanted, what is said)

REFUSED: dict[str, tuple[tuple[Volume, ...], Volume, str]] = {
    "no pool given": ((), Volume(name="data", size=1), "does not exist yet"),
    "no such pool": ((), replace(DATA, pool="nowhere"), 'no storage pool "nowhere"'),
    "no size": ((), Volume(name="data", pool="shared"), "does not exist yet"),
    "a delta of nothing": ((), replace(DATA, grow_by=1), "cannot grow"),
    "a pool without volumes": ((), replace(DATA, pool="san"), "type iscsi, in which no volumes can be made"),
    "a node for a shared pool": ((), replace(DATA, node="node1"), "is shared by its nodes"),
    "no such node": ((), replace(LOCAL, node="node9"), 'no node "node9"'),
    "no such instance": ((), replace(DATA, attached_to="nobody"), 'no instance "nobody"'),
    "not where the instance is": ((), replace(LOCAL, node="node3", attached_to="web"), "instance web is on node1"),
    "no space": ((), replace(LOCAL, provisioning="thick", size=200 * 1024), "and 200 GiB are needed"),
    "no such origin": ((), Volume(name="copy", pool="shared", clone_of="x"), 'no volume "x"'),
    "a smaller clone": ((DATA,), Volume(name="copy", pool="shared", clone_of="data", size=1), "smaller than volume"),
    "linked across pools": (
        (DATA,),
        Volume(name="copy", pool="local", clone_of="data", clone_mode="linked"),
        "lies in the storage pool of what it shares",
    ),
    "linked to an attached one": (
        (replace(DATA, attached_to="off"),),
        Volume(name="copy", pool="shared", clone_of="data", clone_mode="linked"),
        "is attached to instance off",
    ),
    "a copy of what is written": (
        (replace(DATA, attached_to="web"),),
        Volume(name="copy", pool="shared", clone_of="data"),
        "in use by instance web",
    ),
    "a clone on another node": (
        (replace(LOCAL, node="node1"),),
        Volume(name="copy", pool="local", node="node2", clone_of="data"),
        "lies on node1, and the clone would on node2",
    ),
    "another pool": ((DATA,), replace(DATA, pool="local"), "its pool is shared, and cannot become local"),
    "another node": ((replace(LOCAL, node="node1"),), replace(LOCAL, node="node2"), "cannot move to node2"),
    "another format": ((DATA,), replace(DATA, format="raw"), "its format is qcow2, and cannot become raw"),
    "thick later": ((DATA,), replace(DATA, provisioning="thick"), "its provisioning is thin"),
    "a clone later": (
        (DATA, replace(DATA, name="other")),
        Volume(name="data", clone_of="other"),
        "was made empty; it cannot become a clone of other",
    ),
    "imported later": ((DATA,), Volume(name="data", import_from=VMDK), "cannot be imported from /srv/disk.vmdk"),
    "shrinking in use": (
        (replace(DATA, attached_to="web"),),
        replace(DATA, size=1),
        "in use by instance web, which runs, and cannot shrink",
    ),
    "shrinking a thick one": (
        (replace(LOCAL, provisioning="thick"),),
        replace(LOCAL, size=512),
        "1 GiB of it are taken in storage pool local, so it cannot shrink to 512 MiB",
    ),
    "destroying what is attached": (
        (replace(DATA, attached_to="off"),),
        Volume(name="data", state="absent"),
        "attached to instance off; only a detached volume can be destroyed",
    ),
    "destroying what is shared": (
        (DATA, Volume(name="copy", pool="shared", clone_of="data", clone_mode="linked")),
        Volume(name="data", state="absent"),
        "linked clones share its blocks, and would be lost with it: copy",
    ),
    "attaching what is shared": (
        (DATA, Volume(name="copy", pool="shared", clone_of="data", clone_mode="linked")),
        replace(DATA, attached_to="web"),
        "linked clones share its blocks: copy",
    ),
    "growing what is shared": (
        (DATA, Volume(name="copy", pool="shared", clone_of="data", clone_mode="linked")),
        replace(DATA, size=2048),
        "so it stays as it is: copy",
    ),
    "growing in a volume group": (
        (VG,),
        replace(VG, size=2048),
        "it has 1022 MiB, and cannot get 2 GiB: libvirt gives no volume of storage pool vg0, which is of type lvm",
    ),
    "growing in a zpool while it runs": ((replace(TANK, attached_to="db"),), replace(TANK, grow_by=1), "another size"),
    "shrinking in a zpool": ((TANK,), replace(TANK, size=512), "another size"),
    "thin in a volume group": ((), replace(VG, provisioning="thin"), "where volumes are thick"),
    "thick in Ceph": ((), replace(CEPHS, provisioning="thick"), "where volumes are thin"),
    "qcow2 in Ceph": ((), replace(CEPHS, format="qcow2"), "which cannot hold qcow2"),
    "linked in a volume group": (
        (VG,),
        Volume(name="copy", pool="vg0", clone_of="data", clone_mode="linked"),
        "has no linked clones",
    ),
    "a linked raw file": (
        (DATA,),
        Volume(name="copy", pool="shared", clone_of="data", clone_mode="linked", format="raw"),
        "where a linked clone is qcow2",
    ),
    "VMDK into Ceph": (
        (),
        Volume(name="data", pool="vms", import_from=VMDK),
        "into which qcow2 and raw can be imported, and vmdk cannot",
    ),
    "zstd into Ceph": ((), Volume(name="data", pool="vms", import_from=ZSTD), "compressed with zstd"),
    "a copy of qcow2 in Ceph": (
        (DATA,),
        Volume(name="copy", pool="vms", clone_of="data"),
        "volume data is qcow2 in storage pool shared, and cannot become raw in storage pool vms by copying",
    ),
    "a name that LVM keeps": ((), replace(VG, name="snapshot-1"), "LVM keeps names that begin with"),
    "growing what is shared in Ceph": (
        (CEPHS, Volume(name="copy", pool="vms", clone_of="data", clone_mode="linked")),
        replace(CEPHS, size=2048),
        "so it stays as it is: copy",
    ),
    "a circle": (
        (),
        Volume(name="d4", pool="shared", clone_of="d3"),
        "a clone of itself in the end (d4 of d3 of d4)",
    ),
    "too deep": ((), Volume(name="d4", pool="shared", clone_of="d3"), "deep"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_anything_is_touched(model: Model, case: str) -> None:
    before, want, what = REFUSED[case]
    for one in before:
        model.converge(one)
    wants = [want]
    if case == "a circle":
        wants.append(Volume(name="d3", pool="shared", clone_of="d4"))
    if case == "too deep":
        wants += [DATA, *(Volume(name=f"d{n}", pool="shared", clone_of=f"d{n - 1}") for n in (2, 3))]
        wants.append(Volume(name="d1", pool="shared", clone_of="data"))
    plan = model.plan(*wants)
    assert any(what in problem for problem in refusals(plan)), plan.refusals
    assert all(problem.resource for problem in plan.refusals)


def test_clones_go_before_what_they_share_and_not_too_deep(model: Model) -> None:
    chain = [CEPHS] + [
        Volume(name=f"d{n}", pool="vms", clone_of=f"d{n - 1}" if n else "data", clone_mode="linked") for n in range(3)
    ]
    for one in chain:
        model.converge(one)
    absent = [replace(one, state="absent") for one in chain]
    assert "clones that are to go as well" in refusal(model, *absent)
    plan = model.converge(*absent[1:])
    assert [[work.name for work in stage if work.steps] for stage in (plan.first, plan.works, plan.last)] == [
        ["d2"],
        ["d1"],
        ["d0"],
    ]


def test_a_bad_file_is_told(model: Model) -> None:
    model.files[VMDK] = ImportFile(problems=(Problem("it names a parent", "Convert it."),))
    plan = model.plan(Volume(name="data", pool="shared", import_from=VMDK))
    assert str(plan.refusals[0]) == "volume data: /srv/disk.vmdk cannot be imported: it names a parent. Convert it."


def test_a_saved_instance_goes_on_with_what_it_had(model: Model) -> None:
    model.add_guest("saved", "node1", power="stopped")
    model.converge(replace(DATA, attached_to="saved"), replace(DATA, name="free"))
    model.guests["saved"].saved = True
    assert model.plan(replace(DATA, attached_to="saved")).is_empty
    for want in (replace(DATA, attached_to=""), replace(DATA, attached_to="web")):
        assert "instance saved is saved, and goes on with the volumes" in refusal(model, want)
    assert "instance saved is saved" in refusal(model, replace(DATA, name="free", attached_to="saved"))
    for size in (512, 2048):
        assert "in use by instance saved, which is saved" in refusal(model, replace(DATA, size=size))


def test_a_paused_guest_cannot_let_go(model: Model) -> None:
    model.converge(replace(DATA, attached_to="web"))
    model.guests["web"].power = "paused"
    assert "is paused" in refusal(model, replace(DATA, attached_to=""))


def test_device_names_are_used_up(model: Model) -> None:
    wants = [replace(DATA, name=f"d{n:02}", attached_to="web") for n in range(24)]
    model.converge(*wants)
    assert "no device name left" in refusal(model, replace(DATA, name="last", attached_to="web"))


# Storage that holds no files


def test_a_volume_group_gives_whole_extents(model: Model) -> None:
    model.converge(VG)
    found = describe(model)
    assert (found["size"], found["format"], found["provisioning"]) == (1024, "raw", "thick")
    for size in (None, 1022, 1024):
        assert model.plan(replace(VG, size=size)).is_empty
    model.converge(replace(VG, size=None, description="x"))
    assert model.plan(VG).is_empty


@pytest.mark.parametrize(
    ("before", "want", "expected"),
    [
        (CEPHS, Volume(name="copy", pool="vms", clone_of="data"), ["clone", "grow", "verify"]),
        (CEPHS, Volume(name="copy", pool="vms", clone_of="data", clone_mode="linked"), ["link", "grow", "verify"]),
        (CEPHS, Volume(name="copy", pool="vg0", clone_of="data"), ["clone", "verify"]),
        (VG, Volume(name="copy", pool="vg0", clone_of="data"), ["clone", "verify"]),
        (VG, Volume(name="copy", pool="vms", import_from=QCOW2), ["fill", "verify"]),
        (VG, Volume(name="copy", pool="tank", import_from=QCOW2), ["fill", "verify"]),
    ],
)
def test_how_they_are_made(model: Model, before: Volume, want: Volume, expected: list[str]) -> None:
    model.converge(before)
    assert [act for act in acts(model.plan(want)) if act not in ("register", "settle", "label")] == expected


@pytest.mark.parametrize(
    ("want", "kind", "path"),
    [(CEPHS, "rbd", "vms/data."), (VG, "block", "/dev/vg0/data."), (TANK, "block", "/dev/zvol/tank/data.")],
)
def test_how_they_are_attached(model: Model, want: Volume, kind: str, path: str) -> None:
    model.converge(replace(want, attached_to="db"))
    ((disk,),) = [[one.disk for one in user.config] for user in model.have().users if user.name == "db"]
    assert (disk.kind, disk.format, disk.ceph is not None) == (kind, "raw", kind == "rbd")
    assert disk.path.startswith(path)


def test_what_others_hang_on_in_ceph_is_never_a_leftover(model: Model) -> None:
    base, top = f"base.vol-{'y' * 21}.raw", f"top.vol-{'z' * 21}.raw"
    facts = VolumeFacts(name=base, format="raw", capacity=GIB, allocation=0)
    model.volumes[CEPH.id, ""] = {base: facts, top: replace(facts, name=top, backing=f"vms/{base}")}
    assert [left["name"] for left in describe_leftovers(model.have())] == ["top"]
    (removed,) = model.plan(purge=True).effective
    assert removed.name == "top"


def test_a_ceph_that_does_not_answer_fails_its_own_volumes_alone(model: Model) -> None:
    model.converge(CEPHS, replace(DATA, name="other"))
    model.unseen[CEPH.id] = Problem("the coordinator does not have its key", resource="pool vms")
    plan = model.plan(replace(CEPHS, size=2048), replace(DATA, name="other", size=2048))
    assert [problem.what for problem in plan.failures] == ["the coordinator does not have its key"]
    assert "grow" in acts(plan)
    assert describe(model)["status"] == "unknown"


def test_full_pools(model: Model) -> None:
    model.free = GIB
    assert "and 2 GiB are needed" in refusal(model, replace(VG, size=2048))
    assert "and 2 GiB are needed" in refusal(model, replace(TANK, size=2048, provisioning="thick"))
    model.converge(replace(TANK, size=2048))
    assert not model.volumes.get((LVM.id, "node2"))
    assert model.volumes[ZFS.id, "node2"]


# A guest that forges a header


@pytest.mark.parametrize(
    "change",
    [
        lambda want: replace(want, size=2048),
        lambda want: replace(want, size=512),
        lambda want: Volume(name="copy", pool="shared", clone_of="data"),
    ],
)
def test_a_forged_header_is_not_followed(model: Model, change: Callable[[Volume], Volume]) -> None:
    want = replace(DATA, format="raw")
    model.converge(want)
    shelf = model.volumes[SHARED.id, ""]
    (name,) = shelf
    shelf[name] = VolumeFacts(name=name, format="qcow2", capacity=GIB, allocation=0, backing="/etc/shadow")
    assert "makes libvirt take it for qcow2 upon /etc/shadow, and it is raw" in refusal(model, change(want))
    model.converge(replace(DATA, size=None, attached_to="web"))
    model.converge(replace(DATA, size=None, attached_to=""))
    model.converge(Volume(name="data", state="absent"))


# Nodes that do not answer


def test_a_silent_node_fails_its_own_volumes_alone(model: Model) -> None:
    local = replace(LOCAL, name="there", node="node3")
    model.converge(local, replace(LOCAL, node="node1"))
    model.answering.discard("node3")
    plan = model.plan(replace(LOCAL, node="node1", size=2048), replace(local, size=2048))
    assert [problem.node for problem in plan.failures] == ["node3"]
    assert acts(plan) == ["grow", "settle", "label"]


@pytest.mark.parametrize(
    "want",
    [
        replace(DATA, attached_to="db"),
        replace(DATA, attached_to=""),
        Volume(name="data", state="absent"),
        replace(DATA, size=2048),
        Volume(name="copy", pool="shared", clone_of="data"),
    ],
)
def test_nothing_is_done_to_what_a_silent_node_may_use(model: Model, want: Volume) -> None:
    model.converge(replace(DATA, attached_to="web"))
    model.answering.discard("node1")
    assert failure(model, want).node == "node1"
    assert describe(model)["attached_to"] == "web"


def test_data_that_is_gone_is_not_made_anew(model: Model) -> None:
    model.converge(DATA)
    model.volumes[SHARED.id, ""].clear()
    assert "is not in storage pool shared" in failure(model, DATA).what
    assert describe(model)["status"] == "missing"
    model.converge(replace(DATA, state="absent"))


# Leftovers


def orphan(name: str = "old", step: str = "") -> VolumeFacts:
    return VolumeFacts(name=f"{name}.vol-{'x' * 21}.{step}qcow2", format="qcow2", capacity=GIB, allocation=5 * MIB)


def test_what_a_killed_run_has_left_is_reported_and_purged(model: Model) -> None:
    want = Volume(name="data", pool="shared", import_from=VMDK)
    with pytest.raises(KilledError):
        model.converge(want, kill_after=2)
    (left,) = describe_leftovers(model.have())
    assert left["file"].endswith(".import.vmdk")
    assert left["reason"] == "it was on its way from a file"
    assert describe(model)["status"] == "unfinished"
    assert not any(step.act == "delete" for work in model.plan().effective for step in work.steps)
    plan = model.converge(purge=True)
    assert [len(work.loses) for work in plan.effective] == [1, 0]
    assert not describe_leftovers(model.have())
    assert not describe_volumes(None, model.have())


def test_purge_lets_be_what_the_same_call_finishes(model: Model) -> None:
    with pytest.raises(KilledError):
        model.converge(DATA, kill_after=2)
    model.converge(DATA, purge=True)
    assert describe(model)["status"] == "available"


@pytest.mark.parametrize(
    "file", ["notes.txt", "web.inst-qthm_iLrflJ_DtSS1l4Gx.root.qcow2", "img-qthm_iLrflJ_DtSS1l4Gx.qcow2", "vol-x.raw"]
)
def test_what_is_not_of_our_scheme_is_never_a_leftover(model: Model, file: str) -> None:
    model.volumes[SHARED.id, ""] = {file: VolumeFacts(name=file, format="raw", capacity=1, allocation=1)}
    assert not describe_leftovers(model.have())
    assert model.plan(purge=True).is_empty


def test_what_is_in_use_is_never_a_leftover(model: Model) -> None:
    old, base = orphan(), replace(orphan("base"), name=f"base.vol-{'y' * 21}.qcow2")
    top = replace(orphan("top"), name=f"top.vol-{'z' * 21}.qcow2", backing=f"/srv/shared/{base.name}")
    model.volumes[SHARED.id, ""] = {one.name: one for one in (old, base, top)}
    assert [left["name"] for left in describe_leftovers(model.have())] == ["old", "top"]
    disk = f"<disk><source file='/srv/shared/{old.name}'/></disk>"
    import xml.etree.ElementTree as ET

    model.guests["web"].config.append(ET.fromstring(disk))
    assert [left["name"] for left in describe_leftovers(model.have())] == ["top"]


def test_a_silent_node_may_use_a_leftover(model: Model) -> None:
    model.volumes[SHARED.id, ""] = {orphan().name: orphan()}
    model.answering.discard("node3")
    plan = model.plan(purge=True)
    assert plan.is_empty
    assert "node3 may use it, and does not answer" in plan.failures[0].what


def test_a_cluster_that_is_not_there(model: Model) -> None:
    plan = plan_volumes([replace(DATA, cluster="elsewhere")], model.have())
    assert plan.refusals[0].what == 'there is no cluster "elsewhere"'
    plan = plan_volumes([DATA, replace(DATA, cluster=CLUSTER.id)], model.have())
    assert plan.refusals[0].what == "it is given twice for cluster mtl-1"


@pytest.mark.parametrize("holder", ["off", "web"])
@pytest.mark.parametrize(
    "want",
    [
        Volume(name="data", size=2048),
        Volume(name="data", size=512),
        Volume(name="copy", pool="shared", clone_of="data"),
    ],
    ids=["grown", "shrunk", "copied"],
)
def test_whoever_has_what_is_worked_on_is_leased(model: Model, want: Volume, holder: str) -> None:
    """Another run could start it meanwhile."""
    model.converge(replace(DATA, attached_to=holder))
    plan = model.plan(want)
    if plan.refusals:  # by what runs
        assert holder == "web"
        return
    (work,) = plan.effective
    assert work.touches.count(f"instance {holder}") == 1


# A pool that is gone


@pytest.mark.parametrize("pool", [LOCAL_POOL, SHARED], ids=["local", "shared"])
def test_a_pool_that_was_declared_again_shows_its_volumes(model: Model, pool: Row) -> None:
    model.converge(Volume(name="data", pool=pool.name, size=1024))
    model.replace_pool(pool, replace(pool, id=new_id("pool")))
    assert (describe(model)["pool"], describe(model)["status"]) == (pool.name, "available")
    assert describe_leftovers(model.have()) == []
    assert model.plan(purge=True).is_empty
    again = model.converge(Volume(name="data", pool=pool.name, size=1024))
    assert {change.field for work in again.effective for change in work.changes} == {"pool"}
    assert model.row("data").attributes["pool"] == model.pools[-1].id
    assert set(acts(again)) == {"settle", "label"}


def test_what_is_registered_is_no_leftover_while_its_pool_is_gone(model: Model) -> None:
    model.converge(Volume(name="data", pool="local", size=1024))
    file = model.volume("data").name
    model.replace_pool(LOCAL_POOL, *(replace(LOCAL_POOL, id=new_id("pool"), name=name) for name in ("one", "two")))
    assert describe_leftovers(model.have()) == []
    assert model.plan(purge=True).is_empty
    told = refusal(model, Volume(name="data", size=2048))
    assert f"there are several files of its name ({file}): in one on node1, two on node1" in told
    # Without a pool it is seen nowhere, and given up with consent alone.
    model.replace_pool(model.pools[-1])
    model.replace_pool(model.pools[-1])
    assert f"its file ({file}) is seen in no other one" in refusal(model, Volume(name="data", size=2048))
    (work,) = model.plan(Volume(name="data", state="absent")).effective
    assert work.loses == ("what is known of volume data, whose storage pool is not registered any more",)


def test_a_file_is_looked_at_unless_its_own_cluster_has_the_volume() -> None:
    other = Row(new_id("cluster"), "cluster", "mtl-2")
    made = Row(new_id("volume"), "volume", "data", CLUSTER.id, {})
    hierarchy = Hierarchy(clusters=(CLUSTER, other), members=(made,))
    want = Volume(name="data", pool="shared", import_from=VMDK, cluster="mtl-2")
    assert find_imports([want], hierarchy) == [VMDK]
    assert find_imports([replace(want, cluster=CLUSTER.id)], hierarchy) == []
    begun = replace(made, attributes={"unfinished": True})
    assert find_imports([replace(want, cluster="mtl-1")], replace(hierarchy, members=(begun,))) == [VMDK]
    assert find_imports([replace(want, state="absent"), replace(want, cluster="nowhere")], hierarchy) == []


# What a domain has that is not ours

STRANGE: dict[str, Volume] = {
    "destroyed": Volume(name="data", state="absent"),
    "destroyed, said to be nobody's": Volume(name="data", state="absent", attached_to=""),
    "shrunk": Volume(name="data", size=512),
    "shrunk, said to be nobody's": Volume(name="data", size=512, attached_to=""),
    "grown, said to be nobody's": Volume(name="data", size=2048, attached_to=""),
    "attached": Volume(name="data", attached_to="web"),
    "copied": Volume(name="copy", pool="shared", clone_of="data"),
    "linked to": Volume(name="copy", pool="shared", clone_of="data", clone_mode="linked"),
}


@pytest.mark.parametrize("has_it_too", [False, True], ids=["alone", "beside an instance of ours"])
@pytest.mark.parametrize("case", STRANGE)
def test_data_that_a_strange_domain_has_is_not_touched(model: Model, case: str, has_it_too: bool) -> None:
    model.converge(replace(DATA, attached_to="off" if has_it_too else ""))
    model.foreign["node3"] = frozenset({model.volume("data").name})
    called = "volume data" if STRANGE[case].name == "copy" else "it"
    assert f"a virtual machine on node3 has {called}, by other means" in refusal(model, STRANGE[case])


def test_nor_is_it_made_anew(model: Model) -> None:
    with pytest.raises(KilledError):
        model.converge(DATA, kill_after=2)
    model.foreign["node3"] = frozenset({model.volume("data").name})
    assert "a virtual machine on node3 has it" in refusal(model, replace(DATA, attached_to=""))


def test_what_is_declared_to_be_nobodys_may_be_somebodys(model: Model) -> None:
    model.converge(DATA)
    model.foreign["node3"] = frozenset({model.volume("data").name})
    model.converge(replace(DATA, attached_to="", description="theirs"))


def test_what_a_running_clone_lies_upon_is_had_by_nobody() -> None:
    own, base = f"copy.vol-{'c' * 21}.qcow2", f"base.vol-{'b' * 21}.qcow2"
    uuid = uuid_of("inst-" + "w" * 21)
    chain = f"<backingStore type='file'><source file='/srv/{base}'/><backingStore/></backingStore>"
    text = "<domain><uuid>{}</uuid><devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
    text = text.format(uuid) + "<source file='/srv/{}'/>{}<target dev='vdb' bus='virtio'/></disk></devices></domain>"
    config, live = text.format(own, ""), text.format(own, chain)
    user = User("node1", "inst-" + "w" * 21, "web", uuid, "running", parse_attachments(config), parse_attachments(live))
    named = find_standalones(config) | find_standalones(live)
    assert named == {own, base}
    assert find_strange(named, user, config, live) == set()
    assert find_strange(named, None, config, live) == {own, base}
    beside = live.replace("</devices>", f"<disk><source file='/srv/{base}'/></disk></devices>")
    assert find_strange(named, user, config, beside) == {base}
    root = f"web.{user.id}.root.qcow2"
    assert find_strange({own, root}, user, config, live) == {root}
