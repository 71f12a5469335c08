# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of organizations, datacenters and clusters: who takes whose name."""

from __future__ import annotations

from collections.abc import Sequence

from ..._model.mistake import Mistake, shown
from ..._nouns.cluster.spec import Cluster
from ..._nouns.datacenter.spec import Datacenter
from ..._nouns.organization.spec import Organization
from ..elements import Declared


def find_former_name_mistakes(
    declared: Sequence[Declared[Organization]] | Sequence[Declared[Datacenter]] | Sequence[Declared[Cluster]],
) -> list[Mistake]:
    """What two of one kind say they were called would be one, under two names."""
    mistakes = []
    present = [element for element in declared if element.spec.state == "present"]
    names = {element.spec.name for element in present}
    taken: dict[str, str] = {}
    for element in present:
        former = element.spec.former_name
        if former is None:
            continue
        path = f"{element.path}.former_name"
        if former == element.spec.name:
            mistakes.append(Mistake(path, f"{shown(former)} is the name that it has; leave it out"))
        elif former in names:
            mistakes.append(
                Mistake(path, f"{shown(former)} is the name of another one that is declared; leave one out")
            )
        elif former in taken:
            mistakes.append(Mistake(path, f"{shown(former)} is what {taken[former]} was called; leave one out"))
        taken.setdefault(former, element.spec.name)
    return mistakes
