# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is Ansible's in every action that has a module, as module_utils/_runner.py is in every module.

The only reader of check mode among the actions, and the only place where their errors become results.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.pextra.cloud.plugins.module_utils._engine.origin import find_user
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import (
    PextraError,
    Problem,
    tell_problems,
)
from ansible_collections.pextra.cloud.plugins.module_utils._model.origin import find_origin
from ansible_collections.pextra.cloud.plugins.plugin_utils.progress import shown_progress


class ModuleAction(ActionBase):  # type: ignore[misc]  # ansible has no types
    """Runs the module of the action's name, and shows its progress. plural: the noun in the progress's name, and in
    the result. is_recorded: the module writes into the audit trail, and is told what the run comes from.

    What has more to do on the controller has an `act` of its own. variables: the host's, as Ansible has them.
    """

    plural: str
    is_recorded = True
    variables: dict[str, Any]

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        self.variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        try:
            arguments = dict(self._task.args)
            if self.is_recorded:
                arguments |= self._origin_of(arguments)
            result.update(self.act(arguments))
        except PextraError as error:
            result.update(_failed(error.problems))
        return result

    def act(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the action's result. Raises PextraError. arguments: the task's, and the action's to change."""
        return self.call(arguments)

    @property
    def applies(self) -> bool:
        """Whether anything may be changed. In a check nothing may be, on the controller neither."""
        return not self._task.check_mode

    def call(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Run the module, and return its result. In a check it says what it would do."""
        with shown_progress(self, self.plural):
            return self._ask(arguments)

    def read(self, arguments: dict[str, Any], *, module: str | None = None) -> dict[str, Any]:
        """Run a module that only reads, which has no progress, and return its result. module: which, if another."""
        return self._ask(arguments, module)

    def expect(self, arguments: dict[str, Any]) -> list[str]:
        """Return the actions that the module would take, which are none if it would fail. Nothing is changed."""
        is_check = self._task.check_mode
        self._task.check_mode = True
        try:
            return [str(action) for action in self._ask(arguments).get("actions") or ()]
        finally:
            self._task.check_mode = is_check

    def _origin_of(self, arguments: dict[str, Any]) -> dict[str, str]:
        """Return what the run comes from, but for what the task says itself."""
        found = find_origin(self.variables, os.environ, find_user())._asdict()
        return {name: value for name, value in found.items() if value and arguments.get(name) is None}

    def _ask(self, arguments: dict[str, Any], module: str | None = None) -> dict[str, Any]:
        other = {} if module is None else {"module_name": module}
        answer: dict[str, Any] = self._execute_module(module_args=arguments, task_vars=self.variables, **other)
        return answer


def _failed(problems: Sequence[Problem]) -> dict[str, Any]:
    return {"failed": True, "msg": tell_problems(problems), "errors": [problem.as_dict() for problem in problems]}
