# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that every work on a volume ends with. Pure."""

from __future__ import annotations

from ..._model.plan import Step
from .context import Context
from .state import Record, find_labelled_nodes, label_of, row_of


def settle(record: Record, text: str, context: Context) -> Step:
    return Step("settle", text, {"row": row_of(record, context.have)})


def label_steps(record: Record, context: Context) -> list[Step]:
    key, text = label_of(record, context.have)
    return [
        Step("label", f"write its label on {node}", {"node": node, "labels": {key: text}})
        for node in find_labelled_nodes(record, context.have)
        if context.have.labels[node].get(key) != text
    ]
