# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a page that shows the cloud, on the controller. No connection is made."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import InvalidInputError, Problem
from ansible_collections.pextra.cloud.plugins.plugin_utils.page_file import plan_page, write_page
from ansible_collections.pextra.cloud.plugins.plugin_utils.progress import show_lines
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.page import render_page
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.reading_cloud import Answers, read_cloud
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.reading_document import read_document
from ansible_collections.pextra.cloud.plugins.plugin_utils.runner import ModuleAction

_OPTIONS: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "document": {"type": "dict", "required": True},
    "source": {"type": "str", "choices": ["cloud", "document"], "default": "cloud"},
    "cloud": {"type": "dict"},
    "images": {"type": "list", "elements": "dict"},
    "events": {"type": "list", "elements": "dict"},
    "check": {"type": "dict"},
    "problems": {"type": "list", "elements": "dict", "default": []},
    "mode": {"type": "str", "default": "0600"},
    "always": {"type": "bool", "default": False},
}
_MODE = re.compile(r"0?[0-7]{3}")


class ActionModule(ModuleAction):
    plural = "pages"
    is_recorded = False  # nothing of the cloud changes
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset(_OPTIONS)

    def act(self, arguments: dict[str, Any]) -> dict[str, Any]:
        del arguments  # those of the task, which are looked at here
        _, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        # Unquoted, YAML makes another number of it: 0644 becomes 420, which is a mode as well.
        if not isinstance(self._task.args.get("mode", ""), str) or not _MODE.fullmatch(options["mode"]):
            what = f"{options['mode']} is no mode of a file; write three or four octal digits in quotes, such as '0644'"
            raise InvalidInputError([Problem(what)])
        mode = int(options["mode"], 8)
        path = os.path.realpath(options["path"])
        text = _render(options)
        actions = plan_page(path, text, mode, always=options["always"])
        if self.applies:
            if actions:
                write_page(path, text, mode)
            show_lines([f"The page is {path}. Open it in a browser."])
        return {"changed": bool(actions), "actions": actions, "path": path, "size": len(text.encode())}


def _render(options: dict[str, Any]) -> str:
    if options["source"] == "document":
        page = read_document(options["document"])
    else:
        page = read_cloud(Answers(**{name: options[name] for name in Answers.__dataclass_fields__}))
    return render_page(page, f"{datetime.now(tz=UTC):%Y-%m-%dT%H:%MZ}")
