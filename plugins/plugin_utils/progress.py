# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress of a module that works for long, shown while it works.

The module writes how far it is to a file on the coordinator (module_utils/_engine/progress.py). A thread beside the
action reads it over the connection that is open anyway. What takes less than `FIRST_AFTER_S` shows nothing and costs
nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from ansible.errors import AnsibleError
from ansible.utils.display import Display
from ansible_collections.pextra.cloud.plugins.module_utils._engine.progress import DIRECTORY

FIRST_AFTER_S = 4.0
EVERY_S = 4.0
# The file's name ends with its process's number: what a killed one has left is no progress.
_SHOW = (
    "for file in {directory}/progress-{plural}-*.json; do process=${{file##*-}}; "
    'test -d "/proc/${{process%.json}}" && cat "$file"; done 2>/dev/null; true'
)

# A message of this size or less comes in one piece through a pipe, whoever else writes into it.
_PIECE = 4096

display = Display()
_listener: int | None = None


def tell_to(listener: int | None) -> None:
    """Have progress written into a pipe, in this process and those that are forked from it; or shown as lines again."""
    global _listener  # noqa: PLW0603 - one screen for all that shows progress
    _listener = listener


@contextlib.contextmanager
def shown_progress(action: Any, plural: str) -> Iterator[None]:
    """Show progress of the action's module, a line whenever it has moved, until the context ends."""
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(action, plural, stop), name="progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join(timeout=10)


def show_tree(tree: str | None) -> None:
    """Show the cloud as lines."""
    show_lines((tree or "").splitlines())


def show_lines(lines: Iterable[str]) -> None:
    """Show lines, whatever the callback makes of results."""
    for line in lines:
        display.display(line)


def render_progress(state: dict[str, Any]) -> str:
    """Return one line: how many of how many, on which node, and what is being transferred; or what is waited for."""
    if "waiting" in state:
        return f"  {state['noun']}: waiting until {state['waiting']}"
    nodes = ", ".join(f"{node} {count}" for node, count in sorted(state["nodes"].items()))
    line = f"  {state['noun']}: {state['done']} of {state['total']} done"
    if nodes:
        line += f" ({nodes})"
    for what, transfer in sorted(state.get("transfers", {}).items()):
        of_total = f" of {transfer['total'] / 1024**2:.0f}" if transfer["total"] else ""
        line += f"; {what} {transfer['done'] / 1024**2:.0f}{of_total} MiB"
    return line


def _watch(action: Any, plural: str, stop: threading.Event) -> None:
    shown = ""
    pause_s = FIRST_AFTER_S
    while not stop.wait(pause_s):
        pause_s = EVERY_S
        # Progress is a courtesy: a connection that fails here fails the task itself, with a better message.
        with contextlib.suppress(AnsibleError, OSError):
            answer = action._low_level_execute_command(_SHOW.format(directory=DIRECTORY, plural=plural))
            for text in answer.get("stdout_lines", ()):
                with contextlib.suppress(ValueError, KeyError, TypeError):  # caught while it was being written
                    state = json.loads(text)
                    line = render_progress(state)
                    if line != shown:
                        _tell(line, state)
                        shown = line


def _tell(line: str, state: dict[str, Any]) -> None:
    if _listener is None:
        display.display(line)
        return
    told = json.dumps({"text": line, "done": state.get("done", 0), "total": state.get("total", 0)}) + "\n"
    if len(told) <= _PIECE:
        # A screen that is gone, or is behind: the next one comes in a moment.
        with contextlib.suppress(OSError):
            os.write(_listener, told.encode())
