# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of variables that begin like the deployment document's, and mean nothing."""

from __future__ import annotations

from collections.abc import Iterable

from .._model.mistake import Mistake, shown, suggest
from .variables import (
    DOCUMENT,
    HOST,
    ROLE_VARIABLES,
    is_known_variable,
)


def find_unknown_variables(names: Iterable[str]) -> list[Mistake]:
    """A misspelt variable would silently leave out what it declares."""
    mistakes = []
    for name in sorted(set(names)):
        if is_known_variable(name):
            continue
        if name in ("pextra_nodes", "pextra_coordinators"):
            problem = "is an inventory group, not a variable; list the hosts in the inventory"
        else:
            advice = suggest(name, (*DOCUMENT, *HOST, *ROLE_VARIABLES))
            advice = (
                advice or " Names of variables that begin with pextra_ are reserved; docs/deployment.md lists them."
            )
            problem = f"unknown variable.{advice}"
        mistakes.append(Mistake(shown(name)[1:-1], problem))
    return mistakes
