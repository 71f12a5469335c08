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

from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import PextraError
from ansible_collections.pextra.cloud.plugins.plugin_utils.image_files import ImageAction


class ActionModule(ImageAction):
    plural = "images"

    def act(self, arguments: dict[str, Any]) -> dict[str, Any]:
        many = arguments.get("images")
        elements = many if isinstance(many, list) else [arguments] if many is None else []
        checked, files, mirrored, problems = self.look_at_files(elements)
        if problems:
            raise PextraError(problems)
        if many is None:
            arguments = checked[0] if checked else arguments
        elif checked:
            arguments["images"] = checked
        absent = self.find_absent(files, mirrored)
        if absent:
            self.stage(absent, arguments)
        return self.call(arguments)
