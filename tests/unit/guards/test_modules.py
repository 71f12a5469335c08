# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module is documented, has its twin, is in the action group, and is tested."""

from __future__ import annotations

import ast
import importlib
import json
import re
import runpy
import sys
from typing import Any

import pytest
import yaml
from guards.project import (
    ACTIONS_ALONE,
    MODULE_UTILS,
    MODULES,
    ROLES,
    ROOT,
    constant,
    documentation,
    files,
    module_arguments,
    module_names,
    parsed,
    read_yaml,
    returned,
)

_ACTIONS = ROOT / "plugins" / "action"
# Module: why there is no _info twin.
WITHOUT_TWIN = {
    "pextra_audit_export": "an act; pextra_audit_info reads the same",
    "pextra_drive_replace": "an act; pextra_disks_info shows the drives",
    "pextra_deployment_validate": "only reads the inventory",
    "pextra_preflight": "only reads, and returns what it read",
    "pextra_report": "writes a page of what others have read",
    "pextra_run_report": "only reads what the run has noted",
    "pextra_starter": "writes files, which tell what they hold",
    "pextra_units": "acts on a host's services, which are no resource of ours",
    "pextra_ceph_monitor": "acts on a host's services, which are no resource of ours",
    "pextra_ceph_daemons": "returns what the host has, also in check mode",
    "pextra_ceph_osd_leave": "an act: what is left after it cannot be asked",
    "pextra_ceph_osd_discard": "an act: what is left after it cannot be asked",
    "pextra_ceph_pool": "returns how Ceph is, also in check mode; `ceph` itself tells the rest",
    "pextra_vm_console": "only reads, and returns what it read",
    "pextra_vm_power": "an act; how an instance is, pextra_vm_info tells",
    "pextra_vm_screenshot": "an act; how an instance is, pextra_vm_info tells",
    "pextra_volume_export": "an act; what it acts on is read by pextra_volume_info",
}
# Module: why there is no module that changes.
ONLY_INFO: dict[str, str] = {}
# Module: why the group's defaults (registry, actor) have no meaning for it.
OUTSIDE_THE_GROUP = {
    "pextra_drive_replace": "runs on each host, as its disks are",
    "pextra_disks": "runs on each host, before there is a registry",
    "pextra_disks_info": "runs on each host, before there is a registry",
    "pextra_preflight": "runs on each host, before there is a registry",
    "pextra_units": "runs on each host, before there is a registry",
    "pextra_ceph_monitor": "runs on each host of Ceph, before there is a registry",
    "pextra_ceph_daemons": "runs on each host of Ceph, before there is a registry",
    "pextra_ceph_osd_leave": "asks Ceph's monitors, and needs no registry",
    "pextra_ceph_osd_discard": "runs on each host of Ceph, before there is a registry",
    "pextra_ceph_pool": "asks Ceph's monitors, before there is a registry",
    "pextra_deployment_validate": "runs on the controller, and asks nobody",
    "pextra_report": "runs on the controller, and asks nobody",
    "pextra_run_report": "runs on the controller, and asks nobody",
    "pextra_starter": "runs on the controller, and asks nobody",
    "pextra_vm_console": "runs on each host, as its file is, and asks nobody",
}
ATTRIBUTES = {"check_mode", "diff_mode", "idempotent", "action_group"}
COMPARED = ("type", "elements", "required", "default", "choices")


def is_info(module: str) -> bool:
    return module.endswith("_info")


@pytest.mark.parametrize("module", module_names())
def test_is_documented(module: str) -> None:
    path = MODULES / f"{module}.py"
    document = documentation(module)
    assert document["module"] == module
    assert document["short_description"]
    assert document["version_added"]
    assert document["author"]
    assert set(document["attributes"]) >= ATTRIBUTES
    examples = yaml.safe_load(constant(path, "EXAMPLES") or "")
    assert examples, "there is no example"
    assert all("name" in task for task in examples), "every example says what it does"
    assert any(f"pextra.cloud.{module}" in task for task in examples)
    assert returned(module), "nothing says what it returns"


@pytest.mark.parametrize("module", module_names())
def test_every_returned_value_has_a_sample(module: str) -> None:
    assert list(find_without_sample(returned(module), "")) == []


def find_without_sample(values: dict[str, Any], path: str) -> list[str]:
    missing = []
    for name, value in values.items():
        if "contains" in value:
            missing += find_without_sample(value["contains"], f"{path}{name}.")
        elif "sample" not in value:
            missing.append(f"{path}{name}")
    return missing


@pytest.mark.parametrize("module", module_names())
def test_has_a_twin(module: str) -> None:
    twin = module.removesuffix("_info") if is_info(module) else f"{module}_info"
    excused = module in (ONLY_INFO if is_info(module) else WITHOUT_TWIN)
    assert (MODULES / f"{twin}.py").exists() != excused
    if excused:
        return
    targets = {entry.get("module") for entry in documentation(module).get("seealso", [])}
    assert f"pextra.cloud.{twin}" in targets, f"seealso does not name {twin}"


def test_the_action_group_holds_every_module() -> None:
    group = read_yaml(ROOT / "meta" / "runtime.yml")["action_groups"]["cloud"]
    assert group == sorted(set(module_names()) - set(OUTSIDE_THE_GROUP))


@pytest.mark.parametrize("module", sorted(ACTIONS_ALONE))
def test_options_of_an_action_are_the_documented_ones(module: str) -> None:
    action = importlib.import_module(f"ansible_collections.pextra.cloud.plugins.action.{module}")
    assert set(documentation(module).get("options") or {}) == action.ActionModule._VALID_ARGS


@pytest.mark.parametrize("module", sorted(set(module_names()) - ACTIONS_ALONE))
def test_options_are_the_documented_ones(module: str) -> None:
    arguments, keywords = module_arguments(module)
    if documentation(module)["attributes"]["check_mode"]["support"] == "full":
        assert keywords["supports_check_mode"] is True
    assert described(arguments, "options") == described(documentation(module)["options"], "suboptions")


def described(options: dict[str, Any], inner: str) -> dict[str, Any]:
    """Options reduced to what documentation and argument spec both say."""
    reduced: dict[str, Any] = {}
    for name, option in options.items():
        entry = {key: option[key] for key in COMPARED if option.get(key) not in (None, False)}
        entry.setdefault("type", "str")
        if option.get(inner):
            entry["options"] = described(option[inner], inner)
        # The same default, however YAML or Python wrote it.
        reduced[name] = json.loads(json.dumps(entry, default=list))
    return reduced


@pytest.mark.parametrize(("tool", "target"), [("write_module_docs", "options"), ("write_sanity_ignores", "ignores")])
def test_what_is_written_is_up_to_date(
    tool: str, target: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main = runpy.run_path(str(ROOT / "tools" / f"{tool}.py"))["main"]
    monkeypatch.setattr(sys, "argv", [f"{tool}.py", "--check"])
    assert main() == 0, f"run `make {target}`: {capsys.readouterr().out}"


# Modules that return nothing that others return as well.
WITHOUT_COMMON_VALUES = {
    "pextra_deployment_validate": "returns the document",
    "pextra_disks_info": "returns the disks",
    "pextra_preflight": "returns what it has found, also when it fails",
    "pextra_report": "returns what it did with a file",
    "pextra_run_report": "returns the errors always",
    "pextra_starter": "returns the files",
}


@pytest.mark.parametrize("module", module_names())
def test_common_values_are_written(module: str) -> None:
    text = constant(MODULES / f"{module}.py", "RETURN") or ""
    assert ("written by tools/write_module_docs.py" in text) != (module in WITHOUT_COMMON_VALUES)


# What a module is called by, where that is not its noun.
NOUNS = {"tenant": "organization", "vm": "instance"}
# What decides for a module, where that is not the planner that its resource imports.
DECIDES = {
    "audit": "_nouns.audit.spec",
    "audit_export": "_nouns.audit.lines",
    "ceph_monitor": "_nouns.ceph.daemons",
    "ceph_daemons": "_nouns.ceph.osd",
    "ceph_osd_leave": "_nouns.ceph.leaving",
    "ceph_osd_discard": "_nouns.ceph.discarding",
    "ceph_pool": "_nouns.ceph.pools",
    "deployment": "_document.converge",
    "deployment_validate": "_document.document",
    "preflight": "_nouns.node.preflight",
    "disks": "_nouns.drive.plan",
    "drive_replace": "_nouns.drive.replacement",
    "registry": "_nouns.registry.rebuild",
    "report": "plugin_utils.page_file",
    "run_report": "_run_report",
    "starter": "_starter.spec",
    "units": "_nouns.unit.plan",
    "vm_console": "_nouns.vm_console.text",
}


@pytest.mark.parametrize("module", module_names())
def test_what_decides_has_a_unit_test(module: str) -> None:
    noun = module.removeprefix("pextra_").removesuffix("_info")
    deciding = {DECIDES[noun]} if noun in DECIDES else planners(noun)
    assert deciding, f"_nouns/{noun}/resource.py imports no planner"
    unit = (path for path in files(".py", below=ROOT / "tests" / "unit") if path.parent.name != "guards")
    tests = [path.read_text(encoding="utf-8") for path in unit]
    for name in deciding:
        full = name if name.startswith("plugin_utils.") else f"module_utils.{name}"
        assert any(re.search(rf"\b{re.escape(full)}\b", text) for text in tests), f"no unit test imports {name}"


def planners(noun: str) -> set[str]:
    """The files from which a noun's resource takes its plan_ functions."""
    folder = NOUNS.get(noun, noun)
    return {
        f"_nouns.{node.module}" if node.level == 2 else f"_nouns.{folder}.{node.module}"
        for node in ast.walk(parsed(MODULE_UTILS / "_nouns" / folder / "resource.py"))
        if isinstance(node, ast.ImportFrom) and any(alias.name.startswith("plan_") for alias in node.names)
    }


@pytest.mark.parametrize("module", module_names())
def test_has_a_lab_test(module: str) -> None:
    """The lab tests use it, or a role does that they run with the playbook."""
    callers = [*files(".py", below=ROOT / "tests" / "integration"), *files(".yml", below=ROLES)]
    callers += files(".py", below=ROOT / "tests" / "storage")
    callers += files(".yml", below=ROOT / "playbooks")
    assert any(re.search(rf"\b{module}\b", path.read_text(encoding="utf-8")) for path in callers)


@pytest.mark.parametrize("name", sorted(path.stem for path in _ACTIONS.glob("pextra_*.py")))
def test_only_modules_that_record_are_told_what_the_run_comes_from(name: str) -> None:
    action = importlib.import_module(f"ansible_collections.pextra.cloud.plugins.action.{name}").ActionModule
    # Those that read take the option too, as one of the group's defaults.
    only_reads = name in ACTIONS_ALONE or name.endswith("_info")
    records = not only_reads and "actor" in module_arguments(name)[0]
    assert getattr(action, "is_recorded", False) is records
