# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeds as images, read back."""

from __future__ import annotations

import io
from dataclasses import replace

import pycdlib
import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.seed import build_seed, read_seed
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.cloud_init import render_seed
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import CloudInit
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm, complete_new
from hypothesis import given, settings
from hypothesis import strategies as st


def read(image: bytes, key: str) -> dict[str, bytes]:
    """Return the files of an image, by the names of Rock Ridge (rr_path) or Joliet (joliet_path)."""
    opened = pycdlib.PyCdlib()
    opened.open_fp(io.BytesIO(image))
    names = [
        child.rock_ridge.name().decode() if key == "rr_path" else child.file_identifier().decode("utf-16-be")
        for child in opened.list_children(**{key: "/"})
        if not child.is_dot() and not child.is_dotdot()
    ]
    files = {}
    for name in names:
        content = io.BytesIO()
        opened.get_file_from_iso_fp(content, **{key: f"/{name}"})
        files[name] = content.getvalue()
    opened.close()
    return files


def test_a_seed() -> None:
    files = render_seed(
        complete_new(Vm(name="web", cloud_init=CloudInit(user_data="#!/bin/sh\necho ü\n"))), "inst-1", []
    )
    image = build_seed(files)
    expected = {name: text.encode() for name, text in files.items()}
    assert set(expected) == {"meta-data", "user-data", "network-config", "vendor-data"}
    assert read(image, "rr_path") == expected
    assert read(image, "joliet_path") == expected


def test_the_label() -> None:
    """NoCloud looks for it; in the primary descriptor, at sector 16."""
    image = build_seed({"meta-data": ""})
    assert image[16 * 2048 + 1 : 16 * 2048 + 6] == b"CD001"
    assert image[16 * 2048 + 40 : 16 * 2048 + 72].decode().rstrip() == "cidata"


@settings(max_examples=20)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=5000))
def test_any_content(text: str) -> None:
    assert read(build_seed({"user-data": text, "meta-data": ""}), "rr_path") == {
        "user-data": text.encode(),
        "meta-data": b"",
    }


def test_a_seed_is_read_back() -> None:
    files = render_seed(complete_new(Vm(name="web", cloud_init=CloudInit(user_data="ü\n" * 3000))), "inst-1", [])
    assert read_seed(build_seed(files)) == files
    with_vendor_data = replace(Vm(name="web"), cloud_init=CloudInit(vendor_data="#!/bin/sh\necho ü\n"))
    files = render_seed(complete_new(with_vendor_data), "inst-1", [])
    assert "declared-vendor-data" in files
    assert read_seed(build_seed(files)) == files
    # On a block device it has zeros behind it.
    assert read_seed(build_seed(files).ljust(2 * 1024**2, b"\0")) == files


def test_what_is_no_seed_is_told() -> None:
    for content in (b"", b"x" * 100_000):
        with pytest.raises(ValueError, match="no seed"):
            read_seed(content)
