# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile image files on the lab, made by the real qemu-img: all refused in one run, before anything is stored."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lab import Lab, Site

CACHE = "/var/lib/pextra/images"
# Name, what makes the file x, the declared format, what is said of it.
HOSTILE = (
    ("backing", "qemu-img create -q -f qcow2 -u -b /etc/shadow -F raw x 1M", "qcow2", "has a backing file"),
    (
        "json",
        """qemu-img create -q -f qcow2 -u -b 'json:{"driver":"file","filename":"/etc/shadow"}' -F raw x 1M""",
        "qcow2",
        "has a backing file",
    ),
    ("nbd", "qemu-img create -q -f qcow2 -u -b nbd://192.0.2.9/x -F raw x 1M", "qcow2", "has a backing file"),
    (
        "data-file",
        "qemu-img create -q -f qcow2 -o data_file=/srv/it-img/x.raw x 1M",
        "qcow2",
        "its data is in an external file",
    ),
    ("huge", "qemu-img create -q -f qcow2 x 64T", "qcow2", "its virtual size is 64 TiB, more than the 64 GiB allowed"),
    (
        "truncated",
        "qemu-img create -q -f qcow2 y 1M && qemu-io -f qcow2 -c 'write 0 1M' y >/dev/null && head -c 400000 y >x",
        "qcow2",
        "the file is truncated",
    ),
    ("disguised", "qemu-img create -q -f qcow2 x 1M", "raw", "it was declared to be raw, but looks like qcow2"),
    ("other-format", "qemu-img create -q -f vdi x 1M", "qcow2", "it was declared to be qcow2, but is not"),
    ("wrong-checksum", "head -c 1M /dev/zero >x", "raw", "as declared"),
    ("odd", "head -c 1000 /dev/zero >x", "raw", "not a whole number of sectors"),
    ("empty", ": >x", "raw", "its virtual size is zero"),
)


@pytest.fixture
def images(lab: Lab, tmp_path: Path) -> list[dict[str, Any]]:
    """The files on the controller, and the options that declare them."""
    found = []
    for name, script, image_format, _ in HOSTILE:
        made = lab.sh("node1", f"mkdir -p /srv/it-img && cd /srv/it-img && rm -f * && {script} && base64 x")
        path = tmp_path / name
        path.write_bytes(base64.b64decode(made))
        options = {"name": f"it-{name}", "source": str(path), "format": image_format, "pools": ["local"]}
        found.append(options | ({"sha256": "0" * 64} if name == "wrong-checksum" else {}))
    lab.exec("node1", "rm", "-rf", "/srv/it-img")
    return found


def test_all_are_refused_at_once_and_nothing_is_stored(cloud: Site, lab: Lab, images: list[dict[str, Any]]) -> None:
    look = f"ls {CACHE} /var/lib/pextra/pools/local 2>&1 || true"
    before = {node: lab.sh(node, look) for node in lab.nodes}
    refused = cloud.refused_module("pextra_image", images=images)
    told = {error["resource"].removeprefix("image it-"): error["what"] for error in refused["errors"]}
    assert set(told) == {name for name, *_ in HOSTILE}
    for name, _, _, said in HOSTILE:
        assert said in told[name]
    assert {node: lab.sh(node, look) for node in lab.nodes} == before
    known = cloud.module("pextra_image_info")["images"]
    assert not [image for image in known if image["name"].startswith("it-")]
