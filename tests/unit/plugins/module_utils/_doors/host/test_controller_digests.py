# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Digests of the controller's files are used again only while nothing about the file has changed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.digests import DigestCache, default_path


def digest(cache: Path, file: Path, *, is_read_only: bool = False) -> str:
    with DigestCache(str(cache), is_read_only=is_read_only) as digests, file.open("rb") as opened:
        return digests.digest_of(str(file), opened)


def plant(cache: Path, file: Path) -> None:
    """Replace the kept digest, so that its use shows."""
    known = json.loads(cache.read_text())
    known[str(file)][-1] = "planted"
    cache.write_text(json.dumps(known))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.img"
    path.write_bytes(b"a" * 4096)
    return path


@pytest.fixture
def cache(tmp_path: Path, file: Path) -> Path:
    """A cache that knows the file by a planted digest."""
    path = tmp_path / "cache" / "digests.json"
    assert digest(path, file) == hashlib.sha256(b"a" * 4096).hexdigest()
    plant(path, file)
    return path


def test_an_unchanged_file_is_not_read_again(cache: Path, file: Path) -> None:
    assert digest(cache, file) == "planted"
    assert os.stat(cache).st_mode & 0o777 == 0o600


def test_a_changed_file_is_read_again(cache: Path, file: Path) -> None:
    file.write_bytes(b"b" * 4096)
    assert digest(cache, file) == hashlib.sha256(b"b" * 4096).hexdigest()


def test_a_file_with_its_time_set_back_is_read_again(cache: Path, file: Path) -> None:
    before = os.stat(file)
    file.write_bytes(b"b" * 4096)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert digest(cache, file) == hashlib.sha256(b"b" * 4096).hexdigest()


def test_another_file_of_that_name_is_read(cache: Path, file: Path) -> None:
    other = file.with_name("other")
    other.write_bytes(b"c" * 4096)
    os.replace(other, file)
    assert digest(cache, file) == hashlib.sha256(b"c" * 4096).hexdigest()


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"x": 1}', '{"x": []}'])
def test_a_broken_cache_is_only_slower(cache: Path, file: Path, text: str) -> None:
    cache.write_text(text.replace("x", str(file)))
    assert digest(cache, file) == hashlib.sha256(b"a" * 4096).hexdigest()


def test_a_directory_that_cannot_be_written_is_only_slower(file: Path) -> None:
    assert digest(Path("/proc/nowhere/digests.json"), file) == hashlib.sha256(b"a" * 4096).hexdigest()


def test_check_mode_writes_nothing(tmp_path: Path, file: Path) -> None:
    digest(tmp_path / "none.json", file, is_read_only=True)
    assert not (tmp_path / "none.json").exists()


def test_it_is_in_the_users_own_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/ops/.cache")
    assert default_path() == "/home/ops/.cache/pextra/image-digests.json"
