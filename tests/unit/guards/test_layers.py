# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may import whom. The pure parts stay pure, and every outside world has one door."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from guards.project import MODULE_UTILS, ROOT, files, parsed, shown

COLLECTION = "ansible_collections.pextra.cloud.plugins.module_utils."
# Files of a noun that act or read through doors. All others of _nouns are pure: specs, definitions, plans, reports.
ACTING = {
    "resource",
    "reading",
    "apply",
    "apply_power",
    "apply_targets",
    "transfer",
    "blocks",
    "content",
    "looking",
    "finding",
    "copies",
    "published",
    "tree_making",
    "volume_making",
    "source_test",
    "preparing",
    "replacing",
}
# Nouns of which all but the spec acts on the host that it runs on.
ACTING_NOUNS = {"ceph"}
PURE = {"_model", "_fields", "_nouns"}
DOORS_OF_NODES = {"_doors.bounded", "_doors.ceph", "_doors.host", "_doors.libvirt", "_doors.registry", "_doors.web"}
# Layer: which others it may import. What is not listed may import none.
LAYERS: dict[str, set[str]] = {
    "_model": set(),
    "_fields": {"_model"},
    "_nouns": PURE,
    "_nouns (acting)": {*PURE, *DOORS_OF_NODES, "_cloud", "_engine.noun", "_engine.own_host", "_engine.progress"},
    # Each room is a layer of its own.
    "_doors.bounded": set(),
    "_doors.hung_nodes": set(),
    "_doors.tls": {"_model"},
    "_doors.host": {"_model"},
    "_doors.web": {"_doors.bounded", "_doors.host", "_model"},
    "_doors.ceph": {"_doors.bounded", "_doors.host", "_model"},
    "_doors.registry": {"_model"},
    "_doors.libvirt": {"_doors.bounded", "_doors.host", "_doors.hung_nodes", "_doors.tls", "_model"},
    "_doors.ovsdb": {"_doors.hung_nodes", "_doors.tls", "_model"},
    "_cloud": {*PURE, "_doors.ceph", "_doors.libvirt", "_doors.ovsdb", "_doors.registry", "_engine.defects"},
    "_engine.carrying": {"_engine.defects", "_model"},
    "_engine.collector": set(),
    "_engine.converge": {
        *{"_cloud", "_doors.registry", "_model"},
        *{"_engine.carrying", "_engine.defects", "_engine.noun", "_engine.progress", "_engine.telling"},
    },
    "_engine.defects": {"_model"},
    "_engine.diff": {"_model"},
    "_engine.noun": {"_cloud", "_fields", "_model"},
    "_engine.origin": {"_model"},
    "_engine.own_host": {"_model"},
    "_engine.progress": {"_model"},
    "_engine.telling": {"_model"},
    "_document": PURE,
    # The document as a whole is converged noun by noun.
    "_document.converge": {
        *PURE,
        *{"_cloud", "_document", "_nouns (acting)"},
        *{"_engine.converge", "_engine.diff", "_engine.noun", "_engine.telling"},
    },
    "_run_plan": {"_model"},
    "_run_report": {"_model"},
    "_starter": PURE,
    "_module_classes": {"_fields", "_model"},
    "_runner": {
        *PURE,
        *{"_cloud", "_document", "_document.converge", "_doors.hung_nodes", "_doors.registry", "_nouns (acting)"},
        "_module_classes",
        *{"_engine.collector", "_engine.converge", "_engine.defects", "_engine.diff"},
        *{"_engine.noun", "_engine.origin", "_engine.own_host", "_engine.telling"},
    },
    "_propagation_job": {
        *PURE,
        *{"_cloud", "_doors.registry", "_engine.converge", "_engine.noun", "_engine.telling", "_nouns (acting)"},
        "_recovery",
    },
    "_recovery": {
        *PURE,
        *{"_cloud", "_doors.registry", "_engine.converge", "_engine.noun", "_engine.telling", "_nouns (acting)"},
    },
    "_inventory": {*PURE, "_cloud", "_doors.registry", "_engine.noun", "_nouns (acting)"},
    "_coordinator": {
        *{"_doors.registry", "_engine.collector", "_engine.defects"},
        *{"_inventory", "_model", "_propagation_job"},
    },
}
# Library: the only layers that may import it.
DOORS = {
    "libvirt": {"_doors.libvirt"},
    "libvirt_qemu": {"_doors.libvirt"},
    "peewee": {"_doors.registry"},
    "playhouse": {"_doors.registry"},
    "psycopg2": {"_doors.registry"},
    "pycdlib": {"_doors.host"},
    "yaml": {"_doors.host"},
    "lxml": {"_nouns"},
    "rbd": {"_doors.ceph"},
    "netaddr": {"_model", "_fields", "_nouns", "_document", "_doors.web"},
    "ansible": {"_module_classes", "_runner", "_doors.web"},
    "rados": {"_doors.ceph", "_nouns (acting)"},
    # Nobody: _doors/ovsdb speaks the protocol itself.
    "ovs": set(),
    "ovsdbapp": set(),
}
# File: why it holds more than LONGEST lines of code.
LONGEST = 300
LONG: dict[str, str] = {}
# The runners: of modules, and of actions that have one. They alone read check mode, without an exception.
RUNNERS = {"plugins/module_utils/_runner.py", "plugins/plugin_utils/runner.py"}
# It does nothing, and says of what others do whether it was only looked at.
TELLING = {"plugins/callback/progress.py"}
# By each of these names Ansible tells whether it is a check.
CHECK_MODE = {"check_mode", "_check_mode", "_ansible_check_mode", "ansible_check_mode"}


def layer_of(path: Path) -> str:
    return layer_named(path.relative_to(MODULE_UTILS).with_suffix("").parts)


def layer_named(parts: Sequence[str]) -> str:
    """Behind _doors and _engine each is a layer of its own; what acts for nouns is another than what they are."""
    if parts[0] == "_nouns":
        is_acting = parts[-1] in ACTING or (len(parts) > 2 and parts[1] in ACTING_NOUNS and parts[2] != "spec")
        return "_nouns (acting)" if is_acting else "_nouns"
    if tuple(parts[:2]) == ("_document", "converge"):
        return "_document.converge"
    return ".".join(parts[:2] if parts[0] in ("_doors", "_engine") else parts[:1])


def imports(path: Path) -> Iterator[str]:
    """What a file imports: `layer:<name>` of module_utils, or the topmost name of a library."""
    package = list(path.relative_to(MODULE_UTILS).parts[:-1]) if path.is_relative_to(MODULE_UTILS) else []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            name = node.module or ""
            if node.level:
                base = package[: len(package) - node.level + 1]
                parts = [*base, *(name.split(".") if name else [])]
                yield from layers_of(parts, node)
            elif f"{name}.".startswith(COLLECTION):
                parts = [part for part in f"{name}."[len(COLLECTION) :].split(".") if part]
                yield from layers_of(parts, node)
            else:
                yield name.split(".")[0]


def layers_of(parts: Sequence[str], node: ast.ImportFrom) -> Iterator[str]:
    """What is imported may be a file of the folder that is named, or a name in the file."""
    for alias in node.names:
        full = [*parts, alias.name]
        is_module = MODULE_UTILS.joinpath(*full).with_suffix(".py").exists() or MODULE_UTILS.joinpath(*full).is_dir()
        yield f"layer:{layer_named(full if is_module else parts)}"


def utility_files() -> list[Path]:
    return [path for path in files(".py", below=MODULE_UTILS) if path.parent != MODULE_UTILS or path.stem != "__init__"]


def plugin_files() -> list[Path]:
    return list(files(".py", below=ROOT / "plugins"))


@pytest.mark.parametrize("path", utility_files(), ids=shown)
def test_layers(path: Path) -> None:
    layer = layer_of(path)
    used = {name.removeprefix("layer:") for name in imports(path) if name.startswith("layer:")} - {layer}
    assert used <= LAYERS.get(layer, set()), f"{layer} may not import {used - LAYERS.get(layer, set())}"


@pytest.mark.parametrize("path", utility_files(), ids=shown)
def test_libraries(path: Path) -> None:
    layer = layer_of(path)
    libraries = {name for name in imports(path) if not name.startswith("layer:")} - set(sys.stdlib_module_names)
    unknown = libraries - set(DOORS)
    assert not unknown, f"{unknown} has no door; name it in DOORS"
    wrong = {name for name in libraries if layer not in DOORS[name]}
    assert not wrong, f"{layer} may not import {wrong}"


@pytest.mark.parametrize("path", plugin_files(), ids=shown)
def test_only_the_runners_read_check_mode(path: Path) -> None:
    """As an attribute, or as the name of one or of a variable: no getattr either."""
    names = (node.attr if isinstance(node, ast.Attribute) else "" for node in ast.walk(parsed(path)))
    texts = (node.value if isinstance(node, ast.Constant) else "" for node in ast.walk(parsed(path)))
    reads = any(name in CHECK_MODE for name in (*names, *texts))
    assert reads == (shown(path) in RUNNERS | TELLING)


@pytest.mark.parametrize("path", plugin_files(), ids=shown)
def test_modules_have_no_logic_of_their_own(path: Path) -> None:
    """A module is documentation and a short main(); what it does is in module_utils, where it can be tested."""
    if path.parent.name != "modules":
        return
    code = [node for node in parsed(path).body if not isinstance(node, ast.Import | ast.ImportFrom | ast.Assign)]
    lines = sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in code)
    assert lines <= 75, f"{lines} lines of code"


@pytest.mark.parametrize("path", plugin_files(), ids=shown)
def test_files_have_one_subject(path: Path) -> None:
    """Lines of code: what is left without blank lines, comments and texts for people."""
    count = len(code_lines(path))
    if shown(path) in LONG:
        assert count > LONGEST, "it is no longer long: take it from the table"
    else:
        assert count <= LONGEST, f"{count} lines of code"


def code_lines(path: Path) -> set[int]:
    texts: set[int] = set()
    for node in ast.walk(parsed(path)):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            is_text = node.targets[0].id in ("DOCUMENTATION", "EXAMPLES", "RETURN")
        if is_text:
            texts |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))  # type: ignore[attr-defined]
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    return {number for number, line in lines if line.strip() and not line.lstrip().startswith("#")} - texts


def test_nothing_imports_itself() -> None:
    """No circle among the files, whichever way; what only types need is not imported."""
    needs = {path: set(needed_files(path)) for path in utility_files()}
    done: set[Path] = set()

    def visit(path: Path, above: tuple[Path, ...]) -> None:
        assert path not in above, " -> ".join(shown(one) for one in (*above[above.index(path) :], path))
        if path not in done:
            for each in needs.get(path, ()):
                visit(each, (*above, path))
            done.add(path)

    for path in needs:
        visit(path, ())


def needed_files(path: Path) -> Iterator[Path]:
    """The files of module_utils that importing a file imports."""
    package = path.relative_to(MODULE_UTILS).parts[:-1]
    for node in parsed(path).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = MODULE_UTILS.joinpath(*package[: len(package) - node.level + 1], *(node.module or "").split("."))
            for alias in node.names:
                for found in (folder / f"{alias.name}.py", folder.with_suffix(".py")):
                    if found.exists() and found != path:
                        yield found
                        break
