# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of an instance is tried on the lab, and told in docs/instance-options.md."""

from __future__ import annotations

import runpy

from ansible_collections.pextra.cloud.plugins.module_utils._fields.field import Field
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.devices import DEVICES, cdrom, disk, nic
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.walk import KINDS
from guards.project import ROOT

LAB = runpy.run_path(str(ROOT / "tests" / "integration" / "instance_rows.py"))


def rows(field: Field, path: str) -> list[str]:
    if field.table is not None and field.at is None:
        return [row for key, inner in field.table.items() for row in rows(inner, f"{path}.{key}")]
    return [path]


def test_every_row_has_a_lab_test() -> None:
    known = {row for kind in KINDS for row in rows(kind.field, kind.option)}
    apart = LAB["FIXED"] | LAB["APART"] | LAB["SCREEN"] | LAB["DEFINED_ONLY"].keys() | LAB["REFUSED"]
    assert LAB["ROWS"].keys() | apart == known
    assert LAB["DISK"].keys() | LAB["DISK_APART"] == {
        row.partition(".")[2] for row in rows(Field(kind="dict", table=disk.TABLE, help=""), "disk")
    }
    assert LAB["CDROM"].keys() == {
        row.partition(".")[2] for row in rows(Field(kind="dict", table=cdrom.TABLE, help=""), "cdrom")
    }
    assert LAB["NIC"].keys() == {
        row.partition(".")[2] for row in rows(Field(kind="dict", table=nic.TABLE, help=""), "nic")
    }
    assert set(LAB["DEVICES"]) == {kind.option for kind in DEVICES}
    assert all((ROOT / "tests" / "integration" / f"test_{row}.py").exists() for row in LAB["APART"])
    firmware = (ROOT / "tests" / "integration" / "test_firmware.py").read_text(encoding="utf-8")
    assert [row for row in LAB["FIXED"] if row.partition(".")[2] not in firmware] == []
    screen = (ROOT / "tests" / "integration" / "test_screen.py").read_text(encoding="utf-8")
    assert [row for row in LAB["SCREEN"] if f'"{row.partition(".")[2]}"' not in screen] == []
    buses = (ROOT / "tests" / "integration" / "test_disk_buses.py").read_text(encoding="utf-8")
    assert [row for row in LAB["DISK_APART"] if f'"{row}"' not in buses] == []


def test_the_values_of_a_lab_test_differ_where_they_can() -> None:
    fields = {kind.option: kind.field for kind in KINDS}
    for name, row in LAB["ROWS"].items():
        option, _, rest = name.partition(".")
        field = fields[option]
        for key in rest.split(".") if rest else ():
            assert field.table is not None
            field = field.table[key]
        few = field.choices is not None and len([one for one in field.choices if one != "none"]) < 2
        assert few or row.values[0] != row.values[1] or name == "boot.menu", name


def test_the_options_are_told() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "write_instance_options.py"))
    for path, text in tool["render_files"]().items():
        assert path.read_text(encoding="utf-8") == text, "run make options"
