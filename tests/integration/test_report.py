# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page that shows the cloud: what is on it is what is there."""

from __future__ import annotations

import html
import re
import stat
from pathlib import Path

import pytest

from .lab import Lab, Site

pytestmark = pytest.mark.long

REPORT = "pextra.cloud.report"
# What a storage pool has free changes by itself, as guests write.
_FIGURES = re.compile(r'[\d.,]+ (?:[MGTP]iB|%)|<rect [^>]*class="fill[^"]*">|data-sort="\d+"|<time .*?</time>')


def test_the_page_shows_the_cloud_and_is_written_once(lab: Lab, cloud: Site, tmp_path: Path) -> None:
    path = tmp_path / "lab.html"
    before = lab.snapshot()
    checked = cloud.run("-e", f"report={path}", "--check", playbook=REPORT).must_succeed()
    assert checked.changed == 1
    assert not path.exists()

    assert cloud.run("-e", f"report={path}", playbook=REPORT).must_succeed().changed == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    page = path.read_text(encoding="utf-8")
    assert "<strong>All is well</strong>" in page
    assert "Everything is as the document says." in page
    for one in cloud.declared():
        assert f">{one['name']}<" in page
        home = lab.home(one["name"]) if one["power"] == "running" else None
        if home is not None:
            row = re.search(rf'<th scope="row">{re.escape(one["name"])}.*?</tr>', page)
            assert row is not None
            assert f"<td>{home}</td>" in row[0]
            assert 's-good">running' in row[0]
    # Who did what of late.
    events = cloud.module("pextra_registry_info")["events"]
    assert events
    assert html.escape(events[0]["actor"]) in page
    for secret in ("pextra_ping", "BEGIN", "user_data"):
        assert secret not in page

    again = cloud.run("-e", f"report={path}", playbook=REPORT).must_succeed()
    if again.changed:
        assert _FIGURES.sub("", path.read_text(encoding="utf-8")) == _FIGURES.sub("", page)
    assert lab.snapshot() == before


def test_what_is_not_as_declared_is_on_the_page(lab: Lab, converged: Site, tmp_path: Path) -> None:
    path = tmp_path / "lab.html"
    home = lab.home("web-1")
    lab.exec(home, "virsh", "destroy", "web-1")
    converged.run("-e", f"report={path}", playbook=REPORT).must_succeed()
    page = path.read_text(encoding="utf-8")
    assert "it is stopped, and declared to be running" in page
    assert f"<li>instance web-1 on {home}: start" in page
    assert lab.domains(home)["web-1"] == "shut off", "a page changes nothing"


def test_a_node_that_does_not_answer_is_on_the_page(lab: Lab, converged: Site, tmp_path: Path) -> None:
    path = tmp_path / "lab.html"
    lab.sh("node3", "systemctl stop libvirtd-tls.socket libvirtd.service")
    try:
        converged.run("-e", f"report={path}", playbook=REPORT).must_succeed()
    finally:
        lab.sh("node3", "systemctl start libvirtd-tls.socket libvirtd.service")
    page = path.read_text(encoding="utf-8")
    assert '<span class="state s-bad">node3</span>' in page
    assert "2 of 3" in page
    assert "Not everything could be looked at" in page


def test_from_the_document_no_host_is_asked(cloud: Site, tmp_path: Path) -> None:
    path = tmp_path / "lab.html"
    dead = ("-e", "ansible_port=1", "-e", "report_from=document")
    assert cloud.run("-e", f"report={path}", *dead, playbook=REPORT).must_succeed().changed == 1
    assert "From the document alone. No host was asked." in path.read_text(encoding="utf-8")
    cloud.run("-e", f"report={path}", *dead, playbook=REPORT).must_change_nothing()
