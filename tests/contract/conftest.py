# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""libvirt's own test driver, in this process: a clean host for each node of a small cloud."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import libvirt
import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pextra.cloud.plugins.module_utils import _runner
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._doors import hung_nodes
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host import image_files
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.hypervisor import Hypervisor
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import NotFoundError
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id
from ansible_collections.pextra.cloud.plugins.module_utils._model.names import image_volume
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import AssociationRow, Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.definition import render_volume
from ansible_collections.pextra.cloud.plugins.modules import pextra_vm

from . import storage_hosts, switches

Result = dict[str, Any]
Module = Callable[..., Result]

HOST = """<node><cpu><mhz>6000</mhz><model>x86_64</model><active>4</active><nodes>1</nodes><sockets>1</sockets>
<cores>4</cores><threads>1</threads></cpu><memory>8192000</memory>
<network><name>svswitch1</name><bridge name='svswitch1'/><forward mode='bridge'/><portgroup name='Production'/>
<portgroup name='DMZ'/></network>
<pool type='dir'><name>local</name><uuid>11111111-2222-3333-4444-555555555555</uuid>
<target><path>/srv/local</path></target></pool>
<pool type='dir'><name>shared</name><uuid>11111111-2222-3333-4444-666666666666</uuid>
<target><path>/srv/shared</path></target></pool></node>"""

CLUSTER = Row("cls-AAAAAAAAAAAAAAAAAAAAA", "cluster", "mtl-1")
VSWITCH = Row("vsw-AAAAAAAAAAAAAAAAAAAAA", "vswitch", "svswitch1", CLUSTER.id)
NODES = tuple(
    Row(f"node-{n * 21}", "node", f"node{n}", CLUSTER.id, {"address": f"10.91.0.1{n}", "virt_type": "qemu"})
    for n in "12"
)
COPIES = ["pool-BBBBBBBBBBBBBBBBBBBBB/", *(f"pool-AAAAAAAAAAAAAAAAAAAAA/{node.id}" for node in NODES)]
IMAGE = Row(
    "img-AAAAAAAAAAAAAAAAAAAAA",
    "image",
    "tiny",
    CLUSTER.id,
    {"format": "qcow2", "virtual_size": 64 * 1024**2, "copies": COPIES},
)
ROWS = (
    Row("org-AAAAAAAAAAAAAAAAAAAAA", "organization", "acme", "", {"root": True}),
    CLUSTER,
    *NODES,
    Row("pool-AAAAAAAAAAAAAAAAAAAAA", "pool", "local", CLUSTER.id, {"type": "directory", "path": "/srv/local"}),
    Row(
        "pool-BBBBBBBBBBBBBBBBBBBBB",
        "pool",
        "shared",
        CLUSTER.id,
        {"type": "directory", "path": "/srv/shared", "shared": True},
    ),
    IMAGE,
    VSWITCH,
    Row("pg-AAAAAAAAAAAAAAAAAAAAA", "port_group", "Production", CLUSTER.id, {"vswitch": VSWITCH.id}),
    Row("pg-BBBBBBBBBBBBBBBBBBBBB", "port_group", "DMZ", CLUSTER.id, {"vswitch": VSWITCH.id}),
)


# As its pools were defined by somebody, they are adopted ones.
ASSOCIATIONS = tuple(
    AssociationRow(pool, node.id, {"enabled": True, "status": "available", "internal_id": uuid})
    for node in NODES
    for pool, uuid in (
        ("pool-AAAAAAAAAAAAAAAAAAAAA", "11111111-2222-3333-4444-555555555555"),
        ("pool-BBBBBBBBBBBBBBBBBBBBB", "11111111-2222-3333-4444-666666666666"),
    )
)


class Driver(Hypervisor):
    """The test driver, and by other means what it cannot: transfer, grow, start paused, forget NVRAM, share a pool."""

    peers: list[Driver]
    uploaded: dict[str, bytes]

    def undefine_domain(self, uuid: str, resource: str, **_: Any) -> None:
        with contextlib.suppress(NotFoundError), self._errors("remove the instance's definition", resource):
            self._connection.lookupByUUIDString(uuid).undefine()

    def start_domain(self, uuid: str, resource: str, *, paused: bool = False, limit_s: float | None = None) -> None:
        super().start_domain(uuid, resource, limit_s=limit_s)
        if paused:
            self.suspend_domain(uuid, resource)

    def upload_volume(
        self, pool: str, name: str, read: Callable[[int], bytes], length: int, resource: str, **_: Any
    ) -> None:
        self.volume_size(pool, name)
        self.uploaded[name] = read(length)

    def read_volume(self, pool: str, name: str, size: int, resource: str) -> Iterator[bytes]:
        (content,) = [driver.uploaded[name] for driver in (self, *self.peers) if name in driver.uploaded]
        yield content[:size]

    def grow_volume(self, pool: str, name: str, size_bytes: int, resource: str) -> None:
        self.delete_volume(pool, name, resource)
        self.create_volume(pool, render_volume(name, size_bytes, "qcow2"), resource)

    def refresh_pool(self, pool: str) -> None:
        super().refresh_pool(pool)
        for peer in self.peers:
            for name in peer.volume_names(pool) - self.volume_names(pool):
                self.create_volume(pool, render_volume(name, peer.volume_size(pool, name), "qcow2"), "shared")


class Bridges:
    """An OVSDB that has bridges in userspace of these names, without lost ports. asked: how often for bridges."""

    frozen = None
    is_given_up = False

    def __init__(self) -> None:
        self.names: list[str] = []
        self.asked = 0

    def transact(self, operations: Sequence[Mapping[str, Any]], *_: Any) -> list[dict[str, Any]]:
        if any(column == "ofport" for column, *_ in operations[0]["where"]):
            return [{"rows": []}]
        self.asked += 1
        return [{"rows": [{"name": name} for name in self.names]}]

    def close(self) -> None:
        pass


def open_driver(path: Path, node: str) -> Driver:
    """Open a clean host of its own."""
    path.write_text(HOST)
    driver = Driver.open(node, f"test://{path}")
    assert isinstance(driver, Driver)
    driver.peers, driver.uploaded = [], {}
    return driver


@pytest.fixture(autouse=True)
def nothing_is_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What froze in one test is nothing to another."""
    monkeypatch.setattr(hung_nodes, "DIRECTORY", str(tmp_path / "hung"))


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Hypervisor]:
    """A clean host, and nothing but what libvirt can do."""
    path = tmp_path / "host.xml"
    path.write_text(HOST)
    opened = Hypervisor.open("node1", f"test://{path}")
    yield opened
    opened.close()


@pytest.fixture
def small_cloud(tmp_path: Path) -> Iterator[Cloud]:
    """Two nodes with a pool of their own, a shared one, a vSwitch and an image, and a registry that knows them."""
    with Registry(f"sqlite:///{tmp_path}/registry.db", create=True) as registry:
        registry.put(ROWS)
        registry.associate(ASSOCIATIONS)
        with Cloud(registry) as cloud:
            drivers = {node.name: open_driver(tmp_path / f"{node.name}.xml", node.name) for node in NODES}
            for name, opened in drivers.items():
                opened.peers = [peer for peer in drivers.values() if peer is not opened]
                for pool in ("local", "shared"):
                    opened.create_volume(
                        pool, render_volume(image_volume(IMAGE.id, "qcow2"), 64 * 1024**2, "qcow2"), ""
                    )
                cloud._hypervisors[name] = opened
                cloud._databases[name] = Bridges()  # type: ignore[assignment]
            yield cloud


@pytest.fixture
def ovs_nodes() -> Iterator[dict[str, switches.Ovs]]:
    """Two nodes' Open vSwitch. Their sockets need short paths."""
    if not switches.SCHEMA.exists():
        pytest.skip("Open vSwitch is not installed here (apt-get install openvswitch-switch)")
    with tempfile.TemporaryDirectory(prefix="ovs-") as directory:
        made: dict[str, switches.Ovs] = {}
        try:
            for name in ("node1", "node2"):
                Path(directory, name).mkdir()
                made[name] = switches.Ovs(Path(directory, name))
            yield made
        finally:
            for ovs in made.values():
                ovs.stop()


@pytest.fixture
def network_cloud(tmp_path: Path, ovs_nodes: dict[str, switches.Ovs]) -> Iterator[Cloud]:
    """Two nodes with an Open vSwitch of their own, and a registry that knows them."""
    with Registry(f"sqlite:///{tmp_path}/registry.db", create=True) as registry:
        cluster = new_id("cluster")
        rows = [Row(new_id("node"), "node", name, cluster, {"address": f"10.91.0.1{name[-1]}"}) for name in ovs_nodes]
        registry.put([Row(cluster, "cluster", "mtl-1"), *rows])
        with Cloud(registry) as opened:
            for name, ovs in ovs_nodes.items():
                host = tmp_path / f"{name}.xml"
                host.write_text(switches.HOST)
                opened._hypervisors[name] = switches.TestDriver.open(name, f"test://{host}")
                opened._databases[name] = switches.open_database(name, ovs.socket)
            yield opened


@pytest.fixture
def storage_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Two nodes with a storage pool of somebody else's, labels in memory, and a registry that knows them."""
    monkeypatch.setattr(image_files, "DIRECTORY", str(tmp_path / "images"))
    with Registry(f"sqlite:///{tmp_path}/registry.db", create=True) as registry:
        cluster = new_id("cluster")
        nodes = [Row(new_id("node"), "node", f"node{n}", cluster, {"address": f"10.91.0.1{n}"}) for n in (1, 2)]
        registry.put([Row(cluster, "cluster", "mtl-1"), *nodes])
        with Cloud(registry) as opened:
            labels = {node.name: storage_hosts.Labels() for node in nodes}
            monkeypatch.setattr(opened, "labels", labels.__getitem__)
            for node in nodes:
                host = tmp_path / f"{node.name}.xml"
                host.write_text(storage_hosts.HOST)
                opened._hypervisors[node.name] = Hypervisor.open(node.name, f"test://{host}")
            yield opened


class Calls(Counter[str]):
    """Counts the calls into libvirt's C library, by name; most are a round trip to a node."""

    def __init__(self, library: Any) -> None:
        super().__init__()
        self._library = library

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._library, name)

        def call(*arguments: Any) -> Any:
            self[name] += 1
            return found(*arguments)

        return call if callable(found) else found

    @property
    def remote(self) -> dict[str, int]:
        """Those that cross the network: names, identifiers and references are known to the client."""
        local = {
            *("virDomainGetUUIDString", "virDomainGetName", "virDomainFree"),
            *("virStoragePoolGetUUIDString", "virStoragePoolGetName", "virStoragePoolFree"),
            *("virNetworkGetUUIDString", "virNetworkGetName", "virNetworkFree"),
        }
        return {name: count for name, count in sorted(self.items()) if name not in local}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    counted = Calls(libvirt.libvirtmod)
    monkeypatch.setattr(libvirt, "libvirtmod", counted)
    return counted


@pytest.fixture
def module(small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Module:
    """Run the module pextra_vm with some options, and return its result."""

    def open_cloud(_: Any, __: Any) -> Cloud:
        small_cloud.refresh_nodes()
        return small_cloud

    monkeypatch.setattr(_runner, "_open", open_cloud)

    def run(main: Callable[[], None] = pextra_vm.main, **options: Any) -> Result:
        with patch_module_args({"registry": small_cloud.registry.url, **options}), pytest.raises(SystemExit):
            main()
        result: Result = json.loads(capsys.readouterr().out)
        return result

    return run
