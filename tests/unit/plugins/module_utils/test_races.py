# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs at once on different instances: the first is held up before each of its calls to the registry and to a
node, while the second does all it can. Whatever only one may have, one has in the end.

The engine, the planner and the registry are the real ones; the nodes are a model (tests/unit/instance_model.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import leases
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
from ansible_collections.pextra.cloud.plugins.module_utils._engine.converge import Terms, converge
from ansible_collections.pextra.cloud.plugins.module_utils._engine.noun import Options
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import PextraError, RefusedError
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Step, Work
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.hierarchy.reading import read_hierarchy
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.copies import record_copy
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Nic, Root, Volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.placement import Size
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.state import VmHave
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.resource import VmResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm
from instance_model import CLUSTER, NODES, OTHER_ORGANIZATION, PORT_GROUPS, ROOT_ORGANIZATION, TINY, Model

IN_REGISTRY = {"register", "settle", "unregister"}


class ModelResource(VmResource):
    """Instances on the model's nodes."""

    def __init__(self, model: Model, lock: threading.Lock, before: Callable[[], None]) -> None:
        self._model, self._lock, self._before = model, lock, before

    def read(self, cloud: Cloud, wants: Sequence[Vm], options: Options) -> VmHave:
        claims = tuple(cloud.claims())
        hierarchy = read_hierarchy(cloud)
        self._before()
        with self._lock:
            return replace(self._model.have, hierarchy=hierarchy, claims=claims)

    def apply(self, cloud: Cloud, work: Work, step: Step) -> Iterator[float] | None:
        if step.act in IN_REGISTRY:
            return super().apply(cloud, work, step)
        self._before()
        with self._lock:
            for _ in getattr(self._model, f"_{step.act}")(work, step.data):
                pass
        return None


class Run:
    """A run that stops before its n-th call until it is let go on."""

    def __init__(
        self,
        url: str,
        model: Model,
        lock: threading.Lock,
        want: Vm,
        *,
        held_at: int | None = None,
        consent: Mapping[str, bool] | None = None,
    ) -> None:
        self._url, self._model, self._lock, self._want, self._held_at = url, model, lock, want, held_at
        self._options = Options(consent or {})
        self.calls = 0
        self.error: PextraError | None = None
        self.problems: tuple[object, ...] = ()
        self.is_held, self.go_on = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._converge)

    def start(self) -> None:
        self._thread.start()

    def wait(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()

    def is_done(self) -> bool:
        return not self._thread.is_alive()

    def _before_call(self) -> None:
        if threading.current_thread().name == "lease-renewer":
            return
        if self.calls == self._held_at:
            self.calls += 1
            self.is_held.set()
            assert self.go_on.wait(30)
        else:
            self.calls += 1

    def _converge(self) -> None:
        with Registry(self._url) as registry:
            depth = threading.local()

            def held_up(real: Callable[..., Any]) -> Callable[..., Any]:
                def call(work: Any) -> Any:
                    if not getattr(depth, "inside", False):
                        self._before_call()
                    before, depth.inside = getattr(depth, "inside", False), True
                    try:
                        return real(work)
                    finally:
                        depth.inside = before

                return call

            registry.transaction = held_up(registry.transaction)  # type: ignore[method-assign]
            registry.read = held_up(registry.read)  # type: ignore[method-assign]
            try:
                with Cloud(registry) as cloud:
                    resource = ModelResource(self._model, self._lock, self._before_call)
                    terms = Terms(self._want.name, 20.0, confirm="DESTROY")
                    result = converge(cloud, resource, [self._want], self._options, terms)
                    self.problems = result.problems
            except PextraError as error:
                self.error = error
            finally:
                self.is_held.set()


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set whenever a run waits for another's lease."""
    event = threading.Event()

    class Clock:
        clock_gettime, monotonic, CLOCK_BOOTTIME = time.clock_gettime, time.monotonic, time.CLOCK_BOOTTIME

        @staticmethod
        def sleep(_: float) -> None:
            event.set()
            time.sleep(0.005)

    monkeypatch.setattr(leases, "time", Clock)
    return event


def fill(registry: Registry, model: Model) -> None:
    registry.put([ROOT_ORGANIZATION, OTHER_ORGANIZATION, replace(CLUSTER, attributes={"secret": "x"}), *model.members])


def vm(name: str, **more: Any) -> Vm:
    return Vm(name=name, vcpus=more.pop("vcpus", 1), memory=more.pop("memory", 256), **more)


def nic(mac: str) -> Nic:
    return Nic(port_group=PORT_GROUPS[0].name, mac=mac)


def one_node(model: Model) -> None:
    """Of three nodes two have no network: a guest must go to the first."""
    for node in ("node2", "node3"):
        model.nodes[node].networks.clear()


def crowded(model: Model) -> None:
    """Room for three virtual CPUs and 1000 MiB on the first node, and on no other."""
    for name, node in model.nodes.items():
        node.threads = 4
        node.foreign_size = Size(node.memory - 1000, 13) if name == "node1" else Size(node.memory, 16)


def both_are_off(model: Model) -> None:
    model.converge(*(vm(name, vcpus=2, root=ROOT, node="node1", power="stopped") for name in ("web-1", "web-2")))
    crowded(model)


def both_run(model: Model) -> None:
    model.converge(*(vm(name, root=ROOT, node="node1", power="running") for name in ("web-1", "web-2")))
    crowded(model)
    node = model.nodes["node1"]
    node.foreign_size = Size(node.memory - 1000, 12)


def one_runs_elsewhere(model: Model) -> None:
    model.converge(
        vm("web-1", vcpus=2, root=ROOT, node="node2", power="running"),
        vm("web-2", vcpus=2, root=ROOT, node="node1", power="stopped"),
    )
    crowded(model)
    model.nodes["node2"].foreign_size = Size(0, 14)


def room_suffices(model: Model) -> None:
    for node in model.nodes.values():
        running = [guest.config for guest in node.guests.values() if guest.power != "stopped"]
        assert sum(config.memory for config in running) + node.foreign_size.memory <= node.memory
        if node.threads is not None:
            assert sum(config.vcpus for config in running) + node.foreign_size.vcpus <= 4 * node.threads


def no_group_twice(model: Model) -> None:
    for node in model.nodes.values():
        groups = [guest.config.labels.anti_affinity for guest in node.guests.values()]
        assert len(groups) == len(set(groups))


def no_unit_twice(model: Model) -> None:
    units = [volume.unit for _, config in _guests(model) for volume in config.labels.volumes if volume.unit]
    assert len(units) == len(set(units)) == 1


def no_mac_twice(model: Model) -> None:
    macs = [interface.mac for _, config in _guests(model) for interface in config.interfaces]
    assert len(macs) == len(set(macs)) == 1


def no_address_twice(model: Model) -> None:
    addresses = [text for _, config in _guests(model) for nic in config.labels.nics for text in nic.addresses]
    assert len(addresses) == len(set(addresses)) == 1


def no_name_twice(model: Model) -> None:
    names = [config.name for _, config in _guests(model)]
    assert names == ["web-1"]


def _guests(model: Model) -> list[tuple[str, Any]]:
    return [(name, guest.config) for name, node in model.nodes.items() for guest in node.guests.values()]


MAC = "52:54:00:00:00:01"
ADDRESS = ("192.0.2.7/24",)
NIC = (nic("52:54:00:00:00:02"),)
ROOT = Root(pool="shared", size=1024)
UNIT = (Volume(name="data", pool="san", unit="unit:0:0:1"),)
SCENARIOS: dict[str, tuple[Callable[[Model], object], Vm, Vm, Callable[[Model], None], int]] = {
    # How the model is prepared, what the two want, what must be true in the end, and how many are refused.
    "memory": (
        one_node,
        vm("web-1", memory=5000, nics=NIC, root=ROOT),
        vm("web-2", memory=5000, nics=(nic("52:54:00:00:00:03"),), root=ROOT),
        room_suffices,
        1,
    ),
    "memory of the node that both name": (
        lambda _: None,
        vm("web-1", memory=5000, root=ROOT, node="node1"),
        vm("web-2", memory=5000, root=ROOT, node="node1"),
        room_suffices,
        1,
    ),
    "virtual CPUs": (
        crowded,
        vm("web-1", vcpus=2, root=ROOT),
        vm("web-2", vcpus=2, root=ROOT),
        room_suffices,
        1,
    ),
    "virtual CPUs of the node that both name": (
        crowded,
        vm("web-1", vcpus=2, root=ROOT, node="node1"),
        vm("web-2", vcpus=2, root=ROOT, node="node1"),
        room_suffices,
        1,
    ),
    "virtual CPUs, to be started": (
        both_are_off,
        Vm(name="web-1", power="running"),
        Vm(name="web-2", power="running"),
        room_suffices,
        1,
    ),
    "virtual CPUs, to grow": (
        both_run,
        Vm(name="web-1", vcpus=3),
        Vm(name="web-2", vcpus=3),
        room_suffices,
        1,
    ),
    "virtual CPUs, to move and to be started": (
        one_runs_elsewhere,
        Vm(name="web-1", node="node1"),
        Vm(name="web-2", power="running"),
        room_suffices,
        1,
    ),
    "memory, to be started": (
        both_are_off,
        Vm(name="web-1", power="running", vcpus=1, memory=600),
        Vm(name="web-2", power="running", vcpus=1, memory=600),
        room_suffices,
        1,
    ),
    "memory, to grow": (both_run, Vm(name="web-1", memory=600), Vm(name="web-2", memory=600), room_suffices, 1),
    "anti-affinity": (
        lambda _: None,
        vm("web-1", anti_affinity="web", root=ROOT),
        vm("web-2", anti_affinity="web", root=ROOT),
        no_group_twice,
        0,
    ),
    "anti-affinity on one node": (
        one_node,
        vm("web-1", anti_affinity="web", nics=NIC, root=ROOT),
        vm("web-2", anti_affinity="web", nics=(nic("52:54:00:00:00:03"),), root=ROOT),
        no_group_twice,
        1,
    ),
    "unit": (
        lambda _: None,
        vm("web-1", root=ROOT, volumes=UNIT),
        vm("web-2", root=ROOT, volumes=UNIT),
        no_unit_twice,
        1,
    ),
    "MAC": (
        lambda _: None,
        vm("web-1", root=ROOT, nics=(nic(MAC),)),
        vm("web-2", root=ROOT, nics=(nic(MAC),)),
        no_mac_twice,
        1,
    ),
    "address": (
        lambda _: None,
        vm("web-1", root=ROOT, nics=(replace(nic(MAC), addresses=ADDRESS),)),
        vm("web-2", root=ROOT, nics=(replace(nic("52:54:00:00:00:03"), addresses=ADDRESS),)),
        no_address_twice,
        1,
    ),
    "name": (lambda _: None, vm("web-1", root=ROOT), vm("web-1", root=ROOT, memory=512), no_name_twice, 0),
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_never_both(scenario: str, registry_url: str, waiting: threading.Event) -> None:
    prepare, first, second, check, refused = SCENARIOS[scenario]
    with Registry(registry_url, create=True) as registry:
        fill(registry, Model.fresh())
    for held_at in range(1000):
        model, lock = Model.fresh(), threading.Lock()
        prepare(model)
        with Registry(registry_url) as registry:
            registry.remove([row.id for row in registry.rows("instance")])
        waiting.clear()
        slow = Run(registry_url, model, lock, first, held_at=held_at)
        quick = Run(registry_url, model, lock, second)
        slow.start()
        assert slow.is_held.wait(30)
        if slow.calls <= held_at:  # it has fewer calls
            slow.wait()
            break
        quick.start()
        while not quick.is_done() and not waiting.is_set():
            time.sleep(0.001)
        slow.go_on.set()
        slow.wait()
        quick.wait()
        errors = [run.error for run in (slow, quick) if run.error is not None]
        assert [type(error) for error in errors] == [RefusedError] * refused, (held_at, errors)
        assert (slow.problems, quick.problems) == ((), ()), held_at
        check(model)
    assert held_at > 10


@pytest.mark.parametrize("is_removed_by", ["the slow run", "the quick run"])
def test_protecting_and_removing_never_both(registry_url: str, waiting: threading.Event, is_removed_by: str) -> None:
    """Whoever decides first: the other is refused, or makes a new one. What is protected has its data."""
    kept, goes = vm("web-1", root=ROOT, protected=True), Vm(name="web-1", state="absent")
    consent = {"force_stop": True, "remove_volumes": True}
    with Registry(registry_url, create=True) as registry:
        fill(registry, Model.fresh())
    seen: set[str] = set()
    for held_at in range(1000):
        model, lock = Model.fresh(), threading.Lock()
        model.converge(replace(kept, protected=None, cloud_init=None))
        before = _data_of(model)
        with Registry(registry_url) as registry:
            registry.remove([row.id for row in registry.rows("instance")])
            registry.put(list(model.rows.values()))
        waiting.clear()
        first, second = (goes, kept) if is_removed_by == "the slow run" else (kept, goes)
        slow = Run(registry_url, model, lock, first, held_at=held_at, consent=consent)
        quick = Run(registry_url, model, lock, second, consent=consent)
        slow.start()
        assert slow.is_held.wait(30)
        if slow.calls <= held_at:  # it has fewer calls
            slow.wait()
            break
        quick.start()
        while not quick.is_done() and not waiting.is_set():
            time.sleep(0.001)
        slow.go_on.set()
        slow.wait()
        quick.wait()
        removing, protecting = (slow, quick) if first is goes else (quick, slow)
        assert protecting.error is None, held_at
        assert (slow.problems, quick.problems) == ((), ()), held_at
        ((_, config),) = _guests(model)
        assert config.labels.protected, held_at
        with Registry(registry_url) as registry:
            assert [row.attributes.get("protected") for row in registry.rows("instance")] == [True]
        if removing.error is not None:
            assert isinstance(removing.error, RefusedError), held_at
            assert "it is protected, and cannot be removed" in str(removing.error)
            assert _data_of(model) == before, held_at
        else:
            assert _data_of(model).keys().isdisjoint(before), held_at
        seen.add("removed first" if removing.error is None else "protected first")
    assert seen == {"removed first", "protected first"}


def _data_of(model: Model) -> dict[str, str]:
    """Return the content of each volume of instances in the shared pool."""
    return {name: volume.content for name, volume in model.volumes("node1", "shared").items()}


def test_what_a_planner_overlooks_the_engine_refuses(registry_url: str) -> None:
    """In the transaction that decides, before anything is written."""
    model, lock = Model.fresh(), threading.Lock()
    model.converge(vm("web-1", root=ROOT))
    (row,) = model.rows.values()
    protected = replace(row, attributes={**row.attributes, "protected": True})

    class Forgetful(ModelResource):
        def read(self, cloud: Cloud, wants: Sequence[Vm], options: Options) -> VmHave:
            have = super().read(cloud, wants, options)
            members = tuple(row if one.id == row.id else one for one in have.hierarchy.members)
            return replace(have, hierarchy=replace(have.hierarchy, members=members))

    with Registry(registry_url, create=True) as registry:
        fill(registry, Model.fresh())
        registry.put([protected])
        before, revision = _data_of(model), registry.revision()
        with Cloud(registry) as cloud:
            options, terms = Options({"force_stop": True, "remove_volumes": True}), Terms("x", 20.0, "DESTROY")
            with pytest.raises(
                RefusedError, match=r"instance web-1: it is protected, and this would do: .*Set protected"
            ):
                converge(
                    cloud, Forgetful(model, lock, lambda: None), [Vm(name="web-1", state="absent")], options, terms
                )
        assert (registry.rows("instance"), registry.revision()) == ([protected], revision)
        assert _data_of(model) == before


def test_no_record_of_a_copy_is_lost(registry_url: str) -> None:
    """One run reads the image's row, and another one records its copy before the first one writes."""
    with Registry(registry_url, create=True) as registry:
        registry.put([replace(TINY, attributes={**TINY.attributes, "sha256": "0" * 64, "size": 1, "copies": []})])
    with Registry(registry_url) as one, Registry(registry_url) as other:
        started, ended = threading.Event(), threading.Event()
        real = one.rows

        def rows(*kinds: str) -> Any:
            found = real(*kinds)
            started.set()
            ended.wait(0.3)  # a database that let the other one write now would lose it
            return found

        one.rows = rows  # type: ignore[method-assign]

        def record_other() -> None:
            started.wait(10)
            record_copy(other, TINY.id, "pool-b/")
            ended.set()

        thread = threading.Thread(target=record_other)
        thread.start()
        record_copy(one, TINY.id, "pool-a/")
        thread.join(30)
        assert real("image")[0].attributes["copies"] == ["pool-a/", "pool-b/"]


def test_what_others_have_written_stays(registry_url: str) -> None:
    with Registry(registry_url, create=True) as registry:
        registry.put([TINY])

    def add(key: str) -> None:
        with Registry(registry_url) as mine:
            for number in range(20):
                mine.change(
                    TINY.id,
                    lambda row, number=number: replace(row, attributes={**row.attributes, f"{key}{number}": True}),  # type: ignore[misc]
                )

    threads = [threading.Thread(target=add, args=(key,)) for key in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with Registry(registry_url) as registry:
        assert len(registry.rows("image")[0].attributes) == len(TINY.attributes) + 60
        registry.change("img-unknown", lambda row: row)
        with suppress(KeyError):
            registry.change(NODES[0].id, lambda row: row)
