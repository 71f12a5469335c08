"""Who may import whom. The pure parts stay pure, and every outside world has one door."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from guards.project import MODULE_UTILS, ROOT, files, parsed, shown

COLLECTION = "ansible_collections.pextra.cloud.plugins.module_utils."
PURE = {"_nouns", "_spec", "_plan", "_xml", "_errors", "_ids", "_names", "_pool_kinds"}
# Layer (a folder or a file of module_utils): which others it may import. What is not listed may import none.
LAYERS: dict[str, set[str]] = {
    "_nouns": PURE,
    "_spec": PURE,
    "_plan": PURE,
    "_xml": PURE,
    "_names": {"_ids"},
    "_registry_url": set(),
    "_argspec": {"_spec", "_registry_url"},
    "_registry": {"_errors", "_plan", "_registry_url"},
    "_disk_blocks": {"_errors"},
    "_disk_writing": {"_disk_blocks"},
    # Each room of _doors is a layer of its own.
    "_doors.bounded": set(),
    "_doors.hung_nodes": set(),
    "_doors.tls": {"_errors"},
    "_doors.libvirt": {"_disk_blocks", "_doors.bounded", "_doors.hung_nodes", "_doors.tls", "_errors"},
    "_doors.ovsdb": {"_doors.hung_nodes", "_doors.tls", "_errors", "_plan"},
    "_rbd": {"_doors.bounded", "_disk_blocks", "_errors"},
    "_ceph": {"_errors", "_host_engine", "_progress"},
    "_cloud": {
        "_ceph_keys",
        "_defects",
        "_errors",
        "_doors.libvirt",
        "_doors.ovsdb",
        "_plan",
        "_pool_kinds",
        "_rbd",
        "_registry",
        "_spec",
    },
    "_storage_source": {"_doors.bounded", "_cloud", "_errors", "_plan", "_pool_kinds", "_xml"},
    "_progress": {"_plan"},
    "_defects": {"_errors"},
    "_carrying": {"_defects", "_errors", "_plan"},
    "_kvm": set(),
    "_disk_reports": {"_plan"},
    "_disk_takings": {"_plan"},
    "_disk_users": set(),
    "_host_engine": {"_errors"},
    "_unit_host": {"_errors", "_host_engine", "_units"},
    "_disk_preparation": {"_disk_host", "_disk_reports", "_disk_takings", "_errors", "_host_engine", "_plan", "_spec"},
    "_disk_replacement": {"_disk_host", "_disk_takings", "_errors", "_host_engine", "_plan", "_progress", "_spec"},
    "_disk_host": {"_disk_reports", "_disk_takings", "_disk_users", "_errors", "_plan"},
    "_host_facts": {"_kvm", "_spec"},
    "_qcow2_tables": set(),
    "_image_inspection": {"_errors", "_qcow2_tables", "_spec"},
    "_foreign_disk_inspection": {"_errors", "_image_inspection", "_spec"},
    "_image_fetch": {"_doors.bounded", "_errors", "_image_cache", "_spec"},
    "_image_signature": {"_errors"},
    "_controller_digests": {"_image_cache"},
    "_resource": {
        *PURE,
        "_doors.bounded",
        "_ceph_keys",
        "_cloud",
        "_defects",
        "_disk_blocks",
        "_disk_writing",
        "_foreign_disk_inspection",
        "_doors.libvirt",
        "_image_cache",
        "_image_fetch",
        "_image_inspection",
        "_image_signature",
        "_progress",
        "_registry",
        "_seed",
        "_storage_source",
        "_doors.ovsdb",
    },
    "_engine": {"_carrying", "_cloud", "_defects", "_errors", "_plan", "_progress", "_registry", "_resource"},
    "_runner": {
        "_run_report",
        "_argspec",
        "_cloud",
        "_defects",
        "_deployment",
        "_engine",
        "_errors",
        "_host_engine",
        "_plan",
        "_registry",
        "_resource",
        "_spec",
    },
    "_propagation_job": {"_cloud", "_defects", "_engine", "_errors", "_plan", "_registry", "_resource"},
    "_run_report": {"_errors"},
    "_deployment": {"_cloud", "_engine", "_errors", "_plan", "_resource"},
}
# Library: the only layers that may import it.
DOORS = {
    "libvirt": {"_doors.libvirt"},
    "peewee": {"_registry"},
    "playhouse": {"_registry"},
    "psycopg2": {"_registry"},
    "pycdlib": {"_seed"},
    "yaml": {"_seed"},
    "lxml": {"_xml"},
    "rbd": {"_rbd"},
    "netaddr": {"_spec", "_plan", "_xml", "_image_fetch"},
    "ansible": {"_runner", "_image_fetch"},
    "rados": {"_ceph", "_rbd"},
    # Nobody: _doors/ovsdb speaks the protocol itself.
    "ovs": set(),
    "ovsdbapp": set(),
}
# File: why it may read check mode. Everything else leaves that to the runner.
READ_CHECK_MODE = {
    "plugins/module_utils/_runner.py": "the engine of the resource modules",
    "plugins/modules/pextra_registry.py": "makes the database that the runner works on",
    "plugins/action/pextra_image.py": "copies images to the coordinator before the module runs",
    "plugins/action/pextra_deployment.py": "as pextra_image",
    "plugins/plugin_utils/image_files.py": "as pextra_image",
}


def layer_of(path: Path) -> str:
    return layer_named(path.relative_to(MODULE_UTILS).with_suffix("").parts)


def layer_named(parts: Sequence[str]) -> str:
    """Behind _doors, each is a layer of its own."""
    return ".".join(parts[:2] if parts[0] == "_doors" else parts[:1])


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
                # `from . import x` at the top of module_utils names layers.
                yield from layers_of(parts, node)
            elif f"{name}.".startswith(COLLECTION):
                parts = [part for part in f"{name}."[len(COLLECTION) :].split(".") if part]
                yield from layers_of(parts, node)
            else:
                yield name.split(".")[0]


def layers_of(parts: Sequence[str], node: ast.ImportFrom) -> Iterator[str]:
    """What comes from a folder that is no layer itself names layers."""
    if parts in ([], ["_doors"]):
        yield from (f"layer:{layer_named([*parts, alias.name])}" for alias in node.names)
    else:
        yield f"layer:{layer_named(parts)}"


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
def test_only_the_runner_reads_check_mode(path: Path) -> None:
    reads = any(isinstance(node, ast.Attribute) and node.attr == "check_mode" for node in ast.walk(parsed(path)))
    assert reads == (shown(path) in READ_CHECK_MODE)


@pytest.mark.parametrize("path", plugin_files(), ids=shown)
def test_modules_have_no_logic_of_their_own(path: Path) -> None:
    """A module is documentation and a short main(); what it does is in module_utils, where it can be tested."""
    if path.parent.name != "modules":
        return
    code = [node for node in parsed(path).body if not isinstance(node, ast.Import | ast.ImportFrom | ast.Assign)]
    lines = sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in code)
    assert lines <= 75, f"{lines} lines of code"
