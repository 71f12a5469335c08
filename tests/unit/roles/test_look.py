# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the look at a node tells of containers, with a virsh that stands in for libvirt's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "roles/node/files/look.sh"
VIRSH = """
case "$*" in
*"list --all --uuid") echo 1; echo 2 ;;
*dumpxml*) [ "$5" = 2 ] || echo '<metadata><i:instance xmlns:i="urn:pextra:instance:1"/></metadata>' ;;
*domname*) echo "box-$4" ;;
esac
"""


def look(tmp_path: Path, differing: str, allowed: str, *, has_driver: bool = True) -> list[str]:
    tools, driver = tmp_path / "tools", tmp_path / "lib" / "x86_64-linux-gnu" / "libvirt" / "connection-driver"
    tools.mkdir()
    driver.mkdir(parents=True)
    (tools / "virsh").write_text(f"#!/bin/sh\n{VIRSH}")
    (tools / "virsh").chmod(0o755)
    if has_driver:
        (driver / "libvirt_driver_lxc.so").touch()
    text = SCRIPT.read_text().replace("/usr/lib/", f"{tmp_path}/lib/")
    argv = ["sh", "-c", text, "look", differing, "echo it complains of $1", "address", "pki", "qemu", "false", allowed]
    environment = {"PATH": f"{tools}:{os.environ['PATH']}"}
    done = subprocess.run(argv, capture_output=True, text=True, env=environment, check=True, timeout=30)
    return done.stdout.splitlines()


@pytest.mark.parametrize(("differing", "told"), [("echo file", "file"), ("true", "complaint:it complains of address")])
def test_containers_are_told_where_there_may_be_none_any_more(tmp_path: Path, differing: str, told: str) -> None:
    assert look(tmp_path, differing, "false") == ["container:box-1", told]


def test_nobody_asks_where_they_may_be(tmp_path: Path) -> None:
    assert look(tmp_path, "true", "true") == ["complaint:it complains of address"]


def test_nobody_asks_where_there_is_no_driver(tmp_path: Path) -> None:
    assert look(tmp_path, "true", "false", has_driver=False) == ["complaint:it complains of address"]


def test_a_look_that_fails_fails(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        look(tmp_path, "exit 3", "false")
