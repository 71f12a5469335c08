# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person at a terminal wants to see of a run."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: stdout
short_description: Show how far a run is, and what is waited for
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - For people at a terminal. One line at the bottom says which play a run is in, how far that is, which task is at
    work, on which hosts, for how long, and what modules say of long work, such as a file that is being copied.
  - Above it stays what matters. That is what changed, what failed, whole, warnings, what tasks such as
    M(ansible.builtin.debug) are there to tell, differences with C(--diff), and in the end what came of the run.
  - Tasks that change nothing and tasks that are skipped are not shown. With C(-v) they are.
  - Where the output is no terminal, the same comes as plain lines, and each play begins with a line of its own.
  - Colours are used as Ansible's settings say; the variables E(NO_COLOR) and E(ANSIBLE_NOCOLOR) turn them off.
  - What is hidden with C(no_log) is hidden here as well.
  - If the display itself fails, the run goes on with plain lines.
extends_documentation_fragment:
  - result_format_callback
requirements:
  - Set as stdout in the configuration.
"""

EXAMPLES = r"""
# In ansible.cfg:
# [defaults]
# stdout_callback = pextra.cloud.progress
#
# Or for one run:
# ANSIBLE_STDOUT_CALLBACK=pextra.cloud.progress ansible-playbook -i inventories/mine pextra.cloud.site
"""

import functools
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from ansible import constants, context
from ansible.plugins.callback import CallbackBase
from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import printable
from ansible_collections.pextra.cloud.plugins.module_utils._run_plan import tell_duration
from ansible_collections.pextra.cloud.plugins.plugin_utils.status_line import Status, name_some, sort_names, wrap
from ansible_collections.pextra.cloud.plugins.plugin_utils.status_notes import (
    Notes,
    read_message,
    read_warnings,
    render_note,
)
from ansible_collections.pextra.cloud.plugins.plugin_utils.status_screen import StatusScreen

_ASKING = ("pause", "ansible.builtin.pause", "ansible.legacy.pause")
# What a failure is told by, in this order, where it says so.
_TELLING = ("msg", "module_stderr", "module_stdout", "stderr", "stdout")
_HIDDEN = "hidden, as no_log says"


def _harmless(event: Callable[..., None]) -> Callable[..., None]:
    """Return the method of an event, which never fails: what shows a run must not end it."""

    @functools.wraps(event)
    def tell(self: CallbackModule, *arguments: Any, **options: Any) -> None:
        try:
            event(self, *arguments, **options)
        except Exception as error:
            self.give_up(error, arguments)

    return tell


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core is untyped
    """The callback."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "pextra.cloud.progress"

    def __init__(self) -> None:
        super().__init__()
        self._status = Status()
        self._screen: StatusScreen | None = None
        self._has_failed = False
        # The tasks that changed something, and those that would have, by whether they were only checked.
        self._changes: dict[bool, set[str]] = {False: set(), True: set()}
        # Hosts on which a task has failed, and those on which one has that was run once for all of them.
        self._blamed: set[str] = set()
        self._spared: set[str] = set()
        # Of a host that did not answer, who was asked: itself, unless a task was another's.
        self._asked: dict[str, str] = {}
        self._notes = Notes()
        # The warnings that were told, and whose they are.
        self._warned: set[tuple[str, str]] = set()
        self._diffs: dict[str, list[str]] = {}
        # What failed in the task at work, and why.
        self._told: set[tuple[str, str, str]] = set()
        self._begun_at = time.monotonic()

    def give_up(self, error: Exception, arguments: tuple[Any, ...] = ()) -> None:
        """Go on without the line at the bottom, and say so once. arguments: of the event that failed.

        What failed on a host is told all the same, in the shortest way there is.
        """
        try:
            if self._screen is not None:
                screen, self._screen = self._screen, None
                screen.close()
            if not self._has_failed:
                self._has_failed = True
                self._display.warning(
                    f"The progress display is off ({type(error).__name__}: {error}). The run goes on."
                )
            for one in arguments:
                told = getattr(one, "result", None)
                if isinstance(told, dict) and (told.get("failed") or told.get("unreachable")):
                    self._display.display(render_note("failed", str(one.host), str(told.get("msg", _HIDDEN))))
        except Exception:
            return  # there is nobody left to tell

    @_harmless
    def v2_playbook_on_start(self, playbook: Any) -> None:
        self._status.stages = len(playbook.get_plays())
        if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            self._screen = StatusScreen(self._display, self._status)
            self._screen.open()

    @_harmless
    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._tell_notes()
        status = self._status
        status.stage, status.number = str(play.get_name()).strip(), status.number + 1
        status.stages = max(status.stages, status.number)
        status.tasks, status.tasks_begun, status.task = sum(_count_tasks(one) for one in play.compile()), 0, ""
        if self._screen is None:
            self._display.display(f"[{status.number}/{status.stages}] {status.stage}")
        self._paint()

    @_harmless
    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: ARG002 - Ansible's
        self._tell_notes()
        self._told.clear()
        status = self._status
        status.task = _without_role(task.name, task)
        status.tasks_begun += 1
        status.hosts.clear()
        status.retry = status.wait = ""
        status.done = status.total = 0
        status.begun_at = time.monotonic()
        self._paint()
        if self._screen is not None and task.action in _ASKING:
            self._screen.pause()

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self.v2_playbook_on_task_start(task, is_conditional=False)

    @_harmless
    def v2_playbook_on_vars_prompt(self, *_: Any, **__: Any) -> None:
        if self._screen is not None:
            self._screen.pause()

    @_harmless
    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._status.hosts[host.get_name()] = None
        if task.action not in _ASKING:
            self._paint()

    @_harmless
    def v2_runner_retry(self, result: Any) -> None:
        attempts, retries = result.result.get("attempts"), result.result.get("retries")
        self._status.retry = f"attempt {int(attempts) + 1} of {retries}" if attempts and retries else "again"
        self._paint()

    @_harmless
    def v2_runner_on_ok(self, result: Any) -> None:
        self._leave(result)
        self._tell_further(result)
        told = result.result
        differences = "\n".join(self._diffs.pop(result.host.get_name(), ()))
        if told.get("changed"):
            is_checked = bool(result.task.check_mode)
            self._changes[is_checked].add(result.task._uuid)
            how = "to change" if is_checked else "changed"
            # A plan has been told already, resource by resource.
            if not told.get("plan"):
                self._notes.add(how, self._who(result), _name_of(result), constants.COLOR_CHANGED, differences)
        is_to_be_told = told.get("_ansible_verbose_always") and not told.get("_ansible_verbose_override")
        if is_to_be_told and "results" not in told:
            self._tell_message(result)
        elif self._run_is_verbose(result):
            self._show(f"{self._place('ok', result)} => {self._dump_results(told)}", constants.COLOR_OK)

    @_harmless
    def v2_runner_item_on_ok(self, result: Any) -> None:
        if result.result.get("_ansible_verbose_always"):
            self._tell_message(result)

    @_harmless
    def v2_runner_on_skipped(self, result: Any) -> None:
        self._leave(result)
        self._tell_further(result)
        if self._display.verbosity > 0:
            self._show(self._place("skipped", result), constants.COLOR_SKIP)

    @_harmless
    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._leave(result)
        if not ignore_errors:
            (self._spared if result.task.run_once is True else self._blamed).add(result.host.get_name())
        self._tell_failure(result, "failed", "its failure is ignored" if ignore_errors else "")

    @_harmless
    def v2_runner_item_on_failed(self, result: Any) -> None:
        item = self._get_item_label(result.result)
        self._tell_failure(result, "failed", f"item {item}")

    @_harmless
    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._leave(result)
        host = result.host.get_name()
        # Whoever was asked in the place of the host, which may answer well.
        self._asked[host] = str(result.task_fields.get("delegate_to") or host)
        if not self._display.verbosity:
            # Where the task stands, with the lines around it, for each host once more.
            result.result.pop("exception", None)
        self._tell_failure(result, "no answer", "")

    @_harmless
    def v2_on_file_diff(self, result: Any) -> None:
        told = result.result
        each = told["results"] if result.task.loop and "results" in told else [told]
        texts = (self._get_diff(one["diff"]) for one in each if one.get("diff") and one.get("changed"))
        # They come before what they are of, item by item, and hosts at the same time.
        self._diffs.setdefault(result.host.get_name(), []).extend(text.rstrip("\n") for text in texts if text)

    @_harmless
    def v2_playbook_on_no_hosts_matched(self) -> None:
        self._show("  no host of the inventory is meant by this play", constants.COLOR_SKIP)

    @_harmless
    def v2_playbook_on_no_hosts_remaining(self) -> None:
        self._show("  no host is left to go on with", constants.COLOR_ERROR)

    @_harmless
    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._tell_notes()
        if self._screen is not None:
            self._screen.close()
            self._screen = None
        ends = {host: stats.summarize(host) for host in sort_names(stats.processed)}
        failed = [host for host, end in ends.items() if end["failures"]]
        named = [host for host in failed if host in self._blamed or host not in self._spared]
        silent = list(dict.fromkeys(self._asked.get(host, host) for host, end in ends.items() if end["unreachable"]))
        took = tell_duration(time.monotonic() - self._begun_at)
        is_check = bool(context.CLIARGS.get("check"))
        changes = ", ".join(_count_changes(self._changes, is_check=is_check))
        told = [f"{name_some(named)} failed"] if named else []
        told += [f"{name_some(silent)} did not answer"] if silent else []
        if failed or silent:
            self._show(f"Failed after {took}: {'; '.join([*told, changes])}.", constants.COLOR_ERROR)
        else:
            count = f"{len(ends)} {'host' if len(ends) == 1 else 'hosts'}"
            colour = constants.COLOR_CHANGED if any(self._changes.values()) else constants.COLOR_OK
            self._show(f"{'Checked' if is_check else 'Done'} in {took}: {count}, {changes}.", colour)

    def _paint(self) -> None:
        if self._screen is not None:
            with self._screen.changing():
                pass

    def _show(self, text: str, colour: str | None = None) -> None:
        self._tell_notes()
        self._display.display(text, color=colour)

    def _show_lines(self, lines: Iterable[str], indent: str) -> None:
        """Show lines of text, none wider than the screen if there is one."""
        self._show("\n".join(part for line in lines for part in wrap(f"{indent}{line}", self._width)))

    @property
    def _width(self) -> int | None:
        return self._screen.width if self._screen is not None else None

    def _tell_notes(self) -> None:
        """Show what has been noted of the task at work."""
        for line, colour, text in self._notes.take():
            self._display.display("\n".join(wrap(line, self._width)), color=colour)
            if text:
                self._display.display(text)

    def _leave(self, result: Any) -> None:
        """Note that a host is no longer waited for."""
        self._status.hosts.pop(result.host.get_name(), None)
        self._paint()

    def _who(self, result: Any) -> str:
        """Return whom to name. What is done once for all hosts is done on none of them in particular."""
        if result.result.get("unreachable"):
            return self._asked[result.host.get_name()]
        return "" if result.task.run_once is True else self.host_label(result)

    def _place(self, how: str, result: Any, name: str = "") -> str:
        return render_note(how, self._who(result), name or _name_of(result))

    def _tell_further(self, result: Any) -> None:
        """Show warnings, and deprecations and what was raised as Ansible does."""
        host = result.host.get_name()
        for text in read_warnings(result):
            # Many of ours begin with the host.
            told = text.removeprefix(f"{host}: ")
            if (host, told) not in self._warned:
                self._warned.add((host, told))
                self._notes.add("warning", self._who(result), told, constants.COLOR_WARN)
        self._handle_warnings_and_exception(result)

    def _tell_message(self, result: Any) -> None:
        """Show what a task is there to tell: lines as lines, anything else as data."""
        told = result.result
        message = told.get("msg")
        if isinstance(message, str | list):
            self._show_lines(_lines_of(message), "  ")
            return
        self._clean_results(told, result.task.action)
        self._show(f"  {self._dump_results(told)}")

    def _tell_failure(self, result: Any, how: str, note: str) -> None:
        """Show a failure whole, or who else has failed for the same reason."""
        told = result.result
        name = _name_of(result) + (f" ({note})" if note else "")
        is_hidden = bool(told.get("censored"))
        message = None if self._display.verbosity else read_message(result)
        if message is not None:
            # What Ansible says beside it is where the task stands, which helps who wrote the playbook.
            told.pop("exception", None)
        is_explained = bool(told.get("exception"))
        if is_hidden:
            lines = list(_lines_of(message or _HIDDEN)) if not is_explained else []
        else:
            # What was raised says the message already.
            keys = [key for key in _TELLING if told.get(key) and not (key == "msg" and is_explained)]
            lines = [line for key in keys for line in _lines_of(told[key])]
        reason = (how, name, "\n".join(lines))
        if reason in self._told and not is_explained:
            self._notes.add(how, self._who(result), f"{name}, for the same reason", constants.COLOR_ERROR)
            return
        self._told.add(reason)
        self._show(self._place(how, result, name), constants.COLOR_ERROR)
        self._tell_further(result)
        if lines:
            self._show_lines(lines, "    ")
        if not is_hidden and (self._display.verbosity > 0 or not (lines or is_explained)):
            self._show(f"    {self._dump_results(told)}")


def _count_changes(changes: Mapping[bool, Collection[str]], *, is_check: bool) -> Iterator[str]:
    """Yield how many tasks changed something, and how many would have. changes: the tasks by whether only checked."""
    for is_checked, tasks in changes.items():
        if tasks:
            count = "1 task" if len(tasks) == 1 else f"{len(tasks)} tasks"
            yield f"{count} {'would change' if is_checked else 'changed'} something"
    if not any(changes.values()):
        yield "nothing would change" if is_check else "nothing changed"


def _name_of(result: Any) -> str:
    """Return the name that a task has with the values of that host."""
    return _without_role(result.task.name, result.task)


def _without_role(name: object, task: Any) -> str:
    """Return a task's name without the role that it is of: the stage says enough, and lines are short."""
    return str(name or task.get_name()).strip()


def _lines_of(message: Any) -> Iterator[str]:
    """Yield lines that are safe to show: what a host says must not control the terminal."""
    for one in message if isinstance(message, list) else [message]:
        for line in str(one).splitlines() or [""]:
            yield printable(line.expandtabs())


def _count_tasks(block: Any) -> int:
    """Return how many tasks of a block there are if nothing fails. What is included is known when it is reached."""
    count = 0
    for one in _tasks_of(block):
        inner = getattr(one, "block", None)
        if inner is not None:
            count += _count_tasks(one)
        elif not getattr(one, "implicit", False) and getattr(one, "action", "") not in constants._ACTION_META:
            count += 1
    return count


def _tasks_of(block: Any) -> Iterable[Any]:
    return [*block.block, *block.always]
