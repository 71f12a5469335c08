#!/usr/bin/env python3
"""Write what modules share into their documentation: options from the tables of fields, and returned values.

The tables in plugins/module_utils/_spec are the source of the options. Ansible knows no fragments of returned values,
so those of plugins/doc_fragments/changing.py are written out. `--check` writes nothing and fails if a module differs.
"""

from __future__ import annotations

import importlib
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
# noun of the module: (module of the table, plural, what one element is)
NOUNS = {
    "tenant": ("organization", "tenants", "organizations"),
    "datacenter": ("datacenter", "datacenters", "datacenters"),
    "cluster": ("cluster", "clusters", "clusters"),
    "node": ("node", "nodes", "nodes"),
    "pool": ("pool", "pools", "storage pools"),
    "image": ("image", "images", "images"),
    "vswitch": ("vswitch", "vswitches", "vSwitches"),
    "port_group": ("port_group", "port_groups", "port groups"),
    "vm": ("vm", "vms", "instances"),
    "volume": ("volume", "volumes", "volumes"),
    "volume_export": ("volume_export", "exports", "exports"),
}
BEGIN = "  # Options of one resource: written by tools/write_module_options.py\n"
END = "  # End of the options of one resource\n"
RETURN = 'RETURN = r"""\n'
RETURN_BEGIN = "# Values of every module that changes something: written by tools/write_module_options.py\n"
RETURN_END = "# End of the values of every module that changes something\n"


def main() -> int:
    sys.path.insert(0, str(ROOT / ".build" / "unit"))
    stale = []
    for noun in NOUNS:
        path = ROOT / "plugins" / "modules" / f"pextra_{noun}.py"
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        if BEGIN not in text:
            continue
        head, rest = text.split(BEGIN, 1)
        tail = rest.split(END, 1)[1]
        new = write_returned(head + BEGIN + render(noun) + END + tail)
        if new != text:
            stale.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(new, encoding="utf-8")
    print(
        "\n".join(f"{name}: {'differs from' if '--check' in sys.argv else 'written from'} its table" for name in stale)
    )
    return 1 if stale and "--check" in sys.argv else 0


def render(noun: str) -> str:
    """Return the YAML of a module's own options, indented for DOCUMENTATION."""
    from ansible_collections.pextra.cloud.plugins.module_utils._argspec import options_of

    spec, plural, what = NOUNS[noun]
    module = importlib.import_module(f"ansible_collections.pextra.cloud.plugins.module_utils._spec.{spec}")
    arguments = options_of(module.FIELDS)
    single = _document(module.FIELDS, arguments)
    for entry in single.values():
        entry.pop("required", None)
    single["name"]["description"].append(f"Exactly one of O(name) and O({plural}) is needed.")
    single[plural] = {
        "description": [
            f"Many {what} at once, each with the same options as one. They are read in bulk, planned together and "
            "applied in parallel."
        ],
        "type": "list",
        "elements": "dict",
        "suboptions": _document(module.FIELDS, arguments),
    }
    text = yaml.dump(single, sort_keys=False, default_flow_style=False, width=100, Dumper=_Dumper)
    return textwrap.indent(text, "  ")


def write_returned(text: str) -> str:
    """Return a module's text with the shared returned values at the beginning of RETURN."""
    from ansible_collections.pextra.cloud.plugins.doc_fragments.changing import ModuleDocFragment

    head, rest = text.split(RETURN, 1)
    if rest.startswith(RETURN_BEGIN):
        rest = rest.split(RETURN_END, 1)[1]
    return head + RETURN + RETURN_BEGIN + ModuleDocFragment.RETURN.lstrip("\n") + RETURN_END + rest


class _Dumper(yaml.SafeDumper):
    """Indents lists under their key, as yamllint wants it; never writes anchors."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _document(table: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._spec._fields import REQUIRED, show_made

    documented = {}
    for name, field in table.items():
        argument = arguments[name]
        entry: dict[str, Any] = {"description": re.split(r"(?<=[.]) (?=[A-Z])", field.help)}
        if field.create is REQUIRED:
            entry["description"].append("Needed for a new one.")
        elif field.create is not None and (made := show_made(field)) is not None:
            entry["description"].append(f"A new one gets V({made}) unless it is given.")
        entry["type"] = argument["type"]
        for key in ("elements", "required", "choices", "default"):
            if key in argument:
                entry[key] = argument[key]
        inner = field.element.table if field.element is not None else field.table
        if inner is not None:
            entry["suboptions"] = _document(inner, argument["options"])
        documented[name] = entry
    return documented


if __name__ == "__main__":
    sys.exit(main())
