# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the module of the same name, and shows its progress."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.pextra.cloud.plugins.plugin_utils.progress import shown_progress


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible has no types
    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        with shown_progress(self, "ceph"):
            result.update(self._execute_module(task_vars=task_vars))
        return result
