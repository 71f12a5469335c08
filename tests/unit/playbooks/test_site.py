# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml as far as it comes without hosts."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Inventory:
    """Two hosts that nobody may contact: whoever tries leaves a trace."""

    folder: Path

    def write(self, name: str, value: Any) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(value), encoding="utf-8")

    @property
    def is_contacted(self) -> bool:
        return (self.folder / "contacted").exists()

    def run(
        self,
        *arguments: str,
        playbook: str = "site.yml",
        python: Path | None = None,
        more: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *(sys.executable, "-m", "ansible", "playbook", "-i", str(self.folder / "hosts.yml")),
                *(str(ROOT / "playbooks" / playbook), *arguments),
            ],
            env={
                **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "unit"),
                "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp") if user is None else "~/tmp",
                "ANSIBLE_NOCOLOR": "1",
                "HOME": str(self.folder),
                **({"PYTHONPATH": str(python)} if python else {}),
                **(more or {}),
            },
            user=user,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


def words(run: subprocess.CompletedProcess[str]) -> str:
    """Return what a run said, on one line."""
    return " ".join((run.stdout + run.stderr).split())


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    inventory = Inventory(tmp_path)
    trace = f"-F /dev/null -o ProxyCommand='sh -c \"echo x >>{tmp_path}/contacted; exit 1\"'"
    inventory.write(
        "hosts.yml",
        {
            "pextra": {
                "vars": {"ansible_ssh_common_args": trace},
                "children": {
                    "pextra_coordinators": {"hosts": {"node1": None}},
                    "pextra_nodes": {"hosts": {f"node{n}": {"ansible_host": f"10.91.7.1{n}"} for n in (1, 2)}},
                },
            }
        },
    )
    return inventory


def test_validating_contacts_no_host(inventory: Inventory) -> None:
    run = inventory.run("--tags", "validate")
    assert run.returncode == 0, run.stdout + run.stderr
    assert not inventory.is_contacted
    assert inventory.run(playbook="validate.yml").returncode == 0
    assert not inventory.is_contacted


def test_where_values_come_from_is_told_without_a_host(inventory: Inventory) -> None:
    secret = "$6$aaaaaaaa$" + "b" * 86
    inventory.write(
        "group_vars/all/cloud.yml",
        {
            "pextra_vswitches": [{"name": "svswitch1"}],
            "pextra_port_groups": [{"name": "Production"}, {"name": "DMZ"}],
            "pextra_images": [
                {"name": "tiny", "source": "https://a.example/tiny.qcow2", "format": "qcow2", "sha256": "a" * 64}
            ],
            "pextra_flavors": [{"name": "small", "memory": "96 MiB", "cpu": {"model": "Haswell"}}],
            "pextra_profiles": [
                {
                    "name": "web",
                    "tags": ["web"],
                    "nics": [
                        {
                            "name": "front",
                            "port_group": "DMZ",
                            "addresses": ["172.20.0.{{ 10 + pextra_index }}/24"],
                        }
                    ],
                    "cloud_init": {"users": [{"name": "ops", "hashed_password": secret}]},
                }
            ],
            "pextra_instances": [
                {
                    "name": "web",
                    "count": 3,
                    "image": "tiny",
                    "root": {"pool": "local"},
                    "flavor": "small",
                    "profiles": ["web"],
                    "nics": [{"name": "front", "mtu": 9000}],
                }
            ],
        },
    )
    run = inventory.run("-e", "instance=web-3", "--check", playbook="effective.yml")
    lines = [" ".join(line.split()) for line in run.stdout.splitlines()]
    assert run.returncode == 0, run.stdout + run.stderr
    for line in (
        "pextra_instances[0] (web-3)",
        'memory: "96 MiB" # flavor small',
        'tags: ["web"] # profile web',
        "nics[0].mtu: 9000 # instance",
        'nics[0].addresses: ["172.20.0.13/24"] # profile web',
        'cloud_init.users[0].hashed_password: "(secret)" # profile web',
        'power: "running" # default',
    ):
        assert line in lines, run.stdout
    assert secret not in run.stdout + run.stderr
    assert not inventory.is_contacted
    missing = inventory.run("-e", "instance=web-33", playbook="effective.yml")
    assert '"web-33" is no instance of the deployment. Did you mean "web-3"?' in words(missing)
    assert "Say of which instance: -e instance=web-1." in words(inventory.run(playbook="effective.yml"))


LOCAL = {"ansible_connection": "local", "pextra_address": "10.91.7.11"}
HOSTS = {"pextra_coordinators": ["node1"], "pextra_nodes": ["node1", "node2"]}


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ({}, "no host in the group pextra_nodes, nor in pextra_coordinators"),
        ({"web": ["server"]}, "no host in the group pextra_nodes, nor in pextra_coordinators"),
        ({**HOSTS, "pextra_coordinators": []}, "no host in the group pextra_coordinators"),
        ({**HOSTS, "pextra_nodes": []}, "no host in the group pextra_nodes"),
    ],
)
@pytest.mark.parametrize(
    "playbook",
    [
        *("site.yml", "validate.yml", "effective.yml", "drift.yml", "preflight.yml", "renew_certificates.yml"),
        *("ceph_remove_osd.yml", "ceph_replace_osd.yml", "audit.yml", "report.yml", "decommission.yml"),
    ],
)
def test_without_hosts_there_is_nothing_that_could_be_well(
    inventory: Inventory, groups: dict[str, list[str]], told: str, playbook: str
) -> None:
    inventory.write("hosts.yml", {name: {"hosts": dict.fromkeys(hosts)} for name, hosts in groups.items()})
    run = inventory.run(playbook=playbook)
    assert run.returncode == 2, run.stdout + run.stderr
    assert told in words(run)
    assert "Give the right inventory with -i" in words(run)


def test_a_wrong_path_of_the_inventory_is_an_error(inventory: Inventory) -> None:
    (inventory.folder / "hosts.yml").unlink()
    run = inventory.run()
    assert run.returncode == 2, run.stdout + run.stderr
    assert f"Read from: {inventory.folder}/hosts.yml." in words(run)


@pytest.mark.parametrize(
    ("arguments", "is_allowed"),
    [
        (("--limit", "node2"), False),
        (("--limit", "node2", "--tags", "node,instances"), False),
        (("--limit", "node2", "--tags", "validate"), True),
        (("--limit", "node2", "--skip-tags", "cluster,network,storage,images,instances,volumes,summary"), True),
        (("--limit", "node2,node1"), True),
        (("--limit", "other"), False),
    ],
)
def test_a_limit_that_leaves_the_coordinator_out(
    inventory: Inventory, arguments: tuple[str, ...], is_allowed: bool
) -> None:
    hosts = yaml.safe_load((inventory.folder / "hosts.yml").read_text())
    inventory.write("hosts.yml", {**copy.deepcopy(hosts), "others": {"hosts": {"other": None}}})
    run = inventory.run(*arguments)
    text = words(run)
    assert ("leaves out node1, from which the cloud is managed" in text) is not is_allowed, run.stdout + run.stderr
    assert is_allowed or (run.returncode == 2 and not inventory.is_contacted)


MISTYPED = {
    "pextra_node_hosts": "typo",
    "pextra_coordinator_hosts": "node1,typo",
    "pextra_first_coordinator": "typo",
    "pextra_hosts": "pextra_nodes:!typo",
}


@pytest.mark.parametrize(
    ("playbook", "variable"),
    [
        *(("site.yml", variable) for variable in MISTYPED),
        *((playbook, "pextra_node_hosts") for playbook in ("preflight.yml", "renew_certificates.yml", "drift.yml")),
    ],
)
def test_hosts_that_nobody_knows(inventory: Inventory, playbook: str, variable: str) -> None:
    run = inventory.run("-e", f"{variable}={MISTYPED[variable]}", playbook=playbook)
    assert run.returncode == 2, run.stdout + run.stderr
    said = f"{variable}={MISTYPED[variable]} names typo, which is no host or group of the inventory. Nothing was done."
    assert said in words(run), run.stdout
    assert "Traceback" not in words(run)
    assert not inventory.is_contacted


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--tags", "netwrok"), 'netwrok is no tag of this playbook. Nothing was done. Did you mean "network"?'),
        (
            ("--tags", "network,stroage"),
            'stroage is no tag of this playbook. Nothing was done. Did you mean "storage"?',
        ),
        (("--skip-tags", "imagse"), 'imagse is no tag of this playbook. Nothing was done. Did you mean "images"?'),
        (("--skip-tags", "validate"), "The validation cannot be left out (--skip-tags validate)"),
    ],
)
def test_a_tag_that_nothing_has(inventory: Inventory, arguments: tuple[str, ...], told: str) -> None:
    run = inventory.run(*arguments)
    assert run.returncode == 2, words(run)
    assert told in words(run)
    assert not inventory.is_contacted


@pytest.mark.parametrize(
    ("playbook", "given"),
    [
        ("audit.yml", ("-e", "audit_file=a.jsonl")),
        ("awx.yml", ()),
        ("ceph_remove_osd.yml", ("-e", "osd=1", "-e", "confirm=DESTROY")),
        ("decommission.yml", ("-e", "nodes=node2", "-e", "confirm=DESTROY")),
        ("drift.yml", ("-e", "report=drift.json")),
        ("effective.yml", ("-e", "instance=web")),
        ("init.yml", ("-e", "nodes=a=192.0.2.1")),
        ("init_molecule.yml", ()),
        ("preflight.yml", ()),
        ("renew_certificates.yml", ()),
        ("replace_drive.yml", ("-e", "node=node1", "-e", "drive=x")),
        ("report.yml", ()),
        ("validate.yml", ()),
    ],
)
def test_a_tag_that_a_playbook_lacks(inventory: Inventory, playbook: str, given: tuple[str, ...]) -> None:
    run = inventory.run(*given, "--tags", "stroage", playbook=playbook)
    assert run.returncode == 2, words(run)
    assert "stroage is no tag of this playbook. Nothing was done." in words(run)
    assert not inventory.is_contacted
    assert not (inventory.folder / "drift.json").exists()


@pytest.mark.parametrize(
    ("playbook", "given", "told"),
    [
        ("decommission.yml", "nodes=", "Say which nodes leave the deployment"),
        ("decommission.yml", "nodes=,", "Say which nodes leave the deployment"),
        ("replace_drive.yml", "node=", "Say which drive is to be replaced"),
        ("effective.yml", "instance=", "Say of which instance"),
    ],
)
def test_what_awx_gives_for_a_field_left_empty(inventory: Inventory, playbook: str, given: str, told: str) -> None:
    run = inventory.run("-e", given, playbook=playbook)
    assert run.returncode == 2, words(run)
    assert told in words(run)
    assert not inventory.is_contacted


@pytest.mark.parametrize("part", ["audit", "decommission", "effective", "init", "init_molecule"])
def test_a_part_of_somebody_s_own_playbook_is_done_by_its_tag_alone(inventory: Inventory, part: str) -> None:
    path = str(ROOT / "playbooks" / f"{part}.yml")
    inventory.write("own.yml", [{"ansible.builtin.import_playbook": path, "tags": ["theirs"]}])
    before = {*inventory.folder.iterdir()}
    run = inventory.run("--tags", "mine", playbook=str(inventory.folder / "own.yml"))
    assert run.returncode == 0, words(run)
    assert {one.name for one in {*inventory.folder.iterdir()} - before} <= {"tmp", ".ansible"}
    assert not inventory.is_contacted


@pytest.mark.parametrize("name", ["own.yml", "site.yml"])
def test_tags_of_somebody_s_own_playbook_are_theirs(inventory: Inventory, name: str) -> None:
    own = [{"ansible.builtin.import_playbook": str(ROOT / "playbooks" / "site.yml")}]
    own.append({"hosts": "localhost", "gather_facts": False, "tasks": [{"debug": {"msg": "mine"}, "tags": ["mine"]}]})
    inventory.write(name, own)
    run = inventory.run("--tags", "mine", playbook=str(inventory.folder / name))
    assert run.returncode == 0, words(run)
    assert '"msg": "mine"' in words(run)
    assert not inventory.is_contacted


def test_every_tag_of_ours_is_known() -> None:
    texts = [path.read_text() for folder in ("playbooks", "roles") for path in (ROOT / folder).rglob("*.yml")]
    used = {tag.strip() for text in texts for tags in re.findall(r"tags: \[(.*?)\]", text) for tag in tags.split(",")}
    known = yaml.safe_load((ROOT / "playbooks" / "vars" / "run.yml").read_text())
    of = known["__run_tags_of"].values()
    listed = {tag for tags in of for tag in (re.findall(r"'(\w+)'", tags) if isinstance(tags, str) else tags)}
    listed |= {*known["__run_known_stages"], "always"}
    assert used == listed


@pytest.mark.parametrize("playbook", ["cloud.yml", "ceph.yml"])
def test_a_part_by_itself_says_of_what_it_is_one(inventory: Inventory, playbook: str) -> None:
    run = inventory.run(playbook=playbook)
    assert run.returncode != 0
    assert "Run pextra.cloud.site, with --tags for a part of it." in words(run)
    assert "undefined" not in words(run)
    assert not inventory.is_contacted


def test_a_limit_that_nobody_knows(inventory: Inventory) -> None:
    run = inventory.run("--limit", "typo")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "leaves us with no hosts to target" in words(run)


@pytest.mark.parametrize(
    ("playbook", "arguments", "is_refused"),
    [
        ("site.yml", (), True),
        ("site.yml", ("--tags", "node"), True),
        ("renew_certificates.yml", (), True),
        ("site.yml", ("--tags", "validate"), False),
        ("validate.yml", (), False),
    ],
)
def test_a_collection_that_the_controller_lacks(
    inventory: Inventory, playbook: str, arguments: tuple[str, ...], is_refused: bool
) -> None:
    run = inventory.run(*arguments, playbook=playbook, more={"ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"})
    said = "Nothing was done. Install it: ansible-galaxy collection install community.crypto"
    assert (said in words(run)) is is_refused, run.stdout + run.stderr
    assert run.returncode == (2 if is_refused else 0), run.stdout + run.stderr
    assert not inventory.is_contacted
    assert "Traceback" not in words(run)


@pytest.mark.parametrize("playbook", ["audit.yml", "drift.yml", "report.yml"])
def test_a_limit_that_leaves_out_who_is_asked(inventory: Inventory, playbook: str) -> None:
    run = inventory.run("--limit", "node2", "-e", "audit_file=trail.jsonl", playbook=playbook)
    assert run.returncode == 2, run.stdout + run.stderr
    assert "leaves out node1, from which the cloud is managed" in words(run)
    assert not inventory.is_contacted


@pytest.mark.parametrize("limit", ["node2", "node1"])
def test_a_limit_by_which_a_node_would_leave_by_halves(inventory: Inventory, limit: str) -> None:
    arguments = ("-e", "nodes=node2", "-e", "confirm=DESTROY", "--limit", limit)
    run = inventory.run(*arguments, playbook="decommission.yml")
    assert run.returncode == 2, run.stdout + run.stderr
    other = {"node1": "node2", "node2": "node1"}[limit]
    assert f"--limit {limit} leaves out {other}, without which a node cannot leave. Nothing was done." in words(run)
    assert not inventory.is_contacted


def test_a_limit_that_leaves_the_node_of_a_drive_out(inventory: Inventory) -> None:
    arguments = ("-e", "node=node2", "-e", "drive=A1", "--limit", "node1")
    run = inventory.run(*arguments, playbook="replace_drive.yml")
    assert run.returncode == 2, run.stdout + run.stderr
    assert "--limit node1 leaves out node2. Nothing was done." in words(run)
    assert not inventory.is_contacted


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.parametrize(
    ("become", "told"),
    [
        ("true", "let that user use sudo without a password, or give it with --ask-become-pass."),
        ("false", "preflight does not run as root"),
    ],
)
def test_who_may_not_become_root_is_told_what_to_do(inventory: Inventory, become: str, told: str) -> None:
    """On this host, as nobody, who can change nothing; sudo, whether it is there or not, is one that refuses."""
    home = Path(tempfile.mkdtemp(prefix="pextra-nobody-"))
    try:
        sudo = home / "bin" / "sudo"
        sudo.parent.mkdir()
        sudo.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
        sudo.chmod(0o755)
        home.chmod(0o755)
        (home / "inventory").mkdir(mode=0o755)
        (home / "own").mkdir()
        shutil.chown(home / "own", "nobody")
        hosts = {"pextra": {"children": {name: {"hosts": {"node1": LOCAL}} for name in HOSTS}}}
        (home / "inventory" / "hosts.yml").write_text(yaml.safe_dump(hosts))
        run = Inventory(home / "inventory").run(
            *("--tags", "preflight", "-e", f"ansible_become={become}", "-e", f"ansible_remote_tmp={home}/own/r"),
            more={"HOME": str(home / "own"), "PATH": f"{sudo.parent}:{os.environ['PATH']}"},
            user="nobody",
        )
    finally:
        shutil.rmtree(home)
    assert run.returncode == 2, run.stdout + run.stderr
    assert told in words(run), run.stdout + run.stderr
    assert "Traceback" not in words(run)


@pytest.mark.parametrize("nodes", ["typo", "node2,typo", "node*"])
def test_a_node_that_is_none_does_not_leave(inventory: Inventory, nodes: str) -> None:
    run = inventory.run("-e", f"nodes={nodes}", "-e", "confirm=DESTROY", playbook="decommission.yml")
    assert run.returncode == 2, run.stdout + run.stderr
    assert "is not in the group pextra_nodes" in words(run)
    assert "There are node1, node2." in words(run)
    assert not inventory.is_contacted


def test_a_drive_of_no_node_is_not_replaced(inventory: Inventory) -> None:
    run = inventory.run("-e", "node=typo", "-e", "drive=A1", playbook="replace_drive.yml")
    assert run.returncode == 2, run.stdout + run.stderr
    assert "typo is not in the group pextra_nodes of the inventory. Nothing was done. There are node1, node2." in words(
        run
    )


def test_what_an_instance_has_is_not_taken_for_the_document(inventory: Inventory) -> None:
    """The inventory plugin's hosts may come before the nodes, and have variables of their own."""
    hosts = yaml.safe_load((inventory.folder / "hosts.yml").read_text())
    guest = {"pextra_pools": [{"name": "local", "type": "of a guest"}], "pextra_organizations": "of a guest"}
    inventory.write("hosts.yml", {"ungrouped": {"hosts": {"a-guest": guest}}, **hosts})
    for playbook, *arguments in (
        ("validate.yml",),
        ("replace_drive.yml", "-e", "node=node2", "-e", "drive=A1"),
    ):
        run = inventory.run(*arguments, playbook=playbook)
        assert "of a guest" not in words(run)
        assert run.returncode == (4 if arguments else 0), run.stdout + run.stderr
    assert inventory.is_contacted


@pytest.mark.parametrize("written", ["common", "args"])
def test_ssh_gives_up_and_keeps_what_the_inventory_says(inventory: Inventory, written: str) -> None:
    hosts = (inventory.folder / "hosts.yml").read_text()
    if written == "args":
        (inventory.folder / "hosts.yml").write_text(hosts.replace("ansible_ssh_common_args", "ansible_ssh_args"))
    run = inventory.run("--tags", "preflight", "-vvvv")
    (command, *_) = [line for line in run.stdout.splitlines() if "SSH: EXEC" in line]
    assert "-o ServerAliveInterval=5 -o ServerAliveCountMax=2" in command
    assert "ConnectTimeout=10" in command
    assert inventory.is_contacted, "the inventory's own arguments were lost"


def test_the_proof_that_contact_is_seen(inventory: Inventory) -> None:
    run = inventory.run("--tags", "preflight")
    assert run.returncode == 4, run.stdout + run.stderr
    assert inventory.is_contacted


def test_a_library_that_the_controller_lacks_is_told_with_advice(inventory: Inventory, tmp_path: Path) -> None:
    without = tmp_path / "without"
    without.mkdir()
    (without / "sitecustomize.py").write_text("import sys\nsys.modules['netaddr'] = None\n")
    run = inventory.run("--tags", "validate", python=without)
    assert run.returncode == 2, run.stdout + run.stderr
    assert "netaddr is missing on the controller" in words(run)
    assert "-m pip install netaddr" in words(run)
