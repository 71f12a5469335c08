# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the code for Ceph acts on its host: commands, small files, units. No secret is ever an argument of a command."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Sequence
from pathlib import Path

from ..._model.errors import CephError

USER = "ceph"
DATA = Path("/var/lib/ceph")
CLUSTER = "ceph"

# Takes a command, returns (exit code, what it printed, what it complained of). AnsibleModule.run_command is one.
Run = Callable[[Sequence[str]], tuple[int, str, str]]


def must(run: Run, argv: Sequence[str], what: str) -> str:
    """Run a command and return what it prints. Raises CephError, which says what was to be done."""
    code, out, error = run(argv)
    if code != 0:
        raise CephError(f"could not {what}: {_last_lines(error or out)}")
    return out


def write_private(path: Path, text: str, *, user: str = USER) -> None:
    """Write a file whole or not at all, for one user only."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        give_to(new, user)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_directory(path.parent)


def make_directory(path: Path) -> None:
    path.mkdir(mode=0o750, parents=False, exist_ok=True)
    give_to(path)


def give_to(path: Path, user: str = USER) -> None:
    entry = pwd.getpwnam(user)
    os.chown(path, entry.pw_uid, entry.pw_gid)


def sync_directory(path: Path) -> None:
    """Make a rename last through a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_word(path: Path) -> str | None:
    """Return the one line of a small file, None if there is none."""
    try:
        return path.read_text().strip() or None
    except FileNotFoundError:
        return None


def find_idle_units(run: Run, names: Sequence[str]) -> list[str]:
    """Return those of the units that do not run, or will not after a boot."""
    if not names:
        return []
    code, out, _ = run(["systemctl", "show", "--property=Id,ActiveState,UnitFileState", "--", *names])
    if code != 0:
        return list(names)
    idle = []
    for block in out.strip().split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        if values.get("ActiveState") != "active" or values.get("UnitFileState") != "enabled":
            idle.append(values.get("Id", ""))
    return [name for name in names if name in idle]


def start_unit(run: Run, name: str) -> None:
    """Start a unit, now and at every boot. One that failed before gets another chance."""
    run(["systemctl", "reset-failed", "--", name])
    code, out, error = run(["systemctl", "enable", "--now", "--", name])
    if code != 0:
        log = run(["journalctl", "--no-pager", "--quiet", "--lines=5", "--output=cat", f"--unit={name}"])[1]
        raise CephError(f"could not start {name}: {_last_lines(error or out)}\nIts journal ends with:\n{log.strip()}")


def _last_lines(text: str) -> str:
    return " ".join(text.strip().splitlines()[-4:]) or "it says nothing"
