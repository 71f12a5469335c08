# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pextra_vm_info on the controller, with the variables of a real inventory. Only its module is made up."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.module_utils import _internal
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader
from ansible.utils.display import Display
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.pextra.cloud.plugins.action import pextra_vm_info
from ansible_collections.pextra.cloud.plugins.module_utils._fields.secrets import HIDDEN

Result = dict[str, Any]
HOSTS = {
    "pextra_coordinators": {"hosts": {"node1": None}},
    "pextra_nodes": {"hosts": {"node1": {"ansible_host": "10.91.0.11"}}},
}
HASH = "$6$planted$" + "hunter2." * 10 + "......"
DOCUMENT = f"""
pextra_images: [{{name: tiny, source: tiny.qcow2}}]
pextra_flavors: [{{name: big, memory: 2 GiB, vcpus: 1}}]
pextra_profiles: [{{name: web, cloud_init: {{users: [{{name: ops, hashed_password: "{HASH}"}}]}}}}]
pextra_instances:
  - {{name: web, count: 2, flavor: big, profiles: [web], image: tiny, root: {{pool: local}}}}
  - {{name: db, image: tiny, root: {{pool: local}}, description: "number {{{{ pextra_index }}}}"}}
"""
WEB, OTHER, FOREIGN = (
    {"id": f"inst-{name}", "name": name, "cluster": cluster}
    for name, cluster in (("web-2", "default"), ("web-2", "elsewhere"), ("by-hand", "default"))
)
FOUND: Result = {"changed": False, "vms": [WEB, OTHER, FOREIGN], "unreachable_nodes": []}
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs the action on the document in the inventory, with what its module is to answer."""
    monkeypatch.setattr(_internal, "is_controller", True)
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text(DOCUMENT, encoding="utf-8")
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": HOSTS}}), encoding="utf-8")
    (tmp_path / "tiny.qcow2").write_bytes(b"an image")

    def run(arguments: Result, answer: Result) -> Result:
        class Tried(pextra_vm_info.ActionModule):  # type: ignore[misc]
            def _execute_module(self, module_args: Result, task_vars: Result) -> Result:
                assert (module_args, task_vars["inventory_hostname"]) == (arguments, "node1")
                return answer

        loader = DataLoader()
        inventory = InventoryManager(loader=loader, sources=[str(tmp_path / "hosts.yml")])
        variables = VariableManager(loader=loader, inventory=inventory)
        HostVars(inventory=inventory, variable_manager=variables, loader=loader)
        task = Task()
        task.action, task.args, task.check_mode, task.async_val = "pextra.cloud.pextra_vm_info", arguments, False, 0
        context = PlayContext()
        connection = connection_loader.get("ansible.builtin.local", context, os.devnull)
        tried = Tried(task, connection, context, loader, templar=None, shared_loader_obj=None)
        result: Result = tried.run(task_vars=variables.get_vars(host=inventory.get_host("node1")))
        return result

    return run


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the lines that are shown."""
    lines: list[str] = []
    monkeypatch.setattr(Display, "display", lambda _self, line, *_args, **_more: lines.append(line))
    return lines


def test_each_gets_what_the_document_says_of_it(run: Run, screen: list[str]) -> None:
    result = run({"effective": True}, FOUND)
    web, other, foreign = result.pop("vms")
    values = {one["path"]: (one["value"], one["source"]) for one in web.pop("effective")}
    expected = {
        "name": ("web-2", "instance"),
        "cluster": ("default", "default"),
        "memory": ("2 GiB", "flavor big"),
        "vcpus": (1, "flavor big"),
        "cloud_init.users[0].hashed_password": (HIDDEN, "profile web"),
    }
    assert {key: values.get(key) for key in expected} == expected
    assert HASH not in str(values)
    assert web == WEB
    # The one is in a cluster that the document does not have, and nobody has declared the other.
    assert (other, foreign) == ({**OTHER, "effective": None}, {**FOREIGN, "effective": None})
    assert result == {"changed": False, "unreachable_nodes": []}
    assert screen == [], "nobody has named any"


def test_those_that_are_named_are_shown(run: Run, screen: list[str]) -> None:
    """By an identifier as well: which one that is, the module says."""
    (web,) = run({"effective": "yes", "names": ["inst-web-2"]}, {**FOUND, "vms": [WEB]})["vms"]
    assert [one["source"] for one in web["effective"] if one["path"] == "memory"] == ["flavor big"]
    assert screen[0] == "pextra_instances[0] (web-2)"
    assert any(line.split() == ["memory:", '"2', 'GiB"', "#", "flavor", "big"] for line in screen)
    assert not any("(db)" in line or HASH in line for line in screen)


@pytest.mark.parametrize("arguments", [{}, {"effective": False}, {"effective": "no", "names": ["web-2"]}])
def test_without_the_option_it_is_the_module(run: Run, screen: list[str], arguments: Result, tmp_path: Path) -> None:
    (tmp_path / "group_vars" / "all.yml").write_text("pextra_instances: [{name: no, memory: 5}]", encoding="utf-8")
    assert run(arguments, FOUND) == FOUND
    assert screen == []


def test_a_module_that_fails_is_the_result(run: Run) -> None:
    failed = {"failed": True, "msg": "The registry does not answer.", "errors": []}
    assert run({"effective": True}, failed) == failed


def test_a_wrong_document_is_told_with_its_lines(run: Run, tmp_path: Path) -> None:
    (tmp_path / "group_vars" / "all.yml").write_text(
        "pextra_instances:\n  - name: db\n    memory: 5\n    vcpus: x\n", encoding="utf-8"
    )
    result = run({"effective": True}, FOUND)
    assert result["failed"]
    assert [(Path(one["file"]).name, one["line"]) for one in result["mistakes"]] == [("all.yml", 3), ("all.yml", 4)]
    assert "2 mistakes" in result["msg"]
    assert "vms" not in result
