# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a new deployment on the controller. No connection is made, and nothing that is there is overwritten."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import PextraError, Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import shown
from ansible_collections.pextra.cloud.plugins.module_utils._starter.spec import FIELDS, read_starter
from ansible_collections.pextra.cloud.plugins.module_utils._starter.surroundings import render_starter
from ansible_collections.pextra.cloud.plugins.plugin_utils.runner import ModuleAction

_SCHEMA = Path(__file__).parents[2] / "docs" / "deployment.schema.json"
_LISTED = 8


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
        starter, mistakes = read_starter(arguments)
        if starter is None:
            raise PextraError([Problem(mistake.problem, resource=mistake.path) for mistake in mistakes])
        directory = os.path.abspath(os.path.expanduser(starter.directory))
        files = render_starter(starter, _SCHEMA.read_text(encoding="utf-8"))
        try:
            missing = _find_missing(directory, files)
            if self.applies:
                for name in missing:
                    _write(os.path.join(directory, name), files[name])
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


def _find_missing(directory: str, files: Mapping[str, str]) -> list[str]:
    """Return the names of the files that are not there. Raises PextraError where others are, which differ."""
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
