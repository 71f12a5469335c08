# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes as XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.definition import render_volume
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(
    st.sampled_from("<>&\"']]> ") | st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=20
)


def test_an_empty_volume() -> None:
    root = ET.fromstring(render_volume("web.data.qcow2", 1024, "qcow2"))
    assert root.findtext("name") == "web.data.qcow2"
    capacity = root.find("capacity")
    assert capacity is not None
    assert (capacity.text, capacity.get("unit")) == ("1024", "bytes")
    assert root.findtext("allocation") == "0"
    assert root.findtext("target/permissions/mode") == "0600"
    assert root.find("backingStore") is None


@pytest.mark.parametrize("backing_format", ["qcow2", "raw"])
def test_an_overlay(backing_format: str) -> None:
    """The format of what it lies on is always said: guessing it lets a guest read the host's files."""
    xml = render_volume("root", 1, "qcow2", backing_path="/srv/img.raw", backing_format=backing_format)
    root = ET.fromstring(xml)
    assert root.findtext("backingStore/path") == "/srv/img.raw"
    found = root.find("backingStore/format")
    assert found is not None
    assert found.get("type") == backing_format


@given(TEXT, st.none() | TEXT)
def test_any_text_is_inert(name: str, path: str | None) -> None:
    root = ET.fromstring(render_volume(name, 1, "raw", backing_path=path))
    assert root.findtext("name") == name
    assert root.findtext("backingStore/path") == path
    assert len(list(root.iter())) == (8 if path is None else 11)


def test_a_volume_that_takes_its_space_at_once() -> None:
    root = ET.fromstring(render_volume("root", 1024, "raw", is_thin=False))
    assert root.findtext("allocation") == root.findtext("capacity") == "1024"
