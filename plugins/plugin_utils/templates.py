# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates of the inventory's variables, rendered into plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleError
from ansible.template import Templar
from ansible_collections.pextra.cloud.plugins.module_utils._fields.plain import Unreadable, make_plain
from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import Mistake, shown

INDEX = "pextra_index"


class RenderedList:
    """The elements of a list, each templated anew for every replica of an instance, with its number in pextra_index."""

    def __init__(self, variable: str, raw: object, templar: Templar) -> None:
        self._variable = variable
        self._templar = templar
        self._raw = raw
        self._whole: tuple[int, Any] | None = None
        self.mistakes: list[Mistake] = []
        # None where there is no list.
        self.length: int | None = None
        if raw is None:
            self.length = 0
            return
        if isinstance(raw, Unreadable):
            self.mistakes = [Mistake(variable, raw.problem)]
            return
        if isinstance(raw, str):
            # The list is itself the result of a template.
            value = self._render_whole(1)
            value = [] if value is None else value
        else:
            value = raw
        if isinstance(value, Unreadable):
            self.mistakes = [Mistake(variable, value.problem)]
            return
        if isinstance(value, str) or not isinstance(value, Sequence):
            self.mistakes = [Mistake(variable, f"{shown(make_plain(value))} is not a list")]
            return
        self.length = len(value)

    def render(self, index: int, number: int) -> tuple[Any, list[Mistake]]:
        """Return the plain value of element `index` for replica `number`."""
        if isinstance(self._raw, str):
            value = self._render_whole(number)
            if not isinstance(value, list) or index >= len(value):
                return None, [Mistake(self._variable, f"its length must not depend on {INDEX}")]
            return value[index], []
        self._templar.available_variables[INDEX] = number
        return render_template(self._raw[index], self._templar), []  # type: ignore[index]

    def _render_whole(self, number: int) -> Any:
        if self._whole is None or self._whole[0] != number:
            self._templar.available_variables[INDEX] = number
            self._whole = (number, render_template(self._raw, self._templar))
        return self._whole[1]


def render_template(raw: object, templar: Templar) -> Any:
    """Template a value as a whole. Only if that fails, one by one, so that the others are there."""
    if isinstance(raw, Unreadable):
        return raw
    try:
        return make_plain(templar.template(raw))
    except AnsibleError as error:
        if isinstance(raw, Mapping):
            return {str(key): render_template(item, templar) for key, item in raw.items()}
        if isinstance(raw, list | tuple):
            return [render_template(item, templar) for item in raw]
        return Unreadable(_describe(error))


def _describe(error: AnsibleError) -> str:
    reason = " ".join(str(getattr(error, "message", error)).split())
    return f"its template fails: {reason}"
