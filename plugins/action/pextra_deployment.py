# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pextra_deployment does on the controller: hand over images, show progress, and show the cloud in the end.

Files that have to be copied first are copied when the storage pools are there: only then is it known which are needed.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.plugin_utils.image_files import ImageFiles
from ansible_collections.pextra.cloud.plugins.plugin_utils.progress import show_tree, shown_progress

_MODULE = "pextra.cloud.pextra_deployment"
# What has to be there before it is known where images are missing.
_BEFORE_IMAGES = ("organizations", "datacenters", "clusters", "nodes", "vswitches", "port_groups", "pools")


class ActionModule(ImageFiles, ActionBase):  # type: ignore[misc]  # ansible has no types
    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        arguments = dict(self._task.args)
        checked, files, mirrored, problems = self.look_at_files(arguments.get("images") or [], task_vars)
        if arguments.get("images"):
            # Those whose files are bad are told below; all others are well without them.
            arguments["images"] = checked
        try:
            before: dict[str, Any] = {}
            absent = [] if self._task.check_mode else self.find_absent(files, mirrored)
            if absent:
                first = {name: value for name, value in arguments.items() if name not in ("instances", "volumes")}
                before = self._converge({**first, "images": []}, task_vars)
                images = {name: value for name, value in first.items() if name not in _BEFORE_IMAGES}
                self.stage(absent, lambda: self._expect(images, task_vars))
                arguments = {name: value for name, value in arguments.items() if name not in _BEFORE_IMAGES}
            result.update(_joined(before, self._converge(arguments, task_vars), problems))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        show_tree(result.get("tree"))
        return result

    def _converge(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        with shown_progress(self, "*"):
            answer: dict[str, Any] = self._execute_module(_MODULE, arguments, task_vars=task_vars)
        return answer

    def _expect(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> list[str]:
        self._task.check_mode = True
        try:
            answer = self._execute_module(_MODULE, arguments, task_vars=task_vars)
        finally:
            self._task.check_mode = False
        return [str(action) for action in answer.get("actions") or ()]


def _joined(before: dict[str, Any], after: dict[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """Return one result of two calls and of what was wrong on the controller."""
    for one in (before, after):
        if one.get("failed") and "errors" not in one:
            return one  # it broke, and Ansible says how
    result = dict(after)
    if not before and not problems:
        return result
    for name in ("actions", "pending", "diff"):
        if before.get(name) or after.get(name):
            result[name] = [*(before.get(name) or ()), *(after.get(name) or ())]
    result["changed"] = bool(before.get("changed") or after.get("changed"))
    errors = [problem.as_dict() for problem in problems]
    messages = [str(problem) for problem in problems]
    for one in (before, after):
        if one.get("failed"):
            errors += [error for error in one["errors"] if error not in errors]
            messages.append(str(one.get("msg")))
    if errors:
        result.update(failed=True, errors=errors, msg="\n".join(messages))
    return result
