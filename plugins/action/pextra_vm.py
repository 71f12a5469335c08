# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks what cloud-init is told by its schema, runs the module of the same name, and shows its progress."""

from __future__ import annotations

from typing import Any

from ansible.utils.display import Display
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import InvalidInputError, Problem
from ansible_collections.pextra.cloud.plugins.plugin_utils.cloud_config import CloudConfigCheck, find_problems_of
from ansible_collections.pextra.cloud.plugins.plugin_utils.runner import ModuleAction


class ActionModule(ModuleAction):
    plural = "vms"

    def act(self, arguments: dict[str, Any]) -> dict[str, Any]:
        check = CloudConfigCheck()
        problems = [Problem(what, resource=path) for path, what in find_problems_of(arguments, check)]
        if problems:
            raise InvalidInputError(problems)
        if check.note is not None:
            Display().warning(f"{check.note}.")
        return self.call(arguments)
