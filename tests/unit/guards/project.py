# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guards look at: the project's files, and what the modules say of themselves."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic

ROOT = Path(__file__).resolve().parents[3]
MODULES = ROOT / "plugins" / "modules"
MODULE_UTILS = ROOT / "plugins" / "module_utils"
ROLES = ROOT / "roles"
# Actions alone, which take what they work on from the run's variables; there is no code of a module.
ACTIONS_ALONE = {
    "pextra_audit_export",
    "pextra_deployment_validate",
    "pextra_report",
    "pextra_run_report",
    "pextra_starter",
}
_NOT_OURS = {
    ".ansible",
    ".build",
    ".git",
    ".hypothesis",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".venv",
    "__pycache__",
}


def files(*suffixes: str, below: Path = ROOT) -> Iterator[Path]:
    """All files of the project with these suffixes (any if none is given), sorted."""
    for path in sorted(below.rglob("*")):
        if _NOT_OURS & set(path.relative_to(ROOT).parts) or not path.is_file():
            continue
        if not suffixes or path.suffix in suffixes:
            yield path


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_names() -> list[str]:
    return [path.stem for path in sorted(MODULES.glob("pextra_*.py"))]


def role_names() -> list[str]:
    return [path.name for path in sorted(ROLES.iterdir()) if path.is_dir()]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=shown(path))


def constant(path: Path, name: str) -> str | None:
    """The text assigned to a name at a file's top level."""
    for node in parsed(path).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            value = ast.literal_eval(node.value)
            return value if isinstance(value, str) else None
    return None


def documentation(module: str) -> dict[str, Any]:
    """A module's DOCUMENTATION with its fragments merged, as ansible-doc does it."""
    path = MODULES / f"{module}.py"
    document: dict[str, Any] = yaml.safe_load(constant(path, "DOCUMENTATION") or "") or {}
    for reference in document.get("extends_documentation_fragment", []):
        fragment = _fragment(reference)
        for key in ("options", "attributes"):
            document[key] = {**fragment.get(key, {}), **document.get(key, {})}
    return document


def returned(module: str) -> dict[str, Any]:
    """A module's RETURN."""
    values: dict[str, Any] = yaml.safe_load(constant(MODULES / f"{module}.py", "RETURN") or "") or {}
    return values


class _CapturedError(Exception):
    """Carries what a module passes to AnsibleModule."""


def module_arguments(module: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A module's argument spec, and what else it passes to AnsibleModule."""

    def capture(self: object, argument_spec: dict[str, Any], **keywords: Any) -> None:
        raise _CapturedError(argument_spec, keywords)

    imported = importlib.import_module(f"ansible_collections.pextra.cloud.plugins.modules.{module}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(basic.AnsibleModule, "__init__", capture)
        with pytest.raises(_CapturedError) as caught:
            imported.main()
    arguments, keywords = caught.value.args
    return arguments, keywords


def _fragment(reference: str) -> dict[str, Any]:
    namespace, collection, name, *section = reference.split(".")
    assert (namespace, collection) == ("pextra", "cloud"), f"{reference} is not a fragment of this collection"
    wanted = section[0].upper() if section else "DOCUMENTATION"
    path = ROOT / "plugins" / "doc_fragments" / f"{name}.py"
    (holder,) = [node for node in parsed(path).body if isinstance(node, ast.ClassDef)]
    for node in holder.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == wanted:
            loaded: dict[str, Any] = yaml.safe_load(ast.literal_eval(node.value))
            return loaded
    raise AssertionError(f"there is no fragment {reference}")


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
