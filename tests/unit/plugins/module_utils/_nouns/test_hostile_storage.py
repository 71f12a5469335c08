# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile input to storage: refused with one clear line per mistake and no side effect, or provably inert.

The modules' own entry points are called, with a registry in a file that must stay as it is to the byte. A node that
they could reach does not exist: whoever gets as far as asking one fails this test with another message.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import _internal
from ansible.module_utils.testing import patch_module_args
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id, uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.definition import parse_pool, render_pool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.labels import (
    labels_of_pool,
    pools_from_labels,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.spec import parse_pool_spec
from ansible_collections.pextra.cloud.plugins.modules import (
    pextra_image,
    pextra_pool,
    pextra_volume,
    pextra_volume_export,
)

# What hostile text looks like, wherever a name is expected.
HOSTILE = {
    "traversal": "../../etc/passwd",
    "absolute": "/etc/passwd",
    "leading dash": "-rf",
    "option": "--config=/tmp/x",
    "shell": "a;reboot",
    "substitution": "$(reboot)",
    "markup": "a</name><uuid/>",
    "entity": "&xxe;",
    "cdata": "]]>",
    "nul": "a\0b",
    "control": "a\x1bb",
    "newline": "a\nb",
    "blank": "a b",
    "jinja": "{{ 1 }}",
    "nothing": "",
    "long": "a" * 300,
    "look-alike": "lоcal",  # noqa: RUF001 - the second letter is Cyrillic: that is the point
}
NETFS = {"host": "nfs.example.com", "export": "/export"}
ISCSI = {"host": "192.0.2.9", "target": "iqn.2026-01.com.example:a"}
RBD = {"monitors": ["192.0.2.1"], "key": "QVFBZ2V4YW1wbGVrZXlleGFtcGxla2V5ZXhhbX=="}
PLACES: dict[str, dict[str, Any]] = {
    "pool.name": {"name": "{}"},
    "pool.path": {"name": "a", "path": "{}"},
    "pool.netfs.host": {"name": "a", "type": "netfs", "netfs": {**NETFS, "host": "{}"}},
    "pool.netfs.export": {"name": "a", "type": "netfs", "netfs": {**NETFS, "export": "{}"}},
    "pool.iscsi.host": {"name": "a", "type": "iscsi", "iscsi": {**ISCSI, "host": "{}"}},
    "pool.iscsi.target": {"name": "a", "type": "iscsi", "iscsi": {**ISCSI, "target": "{}"}},
    "pool.iscsi.username": {
        "name": "a",
        "type": "iscsi",
        "iscsi": {**ISCSI, "username": "{}", "password": "twelve-chars"},
    },
    "pool.rbd.monitors": {"name": "a", "type": "rbd", "rbd": {**RBD, "monitors": ["{}"]}},
    "pool.rbd.pool": {"name": "a", "type": "rbd", "rbd": {**RBD, "pool": "{}"}},
    "pool.rbd.user": {"name": "a", "type": "rbd", "rbd": {**RBD, "user": "{}"}},
    "pool.rbd.key": {"name": "a", "type": "rbd", "rbd": {**RBD, "key": "{}"}},
    "image.name": {"name": "{}", "source": "https://images.example.com/a.qcow2", "sha256": "0" * 64},
    "volume.name": {"name": "{}", "pool": "a", "size": "1 GiB"},
    "volume.pool": {"name": "a", "pool": "{}", "size": "1 GiB"},
    "volume.node": {"name": "a", "pool": "a", "size": "1 GiB", "node": "{}"},
    "volume.attached_to": {"name": "a", "attached_to": "{}"},
    "volume.clone_of": {"name": "a", "pool": "a", "clone_of": "{}"},
    "volume.import_from.path": {"name": "a", "pool": "a", "import_from": {"path": "{}", "format": "raw"}},
    "volume.import_from.sha256": {
        "name": "a",
        "pool": "a",
        "import_from": {"path": "/srv/a", "format": "raw", "sha256": "{}"},
    },
    "export.name": {"name": "{}", "path": "/srv/a"},
    "export.path": {"name": "a", "path": "{}"},
    "image.sha256": {"name": "a", "source": "https://images.example.com/a.qcow2", "sha256": "{}"},
}
# What is no attack at that place: an export is an absolute path.
SOUND = {
    ("pool.netfs.export", "absolute"),
    ("volume.import_from.path", "absolute"),  # the file's header decides
    ("export.path", "absolute"),  # refused because it is there
    ("volume.attached_to", "nothing"),  # to none
}
# Values of the wrong kind, or out of range: where, what, and what is said.
VALUES: list[tuple[str, dict[str, Any], str]] = [
    ("pool", {"name": "a", "type": "tape"}, "tape"),
    ("pool", {"name": "a", "path": "/etc"}, "/etc"),
    ("pool", {"name": "a", "path": "/"}, '"/"'),
    ("pool", {"name": "a", "path": "/srv/../etc"}, "/srv/../etc"),
    ("pool", {"name": "a", "type": "iscsi", "iscsi": {**ISCSI, "port": 0}}, "port"),
    ("pool", {"name": "a", "type": "iscsi", "iscsi": {**ISCSI, "port": 65536}}, "port"),
    ("pool", {"name": "a", "type": "rbd", "rbd": {**RBD, "monitors": []}}, "at least one"),
    ("pool", {"name": "a", "type": "netfs"}, "is missing"),
    ("volume", {"name": "a", "pool": "a", "size": 0}, "size"),
    ("volume", {"name": "a", "pool": "a", "size": "0 GiB"}, "is no size"),
    ("volume", {"name": "a", "pool": "a", "size": "-1 GiB"}, "is not a size"),
    ("volume", {"name": "a", "pool": "a", "size": "1e3"}, "is not a size"),
    ("volume", {"name": "a", "grow_by": "1 GiB"}, "needs size"),
    ("volume", {"name": "a", "limits": {"iops": -1}}, "out of range"),
    ("volume", {"name": "a", "limits": {"bandwidth": "none"}}, "is not a size"),
    ("export", {"name": "a", "path": "/srv/../etc/shadow"}, "is not an absolute path"),
    ("export", {"name": "a"}, "path"),
    ("image", {"name": "a", "source": "../x", "format": "vhd"}, "vhd"),
    ("image", {"name": "a", "source": "file:///etc/shadow", "sha256": "0" * 64}, "file:///etc/shadow"),
    ("image", {"name": "a", "source": "ftp://images.example.com/a", "sha256": "0" * 64}, "ftp://"),
    ("image", {"name": "a", "source": "http://127.0.0.1/a.qcow2", "sha256": "0" * 64}, "127.0.0.1"),
    ("image", {"name": "a", "source": "http://169.254.169.254/a", "sha256": "0" * 64}, "169.254.169.254"),
    ("image", {"name": "a", "source": "http://[::1]/a.qcow2", "sha256": "0" * 64}, "::1"),
    ("image", {"name": "a", "source": "https://images.example.com/a.qcow2"}, "sha256"),
    ("image", {"name": "a", "source": "x.qcow2", "max_size": 0}, "max_size"),
    ("image", {"name": "a", "source": "x.qcow2", "max_size": "-1 GiB"}, "max_size"),
    ("image", {"name": "a", "source": "x.qcow2", "max_size": "1e3"}, "max_size"),
]
MODULES = {"pool": pextra_pool, "image": pextra_image, "volume": pextra_volume, "export": pextra_volume_export}


def filled(value: Any, text: str) -> Any:
    """Put `text` where the place says so."""
    if isinstance(value, Mapping):
        return {key: filled(one, text) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, text) for one in value]
    return text if value == "{}" else value


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """A registry of one cluster with a node that nobody can reach; it must not change."""
    url = f"sqlite:///{tmp_path}/registry.db"
    cluster = new_id("cluster")
    with Registry(url, create=True) as opened:
        opened.put(
            [Row(cluster, "cluster", "mtl-1"), Row(new_id("node"), "node", "node1", cluster, {"address": "192.0.2.1"})]
        )
        before = digest_of(opened)
    yield url
    with Registry(url) as opened:
        assert digest_of(opened) == before
        assert opened.revision() == 0
    assert {path.name for path in tmp_path.iterdir()} <= {"registry.db", "registry.db-wal", "registry.db-shm"}


def digest_of(registry: Registry) -> str:
    rows = [repr(row) for row in registry.rows("cluster", "node", "pool", "image", "volume")]
    return hashlib.sha256("\n".join([*rows, repr(registry.associations("pool"))]).encode()).hexdigest()


def refused(module: Any, options: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit), patch_module_args(options):
        module.main()
    output = capsys.readouterr().out
    result: dict[str, Any] = json.loads(output)
    assert result.get("failed") is True, result
    assert not result.get("changed")
    assert "Traceback" not in output
    assert "192.0.2.1 port" not in output, "a node was asked before the input was refused"
    return str(result["msg"])


@pytest.fixture(autouse=True)
def as_on_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    # A test of an action plugin makes this process a controller for Ansible, and a controller prints its warnings.
    monkeypatch.setattr(_internal, "is_controller", False)


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("place", PLACES)
def test_hostile_text_is_refused(place: str, kind: str, registry: str, capsys: pytest.CaptureFixture[str]) -> None:
    if (place, kind) in SOUND:
        return
    noun = place.partition(".")[0]
    message = refused(MODULES[noun], {**filled(PLACES[place], HOSTILE[kind]), "registry": registry}, capsys)
    option = place.rpartition(".")[2]
    assert option in message
    assert all(character.isprintable() for line in message.splitlines() for character in line), repr(message)
    if option in {"key"}:
        assert not HOSTILE[kind] or HOSTILE[kind] not in message


@pytest.mark.parametrize(("noun", "options", "said"), VALUES, ids=lambda value: str(value)[:60])
def test_hostile_values_are_refused(
    noun: str, options: dict[str, Any], said: str, registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(MODULES[noun], {**options, "registry": registry}, capsys)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_description_is_refused_or_inert(kind: str) -> None:
    """It is for people, so it may hold what people write; it comes back as it was, and changes nothing around it."""
    spec, mistakes = parse_pool_spec({"name": "a", "description": HOSTILE[kind]}, "")
    if spec is None:
        assert kind in {"nul", "control", "newline", "long", "markup", "cdata"}, mistakes
        return
    assert kind not in {"nul", "control", "newline", "markup", "cdata"}
    pool_id = new_id("pool")
    attributes = {"type": "directory", "path": "/srv/a", "shared": False, "description": spec.description}
    labels = labels_of_pool("a", pool_id, attributes)
    assert list(labels) == ["pextra-pool/a"]
    (row,), _ = pools_from_labels(labels, node_id="node-x", cluster_id="cls-x")
    assert row.attributes.get("description") == spec.description
    assert parse_pool(render_pool("a", uuid_of(pool_id), "directory", "/srv/a")).name == "a"
