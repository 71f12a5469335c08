# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controllers that are tested, and how each comes to be: a Python, an environment, the collection in it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".build" / "compatibility"
# What the tests import or start beside Ansible; which versions of it, requirements.txt says.
TOOLS = (
    "ansible-lint",
    "cryptography",
    "hypothesis",
    "jsonschema",
    "lxml",
    "netaddr",
    "peewee",
    "pycdlib",
    "pytest",
    "yamllint",
)
_LOOK_LIMIT_S = 20


@dataclass(frozen=True)
class Controller:
    """One row of what is tested. core: a series of ansible-core. ansible: the release of the package of that name on
    PyPI which has it, and the collections that ours needs. python: a version that the series runs on.
    """

    core: str
    ansible: str
    python: str

    @property
    def name(self) -> str:
        return f"{self.core}-python{self.python}"

    @property
    def directory(self) -> Path:
        return STATE / self.name

    @property
    def environment(self) -> Path:
        return self.directory / "venv"

    def program(self, name: str) -> Path:
        return self.environment / "bin" / name

    @property
    def collections(self) -> Path:
        return self.directory / "collections"

    @property
    def collection(self) -> Path:
        """Where the collection is installed."""
        return self.collections / "ansible_collections" / "pextra" / "cloud"

    def is_called(self, name: str) -> bool:
        return name in (self.name, self.core)


# The oldest that is supported, and every series after it, so that each Python is there once. docs/compatibility.md says
# the same, and a guard compares.
CONTROLLERS = (
    Controller(core="2.19", ansible="12", python="3.11"),
    Controller(core="2.20", ansible="13", python="3.12"),
    Controller(core="2.21", ansible="14", python="3.13"),
)


def find_python(version: str) -> Path | None:
    """Return a Python of this version that can make environments: by its name in PATH, then pyenv's, newest first."""
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    of_pyenv = sorted(pyenv.glob(f"{version}.*/bin/{name}"), key=_patch_level, reverse=True)
    for candidate in (*(Path(place) / name for place in os.get_exec_path()), *of_pyenv):
        if _is_python(candidate, version):
            return candidate
    return None


def _patch_level(python: Path) -> int:
    """Return the last number of pyenv's directory, such as 7 of 3.11.7."""
    digits = re.search(r"(\d+)\D*$", python.parents[1].name)
    return int(digits[1]) if digits else 0


def _is_python(candidate: Path, version: str) -> bool:
    """pyenv's names in PATH are there for every version, and refuse those that are not chosen."""
    if not os.access(candidate, os.X_OK):
        return False
    code = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run(
            [candidate, "-c", code], capture_output=True, text=True, check=False, timeout=_LOOK_LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.strip() == version


def requirements(controller: Controller) -> list[str]:
    """Return what is installed for a controller: Ansible of its series, and the tools as requirements.txt has them."""
    lines = {}
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        name = re.match(r"[A-Za-z0-9-]+", line)
        if name:
            lines[name[0]] = line
    return [f"ansible~={controller.ansible}.0", f"ansible-core~={controller.core}.0", *(lines[tool] for tool in TOOLS)]


class StepError(Exception):
    """A step has failed, and has said so."""


def step(what: str, *command: str | Path, show: bool = False, cwd: Path = ROOT, variables: dict[str, str]) -> None:
    """Run a long command as `make` does: a line before and after, its output if it fails. Raises StepError then."""
    options = ["--show"] if show else []
    done = subprocess.run(
        [ROOT / "tools" / "step", *options, what, "env", f"--chdir={cwd}", *command],
        cwd=ROOT,
        env=variables,
        check=False,
    )
    if done.returncode != 0:
        raise StepError(what)


def variables_of(controller: Controller) -> dict[str, str]:
    """Return the environment of a controller's programs: nothing of this machine's Ansible, and a home of its own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHON"))}
    home = controller.directory / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {
        **kept,
        "HOME": str(home),
        "PATH": f"{controller.environment / 'bin'}:{kept['PATH']}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "ANSIBLE_COLLECTIONS_PATH": str(controller.collections),
        "ANSIBLE_NOCOLOR": "1",
    }


def make_environment(controller: Controller, python: Path) -> None:
    """Make the environment, unless it was made of just this. Raises StepError."""
    wanted = requirements(controller)
    made_of = hashlib.sha256("\n".join([str(python.resolve()), *wanted]).encode()).hexdigest()
    mark = controller.environment / "made-of"
    if mark.exists() and mark.read_text(encoding="ascii") == made_of:
        return
    shutil.rmtree(controller.environment, ignore_errors=True)
    # pip is set up in the user's own configuration.
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHON"))}
    what = f"ansible-core {controller.core} on Python {controller.python}"
    step(f"{what}: environment", python, "-m", "venv", controller.environment, variables=variables)
    pip = (controller.program("python"), "-m", "pip", "install", "--no-compile")
    step(f"{what}: install", *pip, *wanted, variables=variables)
    mark.write_text(made_of, encoding="ascii")


def install_collection(controller: Controller) -> None:
    """Build the collection, and install the tarball, as users do with their own ansible-galaxy. Raises StepError."""
    variables = variables_of(controller)
    tarballs = controller.directory / "dist"
    for old in (tarballs, controller.collections):
        shutil.rmtree(old, ignore_errors=True)
    galaxy = controller.program("ansible-galaxy")
    what = f"ansible-core {controller.core}"
    step(f"{what}: build", galaxy, "collection", "build", "--output-path", tarballs, variables=variables)
    [tarball] = tarballs.glob("*.tar.gz")
    # What it depends on is in the environment, from PyPI.
    options = ("--offline", "--no-deps", "--collections-path", controller.collections)
    step(f"{what}: install the tarball", galaxy, "collection", "install", *options, tarball, variables=variables)
