"""Seeds as images, read back."""

from __future__ import annotations

import io

import pycdlib
from ansible_collections.pextra.cloud.plugins.module_utils._seed import build_seed
from ansible_collections.pextra.cloud.plugins.module_utils._spec.cloud_init import render_seed
from ansible_collections.pextra.cloud.plugins.module_utils._spec.vm import CloudInit, Vm
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
    files = render_seed(Vm(name="web", cloud_init=CloudInit(user_data="#!/bin/sh\necho ü\n")), "inst-1", [])
    image = build_seed(files)
    expected = {name: text.encode() for name, text in files.items()}
    assert set(expected) == {"meta-data", "user-data", "network-config"}
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
