# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pextra_image does on the controller: look at its files, and copy to the coordinator those that are needed.

The module knows what is missing in the storage pools, so it is asked first, in check mode, whenever a file is not in
the coordinator's cache. A converged cloud costs one look at the cache and one run of the module. Small files of the
controller, signatures and keys, are handed over as the values of their options.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.pextra.cloud.plugins.plugin_utils.image_files import ImageFiles
from ansible_collections.pextra.cloud.plugins.plugin_utils.progress import shown_progress

_MODULE = "pextra.cloud.pextra_image"


class ActionModule(ImageFiles, ActionBase):  # type: ignore[misc]  # ansible has no types
    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        arguments = dict(self._task.args)
        many = arguments.get("images")
        elements = many if isinstance(many, list) else [arguments] if many is None else []
        checked, files, mirrored, problems = self.look_at_files(elements, task_vars)
        if problems:
            lines = [str(problem) for problem in problems]
            message = lines[0] if len(lines) == 1 else f"{len(lines)} problems:\n  " + "\n  ".join(lines)
            result.update(failed=True, msg=message, errors=[problem.as_dict() for problem in problems])
            return result
        if many is None:
            arguments = checked[0] if checked else arguments
        elif checked:
            arguments["images"] = checked
        try:
            absent = [] if self._task.check_mode else self.find_absent(files, mirrored)
            if absent:
                self.stage(absent, lambda: self._expect(arguments, task_vars))
            with shown_progress(self, "images"):
                result.update(self._execute_module(_MODULE, arguments, task_vars=task_vars))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _expect(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> list[str]:
        self._task.check_mode = True
        try:
            answer = self._execute_module(_MODULE, arguments, task_vars=task_vars)
        finally:
            self._task.check_mode = False
        return [str(action) for action in answer.get("actions") or ()]
