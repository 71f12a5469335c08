# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the coordinators' program: one call of OpenSSH's client, or of the program itself where this is its host.

The call has a limit, in time and in what it may print. It asks nobody for a password, and verifies the host's key as
the user's ssh does.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import (
    InvalidInputError,
    PextraError,
    Problem,
    UnreachableError,
)
from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import printable, shown
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.answer import MAX_BYTES

LOCAL = "localhost"
PAGE = "docs/inventory-plugin.md"
MAX_TIMEOUT_S = 600
_CONNECT_TIMEOUT_S = 10
# What a connection that went silent costs: so often, at this distance.
_ALIVE = ("ServerAliveInterval=5", "ServerAliveCountMax=3")
# How ssh says that it is its own failure, and a shell that there is no such program, or that it may not be run.
_SSH_FAILED, _NOT_RUN, _NOT_FOUND = 255, 126, 127
_CHUNK = 2**16
_KEPT_OF_ERRORS = 2**14
_SHOWN_LINES, _SHOWN_LENGTH = 4, 600


@dataclass(frozen=True, kw_only=True)
class Coordinator:
    """How a coordinator is reached. host: `localhost` is this host, without ssh. Empty and None are ssh's own."""

    host: str
    user: str | None = None
    port: int | None = None
    private_key_file: str | None = None
    ssh_executable: str = "ssh"
    ssh_common_args: str = ""
    become: bool = False
    program: str = "/usr/local/lib/pextra/pextra-coordinator"

    @property
    def is_local(self) -> bool:
        return self.host == LOCAL

    @property
    def program_command(self) -> list[str]:
        """What runs on the coordinator: with sudo exactly this has to be allowed."""
        return [*(["sudo", "-n"] if self.become else []), self.program, "inventory"]


def check(coordinator: Coordinator, timeout_s: int) -> None:
    """Raise InvalidInputError for what no call can be made of, all at once."""
    problems = []
    names = {"coordinator": coordinator.host, "user": coordinator.user, "program": coordinator.program}
    for option, value in names.items():
        if value is not None and (not value or value.startswith("-") or not value.isprintable() or " " in value):
            what = f"{shown(value)} is not allowed; it must not be empty, begin with a dash or hold spaces"
            problems.append(Problem(f"{option}: {what}"))
    if coordinator.port is not None and not 0 < coordinator.port < 2**16:
        problems.append(Problem(f"port: {coordinator.port} is no port; write one from 1 to 65535"))
    if not 0 < timeout_s <= MAX_TIMEOUT_S:
        problems.append(Problem(f"timeout_s: {timeout_s} s are not allowed; write 1 to {MAX_TIMEOUT_S}"))
    try:
        shlex.split(coordinator.ssh_common_args)
    except ValueError as error:
        problems.append(Problem(f"ssh_common_args: {shown(coordinator.ssh_common_args)} cannot be read: {error}"))
    if problems:
        raise InvalidInputError(problems)


def command_of(coordinator: Coordinator, timeout_s: int) -> list[str]:
    """Return the call that asks a coordinator. timeout_s: of all of it."""
    if coordinator.is_local:
        return coordinator.program_command
    # The first that ssh is given of an option counts: these are not to be overridden.
    options = ["BatchMode=yes", f"ConnectTimeout={min(timeout_s, _CONNECT_TIMEOUT_S)}", *_ALIVE]
    options += ["ClearAllForwardings=yes", "ForwardAgent=no", "ForwardX11=no", "RemoteCommand=none"]
    command = [coordinator.ssh_executable, "-T", *(word for option in options for word in ("-o", option))]
    return [*command, *_way_to(coordinator), shlex.join(coordinator.program_command)]


def _way_to(coordinator: Coordinator) -> list[str]:
    """Return the words of ssh's command line that lead to a coordinator, up to its name."""
    words = []
    if coordinator.port is not None:
        words += ["-p", str(coordinator.port)]
    if coordinator.user is not None:
        words += ["-l", coordinator.user]
    if coordinator.private_key_file is not None:
        words += ["-o", "IdentitiesOnly=yes", "-i", coordinator.private_key_file]
    return [*words, *shlex.split(coordinator.ssh_common_args), "--", coordinator.host]


def ask(coordinator: Coordinator, timeout_s: int) -> str:
    """Return what the program prints. Raises UnreachableError if the coordinator does not answer, PextraError for what
    else keeps it from it, InvalidInputError before anything is called.
    """
    check(coordinator, timeout_s)
    command = command_of(coordinator, timeout_s)
    try:
        process = subprocess.Popen(  # noqa: S603 - checked above, and no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # No terminal, on which anything could wait for an answer, and a group that can be ended as a whole.
            start_new_session=True,
        )
    except OSError as error:
        raise _explain_missing(coordinator, command[0], error) from error
    with _ended(process):
        output, errors = _collect(process, coordinator, timeout_s)
        code = process.wait()
    if code != 0:
        raise _explain(coordinator, code, errors)
    try:
        return output.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _fail(coordinator, f"what its program printed is no text in UTF-8 ({error})") from error


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever happens within, nothing of the process is left."""
    try:
        yield
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _collect(process: Any, coordinator: Coordinator, timeout_s: int) -> tuple[bytes, bytes]:
    """Return what a process prints until it ends, and the end of its errors."""
    deadline = time.monotonic() + timeout_s
    output, errors = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, output)
        selector.register(process.stderr, selectors.EVENT_READ, errors)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise _explain_late(coordinator, timeout_s)
            # What ssh leaves behind for later calls may keep the pipe of errors: it is not waited for.
            is_done = process.poll() is not None
            events = selector.select(0 if is_done else min(left, 1.0))
            if is_done and not events:
                break
            for key, _ in events:
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(key.fileobj)
                key.data.extend(chunk)
            del errors[:-_KEPT_OF_ERRORS]
            if len(output) > MAX_BYTES:
                raise _fail(
                    coordinator, f"its program printed more than {MAX_BYTES // 1024**2} MiB, which is no answer"
                )
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise _explain_late(coordinator, timeout_s) from error
    return bytes(output), bytes(errors)


def _explain_missing(coordinator: Coordinator, name: str, error: OSError) -> PextraError:
    what = f"{name} cannot be run here: {error.strerror}"
    if not coordinator.is_local:
        return _fail(coordinator, what, "Install OpenSSH's client (openssh-client), or name it in ssh_executable.")
    if coordinator.become:
        return _fail(coordinator, what, "Install sudo, or be root and set become: false.")
    return _fail(coordinator, what, _where_it_is(coordinator))


def _explain_late(coordinator: Coordinator, timeout_s: int) -> UnreachableError:
    remedy = f"See how long this takes, or raise timeout_s: {_by_hand(coordinator)}"
    return UnreachableError([Problem(f"it did not answer within {timeout_s} s", remedy, coordinator.host)])


def _explain(coordinator: Coordinator, code: int, errors: bytes) -> PextraError:
    """Say why a call failed. code: negative for the signal that ended it."""
    text = errors.decode("utf-8", "replace")
    said = _shorten(text) or "it said nothing"
    if code == _SSH_FAILED and not coordinator.is_local:
        problem = Problem(f"ssh cannot log in: {said}", _how_to_log_in(coordinator, text), coordinator.host)
        return UnreachableError([problem])
    # sudo fails with 1, also where it finds no program.
    if code in (_NOT_RUN, _NOT_FOUND) or ("sudo:" in text and "command not found" in text):
        return _fail(coordinator, f"its program cannot be run: {said}", _where_it_is(coordinator))
    if "sudo:" in text:
        remedy = f"Allow exactly this command, see {PAGE}: {shlex.join(coordinator.program_command)}"
        return _fail(coordinator, f"sudo refuses: {said}", remedy)
    how = f"was ended by signal {-code}" if code < 0 else f"failed with {code}"
    # The program says itself what to do.
    return _fail(coordinator, f"its program {how}: {said}")


def _how_to_log_in(coordinator: Coordinator, text: str) -> str:
    if "Host key verification failed" in text:
        return (
            "Compare the key's fingerprint with the host's own (there: ssh-keygen -lf "
            f"/etc/ssh/ssh_host_ed25519_key.pub), and log in once by hand: {_by_hand(coordinator)}"
        )
    if "Permission denied" in text:
        return (
            "No password is asked for: set user and private_key_file, or load the key into the agent. See whether this "
            f"works: {_by_hand(coordinator)}"
        )
    return f"See whether this works: {_by_hand(coordinator)}"


def _where_it_is(coordinator: Coordinator) -> str:
    return (
        f"site.yml --tags coordinator installs {coordinator.program} on the coordinator that has the registry: "
        "the first one, or any if the registry is in PostgreSQL. Name that one."
    )


def _by_hand(coordinator: Coordinator) -> str:
    """Return what a person can type to see for themselves."""
    if coordinator.is_local:
        return shlex.join(coordinator.program_command)
    return shlex.join([coordinator.ssh_executable, *_way_to(coordinator), shlex.join(coordinator.program_command)])


def _shorten(text: str) -> str:
    """Return the last lines of what a program said, on one line and without what could control a terminal."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return printable(" / ".join(lines[-_SHOWN_LINES:]))[-_SHOWN_LENGTH:].rstrip(".")


def _fail(coordinator: Coordinator, what: str, remedy: str = "") -> PextraError:
    return PextraError([Problem(what, remedy, coordinator.host)])


def describe(problems: Sequence[Problem]) -> str:
    """Return all problems as one message."""
    return "; ".join(str(problem) for problem in problems)
