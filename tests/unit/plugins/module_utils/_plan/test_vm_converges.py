"""Whatever is there and whatever is wanted: once a plan is applied, wherever it was cut, the next plan is empty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ansible_collections.pextra.cloud.plugins.module_utils._spec.vm import CloudInit, Nic, Root, Vm, Volume
from ansible_collections.pextra.cloud.plugins.module_utils._xml.domain import edit_domain
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from instance_model import Guest, Model

NAMES = ("web-1", "web-2", "db")
SIZES = st.sampled_from([64, 256, 1024, 3072])
NODES = st.sampled_from([None, "node1", "node2", "node3"])
CONSENT = {"allow_restart": True, "force_stop": True, "remove_volumes": True}


@st.composite
def specs(draw: st.DrawFn, name: str, *, absent: bool = True) -> Vm:
    pools = st.sampled_from(["local", "shared"]) if draw(st.booleans()) else st.just("shared")
    image = draw(st.sampled_from([None, "tiny", "tiny", "huge"]))
    root = draw(
        st.builds(Root, pool=pools, size=SIZES, mode=st.sampled_from(["overlay", "copy"]))
        | st.builds(Root, pool=pools, size=st.none() if image else SIZES)
    )
    volumes = draw(
        st.lists(
            st.builds(Volume, name=st.sampled_from(["data", "logs", "seed-x"]), pool=pools, size=SIZES),
            unique_by=lambda volume: volume.name,
            max_size=3,
        )
    )
    nic = st.builds(
        Nic,
        port_group=st.sampled_from(["Production", "DMZ", "Backup"]),
        addresses=st.sampled_from([None, ("172.20.0.5/24",), ("172.20.0.6/24", "2001:db8::6/64")]),
    )
    return Vm(
        name=name,
        node=draw(NODES),
        anti_affinity=draw(st.sampled_from([None, None, "web"])),
        vcpus=draw(st.integers(1, 2)),
        memory=draw(st.sampled_from([64, 128])),
        image=image,
        root=root,
        volumes=tuple(volumes),
        nics=tuple(draw(st.lists(nic, max_size=3))),
        cloud_init=draw(st.sampled_from([None, CloudInit(hostname="other")])),
        autostart=draw(st.booleans()),
        power=draw(st.sampled_from([None, None, "running", "stopped", "paused"])),
        description=draw(st.sampled_from([None, "", "a <b> & 'c'"])),
        tags=draw(st.sampled_from([(), ("front", "back")])),
        state=draw(st.sampled_from(["present"] * 5 + ["absent"])) if absent else "present",
    )


@st.composite
def changed(draw: st.DrawFn, vm: Vm) -> Vm:
    """A spec that differs in some fields only, so that there is something to change rather than to refuse."""
    other = draw(specs(vm.name))
    names = draw(
        st.sets(
            st.sampled_from(
                ["node", "anti_affinity", "vcpus", "memory", "volumes", "nics", "cloud_init", "autostart", "power"]
                + ["description", "tags", "state", "image", "root"]
            ),
            max_size=5,
        )
    )
    return replace(vm, **{name: getattr(other, name) for name in names})


def _stop(guest: Guest) -> None:
    guest.live, guest.power = None, "stopped"


def _pause(guest: Guest) -> None:
    if guest.live is not None:
        guest.power = "paused"


def _edit_memory(guest: Guest) -> None:
    guest.xml = edit_domain(guest.xml, replace(guest.config, memory=96))


def _unplug(guest: Guest) -> None:
    if guest.live is not None:
        guest.live = replace(guest.live, interfaces=guest.live.interfaces[1:])


def _take_disks_out(guest: Guest) -> None:
    guest.xml = edit_domain(guest.xml, replace(guest.config, disks=()))


def _undefine(guest: Guest) -> None:
    guest.persistent = guest.autostart = False


DRIFTS: list[Callable[[Guest], None]] = [_stop, _pause, _edit_memory, _unplug, _take_disks_out, _undefine]


@st.composite
def situations(draw: st.DrawFn) -> tuple[Model, list[Vm]]:
    """A cluster with some instances, with what hands have done to them, and what is wanted now."""
    model = Model.fresh()
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    before = [draw(specs(name, absent=False)) for name in names]
    before = [vm for vm in before if not model.plan(vm).refusals]
    assume(before)
    plan = model.plan(*before)
    assume(not plan.refusals and not plan.failures)
    if draw(st.integers(0, 9)):
        model.apply(plan)
        for node in model.nodes.values():
            for uuid, guest in list(node.guests.items()):
                if draw(st.integers(0, 4)) == 0:
                    draw(st.sampled_from(DRIFTS))(guest)
                if not guest.persistent and guest.power == "stopped":
                    del node.guests[uuid]
    return model, [draw(changed(vm)) for vm in before]


@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(situations(), st.sampled_from([{}, CONSENT, {"allow_restart": True}]))
def test_one_run_is_enough(situation: tuple[Model, list[Vm]], consent: dict[str, bool]) -> None:
    model, wants = situation
    plan = model.plan(*wants, **consent)
    assume(not plan.refusals and not plan.failures)
    model.apply(plan)
    again = model.plan(*wants, **consent)
    assert (again.effective, again.refusals, again.failures) == ((), (), ())
    for vm in wants:
        if vm.state == "present":
            node, guest = model.guest(vm.name)
            assert vm.node in (None, node)
            assert vm.power in (None, guest.power)
            assert guest.autostart is vm.autostart
            assert (guest.live is None) == (guest.power == "stopped")


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(situations(), st.sampled_from([{}, CONSENT, {"allow_restart": True}]))
def test_a_killed_run_is_finished_by_the_next(situation: tuple[Model, list[Vm]], consent: dict[str, bool]) -> None:
    """Cut after every part of every step: the next run ends in the same state as one that was not cut."""
    start, wants = situation
    plan = start.plan(*wants, **consent)
    assume(not plan.refusals and not plan.failures)
    clean = start.copy()
    parts = clean.apply(plan)
    lost = [name for work in plan.all if work.loses for name in (work.name,)]
    for cut in range(1, parts):
        model = start.copy()
        model.apply(plan, parts=cut)
        rest = model.plan(*wants, **consent)
        assert rest.refusals == (), cut
        assert rest.failures == (), cut
        model.apply(rest)
        again = model.plan(*wants, **consent)
        assert (again.effective, again.refusals, again.failures) == ((), (), ()), cut
        assert model.state == clean.state, cut
        assert _contents(model, start, lost) == _contents(clean, start, lost), cut


def _contents(model: Model, start: Model, lost: list[str]) -> dict[str, str]:
    """Return what is in the volumes that were there from the beginning, but for those that were to be destroyed."""
    return {
        f"{node}/{pool}/{name}": volume.content
        for node in model.nodes
        for pool in model.nodes[node].pools
        for name, volume in model.volumes(node, pool).items()
        if name in start.nodes[node].pools[pool] and name.split(".")[0] not in lost and ".seed-" not in name
    }
