# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action in Ansible itself: variables, templates, secrecy, messages, speed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]
PLAYBOOK = """
- hosts: "{{ where | default('pextra_nodes') }}"
  gather_facts: false
  become: false
  tasks:
    - block:
        - pextra.cloud.pextra_deployment_validate:
          register: result
          run_once: true
          delegate_to: localhost
      always:
        - ansible.builtin.copy:
            content: "{{ result | to_json }}"
            dest: "{{ playbook_dir }}/result.json"
            mode: "0600"
          run_once: true
          delegate_to: localhost
          connection: local
          vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
"""
HOSTS: dict[str, Any] = {
    "pextra_coordinators": {"hosts": {"node1": None}},
    "pextra_nodes": {"hosts": {f"node{n}": {"ansible_host": f"10.91.0.1{n}"} for n in (1, 2)}},
}


@dataclass(frozen=True)
class Run:
    code: int
    output: str
    result: dict[str, Any]

    @property
    def instances(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.result["document"]["instances"]
        return found


def validate(site: Path, *arguments: str) -> Run:
    """Run the action on the inventory in `site`."""
    (site / "play.yml").write_text(PLAYBOOK, encoding="utf-8")
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "unit"),
        "ANSIBLE_LOCAL_TEMP": str(site / "tmp"),
        "ANSIBLE_NOCOLOR": "1",
    }
    command = [sys.executable, "-m", "ansible", "playbook", "-i", str(site / "hosts.yml"), str(site / "play.yml")]
    done = subprocess.run(
        [*command, *arguments], env=environment, cwd=site, capture_output=True, text=True, check=False, timeout=120
    )
    result = site / "result.json"
    return Run(
        done.returncode,
        done.stdout + done.stderr,
        json.loads(result.read_text(encoding="utf-8")) if result.exists() else {},
    )


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An inventory with nodes, a file for an image, and nothing else."""
    (tmp_path / "group_vars" / "all").mkdir(parents=True)
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"pextra": {"children": HOSTS}}), encoding="utf-8")
    (tmp_path / "tiny.qcow2").write_bytes(b"an image")
    return tmp_path


def write(site: Path, text: str, name: str = "group_vars/all/document.yml") -> None:
    path = site / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_templates_count_and_secrets(site: Path) -> None:
    write(
        site,
        """
subnet: 172.20.0
address_of_each: "{{ subnet }}.{{ 10 + pextra_index }}/24"
secret: hunter2-planted
pextra_vswitches: [{name: svswitch1}]
pextra_port_groups: [{name: Production, vlan: "{{ 40 + 2 }}"}]
pextra_images: [{name: tiny, source: tiny.qcow2}, {name: again, source: "{{ inventory_dir }}/sub/../tiny.qcow2"}]
pextra_instances:
  - name: web
    count: "{{ 1 + 1 }}"
    image: tiny
    root: {pool: local}
    nics: [{port_group: Production, addresses: ["{{ address_of_each }}"]}]
    cloud_init: {user_data: "#!/bin/sh\\necho {{ secret }} {{ pextra_index }}\\n"}
  - name: inert
    description: !unsafe "{{ lookup('pipe', 'touch evil') }}"
    tags: "{{ ['a', 'b'] }}"
""",
    )
    run = validate(site, "-vvv")
    assert run.code == 0, run.output
    assert [each["name"] for each in run.instances] == ["web-1", "web-2", "inert"]
    assert [each["nics"][0]["addresses"] for each in run.instances[:2]] == [["172.20.0.11/24"], ["172.20.0.12/24"]]
    assert run.instances[1]["cloud_init"]["user_data"] == "#!/bin/sh\necho hunter2-planted 2\n"
    assert run.instances[2]["description"].startswith("{{ lookup(")
    assert run.instances[2]["tags"] == ["a", "b"]
    document = run.result["document"]
    assert [image["source"] for image in document["images"]] == [str(site / "tiny.qcow2")] * 2
    assert document["port_groups"][0]["vlan"] == 42
    made = {"address": "10.91.0.12", "migration_address": "10.91.0.12", "containers": False, "shared_directories": []}
    made["architectures"] = []
    assert document["nodes"][1] == {"name": "node2", **made, "cluster": "default", "state": "present"}
    assert run.result["summary"]["instances"] == 3
    assert run.result["changed"] is False
    before_the_copy = run.output.split("TASK [ansible.builtin.copy]")[0]
    assert "hunter2-planted" not in before_the_copy


def test_the_list_may_be_a_template_itself(site: Path) -> None:
    write(
        site,
        """
front: [{name: web, count: 2, description: "number {{ pextra_index }}"}]
back: [{name: db}]
pextra_instances: "{{ front + back }}"
""",
    )
    run = validate(site)
    assert run.code == 0, run.output
    assert [(each["name"], each.get("description")) for each in run.instances] == [
        ("web-1", "number 1"),
        ("web-2", "number 2"),
        ("db", None),
    ]


PROFILES = """
subnet: 172.20.0
of_each: "{{ subnet }}.{{ 10 + pextra_index }}/24"
pextra_vswitches: [{name: svswitch1}]
pextra_port_groups: [{name: Production, vlan: 42}]
pextra_images: [{name: tiny, source: tiny.qcow2}]
web:
  - name: web
    nics: [{name: front, port_group: Production, addresses: ["{{ of_each }}"]}]
pextra_profiles: %s
pextra_instances:
  - {name: web, count: 2, image: tiny, root: {pool: local}, profiles: [web]}
  - {name: one, image: tiny, root: {pool: local}, profiles: [web], nics: [{name: front, addresses: []}]}
"""


@pytest.mark.parametrize(
    "profiles",
    [
        pytest.param(
            '[{name: web, nics: [{name: front, port_group: Production, addresses: ["{{ of_each }}"]}]}]', id="written"
        ),
        pytest.param('"{{ web + [] }}"', id="a template itself"),
    ],
)
def test_profiles_are_rendered_for_each_instance(site: Path, profiles: str) -> None:
    write(site, PROFILES % profiles)
    run = validate(site)
    assert run.code == 0, run.output
    assert [(each["name"], each["nics"][0]["addresses"]) for each in run.instances] == [
        ("web-1", ["172.20.0.11/24"]),
        ("web-2", ["172.20.0.12/24"]),
        ("one", []),
    ]


def test_mistakes_of_profiles_have_their_own_file_and_line(site: Path) -> None:
    write(
        site,
        """
pextra_flavors:
  - {name: big, vcpus: 4}
pextra_instances:
  - {name: one, count: 3, profiles: [web], flavor: big}
  - name: two
    flavor: big
    vcpus_max: 2
""",
    )
    write(
        site,
        """
pextra_profiles:
  - name: web
    nics:
      - name: front
        port_group: Nowhere
    memory: 5
    node: node1
""",
        "group_vars/all/profiles.yml",
    )
    run = validate(site)
    assert {(Path(one["file"]).name, one["line"], one["path"]) for one in run.result["mistakes"]} == {
        ("profiles.yml", 6, "pextra_profiles[0] (web).nics[0] (front).port_group"),
        ("profiles.yml", 7, "pextra_profiles[0] (web).memory"),
        ("profiles.yml", 8, "pextra_profiles[0] (web).node"),
        ("document.yml", 8, "pextra_instances[1] (two).vcpus_max"),
    }
    assert len(run.result["mistakes"]) == 4
    assert "(vcpus_max: instance; vcpus: flavor big)" in run.output


def test_a_profile_that_is_wrong_for_one_number_is_told_at_the_profile(site: Path) -> None:
    write(
        site,
        """
pextra_profiles:
  - name: numbered
    tags: ["{{ 'a b' if pextra_index == 2 else 'a' }}"]
pextra_instances:
  - {name: one, count: 3, profiles: [numbered]}
""",
    )
    run = validate(site)
    assert [(one["path"], one["line"]) for one in run.result["mistakes"]] == [
        ("pextra_profiles[0] (numbered).tags[0]", 4)
    ]


def test_what_fails_the_schema_of_cloud_init_is_told_once_with_its_line(site: Path) -> None:
    write(
        site,
        """
pextra_profiles:
  - name: base
    cloud_init:
      vendor_data: |
        #cloud-config
        package_upgrade: hunter2-planted
pextra_instances:
  - name: web
    count: 2
    profiles: [base]
    image: tiny
    root: {pool: local}
    cloud_init:
      user_data: |
        #cloud-config
        users:
          - name: ann
            shel: hunter2-planted
  - {name: fine, image: tiny, root: {pool: local}, cloud_init: {user_data: "#!/bin/sh\\nruncmd: ["}}
pextra_images: [{name: tiny, source: tiny.qcow2}]
""",
    )
    run = validate(site, "-vvv")
    assert run.code != 0
    assert "hunter2-planted" not in run.output
    found = {one["path"]: one["problem"] for one in run.result["mistakes"] if "schema" in one["problem"]}
    assert [(path, problem.partition(": ")[2]) for path, problem in found.items()] == [
        ("pextra_profiles[0] (base).cloud_init.vendor_data", "line 2: package_upgrade has to be true or false"),
        (
            "pextra_instances[0] (web).cloud_init.user_data",
            'line 4: users[0].shel is a key that is not known there. Did you mean "shell"?',
        ),
    ]


def test_all_mistakes_in_one_go(site: Path) -> None:
    write(
        site,
        """
pextra_pool: []
pextra_vswitches: [{name: br0}]
pextra_port_groups: [{name: Production, vswitch: br0, vlan: 5000}]
pextra_images: [{name: gone, source: gone.qcow2}]
pextra_instances:
  - {name: no, memory: 900}
  - {name: db, nics: [{port_group: Prod}], description: "{{ undefined_thing }}"}
  - {name: one, description: "<disk/>"}
  - {name: one}
  - {name: bad, tags: ["{{ 1 / 0 }}"]}
  - {name: "a\\nb", node: node9}
""",
    )
    run = validate(site)
    assert run.code == 2
    assert "Traceback" not in run.output
    message = run.output[run.output.index("The deployment has") :].split("\nOrigin:")[0].splitlines()
    assert message[0] == "The deployment has 13 mistakes. Nothing was changed."
    told = [line.removeprefix("  group_vars/all/document.yml:").split(": ") for line in message[1:]]
    assert [path for _, path, *_ in told] == [
        "pextra_vswitches[0] (br0).name",
        "pextra_port_groups[0] (Production).vlan",
        "pextra_images[0] (gone).source",
        "pextra_instances[0].name",
        "pextra_instances[0].memory",
        "pextra_instances[1] (db).description",
        "pextra_instances[1] (db).nics[0].port_group",
        "pextra_instances[2] (one).description",
        "pextra_instances[3] (one).name",
        "pextra_instances[4] (bad).tags[0]",
        "pextra_instances[5] (a\\nb).name",
        "pextra_instances[5] (a\\nb).node",
        "pextra_pool",
    ]
    assert [int(line) for line, *_ in told] == [3, 4, 5, 7, 7, 8, 8, 9, 10, 11, 12, 12, 2]
    assert "document" not in run.result


MISTAKES = """
---
pextra_pools:
  - name: local
    type: directry
pextra_instances:
  - name: web
    count: 2
    nics:
      - port_group: Prod
        addresses:
          - 172.20.0.1{{ pextra_index }}/24
          - bad
  - {name: db, memroy: 1 GiB,
     root: {pool: locl}}
listed: [{name: one, vcpus: 0}]
pextra_volumes: "{{ listed }}"
"""


def test_mistakes_are_data_with_file_and_line(site: Path) -> None:
    write(site, MISTAKES.removeprefix("\n"))
    write(site, "\npextra_virt_type: xen\n", "host_vars/node2.yml")
    document = str(site / "group_vars" / "all" / "document.yml")
    found = validate(site, "-e", "pextra_port_groups=5").result["mistakes"]
    assert [(each["path"], each["file"], each["line"]) for each in found] == [
        ("pextra_nodes (node2).pextra_virt_type", str(site / "host_vars" / "node2.yml"), 2),
        ("pextra_pools[0] (local).type", document, 4),
        ("pextra_port_groups", None, None),
        ("pextra_instances[0] (web).nics[0].addresses[1]", document, 12),
        ("pextra_instances[1] (db).memroy", document, 13),
        ("pextra_instances[1] (db).root.size", document, 14),
        ("pextra_instances[1] (db).root.pool", document, 14),
        ("pextra_volumes[0] (one).vcpus", document, 16),
        ("pextra_volumes[0] (one).pool", document, 16),
        ("pextra_volumes[0] (one).size", document, 16),
    ]
    assert found[0]["problem"] == '"xen" is not allowed; write one of kvm, qemu.'
    assert [each["allowed"] for each in found[:4]] == [
        "one of kvm, qemu",
        "one of directory, netfs, iscsi, rbd, zfs, lvm",
        "a list",
        "one such as 172.20.0.11/24",
    ]


def test_variables_of_roles_are_judged_as_roles_read_them(site: Path) -> None:
    write(
        site,
        """
pextra_allow_restart: maybe
pextra_propagation_interval: often
pextra_preflight_exceptions: [memory, avx2, memry]
pextra_preflight_execptions: [memory]
pextra_registry_url: [planted-secret]
pextra_ca_dir: keys/ca
node_certificate_days: soon
awx_job_timeout:
pextra_takeover:
node_ntp_servers: "{{ ansible_facts.known_only_later }}"
""",
    )
    write(site, "pextra_takeover: {a: b}\nnode_ntp_servers: [[x]]", "host_vars/node2.yml")
    run = validate(site, "-e", "node_time_zone=UTC", "-e", "node_certificate_renew_days=30")
    assert {(each["path"], each["problem"]) for each in run.result["mistakes"]} == {
        ("pextra_allow_restart", '"maybe" is not true or false'),
        ("pextra_propagation_interval", '"often" is not a whole number'),
        ("pextra_preflight_exceptions[1]", '"avx2" knows no exception. The processor has AVX2 (x86_64).'),
        ("pextra_preflight_exceptions[2]", '"memry" is not a preflight rule. Did you mean "memory"?'),
        ("pextra_preflight_execptions", 'unknown variable. Did you mean "pextra_preflight_exceptions"?'),
        ("pextra_registry_url", "its secret value is not a text"),
        (
            "pextra_ca_dir",
            '"keys/ca" is another folder for each playbook; write a whole path, such as ~/.pextra/NAME/ca',
        ),
        ("node_certificate_days", '"soon" is not a whole number'),
        (
            "awx_job_timeout",
            "is left empty, which is no value that the role can use; write one, or take the line away",
        ),
        ("pextra_nodes (node2).pextra_takeover", "a mapping is not a text"),
        ("pextra_nodes (node2).node_ntp_servers[0]", "a list is not a text"),
    }


@pytest.mark.parametrize("url", ["mysql://pextra:planted-secret@db/x", "planted-secret", "postgres://planted-secret"])
def test_what_trust_and_registry_rest_on_is_judged_and_not_told(site: Path, url: str) -> None:
    write(site, f"pextra_registry_url: {url}\npextra_ca_private_key: planted-secret\npextra_ca_certificate: ca.pem\n")
    run = validate(site)
    assert [each["path"] for each in run.result["mistakes"]] == [
        "pextra_ca_certificate",
        "pextra_ca_private_key",
        "pextra_registry_url",
    ]
    assert "planted-secret" not in run.output


def test_variables_of_roles_may_be_written_as_ansible_takes_them(site: Path) -> None:
    write(site, "pextra_propagation_interval: '30'\npextra_allow_restart: 'yes'\npextra_takeover: 5")
    run = validate(site, "-e", "pextra_allow_restart=true", "-e", "pextra_preflight_exceptions=memory,storage")
    assert run.code == 0, run.output


def test_the_file_and_line_are_those_of_the_value_that_counts(site: Path) -> None:
    """Of a variable that several files set, and of what a merge key or the command line gives."""
    write(
        site,
        """
pextra_memory: 16 GiB
pextra_vswitches:
  - {name: svswitch1}
pextra_pools:
  - {name: local}
basis: &basis {memory: 1 GiB, vcpus: 1}
pextra_instances:
  - {name: fine, memory: 1 GiB}
  - {<<: *basis, name: merged,
     memory: 1 KiB}
""",
    )
    write(site, "pextra_memory: 12\n", "host_vars/node2.yml")
    write(site, "# More\n\npextra_vswitches: svswitch1\n", "group_vars/pextra_nodes.yml")
    run = validate(site, "-e", "pextra_pools=3")
    lines = [line.strip() for line in run.output.splitlines()]
    assert any(line.startswith("host_vars/node2.yml:1: pextra_nodes (node2).pextra_memory") for line in lines), lines
    assert any(line.startswith("group_vars/pextra_nodes.yml:3: pextra_vswitches: ") for line in lines), lines
    assert any(line.startswith('pextra_pools: "3" is not a list') for line in lines), lines
    assert any(line.startswith("group_vars/all/document.yml:11: pextra_instances[1] (merged).memory") for line in lines)


def test_an_address_is_told_where_it_is_written(site: Path) -> None:
    """Ansible's own variable gives it, where ours does not."""
    write(site, "ansible_host: node.example.org\n", "host_vars/node2.yml")
    inventory = (site / "hosts.yml").read_text(encoding="utf-8")
    (site / "hosts.yml").write_text(inventory.replace("pextra_address", "some_address"), encoding="utf-8")
    run = validate(site)
    assert "host_vars/node2.yml:1: pextra_nodes (node2).pextra_address: " in run.output, run.output


def test_a_folder_that_is_no_group_s_is_told(site: Path) -> None:
    write(site, "pextra_pools: [{name: local}]\n", "group_vars/al/20-storage.yml")
    run = validate(site)
    assert run.code == 0, run.output
    assert 'group_vars/al: is read for no host: the inventory has no group "al". Did you mean "all"?' in run.output


def test_each_mistake_is_shown_once(site: Path) -> None:
    """By the playbook that people call, from where they are."""
    inventory = site / "inventories" / "mine"
    write(inventory, (site / "hosts.yml").read_text(encoding="utf-8"), "hosts.yml")
    write(inventory, "pextra_instances:\n  - name: db\n    memory: 5\n", "group_vars/all/50-instances.yml")
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "inventories/mine"]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "unit"),
        "ANSIBLE_NOCOLOR": "1",
    }
    done = subprocess.run(
        [*command, str(ROOT / "playbooks" / "validate.yml")],
        env=environment,
        cwd=site,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2
    told = done.stdout + done.stderr
    assert (
        "  inventories/mine/group_vars/all/50-instances.yml:3: pextra_instances[0] (db).memory: 5 is not a size" in told
    )
    assert told.count("is not a size") == 1


@pytest.mark.parametrize(
    "text",
    [
        "pextra_instances: {a: b}\npextra_pools: 2026-01-01\npextra_clusters: [{name: 2026-01-01}]",
        "pextra_instances: text\npextra_flavors: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3030\n",
        'pextra_instances: "{{ nothing }}"\npextra_images: "{{ [1] + 2 }}"',
        "pextra_pools: &a [{name: local}, *a]",
        "pextra_instances: [&a {name: db, cpu: *a}]\npextra_port_groups: [{name: a, vlan: 0x" + "f" * 5000 + "}]",
        "a: &a [x]\n"
        + "\n".join(
            f"{name}: &{name} [{', '.join([f'*{of}'] * 9)}]" for of, name in zip("abcdefgh", "bcdefghi", strict=True)
        )
        + "\npextra_clusters: *i\npextra_disks: *i",
        "pextra_instances: [{name: db, memory: " + "9" * 5000 + " GiB, description: \"{{ '\\\\ud800' }}\"}]",
        "pextra_instances: [[], null, 5, {name: {}}, {name: [a], count: {}}, {1: 2, null: 3, 2026-01-01: 4}]",
    ],
)
def test_absurd_input_is_a_mistake(site: Path, text: str) -> None:
    write(site, text)
    run = validate(site)
    assert run.code == 2
    assert "The deployment has" in run.output
    assert "Traceback" not in run.output


def test_host_variables(site: Path) -> None:
    write(
        site, "pextra_address: 10.99.0.12\npextra_node_description: The {{ inventory_hostname }}", "host_vars/node2.yml"
    )
    run = validate(site)
    assert run.code == 0, run.output
    node = run.result["document"]["nodes"][1]
    assert (node["address"], node["description"]) == ("10.99.0.12", "The node2")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("host_vars/node2.yml", "pextra_pools: is another for node2 than for node1"),
        ("group_vars/pextra_coordinators.yml", "pextra_pools: is another for node2 than for node1"),
    ],
)
def test_the_document_is_one_for_all_hosts(site: Path, name: str, expected: str) -> None:
    write(site, "pextra_pools: [{name: mine}]", name)
    run = validate(site)
    assert run.code == 2
    assert expected in run.output


def test_a_document_that_only_the_nodes_see(site: Path) -> None:
    write(site, "pextra_pools: [{name: mine}]", "group_vars/pextra_nodes.yml")
    assert validate(site).code == 0
    run = validate(site, "-e", "where=localhost")
    assert run.code == 2
    assert "pextra_pools: is given for the nodes alone" in run.output


def test_on_localhost_relative_files_are_found(site: Path) -> None:
    write(site, "pextra_images: [{name: tiny, source: tiny.qcow2}]")
    run = validate(site, "-e", "where=localhost")
    assert run.code == 0, run.output
    assert run.result["document"]["images"][0]["source"] == str(site / "tiny.qcow2")


def test_extra_variables_count(site: Path) -> None:
    run = validate(site, "-e", json.dumps({"pextra_instances": [{"name": "extra"}]}))
    assert run.code == 0, run.output
    assert [each["name"] for each in run.instances] == ["extra"]


def test_capacity_with_one_node_lost_is_a_warning(site: Path) -> None:
    write(site, "pextra_memory: 2 GiB\npextra_instances: [{name: web, count: 3, memory: 1 GiB}]")
    run = validate(site)
    assert run.code == 0
    assert "do not fit with one node lost: default then keeps 1.8 GiB usable" in run.output


def test_an_image_in_the_inventory_is_a_warning(site: Path) -> None:
    """Ansible would read all of it as inventory. Beside a single file of an inventory nothing is read."""
    (site / "cloud").mkdir()
    (site / "cloud" / "inside.qcow2").write_bytes(b"an image")
    write(site, "pextra_images: [{name: in, source: cloud/inside.qcow2}, {name: tiny, source: tiny.qcow2}]")
    run = validate(site, "-i", str(site / "cloud"))
    said = " ".join(run.output.split())
    assert run.code == 0, run.output
    assert 'pextra_images[0].source: "cloud/inside.qcow2" lies in the inventory\'s directory' in said
    assert "pextra_images[1]" not in said
    assert "lies in the inventory" not in validate(site).output


def test_a_thousand_instances(site: Path) -> None:
    """Measured in the action: 0.4 s. Ansible itself, the copy and this file's YAML take the rest of the limit."""
    instances = [
        {
            "name": f"web-{number}",
            "image": "tiny",
            "root": {"pool": "local"},
            "nics": [{"port_group": "Production", "addresses": [f"172.20.{number // 250}.{number % 250 + 1}/16"]}],
        }
        for number in range(1000)
    ]
    document = {
        "pextra_vswitches": [{"name": "svswitch1"}],
        "pextra_port_groups": [{"name": "Production"}],
        "pextra_images": [{"name": "tiny", "source": "tiny.qcow2"}],
        "pextra_instances": instances,
    }
    write(site, yaml.safe_dump(document))
    before = os.times()
    run = validate(site)
    assert run.code == 0, run.output
    assert len(run.instances) == 1000
    after = os.times()
    # Processor time, so that other work on the machine does not count.
    assert after.children_user - before.children_user < 6


@pytest.mark.parametrize("inventory", ["single", "example"])
def test_the_inventories_for_real_hosts_are_correct(tmp_path: Path, inventory: str) -> None:
    site = tmp_path / inventory
    site.symlink_to(ROOT / "inventories" / inventory)
    (tmp_path / "play.yml").write_text(PLAYBOOK, encoding="utf-8")
    (tmp_path / "hosts.yml").symlink_to(ROOT / "inventories" / inventory / "hosts.yml")
    (tmp_path / "group_vars").symlink_to(ROOT / "inventories" / inventory / "group_vars")
    run = validate(tmp_path)
    assert run.code == 0, run.output


def test_the_inventory_of_the_lab_is_correct(tmp_path: Path) -> None:
    """Its image is where the lab builds it, which need not exist here."""
    lab = tmp_path / "inventories" / "lab"
    lab.mkdir(parents=True)
    for name in ("hosts.yml", "group_vars"):
        (lab / name).symlink_to(ROOT / "inventories" / "lab" / name)
    image = tmp_path / ".build" / "lab" / "tiny.qcow2"
    image.parent.mkdir(parents=True)
    image.touch()
    run = validate(lab)
    assert run.code == 0, run.output
    assert len(run.instances) >= 8
    assert [each["name"] for each in run.instances if each["power"] == "stopped"] == ["archive"]


def test_a_template_of_more_than_anyone_can_walk(site: Path) -> None:
    """It is not the deployment's own variable that its aliases make a billion values of."""
    rows = "".join(f"v{n}: &v{n} [{', '.join([f'*v{n - 1}'] * 9)}]\n" for n in range(1, 10))
    write(site, f"v0: &v0 [x, x]\n{rows}pextra_instances:\n  - {{name: web, tags: '{{{{ v9 }}}}'}}\n")
    run = validate(site)
    (mistake,) = run.result["mistakes"]
    assert mistake["path"] == "pextra_instances[0] (web).tags"
    assert mistake["problem"].startswith("its template reads v9, which stands for more than 1,000,000 values")
