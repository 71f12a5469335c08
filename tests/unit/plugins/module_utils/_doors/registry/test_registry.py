# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry, on SQLite and on PostgreSQL: the same code must do the same on both."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import migrations
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry, is_there, sqlite_path
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import RegistryError
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import AssociationRow, Row

POOL = Row(new_id("pool"), "pool", "local", "cls-1", {"path": "/srv/pool", "shared": False, "nodes": ["a", "b"]})
NODE = Row(new_id("node"), "node", "node1", "cls-1", {"address": "10.91.0.11"})


def test_new_and_known(registry_url: str) -> None:
    with Registry(registry_url, create=True) as registry:
        assert registry.migrated == (0, len(migrations.MIGRATIONS))
        registry.put([POOL])
    with Registry(registry_url, create=True) as registry:
        assert registry.migrated == (len(migrations.MIGRATIONS),) * 2
        assert registry.rows("pool") == [POOL]
    with Registry(registry_url) as registry:
        assert registry.rows("pool") == [POOL]


def test_each_version_is_migrated(registry_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Registry(registry_url, create=True) as registry:
        registry.put([POOL])
    seen = []

    def fourth(database: object, tables: object) -> None:
        seen.append(database)

    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, fourth))
    with pytest.raises(RegistryError, match=r"schema has version 3, this collection's is 4\. Run the coordinator"):
        Registry(registry_url)
    with Registry(registry_url, create=True) as registry:
        assert (registry.migrated, len(seen)) == ((3, 4), 1)
        assert registry.rows("pool") == [POOL]
    monkeypatch.undo()
    with pytest.raises(RegistryError, match=r"schema version 4, newer than this collection's 3\. Use the collection"):
        Registry(registry_url, create=True)


def test_rows_come_by_name(registry: Registry) -> None:
    rows = [Row(new_id("image"), "image", name) for name in ("b", "a", "c")]
    registry.put([*rows, POOL, NODE])
    assert [row.name for row in registry.rows("image")] == ["a", "b", "c"]
    assert registry.rows("image", "pool", "node") == sorted([*rows, POOL, NODE], key=lambda row: row.name)
    assert registry.rows("vswitch") == []


def test_attributes_come_back_as_they_were(registry: Registry) -> None:
    attributes = {"text": 'ü "quoted" <&> \\ \n', "number": 1.5, "nothing": None, "list": [1, {"a": []}], "yes": True}
    registry.put([replace(POOL, attributes=attributes)])
    assert registry.rows("pool")[0].attributes == attributes


def test_put_again(registry: Registry) -> None:
    registry.put([POOL])
    changed = replace(POOL, name="other", attributes={})
    registry.put([changed, NODE])
    assert registry.rows("pool") == [changed]
    registry.put([])
    assert registry.rows("pool", "node") == [NODE, changed]


def test_many(registry: Registry) -> None:
    rows = [Row(new_id("instance"), "instance", f"web-{n:04}", "cls-1") for n in range(1000)]
    registry.put(rows)
    registry.put([replace(row, attributes={"memory": 1}) for row in rows])
    assert {row.attributes["memory"] for row in registry.rows("instance")} == {1}
    registry.remove([row.id for row in rows[:999]])
    assert [row.name for row in registry.rows("instance")] == ["web-0999"]


def test_names_are_unique_by_kind_and_scope(registry: Registry) -> None:
    registry.put([POOL])
    registry.put([replace(POOL, id=new_id("pool"), scope="cls-2"), replace(POOL, id=new_id("image"), kind="image")])
    twin = replace(POOL, id=new_id("pool"))
    with pytest.raises(RegistryError, match=r"a name is taken already, among: node node1, pool local\. Run again\."):
        registry.put([NODE, twin])
    # All or nothing, and it can be used on.
    assert registry.rows("node") == []
    registry.put([NODE])


def test_removal(registry: Registry) -> None:
    registry.put([POOL, NODE])
    registry.associate([AssociationRow(POOL.id, NODE.id, {"state": "available"})])
    registry.remove([POOL.id, "pool-unknown"])
    registry.remove([])
    assert registry.rows("pool", "node") == [NODE]
    assert registry.associations("pool") == []


def test_associations(registry: Registry) -> None:
    other = replace(POOL, id=new_id("pool"), name="other")
    registry.put([POOL, other])
    first = AssociationRow(POOL.id, "node-1", {"state": "propagating"})
    registry.associate([first, AssociationRow(other.id, "node-1")])
    registry.associate([replace(first, attributes={"state": "available"}), AssociationRow(POOL.id, "node-2")])
    registry.associate([])
    found = {(row.resource, row.node): dict(row.attributes) for row in registry.associations("pool")}
    assert found == {
        (POOL.id, "node-1"): {"state": "available"},
        (POOL.id, "node-2"): {},
        (other.id, "node-1"): {},
    }
    registry.dissociate(POOL.id, "node-1")
    registry.dissociate(POOL.id, "node-1")
    assert len(registry.associations("pool")) == 2
    assert registry.associations("image") == []


def test_a_transaction_is_all_or_nothing(registry: Registry) -> None:
    def work() -> None:
        registry.put([POOL])
        raise KeyError

    with pytest.raises(KeyError):
        registry.transaction(work)
    assert registry.rows("pool") == []


def test_the_revision_grows(registry: Registry) -> None:
    assert registry.revision() == 0
    for expected in (1, 2, 3):
        registry.bump_revision()
        assert registry.revision() == expected


def test_threads_share_a_registry(registry: Registry) -> None:
    def work(number: int) -> None:
        for n in range(20):
            registry.put([Row(f"inst-{number}-{n}", "instance", f"web-{number}-{n}")])
            registry.bump_revision()
            registry.rows("instance")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registry.rows("instance")) == 80
    assert registry.revision() == 80


WRITER = """
import sys
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
url, number = sys.argv[1:]
with Registry(url) as registry:
    for n in range(25):
        registry.put([Row(f"inst-{number}-{n}", "instance", f"web-{number}-{n}")])
        registry.bump_revision()
"""


def test_processes_share_a_registry(registry_url: str, registry: Registry) -> None:
    """No write is lost, and none fails because the registry is busy."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, registry_url, str(n)], env=environment) for n in range(4)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]
    assert len(registry.rows("instance")) == 100
    assert registry.revision() == 100


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registry.db"


def test_a_file_that_only_root_reads(path: Path) -> None:
    with Registry(f"sqlite:///{path}", create=True) as registry:
        registry.put([POOL])
        found = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert found
    assert set(found.values()) == {0o600}


def test_a_file_that_is_not_there(path: Path) -> None:
    with pytest.raises(RegistryError, match=rf"there is no registry at {path}\. Run the coordinator stage"):
        Registry(f"sqlite:///{path}")
    assert not path.exists()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:////proc/none/registry.db", "the registry at sqlite:////proc/none/registry.db cannot be used"),
        ("postgresql://pextra:hush@127.0.0.1:1/x", r"the registry at postgresql://pextra:\*\*\*@127.0.0.1:1/x cannot"),
        ("nosuch://x/y", "the registry at nosuch://x/y cannot be used"),
    ],
)
def test_what_cannot_be_opened(url: str, message: str) -> None:
    """One clear error, without the password."""
    with pytest.raises(RegistryError, match=message) as caught:
        Registry(url, create=True)
    assert "hush" not in str(caught.value)


def test_what_is_no_database(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(RegistryError, match="file is not a database"):
        Registry(f"sqlite:///{path}")


def test_a_table_that_is_gone(registry: Registry) -> None:
    registry.database.drop_tables([registry.tables.association])
    with pytest.raises(RegistryError, match="failed"):
        registry.associations("pool")
    with pytest.raises(RegistryError, match="failed"):
        registry.dissociate("a", "b")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:////var/lib/pextra/registry.db", "/var/lib/pextra/registry.db"),
        ("sqlite:///registry.db", "registry.db"),
        ("postgresql://pextra@db/pextra", None),
        ("cockroachdb://pextra@db/pextra", None),
    ],
)
def test_sqlite_path(url: str, expected: str | None) -> None:
    assert sqlite_path(url) == expected


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("locked", ["the folder", "the file"])
def test_a_registry_that_one_may_not_read_is_not_absent(tmp_path: Path, locked: str) -> None:
    folder = tmp_path / "pextra"
    folder.mkdir()
    path = folder / "registry.db"
    assert not is_there(str(path))
    with Registry(f"sqlite:///{path}", create=True):
        pass
    (folder if locked == "the folder" else path).chmod(0o600)
    open_to_all = tmp_path
    while open_to_all != open_to_all.parent and open_to_all.stat().st_uid == os.geteuid():
        if not open_to_all.stat().st_mode & 0o001:
            open_to_all.chmod(0o711)
        open_to_all = open_to_all.parent
    os.seteuid(65534)
    try:
        with pytest.raises(RegistryError, match=r"may not use the registry at .*Run as root.* -b"):
            Registry(f"sqlite:///{path}")
    finally:
        os.seteuid(0)
    assert is_there(str(path))
