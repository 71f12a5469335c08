# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hypervisor layer against libvirt's own test driver, in this process."""

from __future__ import annotations

import errno
import io
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import libvirt
import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt import connection
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.hypervisor import Hypervisor
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import (
    HypervisorError,
    NotFoundError,
    UnreachableError,
)
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id, uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition import (
    Disk,
    DomainModel,
    Interface,
    parse_domain,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_writing import (
    edit_domain,
    render_domain,
    render_labels,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.labels import (
    URI,
    Labels,
    NicLabel,
    VolumeLabel,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.definition import render_volume

ABSENT = "00000000-0000-0000-0000-000000000002"


def make(name: str = "web", **changes: Any) -> DomainModel:
    id_ = new_id("instance")
    model = DomainModel(
        name=name,
        uuid=uuid_of(id_),
        memory=256,
        vcpus=2,
        disks=(
            Disk(target="vda", path=f"/srv/local/{name}.{id_}.root.qcow2", serial="root"),
            Disk(target="vdb", path=f"/srv/local/{name}.{id_}.data.qcow2", serial="data"),
            Disk(target="vdz", path=f"/srv/local/{name}.{id_}.seed-1.iso", serial="seed", format="raw", read_only=True),
        ),
        interfaces=(Interface(mac="52:00:00:00:00:01", network="svswitch1", port_group="DMZ"),),
        description="Front <&> 'office' ä 漢 😀",
        labels=Labels(
            id=id_,
            cluster="cls-1",
            organization="org-1",
            image="tiny",
            root_mode="overlay",
            anti_affinity="web",
            seed="a" * 64,
            tags=("a", "b"),
            volumes=(VolumeLabel(name="root", pool="local", size=64), VolumeLabel(name="data", pool="local", size=64)),
            nics=(NicLabel(name="nic0", addresses=("172.20.0.5/24", "fd00::5/64")),),
        ),
    )
    return replace(model, **changes)


def defined(driver: Hypervisor, model: DomainModel) -> DomainModel:
    driver.define_domain(render_domain(model, "qemu"), "instance web")
    return model


def error_of(text: str) -> libvirt.libvirtError:
    """Return an error as libvirt raises it. By itself it would take the last real one's text."""
    error = libvirt.libvirtError(text)
    error.err = (libvirt.VIR_ERR_RPC, libvirt.VIR_FROM_RPC, text, libvirt.VIR_ERR_ERROR, "", None, None, -1, -1)
    return error


def states(driver: Hypervisor) -> dict[str, tuple[str, bool, bool]]:
    return {record.name: (record.power, record.autostart, record.persistent) for record in driver.domains()}


# Host and connection


def test_the_host(driver: Hypervisor) -> None:
    host = driver.host()
    assert (host.cores, host.memory) == (4, 8000)
    assert host.libvirt_version >= 9_000_000
    assert host.hostname
    assert not driver.supports_kvm()


def test_the_default_host() -> None:
    opened = Hypervisor.open("node1", "test:///default")
    (record,) = opened.domains()
    assert (record.name, record.power) == ("test", "running")
    assert parse_domain(record.config) is None
    opened.close()
    opened.close()


def test_what_is_no_libvirt(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError) as caught:
        Hypervisor.open("node1", f"qemu:///system?socket={tmp_path}/none")
    (problem,) = caught.value.problems
    assert problem.node == "node1"
    assert problem.what.startswith("libvirt cannot be reached: ")
    assert problem.remedy == "On node1: systemctl status libvirtd."


def test_nothing_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(connection, "TLS_PORT", server.getsockname()[1])
    with pytest.raises(UnreachableError) as caught:
        Hypervisor.connect("node2", "127.0.0.1")
    (problem,) = caught.value.problems
    assert problem.node == "node2"
    assert "libvirtd does not run there" in problem.what
    assert "site.yml --tags node --limit node2" in problem.remedy


def test_a_host_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that nobody takes ends within a bound."""
    monkeypatch.setattr(connection, "_CONNECT_TIMEOUT_S", 0.2)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        monkeypatch.setattr(connection, "TLS_PORT", server.getsockname()[1])
        waiting = [socket.socket() for _ in range(4)]
        try:
            for client in waiting:
                client.setblocking(False)
                client.connect_ex(server.getsockname())
            with pytest.raises(UnreachableError, match=r"does not answer within 0\.2 s"):
                Hypervisor.connect("node2", "127.0.0.1")
        finally:
            for client in waiting:
                client.close()


# Instances


def test_what_is_defined_is_what_is_read(driver: Hypervisor) -> None:
    model = defined(driver, make())
    (record,) = driver.domains()
    assert parse_domain(record.config) == model
    assert (record.uuid, record.power, record.live) == (model.uuid, "stopped", None)


@pytest.mark.parametrize("description", [None, "x", " two  blanks ", "]]>", "&amp;", "{{ jinja }} $(shell)"])
def test_descriptions(driver: Hypervisor, description: str | None) -> None:
    model = defined(driver, make(description=description))
    assert parse_domain(driver.domains()[0].config) == model


def test_an_edit_is_what_is_read(driver: Hypervisor) -> None:
    model = defined(driver, make())
    other = replace(
        model,
        memory=512,
        vcpus=4,
        disks=(model.disks[0], replace(model.disks[1], target="vdc"), model.disks[2]),
        interfaces=(Interface(mac="52:00:00:00:00:02", network="svswitch1", port_group="DMZ"), *model.interfaces),
        description=None,
        labels=replace(model.labels, tags=(), anti_affinity=None),
    )
    driver.define_domain(edit_domain(driver.domains()[0].config, other), "instance web")
    (record,) = driver.domains()
    assert parse_domain(record.config) == other
    # Nothing that libvirt has added is taken away, and an edit to the same is the same.
    driver.define_domain(edit_domain(record.config, other), "instance web")
    assert driver.domains()[0].config == record.config


def test_schema_violations_are_refused(driver: Hypervisor) -> None:
    xml = render_domain(make(), "qemu").replace('bus="virtio"', 'bus="nonsense"')
    with pytest.raises(HypervisorError, match="node1: instance web: define the instance: "):
        driver.define_domain(xml, "instance web")
    assert driver.domains() == []


def press(driver: Hypervisor, uuid: str, resource: str = "web") -> None:
    for _ in driver.request_shutdown(uuid, resource, 10):
        pass


def test_power(driver: Hypervisor) -> None:
    uuid = defined(driver, make()).uuid
    driver.start_domain(uuid, "web")
    driver.start_domain(uuid, "web")
    assert driver.power_of(uuid, "web") == "running"
    assert states(driver) == {"web": ("running", False, True)}
    driver.suspend_domain(uuid, "web")
    assert (driver.power_of(uuid, "web"), states(driver)["web"][0]) == ("paused", "paused")
    driver.resume_domain(uuid, "web")
    press(driver, uuid)
    assert (driver.power_of(uuid, "web"), states(driver)["web"][0]) == ("stopped", "stopped")
    press(driver, uuid)
    driver.start_domain(uuid, "web")
    driver.force_stop(uuid, "web")
    driver.force_stop(uuid, "web")
    assert driver.power_of(uuid, "web") == "stopped"


def test_a_running_guest_has_a_definition_and_a_life(driver: Hypervisor) -> None:
    model = defined(driver, make())
    driver.start_domain(model.uuid, "web")
    driver.define_domain(edit_domain(driver.domains()[0].config, replace(model, memory=512)), "web")
    (record,) = driver.domains()
    config, live = parse_domain(record.config), parse_domain(record.live or "")
    assert config is not None
    assert live is not None
    assert (config.memory, live.memory) == (512, 256)
    assert replace(live, memory=512) == config
    assert len(driver.live_domain_xml()) == 1


def test_autostart_and_transience(driver: Hypervisor) -> None:
    uuid = defined(driver, make()).uuid
    driver.set_autostart(uuid, True, "web")
    assert states(driver)["web"] == ("stopped", True, True)
    driver.set_autostart(uuid, False, "web")
    driver.start_domain(uuid, "web")
    driver._connection.lookupByUUIDString(uuid).undefine()
    assert states(driver)["web"] == ("running", False, False)


def test_labels_of_a_running_guest(driver: Hypervisor) -> None:
    """Again and again, in the guest and in the definition, and the rest of the definition stays."""
    model = defined(driver, make())
    driver.start_domain(model.uuid, "web")
    for tags in (("x",), (), ("y", "z")):
        labels = replace(model.labels, tags=tags, volumes=model.labels.volumes[:1])
        driver.set_metadata(model.uuid, render_labels(labels), "pextra", URI, "web", live=True)
        (record,) = driver.domains()
        for xml in (record.config, record.live):
            assert parse_domain(xml or "") == replace(model, labels=labels)


def test_domains_that_vanish_while_they_are_read(driver: Hypervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    defined(driver, make("web"))
    gone = defined(driver, make("gone"))
    real = libvirt.virDomain.XMLDesc

    def read(domain: libvirt.virDomain, flags: int) -> str:
        if domain.name() == "gone":
            driver._connection.lookupByUUIDString(gone.uuid).undefine()
        text: str = real(domain, flags)
        return text

    monkeypatch.setattr(libvirt.virDomain, "XMLDesc", read)
    assert [record.name for record in driver.domains()] == ["web"]


@pytest.mark.parametrize(
    "act",
    [
        lambda driver: driver.set_autostart(ABSENT, True, "instance web"),
        lambda driver: driver.power_of(ABSENT, "instance web"),
        lambda driver: driver.start_domain(ABSENT, "instance web"),
        lambda driver: driver.resume_domain(ABSENT, "instance web"),
        lambda driver: driver.suspend_domain(ABSENT, "instance web"),
        lambda driver: press(driver, ABSENT, "instance web"),
        lambda driver: driver.force_stop(ABSENT, "instance web"),
        lambda driver: driver.attach_device(ABSENT, "<a/>", "instance web", live=True, config=False),
        lambda driver: driver.detach_device(ABSENT, "<a/>", "instance web", live=True, config=False),
        lambda driver: driver.update_device(ABSENT, "<a/>", "instance web", live=True, config=False),
        lambda driver: driver.grow_disk(ABSENT, "vda", 1, "instance web"),
        lambda driver: driver.set_metadata(ABSENT, "<a/>", "a", "urn:a", "instance web", live=False),
        lambda driver: driver.migrate(
            *(ABSENT, driver, "10.0.0.1", "<a/>", "instance web"), certified="10.0.0.1", is_vouched=False
        ),
    ],
)
def test_instances_that_are_not_there(driver: Hypervisor, act: Any) -> None:
    with pytest.raises(NotFoundError) as caught:
        act(driver)
    (problem,) = caught.value.problems
    assert (problem.node, problem.resource) == ("node1", "instance web")


def test_removing_what_is_not_there(driver: Hypervisor) -> None:
    driver.undefine_domain(ABSENT, "web")
    driver.remove_pool(ABSENT, "pool")
    driver.remove_network("none", "network")
    driver.delete_volume("local", "none", "volume")
    driver.delete_volume("none", "none", "volume")


def test_what_the_driver_cannot_do_is_one_error(driver: Hypervisor) -> None:
    uuid = defined(driver, make()).uuid
    with pytest.raises(HypervisorError, match="node1: instance web: grow a disk: this function is not supported"):
        driver.grow_disk(uuid, "vda", 2**60, "instance web")
    driver.grow_disk(uuid, "vda", 1, "instance web")  # it is larger already, and libvirt would cut it off


def test_a_full_disk_is_told_by_its_number(driver: Hypervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text is in the language of the node."""
    monkeypatch.setattr(libvirt.libvirtError, "get_error_code", lambda _: libvirt.VIR_ERR_SYSTEM_ERROR)
    monkeypatch.setattr(libvirt.libvirtError, "get_int1", lambda _: errno.ENOSPC)
    assert driver._remedy(error_of("Auf dem Gerät ist kein Speicherplatz mehr verfügbar")) == (
        "The disk is full: free space, or use another storage pool."
    )
    monkeypatch.setattr(libvirt.libvirtError, "get_int1", lambda _: errno.EPERM)
    assert driver._remedy(error_of("No space left on device")) == ""


# Storage


def test_volumes(driver: Hypervisor) -> None:
    driver.create_volume("local", render_volume("a.qcow2", 4096, "qcow2"), "web")
    driver.create_volume("local", render_volume("b.qcow2", 8192, "qcow2", backing_path="/srv/local/a.qcow2"), "web")
    driver.clone_volume("local", render_volume("c.qcow2", 4096, "qcow2"), "local", "a.qcow2", "web")
    assert driver.volume_names("local") == {"a.qcow2", "b.qcow2", "c.qcow2"}
    assert driver.volume_size("local", "b.qcow2") == 8192
    assert driver.volume_path("local", "a.qcow2") == "/srv/local/a.qcow2"
    assert driver.backing_paths("local") == {"b.qcow2": "/srv/local/a.qcow2"}
    driver.refresh_pool("local")
    driver.delete_volume("local", "a.qcow2", "web")
    driver.delete_volume("local", "a.qcow2", "web")
    assert driver.volume_names("local") == {"b.qcow2", "c.qcow2"}
    with pytest.raises(HypervisorError, match="node1: web: create a volume: "):
        driver.create_volume("local", render_volume("b.qcow2", 1, "qcow2"), "web")


@pytest.mark.parametrize(
    "act",
    [
        lambda driver: driver.volume_names("none"),
        lambda driver: driver.refresh_pool("none"),
        lambda driver: driver.volume_size("local", "none"),
        lambda driver: driver.volume_path("local", "none"),
        lambda driver: driver.backing_paths("none"),
        lambda driver: driver.create_volume("none", "<volume/>", "web"),
        lambda driver: driver.clone_volume("local", "<volume/>", "local", "none", "web"),
        lambda driver: driver.grow_volume("local", "none", 1, "web"),
        lambda driver: driver.upload_volume("local", "none", io.BytesIO(b"").read, 0, "web"),
        lambda driver: driver.start_pool(ABSENT, "pool", build=False),
        lambda driver: driver.set_pool_autostart(ABSENT, "pool"),
    ],
)
def test_storage_that_is_not_there(driver: Hypervisor, act: Any) -> None:
    with pytest.raises(NotFoundError):
        act(driver)


def test_pools_and_networks_in_bulk(driver: Hypervisor) -> None:
    assert {pool.name: pool.active for pool in driver.pools()} == {"local": True, "shared": True}
    assert driver.active_networks() == {"svswitch1"}


# Bulk


def test_a_thousand(driver: Hypervisor, calls: Any) -> None:
    """Five lists and one definition each: nothing is looked up. (The calls are counted, for time tells little.)"""
    models = [make(f"web-{n}") for n in range(1000)]
    for model in models:
        driver.define_domain(render_domain(model, "qemu"), "web")
    assert list(calls.remote.values()) == [1000]
    for model in models[:10]:
        driver.start_domain(model.uuid, "web")
    calls.clear()
    records = driver.domains()
    assert calls.remote == {"virConnectListAllDomains": 6, "virDomainGetXMLDesc": 1010}
    found = {record.name: parse_domain(record.config) for record in records}
    assert found == {model.name: model for model in models}
    assert sum(record.power == "running" for record in records) == 10


def test_threads_share_a_connection(driver: Hypervisor) -> None:
    models = [make(f"web-{n}") for n in range(40)]
    errors = []

    def work(part: list[DomainModel]) -> None:
        try:
            for model in part:
                defined(driver, model)
                driver.start_domain(model.uuid, "web")
                driver.domains()
        except HypervisorError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(models[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(driver.domains()) == 40
