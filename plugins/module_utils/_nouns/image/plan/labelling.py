# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels that the nodes of an image are to carry. Pure."""

from __future__ import annotations

from ...._model.draft import Draft
from ...._model.plan import Step, Work, work_on
from ...._model.rows import Row
from ..versions import versions_of
from .labels import LABEL, labels_of_image
from .state import ImageHave, Site, site_of


def plan_labels(row: Row, have: ImageHave, draft: Draft, stage: list[Work], *, is_uncertain: bool) -> None:
    """Every node that sees a copy carries what is known of the image. What is not known yet is written afterwards.

    row: as it will be.
    """
    seen_by: dict[str, list[Site]] = {}
    for key in sorted({key for version in versions_of(row) for key in version.copies}):
        site = site_of(key, have)
        for node in site.through if site is not None else ():
            seen_by.setdefault(node.name, []).append(site)  # type: ignore[arg-type]
    label = f"{LABEL}{row.name}"
    for node in (node for node in have.nodes if node.scope == row.scope):
        sites = seen_by.get(node.name, [])
        if node.name not in have.labels:
            if sites:
                draft.note_down(node.name, have.down)
            continue
        keys = sorted(site.key for site in sites)
        wanted = labels_of_image(row, keys).get(label)
        if have.labels[node.name].get(label) == wanted and not (is_uncertain and keys):
            continue
        data = {
            "name": row.name,
            "scope": row.scope,
            # Copies that leave do so at the same time.
            "copies": {version.id: sorted(set(version.copies) & set(keys)) for version in versions_of(row)},
            "refresh": sorted(site.pool.name for site in sites if site.node is None),
        }
        step = Step("label", "write its label" if keys else "remove its label", data)
        stage.append(work_on(row, [step], node=node.name))
