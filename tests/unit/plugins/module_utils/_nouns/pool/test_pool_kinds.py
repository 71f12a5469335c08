# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what each type of pool can do with volumes."""

from __future__ import annotations

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._fields.checks import check_device_name, check_hostname
from ansible_collections.pextra.cloud.plugins.module_utils._model.names import data_volume, root_volume, seed_volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.kinds import (
    KINDS,
    find_name_problem,
    image_format,
    root_mode,
    volume_format,
    volume_place,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.spec import IN_DIRECTORY, TYPES, WITH_VOLUMES
from hypothesis import assume, given
from hypothesis import strategies as st

ID = "inst-qthm_iLrflJ_DtSS1l4Gx"


def test_every_type_is_in_the_table() -> None:
    assert set(KINDS) == set(TYPES)
    assert {name for name, kind in KINDS.items() if kind.formats} == set(WITH_VOLUMES)
    assert {name for name, kind in KINDS.items() if kind.disk == "file"} == set(IN_DIRECTORY)


@pytest.mark.parametrize(
    ("pool_type", "attributes", "place"),
    [
        ("directory", {"path": "/srv/fast"}, "/srv/fast/VOL"),
        ("netfs", {"path": "/var/lib/pextra/pools/p"}, "/var/lib/pextra/pools/p/VOL"),
        ("rbd", {"path": None, "source": {"pool": "vms"}}, "vms/VOL"),
        ("lvm", {"path": None}, "/dev/p/VOL"),
        ("zfs", {"path": None}, "/dev/zvol/p/VOL"),
        ("iscsi", {"path": None, "source": {"target": "iqn.2026-01.com.example:a"}}, "p/VOL"),
    ],
)
def test_places(pool_type: str, attributes: dict[str, object], place: str) -> None:
    assert volume_place(pool_type, "p", attributes, "VOL") == place


@pytest.mark.parametrize(
    ("pool_type", "volumes", "qcow2_image", "raw_image", "mode"),
    [
        ("directory", "qcow2", "qcow2", "raw", "overlay"),
        ("netfs", "qcow2", "qcow2", "raw", "overlay"),
        ("rbd", "raw", "raw", "raw", "overlay"),
        ("lvm", "raw", "raw", "raw", "copy"),
        ("zfs", "raw", "raw", "raw", "copy"),
    ],
)
def test_formats_and_modes(pool_type: str, volumes: str, qcow2_image: str, raw_image: str, mode: str) -> None:
    assert volume_format(pool_type) == volumes
    assert image_format(pool_type, "qcow2") == qcow2_image
    assert image_format(pool_type, "raw") == raw_image
    assert root_mode(pool_type, None) == mode
    assert root_mode(pool_type, "copy") == "copy"


@pytest.mark.parametrize(
    ("pool_type", "volume", "problem"),
    [
        *((pool_type, f"web-1.{ID}.root.raw", None) for pool_type in WITH_VOLUMES),
        ("lvm", f"web.{ID}.my_tmeta.raw", 'LVM keeps names with "_tmeta" to itself'),
        ("lvm", f"snapshot-1.{ID}.raw", "LVM keeps names that begin with pvmove or snapshot"),
        ("zfs", f"snapshot-1.{ID}.raw", None),
        ("lvm", "-rf", "characters"),
        ("rbd", "a@b", "characters"),
        ("zfs", "a/b", "characters"),
        ("zfs", "../b", "characters"),
        ("directory", "a b", "characters"),
        # vg0-, 60, and a dash that counts twice
        ("lvm", "a" * 123, None),
        ("lvm", "a" * 124, "it takes 128 characters there, and 127 are possible"),
        ("lvm", "-".join(["a" * 60, "a" * 62]), "it takes 128 characters"),
        ("rbd", "a" * 96, None),
        ("rbd", "a" * 97, "it takes 97 characters there, and 96 are possible"),
        ("zfs", "a" * 251, None),
        ("zfs", "a" * 252, "it takes 256 characters"),
        ("directory", "a" * 256, "it takes 256 characters"),
        ("iscsi", "unit:0:0:1", None),
        ("iscsi", "unit:0:0", "unit:0:0:1"),
        ("iscsi", "../sda", "unit:0:0:1"),
    ],
)
def test_names(pool_type: str, volume: str, problem: str | None) -> None:
    found = find_name_problem(pool_type, "vg0", volume)
    assert (found is None) if problem is None else (found is not None and problem in found)


@given(
    st.sampled_from(WITH_VOLUMES),
    st.from_regex(r"[a-z0-9][a-z0-9.-]{0,16}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.-]{2,15}", fullmatch=True),
)
def test_short_names_are_possible_everywhere(pool_type: str, instance: str, device: str) -> None:
    assume(check_hostname(instance) is None)
    assume(check_device_name(device) is None)
    kind = volume_format(pool_type)
    names = [
        root_volume(instance, ID, kind),
        data_volume(instance, ID, device, kind),
        seed_volume(instance, ID, "f" * 64),
    ]
    assert len(set(names)) == 3
    assert [find_name_problem(pool_type, "vg0", name) for name in names] == [None, None, None]
