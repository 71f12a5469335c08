# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook report.yml in Ansible itself, as far as it goes without a cloud: from the document, and where no host
answers.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]
# A port at which nobody listens: whoever contacts a host fails.
DEAD = {"ansible_host": "127.0.0.1", "ansible_port": 1, "pextra_address": "10.91.0.11"}
HOSTS = {
    "pextra_coordinators": {"hosts": {"node1": None}},
    "pextra_nodes": {"hosts": {"node1": DEAD, "node2": {**DEAD, "pextra_address": "10.91.0.12"}}},
}
DOCUMENT = """
pextra_deployment_name: lab
pextra_images: [{name: tiny, source: tiny.qcow2}]
pextra_instances:
  - {name: web, count: 2, image: tiny, root: {pool: local}, cloud_init: {user_data: "#!/bin/sh\\n# hunter2-planted\\n"}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "group_vars" / "all").mkdir(parents=True)
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"pextra": {"children": HOSTS}}), encoding="utf-8")
    (tmp_path / "tiny.qcow2").write_bytes(b"an image")
    (tmp_path / "group_vars" / "all" / "document.yml").write_text(DOCUMENT, encoding="utf-8")
    return tmp_path


def report(site: Path, *arguments: str) -> tuple[int, str]:
    """Run the playbook in the inventory's directory; return its exit code and what it said."""
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "unit"),
        "ANSIBLE_LOCAL_TEMP": str(site / "tmp"),
        "ANSIBLE_NOCOLOR": "1",
    }
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.yml", str(ROOT / "playbooks" / "report.yml")]
    done = subprocess.run(
        [*command, *arguments], env=environment, cwd=site, capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def test_a_page_is_made_of_the_document_without_a_host(site: Path) -> None:
    page = site / "lab.html"
    code, said = report(site, "-e", "report_from=document", "--check")
    assert code == 0, said
    assert "changed=1" in said
    assert "The page is" not in said
    assert not page.exists()

    code, said = report(site, "-e", "report_from=document", "-vvv")
    assert code == 0, said
    assert f"write {page}" in said, said
    assert f"\nThe page is {page}. Open it in a browser.\n" in said
    assert "No host was contacted" not in said
    assert "hunter2-planted" not in said + page.read_text(encoding="utf-8")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert ">web-2<" in page.read_text(encoding="utf-8")
    written = page.stat().st_ino

    code, said = report(site, "-e", "report_from=document")
    assert (code, "changed=0" in said) == (0, True), said
    assert page.stat().st_ino == written

    code, said = report(site, "-e", "report_from=document", "-e", "report_always=true", "-e", "report_mode=0644")
    assert (code, "changed=1" in said) == (0, True), said
    assert stat.S_IMODE(page.stat().st_mode) == 0o644


def test_where_no_coordinator_answers_the_page_says_so(site: Path) -> None:
    code, said = report(site)
    assert code == 4, said
    page = (site / "lab.html").read_text(encoding="utf-8")
    assert "<strong>1 thing needs attention</strong>" in page
    assert "nothing of it could be read" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report_from=nowhere"], "report_from is nowhere; write cloud, or document"),
        (["report_from=document", "report=none/lab.html"], "there is no directory"),
        (["report_from=document", "report=hosts.yml"], "hosts.yml is there already, and is no page of pextra.cloud"),
        (["report_from=document", "report_mode=a"], "a is no mode of a file"),
        # As YAML reads 0644 without quotes, which would be a mode as well: -r---w----.
        (
            ["report_from=document", '{"report_mode": 420}'],
            "420 is no mode of a file; write three or four octal digits in",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(site: Path, arguments: list[str], message: str) -> None:
    code, said = report(site, *(part for one in arguments for part in ("-e", one)))
    assert code == 2, said
    assert message in said
    assert "Traceback" not in said
    assert not (site / "lab.html").exists()
    assert "pextra_nodes" in (site / "hosts.yml").read_text(encoding="utf-8")
