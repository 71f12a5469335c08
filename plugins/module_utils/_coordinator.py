# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The coordinators' program, without Ansible: the job that propagates storage pools, and the inventory plugin's answer.

The coordinator's role packs it into one file (the lookup coordinator_program) and writes where the registry is.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ._doors.registry.store import Registry
from ._engine.collector import spare_collector
from ._engine.defects import as_problem
from ._inventory import list_instances
from ._model.errors import PextraError, Problem, RegistryError
from ._propagation_job import propagate

_NAME = "pextra-coordinator"
_CONFIGURATION = "/etc/pextra/coordinator.json"
# Each call to a node and to the registry has a limit of its own; this is for a defect.
_LIMIT_S = 300


class _Command(NamedTuple):
    help: str
    act: Callable[[Registry], str]


def _propagate(registry: Registry) -> str:
    """What is wrong with pools is no failure of the job: it is in the registry, and in the journal."""
    try:
        with as_problem():
            lines = propagate(registry)
    except RegistryError:
        raise
    except PextraError as error:
        lines = [str(problem) for problem in error.problems]
    return "\n".join(lines)


def _list(registry: Registry) -> str:
    spare_collector()
    return json.dumps(list_instances(registry), separators=(",", ":"))


_COMMANDS: Mapping[str, _Command] = {
    "propagate": _Command("do one round of propagating storage pools, and print what was done", _propagate),
    "inventory": _Command("print all instances as JSON, for the inventory plugin pextra.cloud.pextra", _list),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Be the program. Returns the exit code: 1 if the command is not possible, which is said on standard error."""
    given = _parse(arguments)
    try:
        with as_problem(), Registry(_read_url(given.configuration)) as registry:
            text = _COMMANDS[given.command].act(registry)
    except PextraError as error:
        for problem in error.problems:
            print(f"{_NAME} {given.command} is not possible: {problem}", file=sys.stderr)
        return 1
    if text:
        print(text)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=_NAME, description="What coordinators of pextra.cloud do without Ansible.")
    parser.add_argument("--configuration", default=_CONFIGURATION, help="says where the registry is (%(default)s)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in _COMMANDS.items():
        commands.add_parser(name, help=command.help)
    return parser.parse_args(arguments)


def _read_url(path: str) -> str:
    """Return the URL of the registry. It may hold a password, so no error quotes the file."""
    again = "Run site.yml --tags coordinator."
    try:
        with open(path, encoding="utf-8") as file:
            url = json.load(file)["registry"]
    except FileNotFoundError as error:
        remedy = f"This host is not the coordinator that has the registry; if it is: {again}"
        raise RegistryError([Problem(f"there is no {path}", remedy)]) from error
    except PermissionError as error:
        raise RegistryError([Problem(f"only root may read {path}", "Run it as root, with sudo.")]) from error
    except OSError as error:
        raise RegistryError([Problem(f"{path} cannot be read: {error.strerror}", again)]) from error
    except (ValueError, KeyError, TypeError) as error:
        raise RegistryError([Problem(f"{path} does not say where the registry is", again)]) from error
    if not isinstance(url, str):
        raise RegistryError([Problem(f"{path} does not say where the registry is", again)])
    return url


def run() -> None:
    """Be the program, and end with it, whatever call to a node still hangs."""
    signal.alarm(_LIMIT_S)
    try:
        code = main()
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:  # whoever asked has gone
        code = 1
    os._exit(code)
