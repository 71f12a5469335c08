#!/usr/bin/env python3
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what modules share into their documentation: options from the tables of fields, and returned values.

The tables in plugins/module_utils/_nouns are the source of the options. Ansible knows no fragments of returned values,
so those that several modules have are written into each from tools/returned. `--check` writes nothing and fails if a
file differs.
"""

from __future__ import annotations

import copy
import importlib
import re
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "plugins" / "modules"
RETURNED = ROOT / "tools" / "returned"
DISK_SETS = ROOT / "plugins" / "doc_fragments" / "disk_sets.py"


class Noun(NamedTuple):
    """spec: the module of its table; many: the option for many, and the value that tells of them; one: the value that
    tells of one, if that is not the noun; words: what many are called. is_act: it does one thing to all whose names are
    given, and tells of all of them.
    """

    spec: str
    many: str
    words: str
    one: str = ""
    is_act: bool = False


# By the noun in the modules' names.
NOUNS = {
    "tenant": Noun("organization", "tenants", "organizations"),
    "datacenter": Noun("datacenter", "datacenters", "datacenters"),
    "cluster": Noun("cluster", "clusters", "clusters"),
    "node": Noun("node", "nodes", "nodes"),
    "pool": Noun("pool", "pools", "storage pools"),
    "image": Noun("image", "images", "images"),
    "vswitch": Noun("vswitch", "vswitches", "vSwitches"),
    "port_group": Noun("port_group", "port_groups", "port groups"),
    "vm": Noun("instance", "vms", "instances"),
    "vm_console": Noun("vm_console", "vms", "instances", is_act=True),
    "vm_guest": Noun("vm_guest", "vms", "instances", is_act=True),
    "vm_power": Noun("vm_power", "vms", "instances", is_act=True),
    "vm_screenshot": Noun("vm_screenshot", "vms", "instances", is_act=True),
    "volume": Noun("volume", "volumes", "volumes"),
    "volume_export": Noun("volume_export", "exports", "exports", one="export"),
}
# Modules that are about no resource: the folder of their table, and its name there.
TABLES = {
    "pextra_audit": ("audit", "FIELDS"),
    "pextra_audit_export": ("audit", "EXPORT"),
    "pextra_audit_info": ("audit", "PAGE"),
    "disk_sets": ("drive", "FIELDS"),
}
# A part that is written begins and ends with a comment. That of the returned values says of what kind the module is.
OPTIONS = re.compile(
    r"(?P<begin>^(?P<indent> *)# Options of one \w+: written by tools/write_module_docs\.py\n)"
    r".*?(?P<end>^ *# End of the options of one \w+\n)",
    re.DOTALL | re.MULTILINE,
)
VALUES = re.compile(
    r"(?P<begin>^# Values of a module that (?P<kind>[a-z ]+): written by tools/write_module_docs\.py\n)"
    r".*?(?P<end>^# End of the values that are written\n)",
    re.DOTALL | re.MULTILINE,
)


def main() -> int:
    sys.path.insert(0, str(ROOT / ".build" / "unit"))
    is_check = "--check" in sys.argv
    stale = False
    for path in (*sorted(MODULES.glob("pextra_*.py")), DISK_SETS):
        text = path.read_text(encoding="utf-8")
        new = write(path.stem, text)
        if new == text:
            continue
        stale = True
        print(f"{path.name}: {'differs from' if is_check else 'written from'} its table, or what it returns")
        if not is_check:
            path.write_text(new, encoding="utf-8")
    return 1 if stale and is_check else 0


def write(name: str, text: str) -> str:
    """Return the text of a module, or of the fragment of sets of disks, with what is written of its documentation."""

    def options(part: re.Match[str]) -> str:
        return part["begin"] + textwrap.indent(render_options(name), part["indent"]) + part["end"]

    def values(part: re.Match[str]) -> str:
        return part["begin"] + render_values(name, part["kind"]) + part["end"]

    return VALUES.sub(values, OPTIONS.sub(options, text))


def render_options(name: str) -> str:
    """Return the YAML of a module's own options: those of one, and the list of many, which repeats none of them."""
    noun = NOUNS.get(name.removeprefix("pextra_"))
    folder, table = (noun.spec, "FIELDS") if noun else TABLES[name]
    spec = importlib.import_module(f"ansible_collections.pextra.cloud.plugins.module_utils._nouns.{folder}.spec")
    each = _document(getattr(spec, table))
    if noun is None:
        return _dump(each)
    if noun.is_act:
        names = {"description": each["name"]["description"], "type": "list", "elements": "str", "required": True}
        return _dump({**each, "name": names})
    # What is the same for one and in the list of many is one object here, and an anchor and its alias in the text.
    single = {key: _not_required(entry) for key, entry in each.items()}
    single["name"]["description"].append(f"Exactly one of O(name) and O({noun.many}) is needed.")
    many = {
        "description": [
            f"Many {noun.words} at once, each with the same options as one. They are read in bulk, planned together "
            "and applied in parallel."
        ],
        "type": "list",
        "elements": "dict",
        "suboptions": each,
    }
    return _dump({**single, noun.many: many})


def render_values(name: str, kind: str) -> str:
    """Return the YAML of the values that a module has in common with others. kind: as in common.yml."""
    common = _read("common")
    # Copies: what two have in common is written into both.
    values = {key: copy.deepcopy(common["values"][key]) for key in common["kinds"][kind]}
    if "actions" in values:
        values["actions"]["sample"] = common["actions"][name]
    noun_name = name.removeprefix("pextra_").removesuffix("_info")
    noun = NOUNS.get(noun_name)
    if noun is None:
        return _dump(values)
    one = noun.one or noun_name
    if name.endswith("_info"):
        # What refers to the one refers there to each of many.
        told = _read_noun(noun_name, (f"RV({one}.", f"RV({noun.many}[]."))
        found = {
            "description": f"The {noun.words} that were found.",
            "returned": "success",
            "type": "list",
            "elements": "dict",
            "contains": {**told["contains"], **told.get("reading", {})},
        }
        return _dump({noun.many: found, **values})
    told = _read_noun(noun_name)
    contains = {**told["contains"], **told.get("changing", {})}
    if noun.is_act:
        values[noun.many] = {
            "description": told["description"],
            "returned": "success and partial failure",
            "type": "list",
            "elements": "dict",
            "contains": contains,
        }
        return _dump(values)
    values[one] = {
        "description": told["description"],
        "returned": "success and partial failure, unless many were given",
        "type": "dict",
        "contains": contains,
    }
    values[noun.many] = {
        "description": f"The {noun.words}, in the order in which they were given.",
        "returned": "success and partial failure, when many were given",
        "type": "list",
        "elements": "dict",
        "contains": contains,
    }
    return _dump(values)


def _read_noun(name: str, replace: tuple[str, str] = ("", "")) -> Any:
    """Return what is told of a noun; of an instance its aspects and its devices as well, from their rows."""
    told = _read(name, replace)
    if name == "vm":
        from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.devices import cdrom, disk, nic
        from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.walk import OPTIONS

        further = {key: _document_value(field) for key, field in OPTIONS.items() if key not in told["contains"]}
        told["contains"] |= further
        nics = told["contains"]["nics"]["contains"]
        nics |= {key: _document_value(field) for key, field in nic.TABLE.items()}
        cdroms = told["contains"]["cdroms"]["contains"]
        cdroms |= {key: _document_value(field) for key, field in cdrom.TABLE.items()}
        volumes = told["contains"]["volumes"]["contains"]
        volumes |= {key: _document_value(field) for key, field in disk.TABLE.items()}
    return told


def _document_value(field: Any) -> dict[str, Any]:
    # What follows the first sentence is about giving it.
    entry: dict[str, Any] = {"description": re.split(r"(?<=[.]) (?=[A-Z])", field.help)[0]}
    entry["returned"] = "when the definition says something of it"
    entry["type"] = "int" if field.kind == "size" else field.kind
    if field.table is not None:
        entry["contains"] = {key: _document_value(inner) for key, inner in field.table.items() if not inner.no_log}
    elif field.element is not None:
        entry["elements"] = field.element.kind
        inner = _document_value(field.element)
        entry |= {"contains": inner["contains"]} if "contains" in inner else {"sample": [inner["sample"]]}
    else:
        entry["sample"] = field.sample or (
            field.made if field.made is not None else (field.choices or (field.minimum,))[0]
        )
    return entry


def _not_required(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an option as it is where the list of many can be given instead: itself, if it is not required anyway."""
    if "required" not in entry:
        return entry
    return copy.deepcopy({key: value for key, value in entry.items() if key != "required"})


def _read(name: str, replace: tuple[str, str] = ("", "")) -> Any:
    """Return what a file of tools/returned says, with another text in place of one."""
    return yaml.safe_load((RETURNED / f"{name}.yml").read_text(encoding="utf-8").replace(*replace))


def _dump(value: Mapping[str, Any]) -> str:
    return yaml.dump(value, sort_keys=False, default_flow_style=False, width=100, allow_unicode=True, Dumper=_Dumper)


class _Dumper(yaml.SafeDumper):
    """Indents lists under their key, as yamllint wants it; calls an anchor like the first key of what it stands at."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._keys: dict[int, str] = {}

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)

    def represent_mapping(self, *arguments: Any, **options: Any) -> yaml.MappingNode:
        node = super().represent_mapping(*arguments, **options)
        for key, value in node.value:
            self._keys.setdefault(id(value), key.value)
        return node

    def generate_anchor(self, node: yaml.Node) -> str:
        return self._keys[id(node)]


def _document(table: Any) -> dict[str, Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._fields.argspec import options_of

    return _document_options(table, options_of(table))


def _document_options(table: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._fields.field import REQUIRED, show_made

    documented = {}
    for name, field in table.items():
        argument = arguments[name]
        entry: dict[str, Any] = {"description": re.split(r"(?<=[.]) (?=[A-Z])", field.help)}
        if field.create is REQUIRED:
            entry["description"].append("Needed for a new one.")
        elif field.create is not None and (made := show_made(field)) is not None:
            entry["description"].append(f"A new one gets V({made}) unless it is given.")
        entry["type"] = argument["type"]
        entry |= {key: argument[key] for key in ("elements", "required", "choices", "default") if key in argument}
        inner = field.element.table if field.element is not None else field.table
        if inner is not None:
            entry["suboptions"] = _document_options(inner, argument["options"])
        documented[name] = entry
    return documented


if __name__ == "__main__":
    sys.exit(main())
