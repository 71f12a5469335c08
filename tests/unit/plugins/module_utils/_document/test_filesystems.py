# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories that instances mount: declared on a node where the instance can be, and no storage pool's."""

from __future__ import annotations

from typing import Any

import pytest
from deployment_document import HOSTS, read, told

GIVEN = HOSTS | {"node2": HOSTS["node2"] | {"pextra_shared_directories": ["/srv/media"]}}
WEB = {
    "name": "web",
    "root": {"pool": "local", "size": "1 GiB"},
    "filesystems": [{"name": "media", "directory": "/srv/media"}],
}


def mistakes(instance: dict[str, Any], hosts: dict[str, Any] = GIVEN, **more: Any) -> list[str]:
    return told(read({"pextra_instances": [instance], **more}, hosts))


def test_one_that_is_right() -> None:
    assert mistakes(WEB) == []
    assert mistakes(WEB | {"node": "node2"}) == []
    assert mistakes(WEB | {"filesystems": []}, HOSTS) == []
    assert mistakes(WEB | {"state": "absent"}, HOSTS) == []


def test_memory_of_which_more_is_said_is_shared_by_itself() -> None:
    assert mistakes(WEB | {"memory_backing": {"locked": True}}) == []
    taken = {key: value for key, value in WEB.items() if key != "filesystems"} | {"profiles": ["p"]}
    profiles = [{"name": "p", "filesystems": WEB["filesystems"], "memory_backing": {"locked": True}}]
    assert mistakes(taken, pextra_profiles=profiles) == []
    (found,) = mistakes(WEB | {"memory_backing": {"locked": True, "access": "private"}})
    assert "leave it out, or write shared" in found


@pytest.mark.parametrize(
    ("more", "hosts", "problem"),
    [
        ({}, HOSTS, "no node of its cluster shares /srv/media; write it into pextra_shared_directories of a host"),
        ({"node": "node1"}, GIVEN, "node1 does not share /srv/media; write it into pextra_shared_directories of it"),
        ({"filesystems": [{"name": "etc", "directory": "/etc/ssl"}]}, GIVEN, '/etc/ssl" belongs to the system'),
    ],
)
def test_what_is_not_declared(more: dict[str, Any], hosts: dict[str, Any], problem: str) -> None:
    (found,) = mistakes(WEB | more, hosts)
    assert ".directory" in found
    assert problem in found


def test_what_a_host_may_not_share() -> None:
    for path, problem in (
        ("/etc", "belongs to the system"),
        ("/var/lib/pextra/pools", "belongs to the system, or holds volumes"),
        ("srv", "is not an absolute path"),
        ("/home/ops", "is somebody's home directory"),
    ):
        hosts = HOSTS | {"node2": HOSTS["node2"] | {"pextra_shared_directories": [path]}}
        found = mistakes(WEB | {"filesystems": []}, hosts)
        assert len(found) == 1, found
        assert "pextra_shared_directories" in found[0]
        assert problem in found[0]


def test_no_directory_lies_in_another_that_the_host_shares() -> None:
    def sharing(*paths: str) -> list[str]:
        hosts = HOSTS | {"node2": HOSTS["node2"] | {"pextra_shared_directories": list(paths)}}
        return mistakes(WEB | {"filesystems": []}, hosts)

    (found,) = sharing("/srv/media", "/srv/media/a/b")
    assert "/srv/media/a/b lies in /srv/media" in found
    assert "share the outer one alone" in found
    assert sharing("/srv/media", "/srv/mediator", "/home/ops/media") == []


def test_a_storage_pool_of_other_hosts_is_in_nobodys_way() -> None:
    pools = [{"name": "local", "path": "/srv/media", "nodes": ["node1"]}, {"name": "other"}]
    assert mistakes(WEB | {"root": {"pool": "other", "size": "1 GiB"}}, pextra_pools=pools) == []


@pytest.mark.parametrize("path", ["/srv/media", "/srv/media/pool", "/srv"])
def test_a_storage_pools_directory_is_shared_with_no_guest(path: str) -> None:
    pools = [{"name": "local", "path": path if path != "/srv" else "/srv/media/below"}]
    (found,) = mistakes(WEB, pextra_pools=pools)
    assert "pextra_shared_directories" in found
    assert "/srv/media and the storage pool local" in found
