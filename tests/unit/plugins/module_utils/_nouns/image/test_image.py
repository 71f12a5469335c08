# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images: (what is wanted, what is there) and the plan."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._fields.common import parse_spec
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id
from ansible_collections.pextra.cloud.plugins.module_utils._model.names import image_volume
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import AssociationRow, Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.departure import find_losing
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.labels import (
    images_from_labels,
    labels_of_image,
    labels_without_pool,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.planning import plan_images
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.presence import FETCH_TEXT, STAGE_TEXT
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.report import describe_images, describe_use
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.state import ImageHave, User
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.targets import find_fresh
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.spec import FIELDS, Image
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.versions import (
    Version,
    merge_images,
    newest_of,
    older_of,
    versions_of,
    with_versions,
)

CLUSTER = Row(new_id("cluster"), "cluster", "mtl-1")
NODES = tuple(Row(new_id("node"), "node", f"node{n}", CLUSTER.id, {}) for n in (1, 2))


def pool(name: str, *, shared: bool = False) -> Row:
    attributes = {"type": "directory", "path": f"/srv/{name}", "shared": shared, "deleting": False}
    return Row(new_id("pool"), "pool", name, CLUSTER.id, attributes)


LOCAL, SHARED = pool("local"), pool("shared", shared=True)
SHA256, OTHER = "a" * 64, "b" * 64
ATTRIBUTES: dict[str, Any] = {
    "sha256": SHA256,
    "format": "qcow2",
    "description": None,
    "virtual_size": 1024**3,
    "size": 1000,
}
KEYS = sorted([f"{LOCAL.id}/{NODES[0].id}", f"{LOCAL.id}/{NODES[1].id}", f"{SHARED.id}/"])
IMAGE = Row(new_id("image"), "image", "tiny", CLUSTER.id, {**ATTRIBUTES, "copies": KEYS})
VOLUME = image_volume(IMAGE.id, "qcow2")
WANT = Image(name="tiny", source="/srv/tiny.qcow2", sha256=SHA256)
BY_URL = replace(WANT, source="https://images.example.com/tiny.qcow2")
DOWN = Problem("10.91.0.12 port 16514 does not answer", "Check it.", "node2")


def have(*images: Row, **changes: Any) -> ImageHave:
    """All nodes have both pools; every recorded copy is there and labelled."""
    associations = tuple(
        AssociationRow(one.id, node.id, {"enabled": True}) for one in (LOCAL, SHARED) for node in NODES
    )
    volumes: dict[tuple[str, str], frozenset[str]] = {}
    labels: dict[str, dict[str, str]] = {node.name: {} for node in NODES}
    for node in NODES:
        for one in (LOCAL, SHARED):
            keys = {f"{one.id}/{node.id}", f"{one.id}/"}
            held = {
                version.volume_in(one) for row in images for version in versions_of(row) if keys & set(version.copies)
            }
            volumes[node.name, one.id] = frozenset(held)
        for row in images:
            keys = {key for version in versions_of(row) for key in version.copies}
            labels[node.name] |= labels_of_image(row, [key for key in keys if key.endswith(("/", node.id))])
    base = ImageHave(
        (CLUSTER,), NODES, (LOCAL, SHARED), images, associations, volumes, {}, labels, {}, frozenset({SHA256})
    )
    return replace(base, **changes)


def without_node2(state: ImageHave) -> ImageHave:
    return replace(
        state,
        volumes={key: names for key, names in state.volumes.items() if key[0] != "node2"},
        labels={name: labels for name, labels in state.labels.items() if name != "node2"},
        down={"node2": DOWN},
    )


def summary(plan: Plan) -> list[tuple[str, str | None, list[str]]]:
    return [
        (
            stage,
            work.node,
            [
                f"{step.act} {step.data['pool']}" if step.act in ("upload", "delete") else step.act
                for step in work.steps
            ],
        )
        for stage, works in (("first", plan.first), ("works", plan.works), ("last", plan.last))
        for work in works
        if work.steps
    ]


def what(problems: Iterable[Problem]) -> str:
    return "\n".join(str(problem) for problem in problems)


def test_a_new_image_goes_to_every_node_and_once_where_shared() -> None:
    assert summary(plan_images([WANT], have())) == [
        ("first", None, ["register"]),
        ("works", "node1", ["upload local", "upload shared"]),
        ("works", "node2", ["upload local"]),
        ("last", "node1", ["label"]),
        ("last", "node2", ["label"]),
    ]


def test_a_converged_image_needs_nothing() -> None:
    for want in (
        WANT,
        BY_URL,
        replace(WANT, source=None),
        replace(WANT, sha256=None),
        replace(WANT, pools=("local", "shared")),
    ):
        assert plan_images([want], have(IMAGE)).is_empty
    assert plan_images([WANT], have(IMAGE, cached=frozenset())).is_empty


@pytest.mark.parametrize(("want", "act"), [(WANT, "stage"), (BY_URL, "fetch")])
def test_its_file_is_had_first(want: Image, act: str) -> None:
    plan = plan_images([want], have(cached=frozenset()))
    assert [step.act for step in plan.first[0].steps] == [act, "register"]
    assert (plan.first[0].steps[0].text == STAGE_TEXT) is (act == "stage")


@pytest.mark.parametrize(
    ("copies", "volumes", "before"),
    [
        (KEYS, frozenset(), "missing"),
        ([key for key in KEYS if key != f"{LOCAL.id}/{NODES[1].id}"], frozenset({VOLUME}), "not complete"),
        ([key for key in KEYS if key != f"{LOCAL.id}/{NODES[1].id}"], frozenset(), None),
    ],
    ids=["deleted by hand", "killed while copying", "never copied"],
)
def test_a_copy_counts_only_when_it_is_there_and_complete(
    copies: list[str], volumes: frozenset[str], before: str | None
) -> None:
    row = replace(IMAGE, attributes={**IMAGE.attributes, "copies": copies})
    state = have(row)
    state = replace(state, volumes={**state.volumes, ("node2", LOCAL.id): volumes})
    plan = plan_images([WANT], state)
    assert summary(plan)[0] == ("works", "node2", ["upload local"])
    assert [(one.field, one.before, one.after) for one in plan.works[0].changes] == [
        ("copies.local", before, "complete")
    ]


def test_a_copy_that_is_needed_again_needs_its_file_again() -> None:
    state = have(IMAGE, cached=frozenset())
    state = replace(state, volumes={**state.volumes, ("node2", LOCAL.id): frozenset()})
    assert summary(plan_images([BY_URL], state))[0] == ("first", None, ["fetch"])
    assert "its source is not given" in what(plan_images([replace(WANT, source=None)], state).refusals)


def test_a_shared_pool_is_written_through_a_node_that_has_it() -> None:
    state = have()
    volumes = {key: names for key, names in state.volumes.items() if key != ("node1", SHARED.id)}
    state = replace(state, volumes=volumes, unusable={("node1", SHARED.id): "storage pool shared is stopped there"})
    assert ("works", "node2", ["upload local", "upload shared"]) in summary(plan_images([WANT], state))


def test_a_pool_that_cannot_be_used_does_not_stop_the_others() -> None:
    state = have()
    volumes = {key: names for key, names in state.volumes.items() if key != ("node2", LOCAL.id)}
    state = replace(state, volumes=volumes, unusable={("node2", LOCAL.id): "storage pool local is stopped there"})
    plan = plan_images([WANT], state)
    assert ("works", "node1", ["upload local", "upload shared"]) in summary(plan)
    assert "node2: image tiny: storage pool local is stopped there" in what(plan.failures)


def test_a_node_that_is_down_is_named_once_for_all_images() -> None:
    other = replace(WANT, name="other", sha256=OTHER)
    plan = plan_images([WANT, other], without_node2(have(IMAGE)))
    assert [problem.node for problem in plan.failures] == ["node2"]
    assert not plan.refusals


@pytest.mark.parametrize(
    ("want", "said"),
    [
        (replace(WANT, cluster="x"), 'there is no cluster "x"'),
        (replace(WANT, pools=("locl",)), 'Did you mean "local"?'),
        (Image(name="new"), "its source is missing"),
        (Image(name="new", source="/srv/x"), "its sha256 is missing"),
        (replace(WANT, kind="iso"), "it is of kind disk, and cannot become of kind iso"),
        (replace(WANT, name="cd", kind="iso", format="qcow2"), "it is of kind iso, whose format is raw"),
        (replace(WANT, max_size=512), "its virtual size is 1 GiB, more than the 512 MiB allowed"),
    ],
)
def test_what_cannot_be_done_is_refused(want: Image, said: str) -> None:
    assert said in what(plan_images([want], have(IMAGE)).refusals)


def test_a_hostile_file_is_refused_before_anything() -> None:
    plan = plan_images([WANT], have(refused={(None, "tiny"): (Problem("it has a backing file"),)}))
    assert "backing file" in what(plan.refusals)


def test_the_description_is_changed_everywhere() -> None:
    plan = plan_images([replace(WANT, description="small")], have(IMAGE))
    assert summary(plan) == [("first", None, ["register"]), ("last", "node1", ["label"]), ("last", "node2", ["label"])]
    assert plan.first[0].steps[0].data["row"].id == IMAGE.id


def test_its_architecture_is_changed_everywhere_and_kept() -> None:
    """A call that does not name it lets it be, and so does another content."""
    plan = plan_images([replace(WANT, architecture="aarch64")], have(IMAGE))
    assert summary(plan) == [("first", None, ["register"]), ("last", "node1", ["label"]), ("last", "node2", ["label"])]
    assert [(one.field, one.before, one.after) for one in plan.first[0].changes] == [("architecture", None, "aarch64")]
    row = plan.first[0].steps[0].data["row"]
    assert (row.id, row.attributes["architecture"]) == (IMAGE.id, "aarch64")
    assert plan_images([WANT], have(row)).is_empty
    (rebuilt,) = images_from_labels(have(row).labels["node1"], cluster_id=CLUSTER.id)
    assert rebuilt.attributes["architecture"] == "aarch64"
    other = plan_images([replace(WANT, sha256=OTHER)], have(row, cached=frozenset({SHA256, OTHER})))
    assert other.first[0].steps[0].data["row"].attributes["architecture"] == "aarch64"


# Another content under the same name


@pytest.mark.parametrize("want", [replace(WANT, sha256=OTHER), replace(WANT, format="raw")])
def test_another_content_is_another_version(want: Image) -> None:
    state = have(IMAGE, cached=frozenset({SHA256, OTHER}))
    assert [version.id for version in find_losing([want], state)] == [IMAGE.id]
    expected = replace(want, kind="disk", format=want.format or "qcow2", max_size=65536)
    assert find_fresh([want], state) == [expected]
    plan = plan_images([want], state)
    first = plan.first[0].steps[0].data
    new = first["row"]
    assert new.id != IMAGE.id
    assert first["replaces"] == IMAGE.id
    assert (newest_of(new).number, newest_of(new).copies) == (2, ())
    assert [(old.id, old.number, list(old.copies)) for old in older_of(new)] == [(IMAGE.id, 1, KEYS)]
    assert ("last", "node1", ["delete local", "delete shared"]) in [
        (stage, node, sorted(steps)) for stage, node, steps in summary(plan)
    ]
    assert all(step.act != "delete" for work in plan.works for step in work.steps)
    assert not any(work.loses for work in plan.all), "a content that another displaces goes without consent"


USERS = {IMAGE.id: (User("instance", "web-1", "node2", pools=frozenset({LOCAL.id})),)}


def version(number: int, sha256: str, **changes: Any) -> Version:
    one = Version(
        id=new_id("image"),
        number=number,
        sha256=sha256,
        format="qcow2",
        virtual_size=1024**3,
        size=900,
        copies=tuple(KEYS),
    )
    return replace(one, **changes)


FIRST, SECOND = version(1, "1" * 64), version(2, "2" * 64)


def image_with(*older: Version, retention: int = 0, number: int = 3) -> Row:
    newest = replace(newest_of(IMAGE), number=number)
    row = with_versions(IMAGE, newest, older)
    return replace(row, attributes={**row.attributes, "retention": retention})


def deleted(plan: Plan) -> set[str]:
    """The identifiers of the versions of which anything is deleted."""
    return {step.data["volume"].partition(".")[0] for work in plan.all for step in work.steps if step.act == "delete"}


@pytest.mark.parametrize(
    ("older", "retention", "used", "kept"),
    [
        ((FIRST, SECOND), 0, (), set()),
        ((FIRST, SECOND), 1, (), {SECOND.id}),
        ((FIRST, SECOND), 2, (), {FIRST.id, SECOND.id}),
        ((FIRST, SECOND), 0, (FIRST,), {FIRST.id}),
        ((FIRST, SECOND), 1, (SECOND,), {FIRST.id, SECOND.id}),
        ((FIRST, SECOND), 0, (FIRST, SECOND), {FIRST.id, SECOND.id}),
    ],
)
def test_versions_stay_while_used_and_as_many_more_as_asked_for(
    older: tuple[Version, ...], retention: int, used: tuple[Version, ...], kept: set[str]
) -> None:
    users = {one.id: (User("volume", "web.root", "node1", "local", frozenset({LOCAL.id})),) for one in used}
    state = have(image_with(*older, retention=retention), users=users)
    plan = plan_images([WANT], state)
    assert not plan.refusals
    assert deleted(plan) == {one.id for one in older} - kept
    assert plan.is_empty == (len(kept) == len(older))
    assert not any(work.loses for work in plan.all)


def test_who_uses_versions_is_only_asked_when_some_may_go() -> None:
    assert find_losing([WANT], have(image_with(FIRST, SECOND, retention=2))) == []
    assert find_losing([WANT], have(image_with(FIRST, SECOND, retention=1))) == [SECOND, FIRST]
    assert len(find_losing([], have(image_with(FIRST, SECOND, retention=2)))) == 3


def test_versions_stay_while_a_node_cannot_be_asked() -> None:
    plan = plan_images([WANT], without_node2(have(image_with(FIRST))))
    assert not plan.refusals
    assert deleted(plan) == set()
    assert [problem.node for problem in plan.failures] == ["node2"]


def test_what_was_kept_on_purpose_is_lost_only_with_consent() -> None:
    state = have(image_with(FIRST, SECOND, retention=2))
    assert plan_images([WANT], state).is_empty, "not given is not managed"
    plan = plan_images([replace(WANT, retention=1)], state)
    assert deleted(plan) == {FIRST.id}
    [work] = [work for work in plan.all if work.loses]
    assert (work, work.steps[0].act) == (plan.first[0], "register")
    assert "version 1 of image tiny (SHA-256 111111111111…)" in work.loses[0]
    removal = plan_images([replace(WANT, state="absent")], state)
    assert deleted(removal) == {IMAGE.id, FIRST.id, SECOND.id}
    assert [len(work.loses) for work in removal.all if work.loses] == [2]
    more = plan_images([replace(WANT, retention=5)], state)
    assert summary(more)[0] == ("first", None, ["register"])
    assert not any(work.loses for work in more.all)


def test_going_back_to_a_version_that_is_still_there_copies_nothing() -> None:
    state = have(image_with(FIRST, SECOND, retention=2), cached=frozenset())
    want = replace(BY_URL, sha256=FIRST.sha256)
    assert find_fresh([want], state) == []
    plan = plan_images([want], state)
    [register] = plan.first[0].steps
    assert register.text == "go back to version 1"
    new = register.data["row"]
    assert (new.id, newest_of(new).number, list(newest_of(new).copies)) == (FIRST.id, 4, KEYS)
    assert [old.id for old in older_of(new)] == [IMAGE.id, SECOND.id]
    assert deleted(plan) == set()
    assert not plan.works
    assert plan_images([want], have(new)).is_empty


def test_a_kept_version_leaves_a_pool_that_is_not_listed_any_more() -> None:
    state = have(image_with(FIRST, retention=1))
    plan = plan_images([replace(WANT, pools=("local",))], state)
    assert {step.data["key"] for work in plan.last for step in work.steps if step.act == "delete"} == {f"{SHARED.id}/"}
    assert deleted(plan) == {IMAGE.id, FIRST.id}


def test_a_new_content_of_an_image_in_use_leaves_the_old_one() -> None:
    plan = plan_images([replace(WANT, sha256=OTHER)], have(IMAGE, users=USERS, cached=frozenset({OTHER})))
    assert not plan.refusals
    assert deleted(plan) == set()


def test_an_image_in_use_is_not_removed() -> None:
    want = replace(WANT, state="absent")
    for state in (
        have(IMAGE, users=USERS),
        have(image_with(FIRST), users={FIRST.id: USERS[IMAGE.id]}),
        have(IMAGE, instances=(INSTANCE,)),
    ):
        plan = plan_images([want], state)
        assert "used by instance web-1 on node2" in what(plan.refusals)


def test_nobody_knows_what_a_node_uses_that_is_down() -> None:
    plan = plan_images([replace(WANT, state="absent")], without_node2(have(IMAGE)))
    assert "nobody can tell" in what(plan.refusals)
    replaced = plan_images([replace(WANT, sha256=OTHER)], without_node2(have(IMAGE, cached=frozenset({OTHER}))))
    assert not replaced.refusals
    assert deleted(replaced) == set()


INSTANCE = Row("inst-AAAAAAAAAAAAAAAAAAAAA", "instance", "web-1", CLUSTER.id, {"image": "tiny", "node": NODES[1].id})


def test_who_uses_an_image_is_said_once() -> None:
    root = User("volume", f"web-1.{INSTANCE.id}.root.qcow2", "node2", "local", frozenset({LOCAL.id}))
    theirs = tuple(User("volume", "x.qcow2", node.name, "shared", frozenset({SHARED.id})) for node in NODES)
    row = image_with(FIRST)
    found = describe_use(row, have(row, users={FIRST.id: (root, *theirs)}, instances=(INSTANCE,)))
    assert found == {
        "unused": False,
        "used_by": [
            {"type": "instance", "name": "web-1", "node": "node2", "pool": None, "version": FIRST.id},
            {"type": "volume", "name": "x.qcow2", "node": "node1", "pool": "shared", "version": FIRST.id},
        ],
    }
    assert describe_use(row, have(row)) == {"unused": True, "used_by": []}
    assert describe_use(row, without_node2(have(row)))["unused"] is None
    copied = describe_use(row, have(row, instances=(INSTANCE,)))
    assert [one["version"] for one in copied["used_by"]] == [None], "a full copy needs no version"


def test_what_nodes_carry_of_versions_adds_up() -> None:
    """A run was killed while it wrote the labels: one node still carries the content before as the newest."""
    after = image_with(SECOND, retention=1)
    before = with_versions(IMAGE, SECOND, ())
    carried = [labels_of_image(after, [KEYS[0]]), labels_of_image(before, KEYS[1:])]
    rows = [images_from_labels(labels, cluster_id=CLUSTER.id)[0] for labels in carried]
    for order in (rows, rows[::-1]):
        [merged] = merge_images(order)
        assert (merged.id, newest_of(merged).copies) == (IMAGE.id, (KEYS[0],))
        assert [(old.id, list(old.copies)) for old in older_of(merged)] == [(SECOND.id, KEYS)]
        assert merged.attributes["retention"] == 1
        assert merged.attributes["pools"] == sorted({key.partition("/")[0] for key in KEYS})


# Signatures and mirrors

KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n=AAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"
SIGNED = replace(BY_URL, signature="https://images.example.com/tiny.qcow2.sig", signing_key=KEY)


def signed(row: Row, key: str = KEY) -> Row:
    proof = {"signed_by": "F" * 40, "signing_key": hashlib.sha256(key.encode()).hexdigest()}
    return replace(row, attributes={**row.attributes, **proof})


def first_acts(plan: Plan) -> list[str]:
    return [step.act for work in plan.first for step in work.steps]


def test_a_signature_is_verified_before_anything_is_registered() -> None:
    plan = plan_images([SIGNED], have(cached=frozenset()))
    assert first_acts(plan) == ["fetch", "verify", "register"]
    proof = plan.first[0].steps[1].data["proof"]
    assert (proof.signature, proof.key, proof.checksums) == (SIGNED.signature, KEY, None)


@pytest.mark.parametrize(
    ("row", "acts"),
    [
        (IMAGE, ["fetch", "verify", "register"]),
        (signed(IMAGE), []),
        (signed(IMAGE, "another key"), ["fetch", "verify", "register"]),
    ],
    ids=["never verified", "verified", "another key"],
)
def test_a_content_is_verified_once_with_a_key(row: Row, acts: list[str]) -> None:
    plan = plan_images([SIGNED], have(row, cached=frozenset()))
    assert first_acts(plan) == acts
    assert not plan.works, "the copies are as they were"
    assert plan_images([BY_URL], have(row)).is_empty, "a key that is not declared any more takes nothing away"


def test_going_back_to_what_was_never_verified_verifies_it() -> None:
    row = signed(image_with(FIRST, retention=1))
    assert first_acts(plan_images([replace(SIGNED, sha256=FIRST.sha256)], have(row))) == ["fetch", "verify", "register"]
    back = replace(FIRST, signing_key=signed(IMAGE).attributes["signing_key"])
    row = image_with(back, retention=1)
    assert first_acts(plan_images([replace(SIGNED, sha256=FIRST.sha256)], have(row))) == ["register"]


def test_what_was_verified_is_carried_by_the_nodes() -> None:
    row = signed(IMAGE)
    [rebuilt] = images_from_labels(have(row).labels["node1"], cluster_id=CLUSTER.id)
    assert newest_of(rebuilt).signed_by == "F" * 40
    assert describe_images([(None, "tiny")], have(row))[0]["signed_by"] == "F" * 40


def test_mirrors_come_before_the_source() -> None:
    want = replace(BY_URL, source="https://images.example.com/a/tiny%20x.qcow2?token=1")
    want = replace(want, mirrors=("/srv/mirror", "http://192.0.2.7/images/", "https://mirror.example.com"))
    plan = plan_images([want], have(cached=frozenset()))
    assert plan.first[0].steps[0].text == FETCH_TEXT
    assert plan.first[0].steps[0].data["urls"] == (
        "http://192.0.2.7/images/tiny%20x.qcow2",
        "https://mirror.example.com/tiny%20x.qcow2",
        want.source,
    )


# Leaving


def test_a_copy_leaves_a_pool_that_is_not_listed_any_more() -> None:
    plan = plan_images([replace(WANT, pools=("local",))], have(IMAGE, users={}))
    assert summary(plan) == [
        ("first", None, ["register"]),
        ("last", "node1", ["delete shared"]),
        ("last", "node1", ["label"]),
        ("last", "node2", ["label"]),
    ]


@pytest.mark.parametrize(
    ("pools", "kept"),
    [
        (("shared",), "image tiny: its copy in pool local on node2 stays while it is used by instance web-1 on node2"),
        (("local",), None),
    ],
)
def test_a_copy_in_use_stays_in_a_pool_that_is_not_listed_any_more(pools: tuple[str, ...], kept: str | None) -> None:
    """An instance that is no longer declared still runs, and must not stop the rest of the cloud."""
    plan = plan_images([replace(WANT, pools=pools)], have(IMAGE, users=USERS))
    assert not plan.refusals
    assert list(plan.warnings) == ([kept] if kept else [])
    deleted = [step.data["key"] for work in plan.last for step in work.steps if step.act == "delete"]
    assert deleted == ([f"{LOCAL.id}/{NODES[0].id}"] if kept else [f"{SHARED.id}/"])


def test_a_copy_stays_while_nobody_can_tell_whether_it_is_used() -> None:
    plan = plan_images([replace(WANT, pools=("shared",))], without_node2(have(IMAGE)))
    deleted = [step.data["key"] for work in plan.last for step in work.steps if step.act == "delete"]
    assert deleted == [f"{LOCAL.id}/{NODES[0].id}"]
    assert [problem.node for problem in plan.failures] == ["node2"]


def test_a_copy_whose_pool_has_left_its_node_is_forgotten() -> None:
    state = have(IMAGE)
    state = replace(state, associations=tuple(one for one in state.associations if one.node != NODES[1].id))
    plan = plan_images([WANT], state)
    assert plan.first[0].steps[0].data["gone"] == [f"{LOCAL.id}/{NODES[1].id}"]
    assert not plan.works


def test_an_image_registered_before_there_were_versions_needs_nothing() -> None:
    plan = plan_images([WANT], have(IMAGE))
    assert plan.is_empty, "rows and labels without number and retention are as good"


def test_removal_deletes_every_copy_before_it_lets_go_of_the_name() -> None:
    plan = plan_images([replace(WANT, state="absent")], have(IMAGE))
    found = summary(plan)
    assert found[-1] == ("last", None, ["deregister"])
    assert {(stage, node, tuple(sorted(steps))) for stage, node, steps in found[:-1]} == {
        ("works", "node1", ("delete local", "delete shared")),
        ("works", "node2", ("delete local",)),
        ("works", "node1", ("label",)),
        ("works", "node2", ("label",)),
    }
    assert plan_images([replace(WANT, state="absent")], have()).is_empty


# Labels and results


def test_an_iso_is_raw_and_stays_one() -> None:
    state = have()
    plan = plan_images([Image(name="cd", kind="iso", source="/srv/cd.iso", sha256=SHA256)], state)
    [row] = [step.data["row"] for work in plan.first for step in work.steps if step.act == "register"]
    assert (row.attributes["kind"], row.attributes["format"]) == ("iso", "raw")
    done = replace(row, attributes={**row.attributes, "virtual_size": 2048, "copies": KEYS})
    for want in (Image(name="cd"), Image(name="cd", kind="iso")):
        assert summary(plan_images([want], have(done))) == []
    assert describe_images(None, have(done))[0]["kind"] == "iso"
    assert describe_images(None, have(IMAGE))[0]["kind"] == "disk"
    labels = labels_of_image(done, KEYS)
    assert images_from_labels(labels, cluster_id=CLUSTER.id)[0].attributes["kind"] == "iso"


def test_images_are_rebuilt_from_labels() -> None:
    state = have(IMAGE)
    rows = [images_from_labels(state.labels[node.name], cluster_id=CLUSTER.id)[0] for node in NODES]
    assert {key for row in rows for key in row.attributes["copies"]} == set(KEYS)
    merged = replace(rows[0], attributes={**rows[0].attributes, "copies": KEYS})
    assert plan_images([WANT], have(merged)).is_empty


@pytest.mark.parametrize(
    "text",
    ["not json", "[]", "{}", "3", json.dumps({"id": "img-../../x"}), json.dumps({"id": IMAGE.id, "sha256": SHA256})],
)
def test_labels_of_others_are_passed_over(text: str) -> None:
    labels = {"pextra-image/x": text, "other": "x"}
    assert images_from_labels(labels, cluster_id=CLUSTER.id) == []
    assert labels_without_pool(labels, LOCAL.id) == {}


def test_labels_forget_a_pool_that_leaves() -> None:
    labels = have(IMAGE).labels["node1"]
    [(key, text)] = labels_without_pool(labels, LOCAL.id).items()
    assert text is not None
    assert json.loads(text)["copies"] == [f"{SHARED.id}/"]
    assert labels_without_pool({key: text}, SHARED.id) == {key: None}
    assert labels_without_pool(labels, new_id("pool")) == {}


def test_results_say_where_it_is() -> None:
    state = have(IMAGE)
    state = replace(state, volumes={**state.volumes, ("node2", LOCAL.id): frozenset()})
    [found] = describe_images([(None, "tiny")], state)
    assert [(one["pool"], one["node"], one["status"]) for one in found["copies"]] == [
        ("local", "node1", "complete"),
        ("local", "node2", "missing"),
        ("shared", None, "complete"),
    ]
    assert describe_images([(None, "none")], state) == []
    statuses = {one["status"] for one in describe_images(None, without_node2(have(IMAGE)))[0]["copies"]}
    assert statuses == {"complete", "unknown"}


@pytest.mark.parametrize(
    "source",
    [
        "../secret.img",
        "images/../../secret.img",
        "-rf",
        "file:///etc/passwd",
        "file:/etc/passwd",
        "ftp://images.example.com/x",
        "http://localhost/x",
        "http://127.0.0.1/x",
        "http://127.1/x",
        "http://2130706433/x",
        "http://[::1]/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://0x7f.1/x",
        "http://[::1/x",
        "http://images.example.com:99999/x",
        "ftp://user:secret@images.example.com/x",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/x",
        "http://0.0.0.0/x",
        "https://user:secret@images.example.com/x",
        "https:///x",
        "a\nb",
        "",
    ],
)
def test_hostile_sources_are_refused_without_leaking(source: str) -> None:
    _, mistakes = parse_spec(FIELDS, Image, {"name": "tiny", "source": source, "sha256": SHA256}, "images[0]")
    assert [mistake.path for mistake in mistakes] == ["images[0].source"]
    assert "secret@" not in str(mistakes[0])
