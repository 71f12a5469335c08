# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What guests' agents answer. A guest may say anything, of any shape and size: what is told of it is checked. Pure."""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeGuard

from ..._model.foreign_text import make_harmless

MOST_OUTPUT = 256 * 1024
_MOST_TEXT = 255
_MOST_INTERFACES = 64
_MOST_ADDRESSES = 64
_MOST_FILE_SYSTEMS = 256
_MOST_DISKS = 32
_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_MOST_SECONDS = 2**40


class AnswerError(ValueError):
    """It is not what the agent's protocol says."""


class Outcome(NamedTuple):
    """How a program ended. rc: None if a signal ended it. is_cut: output is left out."""

    rc: int | None
    signal: int | None
    stdout: str
    stderr: str
    is_cut: bool


def read_pid(answer: str) -> int:
    """Return the number of the program that was begun. Raises AnswerError."""
    pid = _returned(answer).get("pid")
    if not _is_number(pid) or not 0 <= pid < 2**32:
        raise AnswerError("it does not say which program was begun")
    return pid


def read_outcome(answer: str) -> Outcome | None:
    """Return how a program ended, or None while it runs. Raises AnswerError."""
    found = _returned(answer)
    exited = found.get("exited")
    if not isinstance(exited, bool):
        raise AnswerError("it does not say whether the program has ended")
    if not exited:
        return None
    rc, signal = found.get("exitcode"), found.get("signal")
    for number in (rc, signal):
        if number is not None and not (_is_number(number) and -(2**31) <= number < 2**32):
            raise AnswerError("it does not say how the program ended")
    stdout, is_out_cut = _read_output(found.get("out-data"), found.get("out-truncated"))
    stderr, is_err_cut = _read_output(found.get("err-data"), found.get("err-truncated"))
    return Outcome(rc, signal, stdout, stderr, is_out_cut or is_err_cut)


def tell_facts(time: Any, hostname: Any, interfaces: Any, file_systems: Any) -> dict[str, Any]:
    """Return what is told of a guest, of what libvirt hands over from its agent."""
    return {
        "hostname": _text(hostname),
        "time": _seconds(time),
        "interfaces": list(_read_interfaces(interfaces)),
        "file_systems": list(_read_file_systems(file_systems)),
    }


def _returned(answer: str) -> dict[str, Any]:
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise AnswerError("it is no JSON") from error
    returned = found.get("return") if isinstance(found, dict) else None
    if not isinstance(returned, dict):
        raise AnswerError("it returns nothing")
    return returned


def _read_output(data: Any, truncated: Any) -> tuple[str, bool]:
    if data is None:
        return "", False
    if not isinstance(data, str):
        raise AnswerError("its output is no text")
    try:
        output = base64.b64decode(data, validate=True)
    except ValueError as error:
        raise AnswerError("its output is not in base64") from error
    return make_harmless(output[:MOST_OUTPUT]), bool(truncated) or len(output) > MOST_OUTPUT


def _read_interfaces(found: Any) -> Iterator[dict[str, Any]]:
    items = sorted(found.items(), key=str)[:_MOST_INTERFACES] if isinstance(found, dict) else []
    for name, item in items:
        if not isinstance(item, dict):
            continue
        mac, addresses = item.get("hwaddr"), item.get("addrs")
        yield {
            "name": _text(name),
            "mac": mac.lower() if isinstance(mac, str) and _MAC.fullmatch(mac) else None,
            "addresses": list(_read_addresses(addresses)) if isinstance(addresses, list) else [],
        }


def _read_addresses(found: list[Any]) -> Iterator[str]:
    for item in found[:_MOST_ADDRESSES]:
        if isinstance(item, dict):
            try:
                yield str(ipaddress.ip_interface(f"{item.get('addr')}/{item.get('prefix')}"))
            except ValueError:
                continue


def _read_file_systems(found: Any) -> Iterator[dict[str, Any]]:
    for item in found[:_MOST_FILE_SYSTEMS] if isinstance(found, list) else ():
        if isinstance(item, tuple | list) and len(item) == 4:
            mountpoint, name, kind, disks = item
            yield {
                "mountpoint": _text(mountpoint),
                "name": _text(name),
                "type": _text(kind),
                "disks": [_text(disk) for disk in disks[:_MOST_DISKS]] if isinstance(disks, list) else [],
            }


def _seconds(found: Any) -> int | None:
    seconds = found.get("seconds") if isinstance(found, dict) else None
    return seconds if _is_number(seconds) and 0 <= seconds < _MOST_SECONDS else None


def _text(found: Any) -> str | None:
    if not isinstance(found, str):
        return None
    return make_harmless(found.encode("utf-8", "replace"))[:_MOST_TEXT].replace("\n", " ")


def _is_number(found: Any) -> TypeGuard[int]:
    return isinstance(found, int) and not isinstance(found, bool)
