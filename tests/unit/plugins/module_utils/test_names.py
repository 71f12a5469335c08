"""Names of volumes tell what they belong to."""

from __future__ import annotations

from ansible_collections.pextra.cloud.plugins.module_utils._names import (
    data_volume,
    image_volume,
    is_of_instance,
    root_volume,
    seed_volume,
)
from ansible_collections.pextra.cloud.plugins.module_utils._spec._checks import check_device_name, check_hostname
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
