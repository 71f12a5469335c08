# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong, out of the result of a task that failed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: problems
short_description: List what is wrong, out of the result of a task that failed
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Takes the result of a failed task of any module and returns what is wrong as the modules of this collection return
    it in C(errors), so that a playbook can go on and tell everything in the end.
positional: host
options:
  _input:
    description: The result, such as C(ansible_failed_result) in a rescue section.
    type: dict
    required: true
  host:
    description: The host on which the task ran. It is the node of problems that name none.
    type: str
    required: true
  task:
    description: The failed task, such as C(ansible_failed_task). Of one that hides its output only the name is told.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Note what failed
  ansible.builtin.set_fact:
    pextra_problems: "{{ ansible_failed_result | pextra.cloud.problems(inventory_hostname, ansible_failed_task) }}"
"""

RETURN = r"""
_value:
  description: Of each problem the node, the resource, what is wrong, and what to do about it.
  type: list
  elements: dict
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

# What Ansible says when nobody became root, in several lines that do not say what to do.
_NOT_ROOT = (
    *("waiting for become success", "waiting for privilege escalation", "Missing sudo password"),
    *("Incorrect sudo password", "Missing su password", "Incorrect su password"),
)
_NOBODY_ROOT = "who logs in there may not become root:"
_BECOME = (
    "Log in as root (ansible_user: root), let that user use sudo without a password, or give it with --ask-become-pass."
)
# Longer texts are a program's output; its end says why it failed.
_MOST = 2000


def problems(result: Mapping[str, Any], host: str, task: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return node, resource, what and remedy of everything that is wrong, each once."""
    found: list[dict[str, Any]] = []
    for one in _find(result, host, task or {}):
        if one not in found:
            found.append(one)
    return found


def _find(result: Mapping[str, Any], host: str, task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    items = [item for item in result.get("results") or () if isinstance(item, Mapping) and item.get("failed")]
    if items:
        for item in items:
            yield from _find(item, host, task)
    elif result.get("errors"):
        # What our own modules say holds no secret, whatever the task hides.
        for error in result["errors"]:
            yield {key: error.get(key) or "" for key in ("resource", "what", "remedy")} | {
                "node": error.get("node") or ("" if error.get("resource") else host)
            }
    else:
        is_hidden = task.get("no_log") or result.get("_ansible_no_log") or "censored" in result
        name = task.get("name") or "a task without a name"
        what = f'the task "{name}" failed, and hides its output' if is_hidden else _describe(result, name)
        if any(words in what for words in _NOT_ROOT):
            yield {"node": host, "resource": "", "what": f"{_NOBODY_ROOT} {_last_line(what)}", "remedy": _BECOME}
        else:
            yield {"node": host, "resource": "", "what": what, "remedy": ""}


def _last_line(text: str) -> str:
    return text.rstrip().splitlines()[-1].strip()


def _describe(result: Mapping[str, Any], name: str) -> str:
    text = str(result.get("msg") or "").strip()
    details = str(result.get("stderr") or result.get("module_stderr") or "").strip()
    if details and details not in text:
        text = f"{text}: {details}" if text else details
    if not text:
        return f'the task "{name}" failed without a word'
    return text if len(text) <= _MOST else "…" + text[-_MOST:]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"problems": problems}
