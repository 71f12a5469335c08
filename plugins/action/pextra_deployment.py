# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pextra_deployment does on the controller: hand over images, show progress, and in the end cloud and plan.

Files that have to be copied first are copied when the storage pools are there: only then is it known which are needed.
"""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._run_plan import render_plan
from ansible_collections.pextra.cloud.plugins.plugin_utils.image_files import ImageAction
from ansible_collections.pextra.cloud.plugins.plugin_utils.progress import show_lines, show_tree

# What has to be there before it is known where images are missing.
_BEFORE_IMAGES = ("organizations", "datacenters", "clusters", "nodes", "vswitches", "port_groups", "pools")


class ActionModule(ImageAction):
    plural = "*"

    def act(self, arguments: dict[str, Any]) -> dict[str, Any]:
        begun = time.monotonic()
        checked, files, mirrored, problems = self.look_at_files(arguments.get("images") or [])
        if arguments.get("images"):
            # Those whose files are bad are told below; all others are well without them.
            arguments["images"] = checked
        before: dict[str, Any] = {}
        absent = self.find_absent(files, mirrored)
        if absent:
            first = {name: value for name, value in arguments.items() if name not in ("instances", "volumes")}
            before = self.call({**first, "images": []})
            self.stage(absent, {name: value for name, value in first.items() if name not in _BEFORE_IMAGES})
            arguments = {name: value for name, value in arguments.items() if name not in _BEFORE_IMAGES}
        result = _joined(before, self.call(arguments), problems)
        show_tree(result.get("tree"))
        if "plan" in result:
            took_s = time.monotonic() - begun if self.applies else None
            show_lines(render_plan(result["plan"], result["pending"], took_s))
        return result


def _joined(before: dict[str, Any], after: dict[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """Return one result of two calls and of what was wrong on the controller."""
    for one in (before, after):
        if one.get("failed") and "errors" not in one:
            return one  # it broke, and Ansible says how
    result = dict(after)
    if not before and not problems:
        return result
    for name in ("actions", "changes", "pending", "plan", "diff"):
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
