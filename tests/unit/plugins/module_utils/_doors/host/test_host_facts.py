# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host's /sys tells about its disks."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.facts import read_raid_volumes


def add_disk(sys: Path, name: str, driver: str, **files: str) -> None:
    """Lay out a SCSI disk below a PCI device as the kernel does."""
    slot = sys / "devices" / "pci0000:00" / f"0000:00:{name}.0"
    device = slot / "host0" / "target0:0:0" / f"0:0:0:{name}"
    block = device / "block" / name
    block.mkdir(parents=True)
    for file in ("vendor", "class"):
        (slot / file).write_text("0x1000\n")
    (slot / "driver").symlink_to(sys / "bus" / "pci" / "drivers" / driver)
    (sys / "bus" / "pci" / "drivers" / driver).mkdir(parents=True, exist_ok=True)
    for file, text in {"vendor": "ACME", **files}.items():
        (device / file).write_text(f"{text}\n")
    (block / "device").symlink_to(device)
    (sys / "block").mkdir(exist_ok=True)
    (sys / "block" / name).symlink_to(block)


@pytest.mark.parametrize(
    ("driver", "files", "is_volume"),
    [
        ("megaraid_sas", {"wwid": "naa.600508e000000000aa"}, True),
        ("megaraid_sas", {"wwid": "naa.5000c500a1b2c3d4"}, False),
        ("megaraid_sas", {"wwid": "t10.ATA     ST4000"}, False),
        ("mpi3mr", {"wwid": "naa.600062b2000"}, True),
        ("mpi3mr", {"wwid": "naa.5000c500a1b2c3d4"}, False),
        ("smartpqi", {"raid_level": "RAID 1(1+0)"}, True),
        ("smartpqi", {"raid_level": "N/A", "wwid": "naa.5000c500a1b2c3d4"}, False),
        ("hpsa", {"raid_level": "N/A"}, False),
        ("mpt3sas", {"wwid": "naa.5000c500a1b2c3d4"}, False),
        ("mpt3sas", {"wwid": "naa.600508e000000000bb"}, True),
        ("3w-sas", {}, True),
        ("ahci", {"wwid": "naa.5000c500a1b2c3d4"}, False),
        # A disk of a SAN or a virtual machine is no volume of the host's own controller.
        ("virtio-pci", {"wwid": "naa.600140500000"}, False),
    ],
)
def test_a_disk_is_judged_by_itself_not_by_its_controller(
    tmp_path: Path, driver: str, files: dict[str, str], is_volume: bool
) -> None:
    add_disk(tmp_path, "sda", driver, **files)
    assert read_raid_volumes(tmp_path) == ((f"sda ({driver})",) if is_volume else ())


def test_a_controller_without_disks_and_devices_without_controllers_are_nothing(tmp_path: Path) -> None:
    (tmp_path / "bus/pci/drivers/megaraid_sas").mkdir(parents=True)
    (tmp_path / "devices/virtual/block/loop0").mkdir(parents=True)
    (tmp_path / "block").mkdir()
    (tmp_path / "block/loop0").symlink_to(tmp_path / "devices/virtual/block/loop0")
    assert read_raid_volumes(tmp_path) == ()
