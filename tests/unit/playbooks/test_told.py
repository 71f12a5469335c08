# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbooks tell roles of a document, from the variables' files that they share. No host is contacted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.pextra.cloud.plugins.module_utils._document.variables import DOCUMENT, HOST, ROLE_VARIABLES
from ansible_playbook import ROOT, play

VARS = ROOT / "playbooks" / "vars"
# Writes what a variable is on each host. Rendered with {{ }} by Ansible.
TELLING = """
- ansible.builtin.import_playbook: {root}/playbooks/validate.yml
  vars: {{run_goes_on: true}}
- hosts: pextra_nodes
  gather_facts: false
  vars_files: {files}
  tasks:
    - ansible.builtin.debug:
        msg: "told:{{{{ {{'host': inventory_hostname, 'told': {wanted}}} | to_json }}}}:told"
"""

# What the run itself sets, and nobody writes.
OF_RUN = {"pextra_deployment", "pextra_index"}


def tell(folder: Path, wanted: str, *files: str, nodes: dict[str, Any], **document: Any) -> dict[str, Any]:
    """Return what an expression is on each node. The variables' files come in the order of the playbooks."""
    groups = {"pextra_coordinators": {"hosts": {"node1": None}}, "pextra_nodes": {"hosts": nodes}}
    inventory = {"all": {"children": {"pextra": {"children": groups}}, "vars": document}}
    (folder / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    paths = json.dumps([str(VARS / f"{name}.yml") for name in files])
    (folder / "play.yml").write_text(TELLING.format(root=ROOT, files=paths, wanted=wanted), encoding="utf-8")
    done = play(folder, "-i", "hosts.yml", "play.yml", ANSIBLE_CALLBACK_RESULT_FORMAT="yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    # Long lines are folded.
    said = " ".join(done.stdout.split()).split("told:")
    found = [json.loads(text.partition(":told")[0]) for text in said if text.startswith("{")]
    return {one["host"]: one["told"] for one in found}


def test_a_key_that_is_left_empty_is_one_that_is_not_given(tmp_path: Path) -> None:
    """As in validation: YAML makes null of it."""
    files = sorted(path.stem for path in VARS.glob("*.yml"))
    names = [name for file in files for name in yaml.safe_load((VARS / f"{file}.yml").read_text(encoding="utf-8"))]
    names.remove("__run_no_document")  # whoever asks for it fails
    wanted = f"{{{', '.join(f'{name!r}: {name}' for name in names)}}}"
    nodes = {f"node{n}": {"ansible_host": f"10.91.7.1{n}"} for n in (1, 2)}
    left = {name: None for name in (*DOCUMENT, *HOST, *ROLE_VARIABLES, "ansible_ssh_args") if name not in OF_RUN}
    missing = tell(tmp_path, wanted, *files, nodes=nodes)
    assert len(missing["node2"]) > 40
    assert tell(tmp_path, wanted, *files, nodes=nodes, **left) == missing


def test_uplinks_are_those_of_the_vswitches_that_a_host_has(tmp_path: Path) -> None:
    """Of another cluster's NICs it has none, nor of a vSwitch that is to go, nor of one that other nodes have."""
    nodes = {
        "node1": {"ansible_host": "10.91.7.11", "pextra_cluster": "one"},
        "node2": {"ansible_host": "10.91.7.12", "pextra_cluster": "one"},
        "node3": {"ansible_host": "10.91.7.13", "pextra_cluster": "two"},
    }
    vswitches = [
        {"name": "svswitch1", "cluster": "one", "uplinks": ["eth1", "eth2"]},
        {"name": "svswitch1", "cluster": "two", "uplinks": ["eth8"]},
        {"name": "svswitch2", "cluster": "one", "uplinks": ["eth3"], "nodes": ["node2"]},
        {"name": "svswitch3", "cluster": "one", "state": "absent", "uplinks": ["eth4"]},
        {"name": "svswitch4", "cluster": "two"},
        {"name": "svswitch5", "cluster": "two", "uplinks": None, "nodes": None},
    ]
    told = tell(
        tmp_path,
        "[preflight_uplinks, node_uplinks]",
        *("trust", "uplinks", "preflight", "node"),
        nodes=nodes,
        pextra_clusters=[{"name": "one"}, {"name": "two"}],
        pextra_vswitches=vswitches,
    )
    wanted = {"node1": ["eth1", "eth2"], "node2": ["eth1", "eth2", "eth3"], "node3": ["eth8"]}
    assert told == {node: [uplinks, uplinks] for node, uplinks in wanted.items()}
