# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a new deployment on the controller. No connection is made, and nothing that is there is overwritten."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import PextraError, Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import Mistake, shown
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.cloud_init_checks import check_public_key
from ansible_collections.pextra.cloud.plugins.module_utils._starter.spec import FIELDS, read_starter
from ansible_collections.pextra.cloud.plugins.module_utils._starter.surroundings import render_starter
from ansible_collections.pextra.cloud.plugins.plugin_utils.libraries import require_netaddr
from ansible_collections.pextra.cloud.plugins.plugin_utils.progress import show_lines
from ansible_collections.pextra.cloud.plugins.plugin_utils.runner import ModuleAction

_COLLECTION = Path(__file__).parents[2]
_SCHEMA = _COLLECTION / "docs" / "deployment.schema.json"
_LISTED = 8
# Of a line of authorized_keys neither is true: it has blanks.
_KEY_FILE = re.compile(r"[~/.]\S*|\S+\.pub")
_LONGEST_KEY = 2**16
_KEY_ADVICE = "name the file of a public key, such as ~/.ssh/id_ed25519.pub, which ssh-keygen makes"


class ActionModule(ModuleAction):
    """The action."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _VALID_ARGS = frozenset(FIELDS)
    plural = "starters"
    is_recorded = False  # nothing of the cloud changes

    def act(self, arguments: dict[str, Any]) -> dict[str, Any]:
        require_netaddr()
        key, unreadable = _read_key(arguments.get("ssh_key"))
        starter, mistakes = read_starter({**arguments, "ssh_key": key})
        mistakes += unreadable
        if starter is None or mistakes:
            raise PextraError([Problem(mistake.problem, resource=mistake.path) for mistake in mistakes])
        directory = os.path.abspath(os.path.expanduser(starter.directory))
        files = render_starter(starter, _SCHEMA.read_text(encoding="utf-8"), _read_version())
        try:
            missing = _find_missing(directory, files)
            if self.applies:
                for name in missing:
                    _write(os.path.join(directory, name), files[name])
                show_lines(_tell_next(directory))
        except OSError as error:
            what = f"{error.filename or directory} cannot be written: {error.strerror}"
            raise PextraError([Problem(what, "Give another directory, or the right to write there.")]) from error
        return {
            "changed": bool(missing),
            "directory": directory,
            "files": sorted(files),
            "diff": [
                {"before": "", "after": files[name], "after_header": os.path.join(directory, name)}
                for name in missing
                if name != _SCHEMA.name
            ],
        }


def _read_version() -> str:
    """Return the version of this collection, as it is installed or in its repository."""
    manifest = _COLLECTION / "MANIFEST.json"
    if manifest.exists():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    return str(yaml.safe_load((_COLLECTION / "galaxy.yml").read_text(encoding="utf-8"))["version"])


def _read_key(given: object) -> tuple[object, list[Mistake]]:
    """Return (the key, what is wrong with its file), where a file is given in the place of a key."""
    if not isinstance(given, str) or not _KEY_FILE.fullmatch(given.strip()):
        return given, []
    try:
        with open(os.path.expanduser(given.strip()), encoding="utf-8", errors="replace") as file:
            key = file.read(_LONGEST_KEY).strip()
    except OSError as error:
        return None, [Mistake("ssh_key", f"{shown(given)} cannot be read: {error.strerror}; {_KEY_ADVICE}")]
    # Of a private key the rule itself shows nothing. What another file holds may be a secret as well.
    if check_public_key(key) is None or "PRIVATE KEY" in key:
        return key, []
    return None, [Mistake("ssh_key", f"{shown(given)} does not hold one public key; {_KEY_ADVICE}")]


def _tell_next(directory: str) -> list[str]:
    """Return lines that say where it is, and what to do next."""
    shortest = os.path.relpath(directory) if directory.startswith(f"{os.getcwd()}{os.sep}") else directory
    return [
        f"The deployment is in {directory}; its README.md says what is where. Next:",
        f"  cd {shlex.quote(shortest)}",
        "  ansible-playbook pextra.cloud.validate",
    ]


def _find_missing(directory: str, files: Mapping[str, str]) -> list[str]:
    """Return the names of the files that are not there. Raises PextraError where others are, which differ."""
    _require_directory(directory)
    missing: list[str] = []
    differing: list[str] = []
    for name, text in files.items():
        path = os.path.join(directory, name)
        try:
            with open(path, "rb") as file:
                if file.read() != text.encode():
                    differing.append(name)
        except FileNotFoundError:
            # A link to nowhere is somebody's.
            (differing if os.path.islink(path) else missing).append(name)
        except (IsADirectoryError, NotADirectoryError):
            differing.append(name)
    if differing:
        more = f" and {len(differing) - _LISTED} more" if len(differing) > _LISTED else ""
        what = f"{shown(directory)} has {', '.join(sorted(differing)[:_LISTED])}{more}, which would be others"
        raise PextraError([Problem(f"{what}. Nothing was written", "Give an empty directory, or change it by hand.")])
    return missing


def _require_directory(directory: str) -> None:
    """Raise PextraError where something else is in its place, or in that of one that it is to be in."""
    place = directory
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    if not os.path.isdir(place):
        what = f"{shown(place)} is {'a link to nowhere' if os.path.islink(place) else 'no directory'}"
        raise PextraError([Problem(f"{what}. Nothing was written", "Give another directory.")])


def _write(path: str, text: str) -> None:
    """Write a file whole, or not at all. Raises FileExistsError if another has appeared meanwhile."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor, beside = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".pextra-")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(beside, 0o644)
        os.link(beside, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
