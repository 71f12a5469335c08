# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts did in a task: what many of them did alike is told once, with who they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import printable
from ansible_collections.pextra.cloud.plugins.plugin_utils.status_line import name_some, sort_names

# All words before a host are as wide, so that hosts stand beneath each other.
_WIDTH = len("to change")
# What Ansible says of every failure, before what is wrong.
_GENERAL = ("Task failed.", "Action failed.", "Module failed.")


class Notes:
    """Those of the task at work, in the order in which they came."""

    def __init__(self) -> None:
        # How, what, text below, colour; and who, each once.
        self._noted: dict[tuple[str, str, str, str], dict[str, None]] = {}

    def add(self, how: str, host: str, what: str, colour: str, text: str = "") -> None:
        """Note what a host did. text: what is shown below it, as it is."""
        self._noted.setdefault((how, what, text, colour), {})[host] = None

    def take(self) -> Iterator[tuple[str, str, str]]:
        """Yield the line of each note, its colour, and what is shown below it; and forget them."""
        noted, self._noted = self._noted, {}
        for (how, what, text, colour), hosts in noted.items():
            yield render_note(how, name_some(sort_names(hosts)), what), colour, text


def render_note(how: str, who: str, what: str) -> str:
    """Return a line such as `  changed    node1: Install packages`. who: nobody where it is empty."""
    return printable(f"  {how:<{_WIDTH}}  {f'{who}: ' if who else ''}{what}")


def read_message(result: Any) -> str | None:
    """Return the message of a failure where that is all there is to tell: nothing broke, somebody says what is wrong.

    result: as a callback has it. What ansible-core keeps of an error is its own affair: where that looks otherwise,
    there is no message, and Ansible's words are shown.
    """
    event = getattr(getattr(result, "exception", None), "event", None)
    if event is None or result.result.get("results"):
        return None
    is_plain = True
    while getattr(event, "chain", None) is not None:
        is_plain &= event.msg in _GENERAL
        event = event.chain.event
    message = getattr(event, "msg", None)
    # The result of a task whose output is hidden has no message.
    is_all = message == result.result["msg"] if "msg" in result.result else is_plain
    return str(message) if message and is_all else None


def read_warnings(result: Any) -> list[str]:
    """Return the warnings of a result that are one line each, and take them from it. Others Ansible shows itself."""
    events = [getattr(one, "event", None) for one in getattr(result, "warnings", None) or ()]
    if not result.result.get("warnings") or not events or not all(map(_is_plain, events)):
        return []
    del result.result["warnings"]
    return [str(event.msg).strip() for event in events if event is not None]


def _is_plain(event: Any) -> bool:
    further = ("formatted_source_context", "help_text", "chain", "events")
    message = getattr(event, "msg", None)
    return bool(message) and "\n" not in str(message) and not any(getattr(event, name, None) for name in further)
