# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the deployment document from the inventory's variables, check it as a whole, and return it complete.

Everything happens on the controller: no connection is made and no module runs.
"""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.pextra.cloud.plugins.module_utils._document.document import Deployment
from ansible_collections.pextra.cloud.plugins.module_utils._document.formats import FORMATS
from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import shown, suggest
from ansible_collections.pextra.cloud.plugins.plugin_utils.document import (
    list_explained,
    publish_findings,
    read_document,
    render_refusal,
)

# How many names are told where none is like the one that was given.
_LISTED = 8


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core is untyped
    """The action."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _VALID_ARGS = frozenset({"dest", "explain", "format"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        explain = self._task.args.get("explain")
        dest = self._task.args.get("dest")
        how = self._task.args.get("format") or ("text" if dest else None)
        _require_format(how)
        deployment = read_document(task_vars or {}, self._loader, () if explain is None else (str(explain),))
        result["changed"] = False
        if how is not None:
            publish_findings(deployment, str(how), None if dest is None else str(dest))
        if deployment.mistakes:
            return {**result, **render_refusal(deployment.mistakes)}
        result["document"] = deployment.document
        result["summary"] = deployment.summary
        if explain is not None:
            _require_told(str(explain), deployment)
            result["effective"] = list_explained(deployment, is_shown=True)
        # The document holds user data and password hashes. Registered, it is whole; on screens and in logs it is not.
        result["_ansible_no_log"] = True
        return result


def _require_format(how: object) -> None:
    if how is not None and how not in FORMATS:
        raise AnsibleActionFail(f"{shown(how)} is no format of what is found. It is one of {', '.join(FORMATS)}.")


def _require_told(name: str, deployment: Deployment) -> None:
    if deployment.effective:
        return
    names = [str(one["name"]) for one in deployment.document["instances"]]
    advice = suggest(name, names) or f" Declared: {', '.join(names[:_LISTED]) or 'none'}."
    raise AnsibleActionFail(f"{shown(name)} is no instance of the deployment.{advice}")
