# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that live on their own, as disks of a domain."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.names import serial_of, standalone_volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition import Disk, parse_domain
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_writing import edit_domain
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Root
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.attached import (
    TUNING,
    Attachment,
    edit_attachment,
    parse_attachments,
    render_attachment,
    tuning_of,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.spec import Limits
from instance_model import Model

ID = "vol-qthm_iLrflJ_DtSS1l4Gx"
PATH = f"/srv/shared/{standalone_volume('data', ID, 'qcow2')}"
DISK = Disk(target="vdb", path=PATH, serial=serial_of(ID))
ATTACHMENT = Attachment(disk=DISK, cache="writeback", discard="ignore", tuning=tuning_of(Limits(iops=5, bandwidth=2)))
FOREIGN = "<disk type='file' device='disk'><source file='/srv/other.qcow2'/><target dev='vdc' bus='virtio'/></disk>"


def domain(*disks: str) -> str:
    return f"<domain><devices>{''.join(disks)}</devices></domain>"


def test_there_and_back() -> None:
    assert parse_attachments(domain(FOREIGN, render_attachment(ATTACHMENT))) == (ATTACHMENT,)
    assert ATTACHMENT.volume is not None
    assert (ATTACHMENT.volume.name, ATTACHMENT.volume.id) == ("data", ID)


def test_limits_in_libvirts_units() -> None:
    assert tuning_of(Limits(iops_write=7, bandwidth_read=3)) == {"write_iops_sec": 7, "read_bytes_sec": 3 * 1024**2}
    assert tuning_of(Limits()) == tuning_of(None) == {}
    assert set(TUNING) == set(vars(Limits()))


def test_an_edit_keeps_what_is_not_managed() -> None:
    element = ET.fromstring(render_attachment(ATTACHMENT))
    ET.SubElement(element, "address", type="pci", slot="0x07")
    driver = element.find("driver")
    assert driver is not None
    driver.set("queues", "4")
    wanted = Attachment(disk=DISK)
    edited = edit_attachment(domain(FOREIGN, ET.tostring(element, encoding="unicode")), wanted)
    assert parse_attachments(domain(edited)) == (wanted,)
    found = ET.fromstring(edited)
    assert found.find("address[@slot='0x07']") is not None
    assert found.find("driver[@queues='4']") is not None
    assert found.find("iotune") is None


def test_an_edit_of_what_is_not_there() -> None:
    with pytest.raises(KeyError):
        edit_attachment(domain(FOREIGN), ATTACHMENT)


def test_it_is_no_disk_of_the_instance_and_stays_when_that_changes() -> None:
    model = Model.fresh()
    want = Vm(name="web", image="tiny", root=Root(pool="shared"))
    model.converge(want)
    guest = model.guest("web")[1]
    root = ET.fromstring(guest.xml)
    devices = root.find("devices")
    assert devices is not None
    devices.append(ET.fromstring(render_attachment(ATTACHMENT)))
    text = ET.tostring(root, encoding="unicode")
    found = parse_domain(text)
    assert found is not None
    assert [disk.volume for disk in found.attached] == [DISK.volume]
    assert DISK.volume not in [disk.volume for disk in found.disks]
    assert "vdb" in found.other_targets
    assert parse_attachments(edit_domain(text, found)) == (ATTACHMENT,)
