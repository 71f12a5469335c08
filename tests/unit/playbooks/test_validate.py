# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""validate.yml, and `make validate`, which is tools/validate: without a host, and in any callback's output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HOSTS = """
pextra:
  vars:
    ansible_ssh_common_args: -F /dev/null -o ProxyCommand='sh -c "echo x >>%s/contacted; exit 1"'
  children:
    pextra_coordinators: {hosts: {node1: }}
    pextra_nodes:
      hosts:
        node1: {ansible_host: 10.91.7.11}
        node2: {ansible_host: 10.91.7.12}
"""
RIGHT = """
pextra_deployment_name: ours
pextra_vswitches: [{name: svswitch1}]
pextra_port_groups: [{name: Production, vlan: 42}]
pextra_instances:
  - {name: web, vcpus: 2, memory: 1 GiB, root: {pool: local, size: 4 GiB}}
"""
# Ten mistakes.
WRONG = """
pextra_deployment_nam: ours
pextra_pools:
  - name: local
    type: directry
  - name: other
    path: relative/path
pextra_vswitches: [{name: svswitch1}]
pextra_port_groups:
  - name: Production
    vlan: 5000
pextra_images:
  - name: tiny
    source: missing.qcow2
pextra_instances:
  - name: web
    memory: 900
  - name: db
    image: debian
    root: {pool: local}
  - name: db2
    nics:
      - port_group: Prodution
  - name: db3
    power: on fire
  - name: db4
    vcpu: 2
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A directory with an inventory in it, from which Ansible is started. Whoever contacts a host leaves a trace."""
    (tmp_path / "inventory" / "group_vars" / "all").mkdir(parents=True)
    (tmp_path / "inventory" / "hosts.yml").write_text(HOSTS % tmp_path, encoding="utf-8")
    return tmp_path


def run(site: Path, *arguments: str, program: tuple[str, ...] = (), cwd: Path | None = None) -> tuple[int, str, str]:
    """Return (exit code, what was printed, what was said of it beside that)."""
    playbook = (sys.executable, "-m", "ansible", "playbook", "-i", "inventory", str(ROOT / "playbooks/validate.yml"))
    done = subprocess.run(
        [*(program or playbook), *arguments],
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "unit"),
            "ANSIBLE_LOCAL_TEMP": str(site / "tmp"),
            "ANSIBLE_NOCOLOR": "1",
            "HOME": str(site),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        cwd=cwd or site,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert not (site / "contacted").exists()
    return done.returncode, done.stdout, done.stderr


def write(site: Path, text: str) -> None:
    (site / "inventory" / "group_vars" / "all" / "cloud.yml").write_text(text, encoding="utf-8")


def test_what_is_declared_is_told_as_lines(site: Path) -> None:
    write(site, RIGHT)
    code, output, errors = run(site)
    assert code == 0, output + errors
    lines = output.splitlines()
    start = lines.index("The deployment ours has no mistakes. No host was contacted.")
    assert lines[start + 1 : start + 5] == [
        "  1 organization, 1 datacenter, 1 cluster, 2 nodes",
        "  1 vSwitch, 1 port group",
        "  1 storage pool",
        "  1 instance, 1 of them to run, with 2 virtual CPUs and 1 GiB of memory",
    ]
    # As this playbook was called.
    site_yml = ROOT / "playbooks" / "site.yml"
    assert f"\nNext: ansible-playbook -i inventory {site_yml} --check --diff shows what would change;" in output


def test_ten_mistakes_each_on_its_line(site: Path) -> None:
    write(site, WRONG)
    code, output, errors = run(site, "-e", "pextra_validate_format=github")
    file = "inventory/group_vars/all/cloud.yml"
    found = [line for line in output.splitlines() if line.startswith("::error ")]
    assert (code, len(found)) == (2, 10)
    written = WRONG.splitlines()
    places = {}
    for line in found:
        about = dict(pair.split("=", 1) for pair in line.split("::")[1].removeprefix("error ").split(","))
        assert about["file"] == file
        places[about["title"]] = written[int(about["line"]) - 1].strip()
    assert places == {
        "pextra_deployment_nam": "pextra_deployment_nam: ours",
        "pextra_pools[0] (local).type": "type: directry",
        "pextra_pools[1] (other).path": "path: relative/path",
        "pextra_port_groups[0] (Production).vlan": "vlan: 5000",
        "pextra_images[0] (tiny).source": "source: missing.qcow2",
        "pextra_instances[0] (web).memory": "memory: 900",
        "pextra_instances[1] (db).image": "image: debian",
        "pextra_instances[2] (db2).nics[0].port_group": "- port_group: Prodution",
        "pextra_instances[3] (db3).power": "power: on fire",
        "pextra_instances[4] (db4).vcpu": "vcpu: 2",
    }
    # People read the same beside it.
    assert f"{file}:{written.index('    memory: 900') + 1}: pextra_instances[0] (web).memory" in output + errors


@pytest.mark.parametrize("document", [RIGHT, WRONG])
def test_a_file_for_programs(site: Path, document: str) -> None:
    write(site, document)
    code, _, _ = run(site, "-e", "pextra_validate_format=sarif", "-e", "pextra_validate_file=found.sarif", "--check")
    log = json.loads((site / "found.sarif").read_text(encoding="utf-8"))
    results = log["runs"][0]["results"]
    assert (code, bool(results)) == ((0, False) if document is RIGHT else (2, True))
    uris = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in results}
    assert uris == ({"inventory/group_vars/all/cloud.yml"} if results else set())


def test_a_file_that_cannot_be_written_keeps_nothing_back(site: Path) -> None:
    write(site, WRONG)
    code, output, errors = run(site, "-e", "pextra_validate_format=json", "-e", "pextra_validate_file=no/such.json")
    words = " ".join((output + errors).split())
    assert code == 2
    assert f'"no/such.json" cannot be written: there is no directory {site}/no.' in words
    assert "pextra_instances[0] (web).memory: 900" in words


def test_a_file_that_holds_something_else_is_left_alone(site: Path) -> None:
    write(site, RIGHT)
    for name in ("found.json", "inventory/hosts.yml"):
        path = site / name
        before = path.read_text() if path.exists() else "precious\n"
        path.write_text(before)
        code, output, errors = run(site, "-e", "pextra_validate_format=json", "-e", f"pextra_validate_file={name}")
        assert code == 2
        assert f'"{name}" is there already, and was not written by an earlier run' in " ".join(
            (output + errors).split()
        )
        assert path.read_text() == before


def test_a_set_is_no_list(site: Path) -> None:
    write(site, "pextra_instances: !!set {a, b}\n")
    code, output, errors = run(site)
    words = " ".join((output + errors).split())
    assert code == 2
    assert "cloud.yml:1: pextra_instances: " in words
    assert "is not a list" in words


def test_a_format_that_is_none(site: Path) -> None:
    write(site, RIGHT)
    code, output, errors = run(site, "-e", "pextra_validate_format=xml")
    assert code == 2
    assert '"xml" is no format of what is found. It is one of text, json, sarif, github.' in output + errors


@pytest.mark.parametrize(
    ("arguments", "is_told"),
    [((), False), (("--tags", "validate"), True), (("-e", "pextra_validate_format=text"), True)],
)
def test_who_goes_on_is_told_what_is_declared_only_when_asked(
    site: Path, arguments: tuple[str, ...], is_told: bool
) -> None:
    write(site, RIGHT)
    playbook = f"- import_playbook: {ROOT}/playbooks/validate.yml\n  vars: {{run_goes_on: true}}\n"
    (site / "more.yml").write_text(playbook, encoding="utf-8")
    program = (sys.executable, "-m", "ansible", "playbook", "-i", "inventory", "more.yml")
    code, output, errors = run(site, *arguments, program=program)
    assert code == 0, output + errors
    assert ("The deployment ours has no mistakes." in output) is is_told
    assert "Next:" not in output


@pytest.mark.parametrize(("document", "expected"), [(RIGHT, 0), (WRONG, 2)])
def test_the_tool_prints_the_findings_alone(site: Path, document: str, expected: int) -> None:
    write(site, document)
    tool = (str(ROOT / "tools" / "validate"), str(site / "inventory"))
    code, output, errors = run(site, program=(*tool, "json"), cwd=ROOT)
    assert code == expected, errors
    assert json.loads(output)["valid"] is (expected == 0)
    code, output, errors = run(site, program=(*tool, "sarif", str(site / "out.sarif")), cwd=ROOT)
    assert (code, output) == (expected, "")
    assert json.loads((site / "out.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"
    # To whom the file is not shown, the mistakes are.
    assert ("mistakes. Nothing was changed." in errors) is (expected == 2)


def test_the_tool_says_why_it_found_nothing(site: Path) -> None:
    code, output, errors = run(site, program=(str(ROOT / "tools/validate"), str(site / "none"), "json"), cwd=ROOT)
    assert (code, output) == (2, "")
    assert "The inventory has no host in the group pextra_nodes" in errors
