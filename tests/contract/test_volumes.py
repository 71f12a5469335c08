# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes, and disks of running instances, through the door to libvirt."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.hypervisor import Hypervisor
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import NotFoundError
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id, uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.names import parse_standalone, standalone_volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition import Disk, DomainModel
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_writing import render_domain
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.labels import Labels
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.attached import (
    Attachment,
    parse_attachments,
    render_attachment,
    tuning_of,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.definition import parse_volume, render_volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.spec import Limits

ID = "vol-qthm_iLrflJ_DtSS1l4Gx"
FILE = standalone_volume("data", ID, "qcow2")
DISK = Disk(target="vdb", path=f"/srv/shared/{FILE}", serial="qthm_iLrflJ_DtSS1l4G")


def run_instance(driver: Hypervisor, attachment: Attachment) -> str:
    """Run an instance that has a volume. The driver cannot attach one later; the lab can."""
    instance = new_id("instance")
    model = DomainModel(
        name="web",
        uuid=uuid_of(instance),
        memory=64,
        vcpus=1,
        disks=(),
        interfaces=(),
        description=None,
        labels=Labels(id=instance, cluster="cls-x", organization="org-x"),
    )
    root = ET.fromstring(render_domain(model, "test"))
    devices = root.find("devices")
    assert devices is not None
    devices.append(ET.fromstring(render_attachment(attachment)))
    driver.define_domain(ET.tostring(root, encoding="unicode"), "web")
    driver.start_domain(model.uuid, "web")
    return model.uuid


def test_what_libvirt_says_of_volumes(driver: Hypervisor) -> None:
    driver.create_volume("shared", render_volume(FILE, 1024**2, "qcow2"), "data")
    driver.create_volume("shared", render_volume("other.raw", 1024**2, "raw"), "other")
    texts = driver.describe_volumes("shared", lambda name: parse_standalone(name) is not None)
    assert list(texts) == [FILE]
    facts = parse_volume(texts[FILE])
    assert (facts.name, facts.format, facts.capacity, facts.backing) == (FILE, "qcow2", 1024**2, None)
    with pytest.raises(NotFoundError):
        driver.describe_volumes("nowhere", lambda _: True)


def test_a_disk_of_an_instance_is_read_as_it_was_written(driver: Hypervisor) -> None:
    wanted = Attachment(disk=DISK, cache="writeback", discard="unmap", tuning=tuning_of(Limits(iops=7)))
    uuid = run_instance(driver, wanted)
    (record,) = [one for one in driver.domains() if one.uuid == uuid]
    assert parse_attachments(record.config) == parse_attachments(driver.live_xml_of(uuid)) == (wanted,)
    driver.force_stop(uuid, "web")
    assert driver.live_xml_of(uuid) == ""
