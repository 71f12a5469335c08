# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever copies an example gets a task that the module takes."""

from __future__ import annotations

import base64
import importlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.drive.spec import parse_disk_sets
from guards.project import ACTIONS_ALONE, MODULES, constant, documentation, module_arguments, module_names

COLLECTION = "pextra.cloud."
# What stands in place of a template, whose value only a run knows: by the type of the option, and by the template where
# not any text will do.
SAMPLES = {"str": "sample", "int": 1, "bool": True, "list": [], "dict": {}}
SAMPLES_OF = {
    "{{ vault_ceph_key }}": base64.b64encode(bytes(28)).decode(),
    "{{ vault_ann_hash }}": "$6$saltsalt$" + "h" * 86,
}


def find_calls() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every task of every module's EXAMPLES with a module of ours: where it is, the module, its options."""
    for module in module_names():
        for task in yaml.safe_load(constant(MODULES / f"{module}.py", "EXAMPLES") or ""):
            for key, options in task.items():
                if key.startswith(COLLECTION):
                    yield f"{module}: {task['name']}", key.removeprefix(COLLECTION), options or {}


CALLS = list(find_calls())


@pytest.mark.parametrize(("module", "options"), [call[1:] for call in CALLS], ids=[call[0] for call in CALLS])
def test_an_example_is_taken(module: str, options: dict[str, Any]) -> None:
    if module in ACTIONS_ALONE:
        assert options.keys() <= documentation(module)["options"].keys()
        return
    arguments, keywords = module_arguments(module)
    given = without_templates(options, arguments)
    rules = {key: value for key, value in keywords.items() if key in ("mutually_exclusive", "required_one_of")}
    result = ArgumentSpecValidator(arguments, **rules).validate(given)
    assert result.error_messages == []
    assert find_mistakes(module, given, result.validated_parameters) == []


def without_templates(options: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """The options with a value of the right type in place of each template. Unknown ones stay, to be found."""
    return {name: _without_templates(value, arguments.get(name, {})) for name, value in options.items()}


def _without_templates(value: Any, argument: dict[str, Any]) -> Any:
    if isinstance(value, str) and "{{" in value:
        return SAMPLES_OF.get(value, SAMPLES[argument.get("type", "str")])
    if isinstance(value, dict):
        return without_templates(value, argument.get("options") or {})
    if isinstance(value, list):
        element = {"type": argument.get("elements", "str"), "options": argument.get("options")}
        return [_without_templates(item, element) for item in value]
    return value


def find_mistakes(module: str, given: dict[str, Any], validated: dict[str, Any]) -> list[str]:
    """What the noun's own rules say of the elements, beyond what Ansible looks at."""
    imported = importlib.import_module(f"ansible_collections.pextra.cloud.plugins.modules.{module}")
    if "parse_disk_sets" in vars(imported):
        return [str(mistake) for mistake in parse_disk_sets(validated["sets"], "sets")[1]]
    if module.endswith("_info") or not hasattr(imported, "_load"):
        return []
    resource = imported._load()()
    # What does one thing to several takes their names as a list.
    names = validated["name"] if isinstance(given.get("name"), str | list) and "name" in validated else []
    names = names if isinstance(names, list) else [names]
    single = [{key: validated.get(key) for key in resource.table} | {"name": name} for name in names]
    elements = [*single, *(validated.get(resource.plural) or ())]
    return [str(mistake) for element in elements for mistake in resource.parse(element, "")[1]]
