# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that an instance has left when it went are volumes as any other: listed, attached, and destroyed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._fields.checks import check_name
from ansible_collections.pextra.cloud.plugins.module_utils._model.names import parse_attached, parse_kept
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition import Disk
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.attached import Attachment, render_attachment
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.definition import VolumeFacts
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.report import (
    describe_leftovers,
    describe_volumes,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.spec import Volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.state import volumes_from_labels
from volume_model import CLUSTER, GIB, LOCAL, MIB, SHARED, Model, acts

GONE = f"inst-{'g' * 21}"
FILE = f"db.{GONE}.data.qcow2"
NAME = parse_kept(FILE).name  # type: ignore[union-attr]
KEPT = Volume(name=NAME)


@pytest.fixture
def model() -> Model:
    """Instance db has gone, and has left a volume; web and mail are there."""
    made = Model()
    made.add_guest("web", "node1")
    made.add_guest("mail", "node2")
    put(made, FILE)
    return made


def put(model: Model, file: str, pool: Row = SHARED, node: str = "", backing: str | None = None) -> None:
    facts = VolumeFacts(name=file, format="qcow2", capacity=GIB, allocation=5 * MIB, backing=backing)
    model.volumes.setdefault((pool.id, node), {})[file] = facts


def listed(model: Model) -> list[tuple[str, str, str | None]]:
    found = describe_volumes(None, model.have())
    return [(one["file"], one["status"], one["attached_to"]) for one in found]


def test_it_is_listed_and_is_no_leftover(model: Model) -> None:
    assert listed(model) == [(FILE, "kept", None)]
    assert describe_leftovers(model.have()) == []
    assert model.plan(purge=True).is_empty


def test_it_goes_from_one_instance_to_another_in_the_file_that_it_has(model: Model) -> None:
    plan = model.converge(replace(KEPT, attached_to="web"))
    assert acts(plan) == ["settle", "label", "label", "label", "attach"]
    assert listed(model) == [(FILE, "attached", "web")]
    model.converge(replace(KEPT, attached_to="mail"))
    assert listed(model) == [(FILE, "attached", "mail")]
    model.converge(replace(KEPT, attached_to=""))
    assert listed(model) == [(FILE, "available", None)]


def test_it_grows(model: Model) -> None:
    model.converge(replace(KEPT, size=2048))
    assert model.volumes[SHARED.id, ""][FILE].capacity == 2 * GIB


def test_it_is_destroyed_only_with_consent(model: Model) -> None:
    plan = model.plan(replace(KEPT, state="absent"))
    assert plan.first[0].loses == (f"volume {NAME} of 1 GiB in storage pool shared",)
    model.converge(replace(KEPT, state="absent"))
    assert listed(model) == []
    assert model.volumes[SHARED.id, ""] == {}


def test_a_lost_registry_finds_it_again(model: Model) -> None:
    model.converge(replace(KEPT, attached_to="web", description="of the old database"))
    rows = volumes_from_labels(model.labels["node1"], cluster_id=CLUSTER.id)
    assert [(row.name, row.attributes["file"]) for row in rows] == [(NAME, FILE)]
    model.rows = {key: row for key, row in model.rows.items() if row.kind != "volume"}
    model.labels = {node: {} for node in model.labels}
    assert listed(model) == [(FILE, "attached", "web")]
    assert acts(model.plan(replace(KEPT, attached_to="web"))) == ["settle", "label", "label", "label"]


def test_what_an_instance_has_is_none(model: Model) -> None:
    """Registered, and not made yet; or defined."""
    model.rows[GONE] = Row(GONE, "instance", "db", CLUSTER.id, {})
    assert listed(model) == []
    del model.rows[GONE]
    have = model.have()
    assert describe_volumes(None, replace(have, mentioned={"node1": frozenset({FILE})})) == []


def test_what_was_taken_out_of_a_living_instance_is_one(model: Model) -> None:
    guest = model.add_guest("old", "node1")
    file = f"old.{guest.row.id}.data.qcow2"
    put(model, file)
    assert (file, "kept", None) in listed(model)
    model.converge(Volume(name=parse_kept(file).name, attached_to="web"))  # type: ignore[union-attr]
    assert (file, "attached", "web") in listed(model)


def test_what_another_domain_has_taken_is_left_alone(model: Model) -> None:
    """By hand, or the instance has it again."""
    model.converge(KEPT)
    model.foreign["node3"] = frozenset({FILE})
    for want in (replace(KEPT, state="absent"), replace(KEPT, attached_to="web"), replace(KEPT, size=2048)):
        (problem,) = model.plan(want).refusals
        assert "a virtual machine on node3 has it" in problem.what


def test_what_a_domain_has_that_is_not_ours_is_none(model: Model) -> None:
    have = model.have()
    foreign = replace(have, mentioned={**have.mentioned, "node3": frozenset({FILE})})
    assert describe_volumes(None, foreign) == []


def test_a_silent_node_may_have_the_instance(model: Model) -> None:
    model.answering.discard("node3")
    for want in (replace(KEPT, state="absent"), replace(KEPT, attached_to="web")):
        (problem,) = model.plan(want).failures
        assert "node3 may use it, and does not answer" in problem.what


def test_a_root_volume_lies_upon_its_image(model: Model) -> None:
    file = f"db.{GONE}.root.qcow2"
    put(model, file, LOCAL, "node1", backing=f"/srv/local/img-{'i' * 21}.qcow2")
    root = Volume(name=parse_kept(file).name)  # type: ignore[union-attr]
    model.converge(replace(root, size=2048, attached_to="web"))
    assert (file, "attached", "web") in listed(model)


@pytest.mark.parametrize("instance", ["db", "a" * 63, "a.b-c_d", "x" * 55 + "-."])
def test_its_name_is_a_name_and_its_own(instance: str) -> None:
    names = {
        parse_kept(f"{instance}.inst-{letter * 21}.{volume}.raw").name  # type: ignore[union-attr]
        for letter in "gh"
        for volume in ("data", "more")
    }
    assert len(names) == 4
    assert [check_name(name) for name in names] == [None] * 4


def test_whose_it_is_follows_from_the_domain() -> None:
    from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import uuid_of

    assert parse_attached(FILE, uuid_of(GONE)) is None
    assert parse_attached(FILE, uuid_of(f"inst-{'w' * 21}")) == parse_kept(FILE)
    assert parse_attached("anything.qcow2", uuid_of(GONE)) is None
    disk = Disk(kind="file", path=f"/srv/shared/{FILE}", format="qcow2", target="vdb", serial="x")
    assert Attachment(disk=disk).volume == parse_kept(FILE)
    assert FILE in render_attachment(Attachment(disk=disk))
