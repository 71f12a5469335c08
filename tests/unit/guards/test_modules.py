"""Every module is documented, has its twin, is in the action group, and is tested."""

from __future__ import annotations

import importlib
import json
import re
import runpy
import sys
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic
from guards.project import MODULES, ROOT, constant, documentation, module_names, read_yaml, shown

# Module: why there is no _info twin.
WITHOUT_TWIN = {
    "pextra_deployment_validate": "only reads the inventory",
    "pextra_preflight": "only reads, and returns what it read",
    "pextra_units": "acts on a host's services, which are no resource of ours",
}
# Module: why there is no module that changes.
ONLY_INFO = {"pextra_deployment_info": "the deployment as a whole is changed by the playbook site.yml"}
# Module: why the group's defaults (registry, actor) have no meaning for it.
OUTSIDE_THE_GROUP = {
    "pextra_preflight": "runs on each host, before there is a registry",
    "pextra_units": "runs on each host, before there is a registry",
    "pextra_deployment_validate": "runs on the controller, and asks nobody",
}
# An action that takes everything from the inventory's variables; there is no code of a module.
WITHOUT_OPTIONS = {"pextra_deployment_validate"}
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
    assert yaml.safe_load(constant(path, "RETURN") or ""), "nothing says what it returns"


@pytest.mark.parametrize("module", module_names())
def test_every_returned_value_has_a_sample(module: str) -> None:
    returned = yaml.safe_load(constant(MODULES / f"{module}.py", "RETURN") or "")
    assert list(find_without_sample(returned, "")) == []


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


@pytest.mark.parametrize("module", sorted(WITHOUT_OPTIONS))
def test_has_no_options(module: str) -> None:
    assert not documentation(module).get("options")
    assert (ROOT / "plugins" / "action" / f"{module}.py").is_file()


class CapturedError(Exception):
    """Carries what a module passes to AnsibleModule."""


@pytest.mark.parametrize("module", sorted(set(module_names()) - WITHOUT_OPTIONS))
def test_options_are_the_documented_ones(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def capture(self: object, argument_spec: dict[str, Any], **keywords: Any) -> None:
        raise CapturedError(argument_spec, keywords)

    monkeypatch.setattr(basic.AnsibleModule, "__init__", capture)
    imported = importlib.import_module(f"ansible_collections.pextra.cloud.plugins.modules.{module}")
    with pytest.raises(CapturedError) as caught:
        imported.main()
    arguments, keywords = caught.value.args
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


def test_options_are_those_of_the_tables(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "write_module_options.py"))
    monkeypatch.setattr(sys, "argv", ["write_module_options.py", "--check"])
    assert tool["main"]() == 0, f"run `make options`: {capsys.readouterr().out}"


@pytest.mark.parametrize("module", module_names())
def test_is_tested(module: str) -> None:
    noun = module.removeprefix("pextra_").removesuffix("_info")
    words = {noun, {"tenant": "organization"}.get(noun, noun)}
    unit = [path for path in (ROOT / "tests" / "unit").rglob("test_*.py") if path.parent.name != "guards"]
    assert any(re.search(rf"(^|_){word}(s|_|$)", path.stem) for path in unit for word in words), (
        f"no unit test is named for {noun}"
    )
    lab = [path for path in (ROOT / "tests" / "integration").rglob("*") if path.suffix in {".py", ".yml"}]
    assert any(re.search(rf"\b{module}\b", path.read_text(encoding="utf-8")) for path in lab), (
        f"no lab test below {shown(ROOT / 'tests' / 'integration')} uses {module}"
    )
