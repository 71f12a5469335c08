# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the instance planner plans, refuses and fails, case by case."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import mac_of, new_id, uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Change, Plan
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.cloud_init import digest_of, render_seed
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition import Disk, parse_domain
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_writing import edit_domain
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.doubts import find_doubtful_pools
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import (
    CloudInit,
    Nic,
    Root,
    User,
    Volume,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.planning import plan_vms
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.state import Consent
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm, complete_new
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.attached import Attachment, render_attachment
from instance_model import (
    CLUSTER,
    COPIES,
    HUGE,
    NODES,
    OTHER_ORGANIZATION,
    ROOT_ORGANIZATION,
    TINY,
    Guest,
    Model,
    acts,
    step_of,
    whole,
)
from instance_model import LOCAL as LOCAL_ROW
from instance_model import SHARED as SHARED_ROW

WEB = whole(name="web", image="tiny", root=Root(pool="shared"), nics=(Nic(port_group="Production"),))
LOCAL = replace(WEB, root=Root(pool="local", size=1024), volumes=(Volume(name="data", pool="local", size=64),))
BARE = whole(name="bare")
DOWN = Problem("does not answer", "Check it.", "node2")


@pytest.fixture
def model() -> Model:
    return Model.fresh()


def fields(plan: Plan) -> dict[str, tuple[Any, Any, str]]:
    """Return the changes of a plan with one work."""
    (work,) = plan.all
    return {change.field: (change.before, change.after, change.when) for change in work.changes}


def refusal(model: Model, want: Vm, **consent: bool) -> str:
    """Return the only refusal."""
    plan = model.plan(want, **consent)
    assert plan.all == ()
    assert plan.failures == ()
    (problem,) = plan.refusals
    assert problem.resource == f"instance {want.name}"
    return problem.what


def failure(model: Model, want: Vm, **consent: bool) -> Problem:
    """Return the only failure."""
    plan = model.plan(want, **consent)
    assert plan.all == ()
    assert plan.refusals == ()
    (problem,) = plan.failures
    assert problem.resource == f"instance {want.name}"
    return problem


def made(model: Model, want: Vm, **consent: bool) -> Guest:
    model.converge(want, **consent)
    return model.guest(want.name)[1]


# Creation


def test_creation(model: Model) -> None:
    plan = model.converge(replace(LOCAL, node="node2", description="Front", tags=("a", "b"), anti_affinity="web"))
    assert acts(plan) == [
        *("register", "create_volume", "create_volume", "write_seed", "define", "autostart", "start", "settle")
    ]
    (work,) = plan.works
    assert (work.kind, work.name, work.node, work.pending, work.loses) == ("instance", "web", "node2", (), ())
    assert [(change.field, change.before, change.after) for change in work.changes] == [
        ("node", None, "node2"),
        ("architecture", None, "x86_64"),
        ("description", None, "Front"),
        ("memory", None, 512),
        ("vcpus", None, 1),
        ("root.size", None, 1024),
        ("volumes.data.size", None, 64),
        ("nics.nic0.port_group", None, "Production"),
        ("power", None, "running"),
    ]
    node, guest = model.guest("web")
    assert (node, guest.power, guest.autostart) == ("node2", "running", True)
    config = guest.config
    assert config.uuid == uuid_of(config.labels.id)
    assert [interface.mac for interface in config.interfaces] == [mac_of(config.labels.id, "0")]
    assert [(disk.target, disk.serial) for disk in config.disks] == [("vda", "root"), ("vdb", "data"), ("vdz", "seed")]
    (row,) = model.rows.values()
    assert row == Row(
        config.labels.id,
        "instance",
        "web",
        CLUSTER.id,
        {
            "node": NODES[1].id,
            "organization": ROOT_ORGANIZATION.id,
            "anti_affinity": "web",
            "memory": 512,
            "image": "tiny",
        },
    )


def test_creation_without_anything(model: Model) -> None:
    plan = model.converge(replace(BARE, power="stopped", autostart=False))
    assert acts(plan) == ["register", "define"]
    guest = model.guest("bare")[1]
    assert (guest.config.disks, guest.config.interfaces, guest.config.labels.seed) == ((), (), None)


@pytest.mark.parametrize(
    ("power", "steps", "row_power"),
    [
        (None, ["start", "settle"], "running"),
        ("running", ["start", "settle"], "running"),
        ("paused", ["start", "settle"], "paused"),
        ("stopped", [], None),
    ],
)
def test_power_of_a_new_instance(model: Model, power: str | None, steps: list[str], row_power: str | None) -> None:
    plan = model.converge(replace(BARE, power=power))
    assert acts(plan) == ["register", "define", "autostart", *steps]
    assert step_of(plan, "register").data["row"].attributes.get("power") == row_power
    assert "power" not in next(iter(model.rows.values())).attributes
    assert model.guest("bare")[1].power == (power or "running")


def test_root_volume(model: Model) -> None:
    """As large as the image, or as said; empty without an image; a copy or an overlay of the image."""
    for want, mode, size in (
        (replace(WEB, name="a", root=Root(pool="shared")), "overlay", 64),
        (replace(WEB, name="b", root=Root(pool="shared", size=100, mode="copy")), "copy", 100),
        (replace(WEB, name="c", image="huge", root=Root(pool="local")), "overlay", 2048),
        (replace(WEB, name="d", image=None, root=Root(pool="local", size=7)), "empty", 7),
    ):
        data = step_of(model.converge(want), "create_volume").data
        assert (data["mode"], data["size"], data["pool"]) == (mode, size, want.root and want.root.pool)
    seeds = [name for name in model.volumes("node1", "shared") if ".seed-" in name]
    assert sorted(name.split(".")[0] for name in seeds) == ["a", "b"]


def test_references_may_be_identifiers(model: Model) -> None:
    ids = {row.name: row.id for row in (*model.members, CLUSTER, ROOT_ORGANIZATION)}
    model.converge(WEB)
    want = replace(
        WEB,
        cluster=ids["mtl-1"],
        organization=ids["acme"],
        node=ids["node1"],
        image=ids["tiny"],
        root=Root(pool=ids["shared"]),
        nics=(Nic(port_group=ids["Production"]),),
    )
    assert model.plan(want).is_empty


def test_macs_are_canonical(model: Model) -> None:
    model.converge(replace(BARE, nics=(Nic(port_group="DMZ", mac="52-54-00-AB-CD-EF"),)))
    assert model.guest("bare")[1].config.interfaces[0].mac == "52:54:00:ab:cd:ef"
    assert model.plan(replace(BARE, nics=(Nic(port_group="DMZ", mac="52:54:0:ab:cd:ef"),))).is_empty
    for spelling in ("52:54:00:ab:cd:ef", "5254.00AB.CDEF"):
        assert model.plan(replace(BARE, nics=(Nic(port_group="DMZ", mac=spelling),))).is_empty


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cluster": "xyz"}, 'there is no cluster "xyz"'),
        ({"organization": "xyz"}, 'there is no organization "xyz"'),
        ({"node": "xyz"}, 'there is no node "xyz" in cluster mtl-1'),
        ({"image": "xyz"}, 'there is no image "xyz"'),
        ({"root": Root(pool="xyz")}, 'there is no storage pool "xyz"'),
        ({"volumes": (Volume(name="data", pool="xyz", size=1),)}, 'there is no storage pool "xyz"'),
        ({"nics": (Nic(port_group="xyz"),)}, 'there is no port group "xyz"'),
    ],
)
@pytest.mark.parametrize("is_there", [False, True])
def test_refused_declarations(model: Model, change: dict[str, Any], message: str, is_there: bool) -> None:
    if is_there:
        model.converge(WEB)
    assert refusal(model, replace(WEB, **change), force_stop=True) == message


def test_there_are_only_so_many_names_of_devices(model: Model) -> None:
    want = replace(WEB, volumes=tuple(Volume(name=f"data{n}", pool="local", size=1) for n in range(25)))
    assert refusal(model, want) == "volumes: are 25; an instance can have 24 of them"
    model.converge(WEB)
    assert refusal(model, want) == "there is no device name left for volume data24: vdb to vdy are in use"


def test_a_new_root_volume_needs_a_size_or_an_image(model: Model) -> None:
    assert refusal(model, replace(WEB, image=None)) == (
        "root.size: is missing; without an image the root volume needs a size"
    )
    model.converge(WEB)
    assert model.plan(replace(WEB, image=None)).is_empty


def test_a_root_volume_smaller_than_the_image(model: Model) -> None:
    assert refusal(model, replace(WEB, root=Root(pool="shared", size=63))) == (
        "its root volume of 63 MiB is smaller than image tiny of 64 MiB"
    )


def test_remedies_name_what_there_is(model: Model) -> None:
    for change, remedy in (
        ({"image": "x"}, "There are the images files, huge, tiny."),
        ({"root": Root(pool="x")}, "There are the storage pools ceph, local, san, shared, tank, vg0."),
        ({"nics": (Nic(port_group="x"),)}, "There are the port groups Backup, DMZ, Production."),
    ):
        (problem,) = model.plan(replace(WEB, **change)).refusals
        assert problem.remedy == remedy
    model.members = [row for row in model.members if row.kind != "image"]
    (problem,) = model.plan(WEB).refusals
    assert problem.remedy == "There are no images yet."


def test_several_clusters(model: Model) -> None:
    have = model.have
    other = Row(new_id("cluster"), "cluster", "mtl-2")
    for clusters, message in (
        ((), "there is no cluster yet; run the cluster stage of site.yml first"),
        ((CLUSTER, other), "there are several clusters; say which with cluster: mtl-1 or mtl-2"),
    ):
        plan = plan_vms([WEB], replace(have, hierarchy=replace(have.hierarchy, clusters=clusters)), Consent())
        assert [problem.what for problem in plan.refusals] == [message]
    several = replace(have, hierarchy=replace(have.hierarchy, clusters=(CLUSTER, other)))
    plan = plan_vms([replace(BARE, cluster="mtl-1"), replace(BARE, cluster="mtl-2")], several, Consent())
    assert [work.node for work in plan.works] == ["node1"]
    assert [problem.what for problem in plan.refusals] == ["no node can take it (the cluster has none)"]
    nobodys = replace(have, hierarchy=replace(have.hierarchy, organizations=()))
    plan = plan_vms([BARE], nobodys, Consent())
    assert [problem.what for problem in plan.refusals] == ["there is no organization yet"]


def test_the_same_instance_twice(model: Model) -> None:
    plan = model.plan(BARE, replace(BARE, cluster=CLUSTER.id))
    assert [problem.what for problem in plan.refusals] == ["it is given twice for cluster mtl-1"]


# Placement


def test_placed_where_most_memory_is_free(model: Model) -> None:
    model.nodes["node2"].memory = 9000
    model.converge(BARE)
    assert model.guest("bare")[0] == "node2"


def test_many_spread(model: Model) -> None:
    model.converge(*(whole(name=f"web-{n}", power="stopped") for n in range(6)))
    assert [len(node.guests) for node in model.nodes.values()] == [2, 2, 2]


def test_pinned(model: Model) -> None:
    model.nodes["node1"].memory = 90000
    model.converge(replace(BARE, node="node3"))
    assert model.guest("bare")[0] == "node3"


def test_pinned_to_a_node_without_room(model: Model) -> None:
    """Saying where does not make room there; what is to stay stopped needs none."""
    model.converge(replace(BARE, node="node3", memory=6000))
    there = replace(BARE, name="second", node="node3", memory=6000)
    assert refusal(model, there) == "node3 cannot take it: it has 2192 MiB of memory free, 6000 needed"
    model.converge(replace(there, power="stopped"))


def test_pinned_ones_are_placed_first(model: Model) -> None:
    """Others go around them, though they come first in the list; the order of the list is kept."""
    wants = [
        *(whole(name=f"web-{n}", anti_affinity="web") for n in (1, 2)),
        whole(name="web-3", anti_affinity="web", node="node1"),
    ]
    plan = model.converge(*wants)
    assert [(work.name, work.node) for work in plan.works] == [
        ("web-1", "node2"),
        ("web-2", "node3"),
        ("web-3", "node1"),
    ]


def test_placed_where_everything_is(model: Model) -> None:
    del model.nodes["node1"].pools["local"]
    model.nodes["node2"].networks.remove("svswitch1")
    del model.nodes["node3"].pools["local"]["img-AAAAAAAAAAAAAAAAAAAAA.qcow2"]
    assert refusal(model, LOCAL) == (
        "no node can take it ("
        "node1: storage pool local is not available there, "
        "node2: port group Production needs svswitch1, which is not there, "
        "node3: image tiny has no copy in storage pool local there)"
    )
    model.nodes["node2"].networks.add("svswitch1")
    model.converge(LOCAL)
    assert model.guest("web")[0] == "node2"


def test_nowhere(model: Model) -> None:
    model.down["node3"] = replace(DOWN, node="node3")
    model.nodes["node1"].memory = 100
    model.converge(replace(BARE, anti_affinity="web", node="node2"))
    want = whole(name="other", anti_affinity="web")
    assert refusal(model, want) == (
        "no node can take it (node1: 100 MiB of memory free, 512 needed, "
        "node2: holds another instance of anti-affinity web, node3: does not answer)"
    )


def test_stopped_instances_take_no_memory(model: Model) -> None:
    for node in model.nodes.values():
        node.memory = 100
    plan = model.plan(replace(BARE, power="stopped"))
    assert [work.node for work in plan.works] == ["node1"]
    assert refusal(model, BARE).startswith("no node can take it (node1: 100 MiB of memory free, 512 needed")


def test_anti_affinity(model: Model) -> None:
    wants = [whole(name=f"web-{n}", anti_affinity="web") for n in range(3)]
    model.converge(*wants)
    assert sorted(model.guest(want.name)[0] for want in wants) == ["node1", "node2", "node3"]
    assert refusal(model, whole(name="web-4", anti_affinity="web")).startswith(
        "no node can take it (node1: holds another instance of anti-affinity web"
    )
    assert refusal(model, whole(name="web-4", anti_affinity="web", node="node1")) == (
        "node1 cannot take it: it holds another instance of anti-affinity web"
    )


def test_reservations_of_another_run_count(model: Model) -> None:
    """Two runs at once: what the other has registered and not yet defined takes its place already."""
    model.nodes["node1"].memory = 9000
    other = {"node": NODES[0].id, "memory": 8900, "anti_affinity": "web", "power": "running"}
    model.rows["inst-1"] = Row("inst-1", "instance", "other", CLUSTER.id, other)
    (work,) = model.plan(whole(name="web-1", anti_affinity="web")).works
    assert work.node == "node2"
    (work,) = model.plan(replace(BARE, memory=1024)).works
    assert work.node == "node2"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("pool", "it cannot be there: storage pool local is not available there"),
        ("network", "it cannot be there: port group Production needs svswitch1, which is not there"),
        ("image", "it cannot be there: image tiny has no copy in storage pool local there"),
        ("half", "it cannot be there: the copy of image tiny in storage pool local there is not complete"),
    ],
)
def test_pinned_where_something_is_missing(model: Model, damage: str, message: str) -> None:
    """A node's trouble is a failure: the other instances go on."""
    if damage == "pool":
        del model.nodes["node2"].pools["local"]
    elif damage == "network":
        model.nodes["node2"].networks.clear()
    elif damage == "half":
        only_node1 = replace(TINY, attributes={**TINY.attributes, "copies": [f"{LOCAL_ROW.id}/{NODES[0].id}"]})
        model.members = [only_node1 if row == TINY else row for row in model.members]
    else:
        del model.nodes["node2"].pools["local"][next(iter(COPIES))]
    problem = failure(model, replace(LOCAL, node="node2"))
    assert (problem.what, problem.node) == (message, "node2")


def test_foreign_machines_are_never_touched(model: Model) -> None:
    model.nodes["node2"].foreign.add("web")
    assert refusal(model, WEB) == "node2 runs a virtual machine of this name that is not ours"
    plan = model.plan(replace(WEB, state="absent"))
    assert plan.is_empty
    assert plan.refusals == ()


def test_a_foreign_machine_on_a_node_of_another_cluster_takes_no_name(model: Model) -> None:
    have = replace(model.have, foreign={**model.have.foreign, "far": frozenset({"web"})})
    assert plan_vms([WEB], have, Consent()).refusals == ()


def test_an_address_is_one_guests_in_its_network(model: Model) -> None:
    nic = Nic(port_group="Production", addresses=("192.0.2.7/24", "192.0.2.100/32"))
    web = replace(WEB, nics=(nic,))
    model.converge(web)
    twin = replace(WEB, name="db", nics=(replace(nic, port_group="DMZ", addresses=("192.0.2.7/25",)),))
    assert "the address 192.0.2.7 is that of instance web, in the same network" in refusal(model, twin)
    # Neither on another vSwitch, nor one that stands alone and goes from guest to guest.
    model.converge(replace(WEB, name="backup", nics=(replace(nic, port_group="Backup"),)))
    model.converge(replace(WEB, name="twin", nics=(replace(nic, addresses=("192.0.2.100/32",)),)))
    moved = replace(WEB, name="backup", nics=(replace(nic, port_group="DMZ"),))
    assert "the address 192.0.2.7 is that of instance web" in refusal(model, moved), "it goes to another network"
    # Who has it already is not asked, and one call may hand it over.
    assert model.plan(web).is_empty
    freed = complete_new(replace(web, nics=(replace(nic, addresses=("192.0.2.8/24",)),)))
    assert plan_vms([twin, freed], model.have, Consent()).refusals == ()


def test_an_instance_has_no_more_vcpus_than_its_node_has_threads(model: Model) -> None:
    for node in model.nodes.values():
        node.threads = 2
    model.nodes["node2"].threads = 4
    model.converge(replace(WEB, vcpus=4))
    assert model.guest("web")[0] == "node2"
    problem = "it has 2 threads, and 4 virtual CPUs are too many for it"
    assert failure(model, replace(WEB, name="db", vcpus=4, node="node1")).what == f"it cannot be there: {problem}"
    assert refusal(model, replace(WEB, name="db", vcpus=5)).count("too many for it") == 3
    assert refusal(model, replace(WEB, node="node1", vcpus=4)).endswith(f"to node1: {problem}")
    assert failure(model, replace(WEB, vcpus=5)).what.endswith("5 virtual CPUs are too many for it")


def test_what_has_more_vcpus_already_is_left_as_it_is(model: Model) -> None:
    model.converge(replace(WEB, vcpus=4))
    for node in model.nodes.values():
        node.threads = 2
    assert model.plan(replace(WEB, vcpus=4)).is_empty
    model.converge(replace(WEB, vcpus=3))


def test_a_foreign_machine_elsewhere_does_not_disturb_an_instance(model: Model) -> None:
    model.converge(WEB)
    model.nodes["node2"].foreign.add("web")
    assert model.plan(WEB).is_empty


# What was there before: killed runs, and hands


def test_a_killed_runs_choice_stands(model: Model) -> None:
    plan = model.plan(WEB)
    model.apply(plan, parts=1)
    model.nodes["node3"].memory = 90000
    model.converge(WEB)
    assert model.guest("web")[0] == plan.works[0].node == "node1"
    assert len(model.rows) == 1


def test_another_node_is_chosen_for_what_a_killed_run_only_registered(model: Model) -> None:
    model.apply(model.plan(WEB), parts=1)
    model.converge(replace(WEB, node="node2"))
    assert model.guest("web")[0] == "node2"


def test_what_a_killed_run_made_elsewhere_holds_it_there(model: Model) -> None:
    model.apply(model.plan(LOCAL), parts=3)
    assert refusal(model, replace(LOCAL, node="node2")) == (
        "node2 cannot take it: its volumes are on node1, in storage pool local"
    )


def test_undefined_by_hand(model: Model) -> None:
    """It is defined again where it was, with the volumes that are still there."""
    before = made(model, LOCAL)
    model.nodes["node1"].guests.clear()
    model.nodes["node2"].memory = 90000
    contents = {name: volume.content for name, volume in model.volumes("node1", "local").items()}
    plan = model.converge(LOCAL)
    assert "create_volume" not in acts(plan)
    node, guest = model.guest("web")
    assert (node, guest.config, guest.power) == ("node1", before.config, "running")
    assert {name: volume.content for name, volume in model.volumes("node1", "local").items()} == contents


def test_undefined_by_hand_and_grown_since(model: Model) -> None:
    model.converge(LOCAL)
    model.nodes["node1"].guests.clear()
    model.converge(replace(LOCAL, volumes=(Volume(name="data", pool="local", size=128),)))
    sizes = [volume.size for name, volume in model.volumes("node1", "local").items() if ".data." in name]
    assert sizes == [128]


def test_undefined_by_hand_while_it_runs(model: Model) -> None:
    guest = made(model, WEB)
    guest.persistent = False
    plan = model.converge(WEB)
    assert acts(plan) == ["define"]
    assert model.guest("web")[1].persistent


def test_a_missing_volume_is_never_made_again(model: Model) -> None:
    model.converge(replace(LOCAL, power="stopped"))
    pool = model.nodes["node1"].pools["local"]
    gone = next(name for name in pool if ".data." in name)
    del pool[gone]
    problem = failure(model, LOCAL)
    assert problem.what == f"its volume data (/srv/local/{gone}) is not in storage pool local"
    assert problem.remedy.startswith("Look there first: findmnt -T /srv/local: is the file system mounted")
    assert problem.node == "node1"
    assert not model.plan(replace(LOCAL, state="absent"), remove_volumes=True).failures


def test_a_guest_that_still_has_a_deleted_file_is_not_to_be_stopped(model: Model) -> None:
    """While it runs, its volume can still be saved."""
    model.converge(LOCAL)
    pool = model.nodes["node1"].pools["local"]
    del pool[next(name for name in pool if ".data." in name)]
    assert failure(model, LOCAL).remedy.startswith("Do not stop instance web: running, it may still have")


# What libvirt says of a pool may be old


def doubtful(model: Model, *wants: Vm) -> dict[str, set[str]]:
    return {node: set(pools) for node, pools in find_doubtful_pools(wants, model.have).items()}


def test_a_list_that_decides_nothing_is_not_read_again(model: Model) -> None:
    assert doubtful(model, LOCAL) == {}
    model.converge(LOCAL, replace(WEB, name="other"))
    assert doubtful(model, LOCAL, replace(WEB, name="other")) == {}


def test_a_list_is_read_again_before_a_volume_counts_as_missing(model: Model) -> None:
    model.converge(LOCAL)
    pool = model.nodes["node1"].pools["local"]
    del pool[next(name for name in pool if ".data." in name)]
    assert doubtful(model, LOCAL) == {"node1": {"local"}}
    assert doubtful(model, replace(LOCAL, state="absent")) == {"node1": {"local"}}


def test_a_list_is_read_again_before_a_volume_is_made_that_may_be_there(model: Model) -> None:
    model.converge(LOCAL)
    more = replace(LOCAL, volumes=(*LOCAL.volumes, Volume(name="more", pool="local", size=64)))
    assert doubtful(model, more)["node1"] >= {"local", "shared"}
    model.nodes["node1"].guests.clear()
    assert doubtful(model, LOCAL)["node1"] >= {"local", "shared"}


def test_a_pool_that_is_off_does_not_hide_the_instance(model: Model) -> None:
    """Then nobody knows what is in it; the pool's own stage mends it."""
    model.converge(LOCAL)
    del model.nodes["node1"].pools["local"]
    assert model.plan(LOCAL).is_empty


def test_a_lost_seed_is_written_again(model: Model) -> None:
    model.converge(replace(WEB, power="stopped"))
    pool = model.nodes["node1"].pools["shared"]
    del pool[next(name for name in pool if name.endswith(".iso"))]
    assert acts(model.converge(replace(WEB, power="stopped"))) == ["write_seed"]


def seeds(model: Model) -> list[str]:
    return [name for name in model.volumes("node1", "shared") if name.endswith(".iso")]


def test_an_old_seed_goes_when_no_guest_uses_it_any_more(model: Model) -> None:
    """A running guest keeps the one that it was started with, also over a run that was killed."""
    model.converge(WEB)
    (first,) = seeds(model)
    for hostname in ("two", "three"):
        model.converge(replace(WEB, cloud_init=CloudInit(hostname=hostname)))
    assert len(seeds(model)) == 2
    assert first in seeds(model)
    third = replace(WEB, cloud_init=CloudInit(hostname="three"))
    model.converge(replace(third, power="stopped"))
    plan = model.plan(third)
    assert "delete_volume" not in acts(plan)
    (kept,) = seeds(model)
    assert kept != first


def test_a_seed_in_the_words_of_a_version_before_is_left(model: Model) -> None:
    want = replace(WEB, nics=(replace(WEB.nics[0], addresses=("2001:db8::5/64",), gateway="2001:db8::1"),))
    guest = made(model, want)
    digest = digest_of(render_seed(complete_new(want), guest.config.labels.id, [guest.config.interfaces[0].mac]))
    older = digest_of(
        render_seed(complete_new(want), guest.config.labels.id, [guest.config.interfaces[0].mac], words=1)
    )
    assert digest in guest.xml
    guest.xml = guest.xml.replace(digest, older).replace(digest[:12], older[:12])
    guest.live = guest.config
    pool = model.nodes["node1"].pools["shared"]
    (old,) = seeds(model)
    pool[old.replace(digest[:12], older[:12])] = pool.pop(old)
    assert model.plan(want).is_empty


def test_a_lost_row_is_registered_again(model: Model) -> None:
    guest = made(model, WEB)
    model.rows.clear()
    plan = model.converge(WEB)
    assert acts(plan) == ["register"]
    assert fields(plan) == {"registered": ("no", "yes", "live")}
    assert list(model.rows) == [guest.config.labels.id]


def test_moved_by_hand(model: Model) -> None:
    guest = made(model, WEB)
    model.nodes["node2"].guests, model.nodes["node1"].guests = model.nodes["node1"].guests, {}
    model.converge(WEB)
    assert model.guest("web")[0] == "node2"
    assert model.rows[guest.config.labels.id].attributes["node"] == NODES[1].id


def test_memory_edited_by_hand(model: Model) -> None:
    """Drift of the definition is mended in the definition; the guest that runs has it right."""
    guest = made(model, WEB)
    guest.xml = edit_domain(guest.xml, replace(guest.config, memory=256))
    plan = model.converge(WEB)
    assert acts(plan) == ["define"]
    assert fields(plan) == {"memory": (256, 512, "next_boot")}
    assert plan.works[0].pending == ()


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('<currentMemory unit="MiB">512<', '<currentMemory unit="MiB">96<', "memory"),
        ('<memory unit="MiB">512<', '<memory unit="MiB">640<', "memory"),
        ("<vcpu>2<", "<vcpu current='1'>2<", "vcpus"),
        ("<serial>root<", "<serial>toor<", "disks.root"),
        ('dev="vda"', 'dev="vdk"', "disks.root"),
        ('type="raw"', 'type="qcow2"', "disks.seed"),
        ("<readonly />", "", "disks.seed"),
    ],
)
def test_other_edits_by_hand(model: Model, old: str, new: str, field: str) -> None:
    want = replace(WEB, vcpus=2)
    guest = made(model, want)
    assert old in guest.xml
    xml, guest.xml = guest.xml, guest.xml.replace(old, new)
    plan = model.converge(want)
    assert acts(plan) == ["define"]
    assert list(fields(plan)) == [field]
    assert parse_domain(model.guest("web")[1].xml) == parse_domain(xml)


def test_a_disk_of_someone_else_keeps_its_name(model: Model) -> None:
    guest = made(model, LOCAL)
    disk = (
        '<disk type="file" device="cdrom"><source file="/srv/dvd.iso" /><target dev="vdc" bus="virtio" />'
        "<serial>logs</serial></disk>"
    )
    guest.xml = guest.xml.replace("</devices>", f"{disk}</devices>")
    assert model.plan(LOCAL).is_empty
    want = replace(LOCAL, volumes=(*LOCAL.volumes, Volume(name="logs", pool="local", size=1)))
    model.converge(want)
    config = model.guest("web")[1].config
    assert {disk.serial: disk.target for disk in config.disks}["logs"] == "vdd"
    for wanted in (want, LOCAL):
        model.converge(wanted)
        disks = [ET.tostring(one, encoding="unicode") for one in ET.fromstring(model.guest("web")[1].xml).iter("disk")]
        assert disk in disks


def test_an_identifier_that_is_not_the_registered_one(model: Model) -> None:
    model.converge(BARE)
    (row,) = model.rows.values()
    model.rows = {"inst-000000000000000000000": replace(row, id="inst-000000000000000000000")}
    assert refusal(model, BARE) == (
        f"node1 has an instance of this name with the identifier {row.id}, another than inst-000000000000000000000"
    )


def test_running_twice(model: Model) -> None:
    made(model, WEB)
    model.nodes["node2"].guests = dict(model.nodes["node1"].guests)
    assert refusal(model, WEB) == "it runs on node1 and node2 at once"


@pytest.mark.parametrize("home", ["node1", "node2"])
def test_leftovers_of_a_killed_move(model: Model, home: str) -> None:
    """Two definitions: the one that runs is the instance, or the one where the registry has it."""
    guest = made(model, replace(WEB, power="stopped", autostart=False))
    uuid = guest.config.uuid
    model.nodes["node2"].guests[uuid] = Guest(guest.xml)
    id_, row = next(iter(model.rows.items()))
    model.rows[id_] = replace(row, attributes={**row.attributes, "node": NODES[int(home[-1]) - 1].id})
    plan = model.converge(replace(WEB, autostart=False))
    left = ({"node1", "node2"} - {home}).pop()
    assert step_of(plan, "undefine").data == {"node": left, "uuid": uuid, "loses_state": False}
    assert step_of(plan, "undefine").text == f"remove the leftover definition on {left}"
    assert model.guest("web")[0] == home


def test_a_leftover_at_the_target_of_a_move(model: Model) -> None:
    guest = made(model, WEB)
    model.nodes["node2"].guests[guest.config.uuid] = Guest(guest.xml)
    plan = model.converge(replace(WEB, node="node2"))
    assert "undefine" not in acts(plan)
    assert model.guest("web")[0] == "node2"


# Nodes that do not answer


def test_nodes_that_are_down(model: Model) -> None:
    """What is there, or may be there, fails; the others go on."""
    wants = [replace(BARE, name=f"web-{n}", node=f"node{n}") for n in (1, 2, 3)]
    model.converge(*wants)
    model.down["node2"] = DOWN
    plan = model.plan(*(replace(want, memory=1024) for want in wants), replace(BARE, node="node2"), allow_restart=True)
    assert plan.refusals == ()
    assert plan.failures == (
        replace(DOWN, resource="instance web-2"),
        replace(DOWN, resource="instance bare"),
    )
    assert [work.name for work in plan.works] == ["web-1", "web-3"]
    assert failure(model, replace(wants[1], state="absent")) == replace(DOWN, resource="instance web-2")
    assert failure(model, replace(wants[0], node="node2")) == replace(DOWN, resource="instance web-1")


def test_while_it_moves_it_may_be_where_it_comes_from(model: Model) -> None:
    """Killed before the memory went over, and then its node went down: it must not be made a second time."""
    model.converge(WEB)
    want = replace(WEB, node="node2")
    model.apply(model.plan(want), parts=1)
    down = replace(DOWN, node="node1")
    model.down["node1"] = down
    assert failure(model, want) == replace(down, resource="instance web")
    model.down.clear()
    model.converge(want)
    assert "origin" not in next(iter(model.rows.values())).attributes


# Changes


@pytest.mark.parametrize(
    ("change", "field", "before", "after"),
    [
        ({"description": "Front"}, "description", None, "Front"),
        ({"tags": ("a",)}, "tags", None, ("a",)),
        ({"anti_affinity": "web"}, "anti_affinity", None, "web"),
        ({"organization": "umbrella"}, "organization", ROOT_ORGANIZATION.id, OTHER_ORGANIZATION.id),
        ({"autostart": False}, "autostart", True, False),
    ],
)
def test_what_changes_at_once(model: Model, change: dict[str, Any], field: str, before: Any, after: Any) -> None:
    model.converge(WEB)
    plan = model.converge(replace(WEB, **change))
    assert fields(plan) == {field: (before, after, "live")}
    assert not {"stop", "force_stop", "start"} & set(acts(plan))
    assert plan.works[0].pending == ()


def test_none_is_not_managed(model: Model) -> None:
    model.converge(replace(WEB, description="Front", organization="umbrella", power="paused"))
    assert model.plan(WEB).is_empty
    config = model.guest("web")[1].config
    assert (config.description, config.labels.organization) == ("Front", OTHER_ORGANIZATION.id)


def test_an_empty_description_takes_it_away(model: Model) -> None:
    model.converge(replace(WEB, description="Front"))
    assert fields(model.converge(replace(WEB, description=""))) == {"description": ("Front", None, "live")}


@pytest.mark.parametrize("change", [{"memory": 1024}, {"vcpus": 4}, {"cloud_init": CloudInit(hostname="other")}])
def test_what_waits_for_a_restart(model: Model, change: dict[str, Any]) -> None:
    """Without allow_restart it is defined, and reported as pending until the guest has restarted."""
    model.converge(WEB)
    want = replace(WEB, **change)
    plan = model.converge(want)
    assert not {"stop", "start"} & set(acts(plan))
    (field,) = change
    pending = model.plan(want).works[0].pending
    assert [change.field for change in plan.works[0].pending] == [change.field for change in pending] == [field]

    allowed = model.converge(want, allow_restart=True)
    gone = ["delete_volume"] if field == "cloud_init" else []
    assert acts(allowed) == ["register", "stop", "start", *gone, "settle"]
    assert model.plan(want).works[0].pending == ()
    assert model.guest("web")[1].power == "running"


def test_a_forced_restart(model: Model) -> None:
    model.converge(WEB)
    plan = model.converge(replace(WEB, memory=1024), allow_restart=True, force_stop=True)
    assert acts(plan) == ["register", "define", "stop", "start", "settle"]
    assert step_of(plan, "stop").data == {"timeout_s": 90, "is_forced": True}
    assert fields(plan) == {"memory": (512, 1024, "next_boot")}


def test_a_restart_keeps_it_paused(model: Model) -> None:
    model.converge(replace(WEB, power="paused"))
    plan = model.converge(replace(WEB, memory=1024), allow_restart=True)
    assert acts(plan) == ["register", "define", "resume", "stop", "start", "settle"]
    assert model.guest("web")[1].power == "paused"


@pytest.mark.parametrize("allow_restart", [False, True])
def test_a_stopped_instance_waits_for_nothing(model: Model, allow_restart: bool) -> None:
    model.converge(replace(WEB, power="stopped"))
    plan = model.converge(replace(WEB, memory=1024), allow_restart=allow_restart)
    assert acts(plan) == ["register", "define"]
    assert plan.works[0].pending == ()


def test_nothing_is_pending_for_what_is_to_stop(model: Model) -> None:
    model.converge(WEB)
    plan = model.converge(replace(WEB, memory=1024, power="stopped"), allow_restart=True)
    assert acts(plan) == ["register", "define", "stop"]
    assert plan.works[0].pending == ()


def test_another_port_group(model: Model) -> None:
    model.converge(WEB)
    plan = model.converge(replace(WEB, nics=(Nic(port_group="Backup"),)))
    assert acts(plan) == ["define", "replug_nic"]
    mac = model.guest("web")[1].config.interfaces[0].mac
    assert fields(plan) == {"nics.nic0.port_group": ("Production (svswitch1)", "Backup (svswitch2)", "hot_plug")}
    assert step_of(plan, "replug_nic").text == f"move the NIC {mac} to Backup"


def test_another_port_group_of_the_same_switch(model: Model) -> None:
    model.converge(WEB)
    plan = model.converge(replace(WEB, nics=(Nic(port_group="DMZ"),)))
    assert acts(plan) == ["define", "update_nic"]
    assert fields(plan) == {"nics.nic0.port_group": ("Production (svswitch1)", "DMZ (svswitch1)", "live")}


def test_a_switch_in_user_space_takes_no_offloads(model: Model) -> None:
    """What has no checksum yet would be thrown away: new ones have none, and those that run wait for a start."""
    model.converge(WEB)
    model.nodes["node1"].userspace = {"svswitch1"}
    plan = model.converge(WEB)
    assert acts(plan) == ["define"]
    (work,) = plan.works
    changed = ("nics.nic0.offload", "on", "off", "next_boot")
    assert [(one.field, one.before, one.after, one.when) for one in (*work.changes, *work.pending)] == [changed] * 2
    assert model.plan(WEB).works[0].pending == work.pending
    model.converge(WEB, allow_restart=True, force_stop=True)
    assert model.plan(WEB).works[0].pending == ()
    # On another switch, and in a call that does not name it, it stays off.
    model.nodes["node1"].userspace = set()
    assert model.plan(WEB).is_empty
    model.nodes["node1"].userspace = {"svswitch1"}
    model.converge(replace(WEB, name="other", node="node1"))
    assert not model.guest("other")[1].config.interfaces[0].offload


def test_a_call_does_not_mend_what_it_does_not_name(model: Model) -> None:
    model.converge(WEB)
    model.nodes["node1"].userspace = {"svswitch1"}
    assert model.call(Vm(name="web"), allow_restart=True).is_empty


def test_nics_come_and_go(model: Model) -> None:
    model.converge(WEB)
    two = replace(WEB, nics=(*WEB.nics, Nic(port_group="DMZ", mac="52:54:00:00:00:01")))
    # The seed names the NICs: the guest is told at its next start.
    assert acts(model.converge(two)) == ["write_seed", "define", "attach_nic", "label"]
    # That of the second NIC was never used; the one it was started with is in use again.
    assert acts(model.converge(WEB)) == ["write_seed", "define", "detach_nic", "label", "delete_volume"]
    plan = model.converge(replace(WEB, power="stopped"))
    plan = model.converge(replace(two, power="stopped"))
    assert acts(plan) == ["write_seed", "define", "delete_volume"]


def test_nics_change_their_order(model: Model) -> None:
    nics = tuple(
        Nic(port_group=group, mac=f"52:54:00:00:00:0{n}", addresses=(f"172.20.0.{n}/24",))
        for n, group in enumerate(("Production", "DMZ"))
    )
    model.converge(replace(WEB, nics=nics))
    model.converge(replace(WEB, nics=nics[::-1]))
    config = model.guest("web")[1].config
    assert [nic.mac for nic in config.interfaces] == ["52:54:00:00:00:01", "52:54:00:00:00:00"]
    assert config.labels.addresses == (("172.20.0.1/24",), ("172.20.0.0/24",))


def test_a_nic_changed_by_hand_in_the_guest_alone(model: Model) -> None:
    """The diff says so, though the definition is as declared."""
    guest = made(model, WEB)
    assert guest.live is not None
    (nic,) = guest.live.interfaces
    guest.live = replace(guest.live, interfaces=(replace(nic, port_group="DMZ"),))
    plan = model.converge(WEB)
    assert acts(plan) == ["update_nic"]
    assert list(fields(plan).values()) == [("DMZ (svswitch1)", "Production (svswitch1)", "live")]
    guest = model.guest("web")[1]
    assert guest.live is not None
    guest.live = replace(guest.live, interfaces=())
    assert acts(model.converge(WEB)) == ["attach_nic"]


def test_volumes_come_and_go(model: Model) -> None:
    """Detaching keeps the data; it is there when the volume is declared again."""
    logs = Volume(name="logs", pool="local", size=32)
    model.converge(LOCAL)
    plan = model.converge(replace(LOCAL, volumes=(*LOCAL.volumes, logs)))
    assert acts(plan) == ["create_volume", "define", "attach_disk", "label"]
    assert fields(plan) == {"volumes.logs.size": (None, 32, "hot_plug")}
    plan = model.converge(replace(LOCAL, volumes=(logs,)))
    assert acts(plan) == ["define", "detach_disk", "label"]
    assert fields(plan) == {"volumes.data.size": (64, None, "hot_plug")}
    assert plan.works[0].loses == ()
    config = model.guest("web")[1].config
    assert {disk.serial: disk.target for disk in config.disks} == {"root": "vda", "logs": "vdc", "seed": "vdz"}
    kept = {name: volume.content for name, volume in model.volumes("node1", "local").items()}
    plan = model.converge(replace(LOCAL, volumes=(*LOCAL.volumes, logs)))
    assert acts(plan) == ["grow_volume", "define", "attach_disk", "label"]
    assert {name: volume.content for name, volume in model.volumes("node1", "local").items()} == kept


@pytest.mark.parametrize(
    ("power", "consent", "when"),
    [("running", {}, "hot_plug"), ("stopped", {}, "next_boot"), ("running", {"allow_restart": True}, "next_boot")],
)
def test_what_is_plugged_into_what_runs(model: Model, power: str, consent: dict[str, bool], when: str) -> None:
    """What has nothing to be plugged into, or restarts for something else, has it from its start on."""
    model.converge(replace(LOCAL, power=power))
    more = replace(
        LOCAL,
        power=power,
        volumes=(*LOCAL.volumes, Volume(name="logs", pool="local", size=32)),
        nics=(*LOCAL.nics, Nic(port_group="Backup")),
        cloud_init=CloudInit(hostname="other"),
        tags=("new",),
    )
    (work,) = model.plan(more, force_stop=True, **consent).works
    told = {change.field: change.when for change in work.changes}
    assert {field: told[field] for field in ("volumes.logs.size", "nics.nic1.port_group", "cloud_init", "tags")} == {
        "volumes.logs.size": when,
        "nics.nic1.port_group": when,
        "cloud_init": "next_boot",
        "tags": "live",
    }


def test_a_name_that_the_guest_still_uses_is_not_free(model: Model) -> None:
    """A killed run has taken a volume out of the definition, and not out of the guest."""
    model.converge(LOCAL)
    guest = model.guest("web")[1]
    live = guest.live
    model.converge(replace(LOCAL, volumes=()))
    model.guest("web")[1].live = live
    want = replace(LOCAL, volumes=(Volume(name="logs", pool="local", size=32),))
    plan = model.converge(want)
    assert acts(plan) == ["create_volume", "define", "detach_disk", "attach_disk", "label"]
    assert {disk.serial: disk.target for disk in model.guest("web")[1].config.disks}["logs"] == "vdc"


def test_what_only_the_guest_has_lost_is_in_the_diff(model: Model) -> None:
    guest = made(model, LOCAL)
    assert guest.live is not None
    guest.live = replace(guest.live, disks=tuple(disk for disk in guest.live.disks if disk.serial != "data"))
    plan = model.converge(LOCAL)
    assert acts(plan) == ["attach_disk"]
    assert fields(plan) == {"volumes.data.attached": (False, True, "hot_plug")}
    guest = model.guest("web")[1]
    assert guest.live is not None
    guest.live = replace(guest.live, labels=replace(guest.live.labels, tags=("x",)))
    plan = model.converge(LOCAL)
    assert acts(plan) == ["label"]
    assert fields(plan) == {"labels": ("not as declared", "as declared", "live")}


@pytest.mark.parametrize(("power", "target"), [("running", "vdb"), ("paused", "vdb"), ("stopped", None)])
def test_growth(model: Model, power: str, target: str | None) -> None:
    model.converge(replace(LOCAL, power=power))
    grown = replace(LOCAL, volumes=(Volume(name="data", pool="local", size=128),))
    plan = model.converge(grown)
    step = step_of(plan, "grow_volume")
    assert (step.data["size"], step.data["target"]) == (128, target)
    assert step.text == "grow volume data to 128 MiB"
    assert fields(plan) == {"volumes.data.size": (64, 128, "live")}
    assert [volume.size for name, volume in model.volumes("node1", "local").items() if ".data." in name] == [128]


def test_growth_along_with_another_image(model: Model) -> None:
    model.converge(LOCAL)
    want = replace(
        LOCAL,
        image="huge",
        root=Root(pool="local", size=4096),
        volumes=(Volume(name="data", pool="local", size=128),),
    )
    model.converge(want, force_stop=True)
    sizes = {name.split(".")[2]: volume.size for name, volume in model.volumes("node1", "local").items()}
    assert (sizes["root"], sizes["data"]) == (4096, 128)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"volumes": (Volume(name="data", pool="local", size=32),)},
            "its volume data has 64 MiB, and cannot shrink to 32 MiB",
        ),
        (
            {"volumes": (Volume(name="data", pool="shared", size=64),)},
            "its volume data is in storage pool local, and cannot move to shared",
        ),
        (
            {"root": Root(pool="shared", size=1024)},
            "its volume root is in storage pool local, and cannot move to shared",
        ),
        ({"root": Root(pool="local", size=512)}, "its volume root has 1024 MiB, and cannot shrink to 512 MiB"),
        (
            {"root": Root(pool="local", size=1024, mode="copy")},
            "its root volume is of mode overlay, and cannot become copy",
        ),
        ({"image": "huge", "root": Root(pool="local")}, "beginning again from image huge needs it stopped"),
        (
            {"image": "huge", "root": Root(pool="local", size=1024), "power": "stopped"},
            "beginning again from image huge needs it stopped",
        ),
    ],
)
def test_refused_changes(model: Model, change: dict[str, Any], message: str) -> None:
    model.converge(LOCAL)
    assert refusal(model, replace(LOCAL, **change)) == message


def test_a_root_volume_cannot_be_added(model: Model) -> None:
    model.converge(BARE)
    assert refusal(model, replace(BARE, root=Root(pool="local", size=64))) == (
        "it has no root volume, and cannot get one"
    )


def test_data_volumes_do_not_shrink_along_with_another_image(model: Model) -> None:
    model.converge(replace(LOCAL, power="stopped"))
    want = replace(LOCAL, image="huge", root=Root(pool="local"), volumes=(Volume(name="data", pool="local", size=32),))
    assert refusal(model, want) == "its volume data has 64 MiB, and cannot shrink to 32 MiB"


def test_another_image(model: Model) -> None:
    """It destroys the root volume alone, and says so; the instance keeps its identity."""
    model.converge(LOCAL)
    before = {name: volume.content for name, volume in model.volumes("node1", "local").items()}
    id_ = model.guest("web")[1].config.labels.id
    want = replace(LOCAL, image="huge", root=Root(pool="local"))
    plan = model.plan(want, force_stop=True)
    (work,) = plan.works
    assert work.loses == ("the root volume of web, made from image tiny",)
    assert [step.act for step in work.steps] == [
        *("register", "stop", "delete_volume", "create_volume", "define", "start", "settle")
    ]
    assert Change("image", "tiny", "huge", "replace") in work.changes
    assert Change("root.size", 1024, 2048) in work.changes
    model.converge(want, force_stop=True)
    after = {name: volume.content for name, volume in model.volumes("node1", "local").items()}
    assert {name for name in before if after[name] != before[name]} == {name for name in before if ".root." in name}
    guest = model.guest("web")[1]
    assert (guest.config.labels.id, guest.power) == (id_, "running")


def test_a_root_stays_while_there_is_nothing_whole_to_make_it_from(model: Model) -> None:
    model.converge(replace(LOCAL, node="node1"))
    half = replace(HUGE, attributes={**HUGE.attributes, "copies": [f"{SHARED_ROW.id}/"]})
    model.members = [half if row == HUGE else row for row in model.members]
    problem = failure(model, replace(LOCAL, image="huge", root=Root(pool="local")), force_stop=True)
    assert problem.what == ("it cannot be there: the copy of image huge in storage pool local there is not complete")


def test_another_image_of_a_stopped_instance(model: Model) -> None:
    model.converge(replace(LOCAL, power="stopped"))
    plan = model.converge(replace(LOCAL, image="huge", root=Root(pool="local")))
    assert acts(plan) == ["register", "delete_volume", "create_volume", "define"]
    assert model.guest("web")[1].power == "stopped"


def test_what_a_killed_replacement_has_destroyed_is_not_destroyed_again(model: Model) -> None:
    model.converge(replace(LOCAL, power="stopped"))
    want = replace(LOCAL, image="huge", root=Root(pool="local"))
    model.apply(model.plan(want), parts=2)
    (work,) = model.plan(want).works
    assert work.loses == ()
    assert [step.act for step in work.steps] == ["create_volume", "define"]


@pytest.mark.parametrize(
    ("change", "damage", "message"),
    [
        (
            {"volumes": (Volume(name="data", pool="local", size=64),)},
            "pool",
            "it cannot be there: storage pool local is not available there",
        ),
        (
            {"nics": (Nic(port_group="Backup"),)},
            "network",
            "it cannot be there: port group Backup needs svswitch2, which is not there",
        ),
    ],
)
def test_a_change_that_the_node_cannot_take(model: Model, change: dict[str, Any], damage: str, message: str) -> None:
    model.converge(WEB)
    if damage == "pool":
        del model.nodes["node1"].pools["local"]
    else:
        model.nodes["node1"].networks.remove("svswitch2")
    problem = failure(model, replace(WEB, **change))
    assert (problem.what, problem.node) == (message, "node1")


def test_another_seed(model: Model) -> None:
    model.converge(replace(WEB, power="stopped"))
    plan = model.converge(replace(WEB, cloud_init=CloudInit(user_data="#cloud-config\n{password: hush}")))
    assert acts(plan) == ["write_seed", "define", "delete_volume"]
    # Only digests: what is in the seed may be secret.
    assert fields(plan).pop("cloud_init.old_seeds") == (1, 0, "live")
    before, after, when = fields(plan)["cloud_init"]
    assert (len(before), len(after), when) == (12, 12, "next_boot")
    assert "hush" not in str(plan)


USER = User(name="ops", ssh_authorized_keys=("ssh-ed25519 AAAA ops",))


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ({"cloud_init": CloudInit(users=(replace(USER, ssh_authorized_keys=("ssh-ed25519 BBBB ops",)),))}, True),
        ({"cloud_init": CloudInit(users=(USER,), vendor_data="#cloud-config\n{}")}, True),
        # What a guest is told at each boot.
        ({"nics": (Nic(port_group="Production", addresses=("172.20.0.99/24",)),)}, False),
        ({"volumes": (Volume(name="logs", pool="shared", size=64, filesystem="ext4"),)}, False),
    ],
)
def test_what_cloud_init_does_again_is_said_before(model: Model, changed: dict[str, Any], again: bool) -> None:
    there = replace(WEB, cloud_init=CloudInit(users=(USER,)), volumes=(), power="stopped")
    model.converge(there)
    found = fields(model.converge(replace(there, **changed)))
    assert found["cloud_init"][2] == "next_boot"
    assert ("cloud_init.once" in found) is again
    if again:
        assert found["cloud_init.once"][0] == "done"
        assert found["cloud_init.once"][1].startswith("done again: all users, files, packages")
    back = fields(model.converge(there))
    assert ("cloud_init.once" in back) is again


def test_of_one_that_older_versions_made_nobody_knows(model: Model) -> None:
    model.converge(replace(WEB, power="stopped"))
    guest = model.guest("web")[1]
    guest.xml = re.sub(r' once="[^"]*"', "", guest.xml)
    assert model.plan(replace(WEB, power="stopped")).is_empty
    found = fields(model.converge(replace(WEB, power="stopped", cloud_init=CloudInit(hostname="other"))))
    assert found["cloud_init.once"][1].startswith("perhaps done again: ")


# Moving


def test_a_live_move(model: Model) -> None:
    model.converge(WEB)
    plan = model.converge(replace(WEB, node="node2"))
    (work,) = plan.works
    assert (work.node, acts(plan)) == ("node1", ["register", "move", "settle"])
    assert fields(plan) == {"node": ("node1", "node2", "live")}
    assert step_of(plan, "move").text == "move live to node2"
    assert step_of(plan, "move").data["pools"] == ("shared",)
    assert step_of(plan, "register").data["row"].attributes["origin"] == NODES[0].id
    node, guest = model.guest("web")
    assert (node, guest.power, guest.autostart) == ("node2", "running", True)


def test_a_move_of_a_stopped_instance(model: Model) -> None:
    model.converge(replace(WEB, power="stopped"))
    plan = model.converge(replace(WEB, node="node2", power="running"))
    assert acts(plan) == ["register", "move", "start", "settle"]
    assert step_of(plan, "move").text == "move to node2"
    assert step_of(plan, "start").node == "node2"


def test_a_move_with_changes(model: Model) -> None:
    model.converge(WEB)
    want = replace(WEB, node="node2", memory=256, nics=(Nic(port_group="DMZ"),), autostart=False)
    plan = model.converge(want)
    assert acts(plan) == ["register", "define", "update_nic", "move", "settle"]
    assert [change.field for change in plan.works[0].pending] == ["memory"]
    assert fields(plan)["autostart"] == (True, False, "live")


def test_a_stopped_instance_moves_between_kinds_of_nodes(model: Model) -> None:
    model.nodes["node2"].virt_type = "kvm"
    model.converge(replace(WEB, power="stopped", node="node1"))
    model.converge(replace(WEB, node="node2"))
    root = ET.fromstring(model.guest("web")[1].xml)
    assert root.get("type") == "kvm"
    assert [(cpu.get("mode"), len(cpu)) for cpu in root.findall("cpu")] == [("host-model", 0)]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("pool", "storage pool shared is not available there"),
        ("network", "port group Production needs svswitch1, which is not there"),
        ("memory", "node2 has 511 MiB of memory free, 512 needed"),
        ("kind", "node1 runs instances with qemu, node2 with kvm"),
        ("group", "node2 holds another instance of anti-affinity web"),
    ],
)
def test_refused_moves(model: Model, damage: str, message: str) -> None:
    want = replace(WEB, anti_affinity="web")
    model.converge(
        want, whole(name="other", memory=1, anti_affinity="web" if damage == "group" else None, node="node2")
    )
    node = model.nodes["node2"]
    if damage == "pool":
        del node.pools["shared"]
    elif damage == "network":
        node.networks.clear()
    elif damage == "memory":
        node.memory = 512
    elif damage == "kind":
        node.virt_type = "kvm"
    plan = model.plan(replace(want, node="node2"))
    (problem,) = plan.refusals
    assert problem.what == f"it cannot move from node1 to node2: {message}"
    in_the_way = "Set node: node1, or mend what stands in the way."
    assert problem.remedy == ("Choose another node, or stop an instance there." if damage == "memory" else in_the_way)


def test_a_move_off_a_local_pool_is_refused(model: Model) -> None:
    model.converge(replace(LOCAL, power="stopped"))
    assert refusal(model, replace(LOCAL, node="node2")) == (
        "it cannot move from node1 to node2: storage pool local is not shared between nodes"
    )


ATTACHED = "data.vol-qthm_iLrflJ_DtSS1l4Gx.qcow2"


def attach(model: Model, pool: str, cache: str = "none") -> None:
    """Attach a volume that lives on its own, as pextra_volume would."""
    node, guest = model.guest("web")
    disk = Disk(target="vdb", path=f"/srv/{pool}/{ATTACHED}", serial="qthm_iLrflJ_DtSS1l4G")
    root = ET.fromstring(guest.xml)
    devices = root.find("devices")
    assert devices is not None
    devices.append(ET.fromstring(render_attachment(Attachment(disk=disk, cache=cache))))
    guest.xml = ET.tostring(root, encoding="unicode")
    model.nodes[node].pools.get(pool, {})[ATTACHED] = next(iter(model.volumes(node, "shared").values()))


def test_attached_volumes_stay_and_move_along(model: Model) -> None:
    model.converge(WEB)
    attach(model, "shared")
    assert model.plan(WEB).is_empty
    model.converge(replace(WEB, memory=600, volumes=(Volume(name="more", pool="shared", size=1),)))
    (disk,) = model.guest("web")[1].config.attached
    assert disk.target == "vdb"
    want = replace(WEB, node="node2")
    plan = model.plan(want)
    assert step_of(plan, "move").data["attached"] == (disk,)
    model.apply(plan)
    assert model.guest("web")[1].config.attached == (disk,)


@pytest.mark.parametrize(
    ("pool", "cache", "message"),
    [
        ("local", "none", "volume data is attached to it, and its storage pool local is not shared"),
        ("elsewhere", "none", "volume data, which is attached to it, lies in no storage pool of the cluster"),
        ("shared", "writeback", "volume data has cache writeback: the other node would read what is not written yet"),
    ],
)
def test_attached_volumes_can_keep_it_from_moving(model: Model, pool: str, cache: str, message: str) -> None:
    model.converge(WEB)
    attach(model, pool, cache)
    assert message in refusal(model, replace(WEB, node="node2"))


def test_removing_an_instance_lets_attached_volumes_be(model: Model) -> None:
    model.converge(WEB)
    attach(model, "shared")
    plan = model.plan(replace(WEB, state="absent"), force_stop=True, remove_volumes=True)
    (work,) = plan.works
    assert not any(ATTACHED in loss for loss in work.loses)
    assert all(step.data.get("volume") != ATTACHED for step in work.steps)


def test_moving_needs_no_copy_of_the_image_in_sight(model: Model) -> None:
    """The target's libvirt may not have looked at the shared directory since the image was put there."""
    model.converge(WEB)
    del model.nodes["node2"].pools["shared"][next(iter(COPIES))]
    assert acts(model.plan(replace(WEB, node="node2"))) == ["register", "move", "settle"]


def test_moving_and_beginning_again_at_once(model: Model) -> None:
    model.converge(replace(WEB, power="stopped"))
    want = replace(WEB, node="node2", image="huge")
    assert refusal(model, want, force_stop=True) == "it cannot move and begin again from another image at once"


def test_moves_give_back_memory(model: Model) -> None:
    """Moves come before placements, whatever the order of the list."""
    for node in model.nodes.values():
        node.memory = 600
    model.converge(replace(WEB, node="node1"))
    model.nodes["node3"].memory = 100
    plan = model.plan(whole(name="new"), replace(WEB, node="node2"))
    assert [(work.name, work.node) for work in plan.works] == [("new", "node1"), ("web", "node1")]


# Power


@pytest.mark.parametrize(
    ("now", "wanted", "force_stop", "steps"),
    [
        ("running", None, False, []),
        ("running", "running", False, []),
        ("running", "stopped", False, ["stop"]),
        ("running", "stopped", True, ["stop"]),
        ("running", "paused", False, ["suspend"]),
        ("paused", None, False, []),
        ("paused", "running", False, ["resume"]),
        # A paused guest does not feel its power button.
        ("paused", "stopped", False, ["resume", "stop"]),
        ("paused", "stopped", True, ["resume", "stop"]),
        ("paused", "paused", False, []),
        ("stopped", None, False, []),
        ("stopped", "running", False, ["start"]),
        ("stopped", "stopped", False, []),
        ("stopped", "paused", False, ["start"]),
    ],
)
def test_power(model: Model, now: str, wanted: str | None, force_stop: bool, steps: list[str]) -> None:
    model.converge(replace(WEB, power=now))
    plan = model.converge(replace(WEB, power=wanted), force_stop=force_stop)
    assert acts(plan) == steps
    assert fields(plan) == ({"power": (now, wanted, "live")} if steps else {})
    assert model.guest("web")[1].power == (wanted or now)


def test_one_that_hangs_does_not_only_go_on(model: Model) -> None:
    """Its watchdog, which has paused it, would not look again."""
    model.converge(replace(WEB, power="running"))
    _, guest = model.guest("web")
    guest.power, guest.hangs = "paused", True
    assert acts(model.plan(replace(WEB, power=None))) == []
    assert acts(model.converge(replace(WEB, power="running"))) == ["reset", "resume"]
    assert (guest.power, guest.hangs) == ("running", False)


# Absence


def test_absent_already(model: Model) -> None:
    plan = model.plan(replace(WEB, state="absent"))
    assert plan.is_empty
    assert plan.refusals == ()


def test_removal_keeps_the_volumes(model: Model) -> None:
    model.converge(replace(LOCAL, power="stopped"))
    plan = model.converge(replace(LOCAL, state="absent"))
    assert acts(plan) == ["undefine", "delete_volume", "unregister"]
    assert step_of(plan, "delete_volume").data["volume"].endswith(".iso")
    assert plan.works[0].loses == ()
    assert fields(plan) == {"name": ("web", None, "live")}
    assert sorted(name.split(".")[2] for name in model.volumes("node1", "local")) == ["data", "root"]
    assert model.rows == {}


def test_removal_with_the_volumes(model: Model) -> None:
    model.converge(replace(LOCAL, power="stopped"))
    names = sorted(name for name in model.volumes("node1", "local") if name.endswith(".qcow2"))
    plan = model.converge(replace(LOCAL, state="absent"), remove_volumes=True)
    assert plan.works[0].loses == tuple(f"volume {name} in local" for name in names)
    assert model.volumes("node1", "local") == {}


def test_volumes_of_others_stay(model: Model) -> None:
    """Their names only look alike."""
    guest = made(model, replace(LOCAL, power="stopped"))
    pool = model.nodes["node1"].pools["local"]
    name = next(name for name in pool if ".data." in name)
    pool[f"x.{name}"] = pool[name]
    plan = model.converge(replace(LOCAL, state="absent"), remove_volumes=True)
    assert len([step for step in plan.works[0].steps if step.act == "delete_volume"]) == 3
    assert list(model.volumes("node1", "local")) == [f"x.{name}"]
    assert guest.config.name not in [other.config.name for other in model.nodes["node1"].guests.values()]


@pytest.mark.parametrize("power", ["running", "paused"])
def test_removal_of_what_runs(model: Model, power: str) -> None:
    model.converge(replace(WEB, power=power))
    assert refusal(model, replace(WEB, state="absent")) == f"it is {power}; only a stopped instance can be removed"
    plan = model.converge(replace(WEB, state="absent"), force_stop=True)
    woken = ["resume"] if power == "paused" else []
    assert acts(plan) == [*woken, "stop", "undefine", "delete_volume", "unregister"]


def test_removal_with_leftovers(model: Model) -> None:
    guest = made(model, replace(WEB, power="stopped"))
    model.nodes["node3"].guests[guest.config.uuid] = Guest(guest.xml)
    plan = model.converge(replace(WEB, state="absent"))
    assert [step.data["node"] for step in plan.works[0].steps if step.act == "undefine"] == ["node1", "node3"]


def test_removal_of_what_is_only_registered(model: Model) -> None:
    model.apply(model.plan(LOCAL), parts=2)
    plan = model.converge(replace(LOCAL, state="absent"), remove_volumes=True)
    assert acts(plan) == ["delete_volume", "unregister"]
    assert plan.works[0].node == "node1"


def test_removal_of_what_is_on_a_node_that_has_left(model: Model) -> None:
    model.rows["inst-1"] = Row("inst-1", "instance", "web", CLUSTER.id, {"node": "node-gone"})
    plan = model.converge(replace(WEB, state="absent"))
    assert acts(plan) == ["unregister"]
    assert plan.works[0].node is None


def test_removal_needs_the_pool(model: Model) -> None:
    model.converge(replace(LOCAL, power="stopped"))
    del model.nodes["node1"].pools["local"]
    problem = failure(model, replace(LOCAL, state="absent"), remove_volumes=True)
    assert problem.what == "storage pool local is not available, so its volumes there cannot be removed"
    assert acts(model.plan(replace(LOCAL, state="absent"))) == ["undefine", "unregister"]


# Scale


def test_planning_is_not_quadratic(model: Model) -> None:
    """1,000 instances that are as declared: each name is looked up, none searched for."""
    wants = [replace(WEB, name=f"web-{n}", power="stopped", memory=1) for n in range(1000)]
    model.apply(model.plan(*wants))
    have = model.have
    reads = 0

    class Counted(tuple[Row, ...]):
        def __iter__(self) -> Any:
            nonlocal reads
            reads += 1
            return super().__iter__()

    counted = replace(have, hierarchy=replace(have.hierarchy, members=Counted(have.hierarchy.members)))
    plan = plan_vms(wants, counted, Consent())
    assert plan.is_empty
    assert reads < 20
