# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done in an instance's guest, by its agent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..._fields.common import CLUSTER, parse_spec
from ..._fields.field import Field, join
from ..._model.mistake import Mistake
from ..instance.cloud_init_checks import check_password_hash

ACTIONS = ("run", "set_password", "set_time")
# What the agent takes in one message is more; it is no way to bring files into a guest.
MAX_ARGUMENTS = 64 * 1024
MAX_STDIN = 1024**2
_USER = re.compile(r"[^\W\d][\w.@\\-]{0,63}\$?")


def check_argument(value: str) -> str | None:
    return "holds a null character, which no argument can" if "\0" in value else None


def _fault_of_argv(value: tuple[str, ...]) -> str | None:
    size = sum(len(one.encode("utf-8", "replace")) + 1 for one in value)
    if not value or not value[0]:
        return "names no program; write it first, then its arguments"
    return f"has {size} bytes; write at most {MAX_ARGUMENTS}" if size > MAX_ARGUMENTS else None


def check_stdin(value: str) -> str | None:
    size = len(value.encode("utf-8", "replace"))
    return f"has {size} bytes; write at most {MAX_STDIN}" if size > MAX_STDIN else None


def check_guest_user(value: str) -> str | None:
    if _USER.fullmatch(value):
        return None
    return "is no name of a user; write at most 64 letters, digits, dots, dashes or underscores"


FIELDS = {
    "name": Field(kind="str", required=True, help="The instances, by name or identifier; one alone needs no list."),
    "cluster": CLUSTER,
    "action": Field(
        kind="str",
        required=True,
        choices=ACTIONS,
        help="V(run) runs a program (O(argv)) and waits for its end. V(set_password) gives O(user) another password. "
        "V(set_time) sets the guest's clock to the coordinator's, which is right after an instance was paused, "
        "suspended or saved.",
    ),
    "argv": Field(
        kind="list",
        element=Field(kind="str", check=check_argument, help="An argument."),
        help="For V(run), the program and its arguments. There is no shell - write V([/bin/sh, -c, TEXT]) for one.",
    ),
    "stdin": Field(
        kind="str",
        check=check_stdin,
        help="For V(run), what the program reads from its standard input; at most 1 MiB.",
    ),
    "timeout_s": Field(
        kind="int",
        default=60,
        minimum=1,
        maximum=3600,
        help="For V(run), how many seconds to wait for the end of the program. After that the module fails, and the "
        "program goes on.",
    ),
    "user": Field(kind="str", check=check_guest_user, help="For V(set_password), the name of a user of the guest."),
    "hashed_password": Field(
        kind="str",
        no_log=True,
        check=check_password_hash,
        help="For V(set_password), the password as a crypt hash, as C(mkpasswd) prints it.",
    ),
}
# Which options an action needs, and which it takes as well.
_NEEDS = {"run": ("argv",), "set_password": ("user", "hashed_password"), "set_time": ()}
_TAKES = {"run": ("stdin",), "set_password": (), "set_time": ()}


@dataclass(frozen=True, kw_only=True)
class GuestAct:
    name: str
    action: str
    cluster: str | None = None
    argv: tuple[str, ...] | None = None
    stdin: str | None = field(default=None, repr=False)
    timeout_s: int = 60
    user: str | None = None
    hashed_password: str | None = field(default=None, repr=False)


def parse_guest_act(raw: Mapping[str, Any], path: str) -> tuple[GuestAct | None, list[Mistake]]:
    """Parse what is to be done in one guest. Returns (act or None, mistakes)."""
    act, mistakes = parse_spec(FIELDS, GuestAct, raw, path)
    if act is None:
        return None, mistakes
    for name in ("argv", "stdin", "user", "hashed_password"):
        is_given, needed = getattr(act, name) is not None, name in _NEEDS[act.action]
        if needed and not is_given:
            mistakes.append(Mistake(join(path, name), f"is needed for action {act.action}"))
        elif is_given and not needed and name not in _TAKES[act.action]:
            mistakes.append(Mistake(join(path, name), f"has no meaning for action {act.action}; leave it out"))
    fault = _fault_of_argv(act.argv) if act.argv is not None and not mistakes else None
    if fault is not None:
        mistakes.append(Mistake(join(path, "argv"), fault))
    return (None if mistakes else act), mistakes
