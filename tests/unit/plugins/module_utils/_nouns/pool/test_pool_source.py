# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person may write about the source of a storage pool, and how it looks to libvirt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id, uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import Mistake
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.definition import (
    SMB_ACCOUNTS,
    describe_source,
    is_of_type,
    parse_pool,
    parse_sources,
    render_pool,
    render_secret,
    render_source_query,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.spec import (
    Pool,
    complete_pool,
    digest_of_credential,
    find_mistakes_within,
    parse_pool_spec,
)

ROOT = Path(__file__).resolve().parents[6]
KEY = "QVFBZ2V4YW1wbGVrZXlleGFtcGxla2V5ZXhhbX==".replace("==", "") + "=="
IQN = "iqn.2026-01.com.example:storage"
ISCSI = {"host": "192.0.2.9", "target": IQN}
RBD = {"monitors": ["192.0.2.1", "mon2.example.com"], "key": KEY}
NETFS = {"host": "nfs.example.com", "export": "/export/vms"}
SMB = {"host": "192.0.2.9", "export": "vms", "format": "cifs"}

GOOD: list[dict[str, Any]] = [
    {"type": "directory"},
    {"type": "netfs", "netfs": NETFS},
    {"type": "netfs", "netfs": {"host": "192.0.2.9", "export": "vms$/sub", "format": "cifs"}},
    {"type": "netfs", "netfs": {**SMB, "username": "vms", "password": "a, b=c"}},
    {"type": "iscsi", "iscsi": ISCSI},
    {"type": "iscsi", "iscsi": {**ISCSI, "username": "pextra", "password": "twelve-chars"}},
    {"type": "rbd", "rbd": RBD},
    {"type": "zfs"},
    {"type": "lvm"},
]
BAD: list[tuple[dict[str, Any], str]] = [
    ({"type": "tape"}, '"tape" is not allowed'),
    ({"type": "netfs"}, "netfs: is missing"),
    ({"type": "lvm", "netfs": NETFS}, "leave it out"),
    ({"type": "lvm", "path": "/srv/a"}, "has no directory"),
    ({"type": "zfs", "shared": True}, "each node's own"),
    ({"type": "rbd", "rbd": RBD, "shared": False}, "shared by all its nodes"),
    ({"type": "netfs", "netfs": {**NETFS, "host": "-o"}}, "neither a host name nor an address"),
    ({"type": "netfs", "netfs": {**NETFS, "host": "a b"}}, "neither a host name nor an address"),
    ({"type": "netfs", "netfs": {**NETFS, "export": "/export/../etc"}}, "is no export"),
    ({"type": "netfs", "netfs": {**NETFS, "export": "-o,suid"}}, "is no export"),
    ({"type": "netfs", "netfs": {**NETFS, "export": "/a\n/b"}}, "is no export"),
    ({"type": "netfs", "netfs": {**NETFS, "export": "vms"}}, "begins with a slash"),
    ({"type": "netfs", "netfs": {**NETFS, "format": "cifs"}}, "without a slash before it"),
    ({"type": "netfs", "netfs": {**SMB, "username": "vms"}}, "netfs.password: is missing"),
    ({"type": "netfs", "netfs": {**SMB, "password": "hunter2"}}, "netfs.username: is missing"),
    ({"type": "netfs", "netfs": {**SMB, "username": "a,uid=0", "password": "hunter2"}}, "no name of this kind"),
    ({"type": "netfs", "netfs": {**SMB, "username": "vms", "password": "hunter2\nuid=0"}}, "no password of SMB"),
    ({"type": "netfs", "netfs": {**SMB, "username": "vms", "password": "hunter2 "}}, "no password of SMB"),
    ({"type": "netfs", "netfs": {**NETFS, "username": "vms", "password": "hunter2"}}, "nfs knows no user"),
    ({"type": "iscsi", "iscsi": {**ISCSI, "target": "storage"}}, "is not an iSCSI name"),
    ({"type": "iscsi", "iscsi": {**ISCSI, "target": f"{IQN} --op"}}, "is not an iSCSI name"),
    ({"type": "iscsi", "iscsi": {**ISCSI, "port": 0}}, "out of range"),
    ({"type": "iscsi", "iscsi": {**ISCSI, "username": "pextra"}}, "iscsi.password: is missing"),
    ({"type": "iscsi", "iscsi": {**ISCSI, "password": "twelve-chars"}}, "iscsi.username: is missing"),
    ({"type": "iscsi", "iscsi": {**ISCSI, "username": "a", "password": "short"}}, "12 to 255"),
    ({"type": "rbd", "rbd": {"monitors": [], "key": KEY}}, "name at least one"),
    ({"type": "rbd", "rbd": {"monitors": ["192.0.2.1"]}}, "rbd.key: is missing"),
    ({"type": "rbd", "rbd": {**RBD, "key": "hunter2"}}, "no key of Ceph"),
    ({"type": "rbd", "rbd": {**RBD, "pool": "../a"}}, "no name of this kind"),
]


def parse_new(options: dict[str, Any]) -> tuple[Pool | None, list[Mistake]]:
    """Parse a call for a pool that does not exist yet, and complete it."""
    spec, mistakes = parse_pool_spec({"name": "one", **options}, "")
    if spec is not None:
        spec = complete_pool(spec, None)
        mistakes = find_mistakes_within(spec, "", "new")
    return (None, mistakes) if mistakes else (spec, [])


@pytest.mark.parametrize("options", GOOD, ids=str)
def test_sources(options: dict[str, Any]) -> None:
    spec, mistakes = parse_new(options)
    assert mistakes == []
    assert isinstance(spec, Pool)
    uuid = uuid_of(new_id("pool"))
    found = parse_pool(render_pool("one", uuid, spec.type, spec.target, spec.source))
    assert (found.name, found.uuid) == ("one", uuid)
    assert is_of_type(found, spec.type)
    assert found.source == describe_source("one", uuid, spec.type, spec.source)


@pytest.mark.parametrize(("options", "expected"), BAD, ids=str)
def test_mistakes(options: dict[str, Any], expected: str) -> None:
    spec, mistakes = parse_new(options)
    assert spec is None
    assert [str(mistake) for mistake in mistakes if expected in str(mistake)]
    assert all(len(str(mistake).splitlines()) == 1 for mistake in mistakes)
    assert not any(secret in str(mistake) for mistake in mistakes for secret in ("hunter2", "twelve-chars", '"short"'))


def test_no_secret_is_registered_or_shown() -> None:
    for options, secret in (
        ({"type": "rbd", "rbd": RBD}, KEY),
        ({"type": "iscsi", "iscsi": {**ISCSI, "username": "pextra", "password": "twelve-chars"}}, "twelve-chars"),
    ):
        spec, _ = parse_new(options)
        assert spec is not None
        assert spec.credential == secret
        pool_id = new_id("pool")
        texts = [repr(spec), str(spec.source), render_pool("one", uuid_of(pool_id), spec.type, None, spec.source)]
        texts += [render_secret(pool_id, uuid_of(pool_id), spec.type), digest_of_credential(spec.type, pool_id, secret)]
        assert not any(secret in text for text in texts)


def test_the_password_of_an_smb_user_is_in_a_file_of_root() -> None:
    account = {**SMB, "username": "vms", "password": "hunter2-hunter2"}
    spec, _ = parse_new({"type": "netfs", "netfs": account})
    assert spec is not None
    assert spec.credential is None  # libvirt has no secret for it
    assert spec.source == {**SMB, "username": "vms"}
    xml = render_pool("one", uuid_of(new_id("pool")), "netfs", spec.target, spec.source)
    assert "credentials=/etc/pextra/smb/one" in xml
    assert "hunter2" not in repr(spec) + xml
    variables = yaml.safe_load((ROOT / "roles/node/vars/main.yml").read_text(encoding="utf-8"))
    assert variables["__node_smb_directory"] == SMB_ACCOUNTS


def test_a_guest_of_an_smb_server_has_no_account() -> None:
    spec, _ = parse_new({"type": "netfs", "netfs": SMB})
    assert spec is not None
    xml = render_pool("one", uuid_of(new_id("pool")), "netfs", spec.target, spec.source)
    assert "credentials=" not in xml
    assert "uid=libvirt-qemu" in xml
    other = xml.replace("file_mode=0660", "file_mode=0777")
    assert parse_pool(other).source != parse_pool(xml).source


def test_what_is_shared() -> None:
    shared = {
        kind: Pool(name="one", type=kind).is_shared for kind in ("directory", "netfs", "iscsi", "rbd", "zfs", "lvm")
    }
    assert shared == {"directory": False, "netfs": True, "iscsi": True, "rbd": True, "zfs": False, "lvm": False}
    assert Pool(name="one", shared=True).is_shared


def test_another_source_reads_differently() -> None:
    uuid = uuid_of(new_id("pool"))
    spec, _ = parse_new({"type": "rbd", "rbd": RBD})
    assert spec is not None
    before = describe_source("one", uuid, "rbd", spec.source)
    assert spec.source is not None
    for key, value in (("pool", "other"), ("monitors", ["192.0.2.1"]), ("user", "other")):
        assert describe_source("one", uuid, "rbd", {**spec.source, key: value}) != before


def test_what_libvirt_adds_is_no_difference() -> None:
    """libvirt names the devices of a volume group, and the format of a file system."""
    uuid = uuid_of(new_id("pool"))
    xml = render_pool("one", uuid, "lvm", None).replace(
        "<name>one</name><format", '<device path="/dev/vdb"/><name>one</name><format'
    )
    assert "/dev/vdb" in xml
    assert parse_pool(xml).source == describe_source("one", uuid, "lvm", None)


def test_questions_to_a_node() -> None:
    query = render_source_query("netfs", {**NETFS, "format": "nfs"})
    assert query == ("netfs", '<source><host name="nfs.example.com" /><format type="nfs" /></source>')
    assert render_source_query("iscsi", {**ISCSI, "port": 3260}) == (
        "iscsi",
        '<source><host name="192.0.2.9" port="3260" /></source>',
    )
    assert render_source_query("zfs", None) is None
    assert render_source_query("netfs", {**NETFS, "format": "cifs"}) is None
    answer = '<sources><source><host name="a"/><dir path="/b"/></source><source><dir path="/a"/></source></sources>'
    assert parse_sources("netfs", answer) == ["/a", "/b"]
    assert parse_sources("lvm", "<sources><source><name>vg</name></source></sources>") == ["vg"]
