#!/usr/bin/env python3
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what ansible-test excuses: tests/sanity/ignore-<version of ansible-core>.txt. Whoever tests the collection's
tarball, as Galaxy does, needs them too.

Excused are the files that cannot be imported without a library that is not Python's or Ansible's: its test of imports
runs without any. They are imported late, so that a missing library is one clear message. Excused is also the first line
of our own programs: Debian's only python is python3. `--check` writes nothing and fails if a file differs.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = ROOT / "plugins"
# By the version of ansible-core: the versions of Python with which it tests what runs on hosts, from the collection's
# oldest on, and those with which it tests what runs on the controller.
PYTHONS = {
    "2.19": (("3.11", "3.12", "3.13"), ("3.11", "3.12", "3.13")),
    "2.20": (("3.11", "3.12", "3.13", "3.14"), ("3.12", "3.13", "3.14")),
    "2.21": (("3.11", "3.12", "3.13", "3.14"), ("3.12", "3.13", "3.14")),
}
ON_HOSTS = ("modules", "module_utils")
OURS = "ansible_collections.pextra.cloud.plugins"
PROVIDED = {*sys.stdlib_module_names, "ansible"}


def main() -> int:
    is_check = "--check" in sys.argv
    stale = False
    for core in PYTHONS:
        path = ROOT / "tests" / "sanity" / f"ignore-{core}.txt"
        text = render(core)
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale = True
        print(f"{path.relative_to(ROOT)}: {'differs from' if is_check else 'written from'} the files' imports")
        if not is_check:
            path.write_text(text, encoding="utf-8")
    return 1 if stale and is_check else 0


def render(core: str) -> str:
    """Return the lines for a version of ansible-core, sorted."""
    on_hosts, on_controller = PYTHONS[core]
    lines = []
    for path in sorted(PLUGINS.rglob("*.py")):
        if needs_library(path):
            kind = path.relative_to(PLUGINS).parts[0]
            pythons = on_hosts if kind in ON_HOSTS else on_controller
            lines += [f"{path.relative_to(ROOT)} import-{python}!skip" for python in pythons]
    lines += [f"{path.relative_to(ROOT)} shebang!skip" for path in find_programs()]
    return "".join(f"{line}\n" for line in sorted(lines))


@cache
def needs_library(path: Path) -> bool:
    """Return whether a file, or one that it imports, imports a library as soon as it is imported itself."""
    for name in find_imports(path):
        root = name.partition(".")[0]
        if name.startswith(f"{OURS}."):
            below = PLUGINS.joinpath(*name.removeprefix(f"{OURS}.").split("."))
            files = (below.with_suffix(".py"), below / "__init__.py")
            if any(needs_library(file) for file in files if file.is_file() and file != path):
                return True
        elif root != "ansible_collections" and root not in PROVIDED:
            return True
    return False


def find_imports(path: Path) -> Iterator[str]:
    """Yield the full names of what a file imports at its top level, and of what it imports from there."""
    package = path.relative_to(PLUGINS).parts[:-1]
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                above = package[: len(package) - node.level + 1]
                module = ".".join((OURS, *above, *filter(None, [node.module])))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def find_programs() -> Iterator[Path]:
    """Yield our own programs in Python, which no module is."""
    for folder in ("tests", "tools"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in ("", ".py"):
                first = path.read_bytes().partition(b"\n")[0]
                if first in (b"#!/usr/bin/env python3", b"#!/usr/bin/python3"):
                    yield path


if __name__ == "__main__":
    sys.exit(main())
