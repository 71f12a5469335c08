# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pextra_registry, with real databases and Ansible's own module class. Only what nodes carry is made up."""

from __future__ import annotations

import builtins
import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils import _internal
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pextra.cloud.plugins.module_utils._cloud import Cloud
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import audit, migrations
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.look import Found, look_at
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem, UnreachableError
from ansible_collections.pextra.cloud.plugins.module_utils._model.nouns import KINDS
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.hierarchy.plan import Hierarchy
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node.labels import labels_of_node
from ansible_collections.pextra.cloud.plugins.modules import pextra_registry

Result = dict[str, Any]
Module = Callable[..., Result]
NEWEST = len(migrations.MIGRATIONS)
ORGANIZATION = Row(f"org-{'a' * 21}", "organization", "acme", "", {"root": True})
DATACENTER = Row(f"dc-{'a' * 21}", "datacenter", "Montreal", "", {"organization": ORGANIZATION.id})
CLUSTER = Row(f"cls-{'a' * 21}", "cluster", "mtl-1", "", {"datacenter": DATACENTER.id, "secret": "hush"})
NODE = Row(f"node-{'a' * 21}", "node", "node1", CLUSTER.id, {"address": "10.91.0.11", "virt_type": "qemu"})
ROWS = (NODE, ORGANIZATION, DATACENTER, CLUSTER)
LABELS = labels_of_node(
    NODE.id, CLUSTER.id, NODE.name, NODE.attributes, Hierarchy((ORGANIZATION,), (DATACENTER,), (CLUSTER,))
)
INVENTORY = [{"name": "node1", "address": "10.91.0.11", "virt_type": "kvm"}, {"name": "node2", "address": "10.91.0.12"}]
REBUILT = "".join(f"{row.kind} {row.name}: {row.id}\n" for row in ROWS)


class Nodes:
    """labels: what each node carries; one that is not there does not answer. asked: which were read, in all."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.labels: dict[str, Mapping[str, str]] = {"node1": {}, "node2": {}}
        self.asked: list[str] = []

        def switch(cloud: Cloud, node: str) -> SimpleNamespace:
            self.asked.append(node)
            if node not in self.labels:
                raise UnreachableError([Problem("it does not answer", "Start it.", node)])
            return SimpleNamespace(read=lambda: SimpleNamespace(labels=self.labels[node], bridges={}))

        monkeypatch.setattr(Cloud, "switch", switch)
        monkeypatch.setattr(Cloud, "domains", lambda cloud, node: [])


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Nodes:
    return Nodes(monkeypatch)


@pytest.fixture
def module(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Module:
    """Run the module on a database, and return its result."""
    # A test of an action plugin makes this process a controller for Ansible, and a controller prints its warnings.
    monkeypatch.setattr(_internal, "is_controller", False)

    def call(url: str, **more: Any) -> Result:
        with pytest.raises(SystemExit) as ended, patch_module_args({"registry": url, "nodes": INVENTORY, **more}):
            pextra_registry.main()
        result: Result = json.loads(capsys.readouterr().out)
        assert (ended.value.code != 0) == bool(result.get("failed"))
        return result

    return call


def check(module: Module, url: str, **more: Any) -> Result:
    return module(url, _ansible_check_mode=True, _ansible_diff=True, **more)


def told(result: Result) -> Result:
    return {name: result[name] for name in ("changed", "actions", "diff", "registry")}


def registered(url: str) -> list[Row]:
    with Registry(url) as registry:
        return registry.rows(*KINDS)


def without_secrets(rows: list[Row]) -> set[tuple[str, str, str]]:
    return {(row.id, row.kind, row.name) for row in rows}


def make_version_1(path: Path) -> None:
    """As the first version of the collection left it."""
    database = sqlite3.connect(path)
    with database:
        database.execute("CREATE TABLE pextra_meta (key VARCHAR PRIMARY KEY, value TEXT)")
        database.execute("INSERT INTO pextra_meta VALUES ('schema_version', '1')")
        database.execute(
            "CREATE TABLE pextra_resource (id VARCHAR, kind VARCHAR, scope VARCHAR, name VARCHAR, attributes)"
        )
        database.execute("CREATE TABLE pextra_lease (key VARCHAR, holder VARCHAR, since REAL, expires REAL)")
    database.close()


def test_a_new_one(module: Module, registry_url: str, nodes: Nodes) -> None:
    """A check says what a real run does then, and the second run finds nothing to do."""
    checked = check(module, registry_url)
    assert look_at(registry_url) == Found(0, NEWEST, is_empty=True)
    made = module(registry_url)
    assert told(made) == told(checked)
    place = registry_url.removeprefix("sqlite:///")
    assert made["actions"] == [f"make the registry at {place}"]
    assert made["diff"] == {"before": "", "after": f"a registry at {place}\n"}
    assert made["registry"] == {"schema_version": NEWEST, "rebuilt": 0}
    assert registered(registry_url) == []
    for again in (check(module, registry_url), module(registry_url)):
        assert (again["changed"], again["actions"]) == (False, [])
        assert again["registry"] == {"schema_version": NEWEST, "rebuilt": 0}


def test_a_check_makes_no_file(module: Module, tmp_path: Path, nodes: Nodes) -> None:
    check(module, f"sqlite:///{tmp_path}/registry.db")
    assert list(tmp_path.iterdir()) == []


def test_a_lost_one_is_rebuilt(module: Module, registry_url: str, nodes: Nodes) -> None:
    nodes.labels["node1"] = LABELS
    checked = check(module, registry_url)
    assert look_at(registry_url).version == 0
    nodes.asked.clear()
    made = module(registry_url)
    assert told(made) == told(checked)
    assert sorted(nodes.asked) == ["node1", "node2"], "each is read once"
    assert made["changed"] is True
    assert made["actions"][1:] == ["register 4 resources that the nodes carry"]
    assert made["diff"]["after"].endswith(f"\n{REBUILT}")
    assert made["registry"] == {"schema_version": NEWEST, "rebuilt": 4}
    rows = registered(registry_url)
    assert without_secrets(rows) == without_secrets(list(ROWS))
    (cluster,) = (row for row in rows if row.kind == "cluster")
    assert len(cluster.attributes["secret"]) == 64
    nodes.asked.clear()
    again = module(registry_url)
    assert (again["changed"], again["actions"]) == (False, [])
    assert again["registry"] == {"schema_version": NEWEST, "rebuilt": 0}
    assert registered(registry_url) == rows
    assert nodes.asked == [], "nobody is asked while there is a registry"


def test_an_empty_one_is_filled(module: Module, registry_url: str, nodes: Nodes) -> None:
    module(registry_url)
    nodes.labels["node2"] = LABELS
    checked = check(module, registry_url)
    assert registered(registry_url) == []
    assert checked["actions"] == ["register 4 resources that the nodes carry"]
    assert checked["diff"] == {"before": "", "after": REBUILT}
    assert told(module(registry_url)) == told(checked)
    assert len(registered(registry_url)) == 4


def test_nothing_is_rebuilt_without_nodes(module: Module, registry_url: str, nodes: Nodes) -> None:
    nodes.labels["node1"] = LABELS
    assert module(registry_url, nodes=[])["registry"]["rebuilt"] == 0
    assert nodes.asked == []


@pytest.mark.parametrize("is_check", [True, False])
def test_a_lost_one_without_a_node(module: Module, registry_url: str, nodes: Nodes, is_check: bool) -> None:
    """Its instances would be forgotten. Not even the database is made, so the next run says the same."""
    nodes.labels = {"node1": LABELS}
    for _ in range(2):
        result = module(registry_url, _ansible_check_mode=is_check)
        assert result["failed"]
        assert result["errors"] == [
            {
                "node": "node2",
                "resource": None,
                "what": "the registry was lost, and cannot be rebuilt without this node, since its instances would be "
                "forgotten: it does not answer",
                "remedy": "Start it. A node that is gone for good is taken out of the inventory first.",
            }
        ]
        assert result["msg"].startswith("node2: the registry was lost")
        assert look_at(registry_url).version == 0


def test_a_new_deployment_does_not_wait_for_its_nodes(module: Module, registry_url: str, nodes: Nodes) -> None:
    nodes.labels = {}
    assert module(registry_url)["registry"] == {"schema_version": NEWEST, "rebuilt": 0}


def test_an_older_schema(module: Module, tmp_path: Path, nodes: Nodes) -> None:
    path = tmp_path / "registry.db"
    make_version_1(path)
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO pextra_resource VALUES ('pool-1', 'pool', '', 'local', '{}')")
    database.close()
    nodes.labels["node1"] = LABELS
    url = f"sqlite:///{path}"
    checked = check(module, url)
    assert look_at(url) == Found(1, NEWEST, is_empty=False)
    assert checked["actions"] == [f"bring the registry's schema from version 1 to {NEWEST}"]
    assert checked["diff"] == {"before": "schema version 1\n", "after": f"schema version {NEWEST}\n"}
    assert told(module(url)) == told(checked)
    assert [row.name for row in registered(url)] == ["local"]
    assert module(url)["changed"] is False


@pytest.mark.parametrize("is_check", [True, False])
def test_a_newer_schema(
    module: Module, registry_url: str, nodes: Nodes, is_check: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    module(registry_url)
    monkeypatch.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:1])
    result = module(registry_url, _ansible_check_mode=is_check)
    assert f"the registry has schema version {NEWEST}, newer than this collection's 1" in result["msg"]


def test_a_check_leaves_the_files_as_they_are(module: Module, tmp_path: Path, nodes: Nodes) -> None:
    path = tmp_path / "registry.db"
    make_version_1(path)
    url = f"sqlite:///{path}"
    module(url)
    nodes.labels["node1"] = LABELS
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    assert check(module, url)["changed"] is True
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_file_is_no_registry_yet(module: Module, tmp_path: Path, nodes: Nodes) -> None:
    path = tmp_path / "registry.db"
    path.touch()
    url = f"sqlite:///{path}"
    checked = check(module, url)
    assert (path.stat().st_size, checked["changed"]) == (0, True)
    assert told(module(url)) == told(checked)


@pytest.mark.parametrize("is_check", [True, False])
def test_what_is_no_database(module: Module, tmp_path: Path, is_check: bool) -> None:
    path = tmp_path / "registry.db"
    path.write_text("no database" * 100)
    result = module(f"sqlite:///{path}", _ansible_check_mode=is_check)
    assert result["msg"].startswith(f"the registry at sqlite:///{path} cannot be used: ")
    assert path.read_text() == "no database" * 100


def test_nobody_sees_the_password(module: Module) -> None:
    result = module("postgresql://pextra:hush@127.0.0.1:9/pextra?connect_timeout=2", nodes=[])
    assert result["failed"]
    assert "hush" not in json.dumps(result)


@pytest.mark.parametrize("is_check", [True, False])
def test_without_a_library(module: Module, tmp_path: Path, is_check: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **options: Any) -> Any:
        if name.endswith("_nouns.registry.resource"):
            raise ImportError("No module named 'peewee'", name="peewee")
        return real(name, *more, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    result = module(f"sqlite:///{tmp_path}/registry.db", _ansible_check_mode=is_check)
    assert "peewee" in result["msg"]
    assert bool(result.get("failed")) != is_check
    if is_check:
        assert (result["changed"], result["unknown"]) == (True, True)


def test_what_was_done_to_it_is_recorded(module: Module, registry_url: str, nodes: Nodes) -> None:
    """By itself, with who did it and from which job. A check and a second run leave no entry."""
    nodes.labels["node1"] = LABELS
    check(module, registry_url)
    actions = module(registry_url, actor="ann", job="AWX job 42", revision="9f8e")["actions"]
    module(registry_url)
    with Registry(registry_url) as registry:
        entries = audit.read(registry)[::-1]
    assert [entry["what"] for entry in entries] == actions
    assert {(entry["kind"], entry["outcome"], entry["job"]) for entry in entries} == {
        ("registry", "done", "AWX job 42")
    }
    assert all(entry["actor"].startswith("ann at ") for entry in entries)
