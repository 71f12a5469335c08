# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nobody may write, with the few places that may."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from guards.project import ROOT, files, parsed, shown

THIS = "tests/unit/guards/test_forbidden.py"
CODE = {".py", ".yml", ".yaml", ".j2", ".sh", ""}

EVERYWHERE = ("",)
PLUGINS = ("plugins/",)
ANSIBLE = ("playbooks/", "roles/", "inventories/", "extensions/", "docs/")

# Pattern, where it counts, why it is forbidden, and the files that may.
FORBIDDEN: list[tuple[str, tuple[str, ...], str, set[str]]] = [
    (r"\b(TODO|FIXME|XXX|HACK)\b", EVERYWHERE, "finish it, or file an issue", set()),
    (r"(?<![\w.])/(work|var/tmp)/", EVERYWHERE, "paths of somebody's machine", set()),
    (r"\bshell=True\b|\bos\.system\b|\bos\.popen\b", EVERYWHERE, "pass arguments as a list", set()),
    (r"\bunittest\.mock\b|\bMagicMock\b", EVERYWHERE, "test against the real thing", set()),
    (
        r"\bsubprocess\b",
        PLUGINS,
        "modules use run_command",
        {
            # Asked for in the middle of applying a plan, layers below the module that has run_command.
            "plugins/module_utils/_doors/host/signatures.py",
            # On the controller, for an inventory: there is no module, nor anything else that runs programs.
            "plugins/plugin_utils/inventory_program.py",
        },
    ),
    (r"\bmodule_utils\.(six|_text|common\._collections_compat)\b", PLUGINS, "gone from ansible-core", set()),
    (
        r"\bignore_errors\b",
        ANSIBLE,
        "an error is handled or it is one",
        # Ansible takes every host out of the run otherwise; the next task handles it.
        {"playbooks/record.yml"},
    ),
    (
        r"\bansible_(distribution|hostname|default_ipv4|memtotal_mb|processor_vcpus)\b",
        ANSIBLE,
        "facts are not injected; write ansible_facts['x']",
        set(),
    ),
    (
        r"\btime\.sleep\b",
        PLUGINS,
        "wait for an event where there is one",
        {
            "plugins/module_utils/_doors/registry/leases.py",  # other processes' leases raise no event
            "plugins/module_utils/_nouns/ceph/waiting.py",  # Ceph's health and its moving of data raise no event
            "plugins/module_utils/_doors/libvirt/volumes.py",  # udev's device of a volume, of which nobody tells
            # libvirt looks at no pool in which it makes a volume, and tells nobody when it has made it
            "plugins/module_utils/_nouns/pool/looking.py",
        },
    ),
]


def candidates() -> list[Path]:
    return [path for path in files() if path.suffix in CODE | {".md", ".toml"} and shown(path) != THIS]


@pytest.mark.parametrize(("pattern", "where", "why", "excused"), FORBIDDEN, ids=[row[0] for row in FORBIDDEN])
def test_forbidden(pattern: str, where: tuple[str, ...], why: str, excused: set[str]) -> None:
    found = []
    for path in candidates():
        name = shown(path)
        if not name.startswith(where) or name in excused:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if re.search(pattern, line):
                found.append(f"{name}:{number}: {line.strip()[:100]}")
    assert found == [], why


# File that may catch everything: why.
GREEDY = {
    "plugins/callback/progress.py": "what shows a run must not end it, whatever ails it",
}


@pytest.mark.parametrize("path", [path for path in files(".py") if shown(path) not in GREEDY], ids=shown)
def test_nothing_catches_everything(path: Path) -> None:
    """Name what you expect. To clean up after whatever it was, catch it all and raise it again."""
    greedy = [
        node.lineno
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}))
        and not (isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None)
    ]
    assert greedy == []


def test_every_exception_is_needed() -> None:
    for pattern, _where, _why, excused in FORBIDDEN:
        for name in excused:
            assert re.search(pattern, (ROOT / name).read_text(encoding="utf-8")), f"{name} needs no exception"
