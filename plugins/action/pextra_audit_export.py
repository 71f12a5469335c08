# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the audit trail into a file on the controller, page by page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._fields.field import parse
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import InvalidInputError, PextraError, Problem
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.audit.lines import RENDERERS
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.audit.spec import EXPORT, FILTERS
from ansible_collections.pextra.cloud.plugins.plugin_utils.own_file import tell_refusal
from ansible_collections.pextra.cloud.plugins.plugin_utils.runner import ModuleAction
from ansible_collections.pextra.cloud.plugins.plugin_utils.written_file import WrittenFile

_READER = "pextra.cloud.pextra_audit_info"
# At a time; it is some megabytes.
_PAGE = 5000
# What all modules have, and the groups' defaults may give. Nothing is recorded here: nothing of the cloud is changed.
_COMMON = ("registry", "actor", "job", "revision")


class ActionModule(ModuleAction):
    plural = "audit"
    is_recorded = False
    _VALID_ARGS = frozenset({*EXPORT, *_COMMON})

    def act(self, arguments: dict[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in arguments.items() if name not in _COMMON}
        values, mistakes = parse(EXPORT, given, "")
        if mistakes:
            raise InvalidInputError([Problem(mistake.problem, resource=mistake.path) for mistake in mistakes])
        render = RENDERERS[values["format"]]
        host = str(self.variables.get("inventory_hostname") or "")
        asked = {name: given[name] for name in FILTERS if given.get(name) is not None}
        if arguments.get("registry") is not None:
            asked["registry"] = arguments["registry"]
        refusal = tell_refusal(values["path"], "audit")
        if refusal:
            raise InvalidInputError([Problem(f"{values['path']} {refusal}")])
        count = 0
        with WrittenFile(os.path.expanduser(values["path"]), is_kept=not self.applies) as file:
            for entry in self._entries(asked):
                file.write(f"{render(entry, host)}\n".encode("utf-8", "replace"))
                count += 1
            changed = file.finish()
        return {"changed": changed, "path": file.path, "count": count}

    def _entries(self, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Read all that is asked for, a page after the other. Raises PextraError."""
        after: int | None = 0
        while after is not None:
            answer = self.read({**asked, "after": after, "limit": _PAGE}, module=_READER)
            if answer.get("failed") or "entries" not in answer:
                raise PextraError(_problems_of(answer))
            yield from answer["entries"]
            after = answer["next"]


def _problems_of(answer: dict[str, Any]) -> list[Problem]:
    found = [
        Problem(str(error["what"]), str(error["remedy"] or ""), error["node"], error["resource"])
        for error in answer.get("errors") or ()
    ]
    return found or [Problem(str(answer.get("msg") or "the audit trail cannot be read"))]
