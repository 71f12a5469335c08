# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that holds a page: read, compared, and written as a whole or not at all. What is no page is left alone."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat

from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import InvalidInputError, PextraError, Problem
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.page import is_page, is_same


def plan_page(path: str, text: str, mode: int, *, always: bool) -> list[str]:
    """Return what is to be done for the file to hold a page like this one, nothing if it does. Raises InvalidInputError
    where it cannot be written there. always: whether its time shall be this one's.
    """
    directory = os.path.dirname(path)
    if os.path.exists(path) and not os.path.isfile(path):
        _refuse(path, "is no file", "Name a file.")
    if not os.path.isdir(directory):
        _refuse(path, f"cannot be written: there is no directory {directory}", "Make it, or name another file.")
    if not os.access(directory, os.W_OK | os.X_OK):
        _refuse(path, f"cannot be written: {directory} is not yours to write to", "Name a file in another directory.")
    held = _read(path)
    if held and not is_page(held):
        _refuse(path, "is there already, and is no page of pextra.cloud", "Name another file.")
    if always or held is None or not is_same(held, text):
        return [f"write {path} ({len(text.encode()) / 1024:,.0f} KiB)"]
    if stat.S_IMODE(os.stat(path).st_mode) != mode:
        return [f"set the mode of {path} to {mode:04o}"]
    return []


def write_page(path: str, text: str, mode: int) -> None:
    """Write the file. It has its name when all of it is there, and is for nobody else before it has its mode."""
    partial = f"{path}.{secrets.token_hex(4)}.part"
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
        os.replace(partial, path)
    except OSError as error:
        what = f"{path} cannot be written: {error.strerror or error}"
        raise PextraError([Problem(what, "Free space, or name a file in another directory.")]) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(partial)


def _refuse(path: str, what: str, remedy: str) -> None:
    raise InvalidInputError([Problem(f"{path} {what}", remedy)])


def _read(path: str) -> str | None:
    """Return what is in the file; None if there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        what = f"{path} cannot be read: {error.strerror or error}"
        raise InvalidInputError([Problem(what, "Name another file.")]) from error
