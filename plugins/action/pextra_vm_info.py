# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module of the same name, and adds what the deployment document, which is on the controller, says of each."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.pextra.cloud.plugins.plugin_utils.runner import ModuleAction


class ActionModule(ModuleAction):
    plural = "vms"
    is_recorded = False  # it only reads

    def act(self, arguments: dict[str, Any]) -> dict[str, Any]:
        # The module first: it says what is wrong with the options, and which instances those of identifiers are.
        result = self.read(arguments)
        if result.get("failed") or not boolean(arguments.get("effective") or False):
            return result
        # Only now: who does not ask for it needs no library of the document's on the controller.
        from ansible_collections.pextra.cloud.plugins.plugin_utils.document import (
            list_explained,
            read_document,
            render_refusal,
        )

        found = result[self.plural]
        deployment = read_document(self.variables, self._loader, {one["name"] for one in found})
        if deployment.mistakes:
            return render_refusal(deployment.mistakes)
        told = {}
        # Of a whole cloud it would be thousands of lines, which nobody reads on a screen.
        for one in list_explained(deployment, is_shown=arguments.get("names") is not None):
            values = {value["path"]: value["value"] for value in one["values"]}
            told[values["cluster"], values["name"]] = one["values"]
        effective = [{**one, "effective": told.get((one["cluster"], one["name"]))} for one in found]
        return {**result, self.plural: effective}
