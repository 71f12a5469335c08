# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of volumes tell what they belong to."""

from __future__ import annotations

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._fields.checks import check_device_name, check_hostname
from ansible_collections.pextra.cloud.plugins.module_utils._model.names import (
    Standalone,
    data_volume,
    find_standalones,
    image_volume,
    is_of_instance,
    parse_standalone,
    root_volume,
    seed_volume,
    serial_of,
    standalone_volume,
)
from hypothesis import assume, given
from hypothesis import strategies as st

ID = "inst-qthm_iLrflJ_DtSS1l4Gx"
NAMES = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,30}", fullmatch=True)
DEVICES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{2,31}", fullmatch=True)


def test_names() -> None:
    assert image_volume("img-1", "raw") == "img-1.raw"
    assert root_volume("web", ID) == f"web.{ID}.root.qcow2"
    assert data_volume("web", ID, "data") == f"web.{ID}.data.qcow2"
    assert seed_volume("web", ID, "0123456789abcdef") == f"web.{ID}.seed-0123456789ab.iso"


@given(NAMES, DEVICES, DEVICES)
def test_they_never_clash(name: str, one: str, other: str) -> None:
    assume(check_hostname(name) is None)
    assume(check_device_name(one) is None)
    assume(check_device_name(other) is None)
    assume(one != other)
    assume("root" not in (one, other))
    volumes = [
        data_volume(name, ID, one),
        data_volume(name, ID, other),
        root_volume(name, ID),
        seed_volume(name, ID, "0"),
    ]
    assert len(set(volumes)) == 4
    assert all(is_of_instance(volume, name, ID) for volume in volumes)
    assert not any("/" in volume or volume.startswith((".", "-")) for volume in volumes)


@given(NAMES, NAMES)
def test_they_belong_to_one_instance(name: str, other: str) -> None:
    assume(name != other)
    assert not is_of_instance(root_volume(name, ID), other, ID)
    assert not is_of_instance(root_volume(name, ID), name, "inst-AAAAAAAAAAAAAAAAAAAAA")
    assert not is_of_instance(image_volume(ID, "qcow2"), name, ID)


VOLUME = "vol-qthm_iLrflJ_DtSS1l4Gx"


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}", fullmatch=True), st.sampled_from([None, "import", "export"]))
def test_standalone_volumes_are_told_by_their_names(name: str, step: str | None) -> None:
    for volume_format in ("qcow2", "raw", "vmdk", "vdi"):
        file = standalone_volume(name, VOLUME, volume_format, step)
        assert parse_standalone(file) == Standalone(name, VOLUME, volume_format, step)
        assert not is_of_instance(file, name, ID)
        assert find_standalones(f"<source file='/srv/{file}'/>") == {file}


@pytest.mark.parametrize(
    "file",
    [
        image_volume("img-qthm_iLrflJ_DtSS1l4Gx", "raw"),
        root_volume("web", ID),
        data_volume("web", ID, "data"),
        f"{VOLUME}.qcow2",
        f"data.{VOLUME}",
        f"data.{VOLUME}.iso",
        f"data.{VOLUME}.backup.qcow2",
        f"data.{VOLUME}.qcow2.part",
        "data.vol-short.qcow2",
        "lost+found",
    ],
)
def test_other_names_are_not(file: str) -> None:
    assert parse_standalone(file) is None


def test_a_serial_fits_into_a_virtio_disk() -> None:
    assert serial_of(VOLUME) == "qthm_iLrflJ_DtSS1l4G"
    assert len(serial_of(VOLUME)) == 20
