# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Storage pools: which nodes have them enabled, and what propagation has to do there. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ...._model.draft import Draft
from ...._model.plan import Plan
from ..spec import Pool
from .conflicts import find_path_conflicts
from .departure import plan_absent
from .presence import plan_present
from .protection import find_protected
from .state import PoolHave
from .targets import Target, resolve


def plan_pools(wants: Sequence[Pool], have: PoolHave) -> Plan:
    """Plan pools over all nodes at once."""
    draft = Draft()
    targets = []
    for want in wants:
        target = resolve(want, have)
        if isinstance(target, Target):
            targets.append(target)
        else:
            draft.refusals += target
    draft.refusals += find_path_conflicts(targets, have)
    kept = list(find_protected(targets, have))
    draft.refusals += kept
    protected = {problem.resource for problem in kept}
    for target in targets:
        if f"pool {target.want.name}" in protected:
            continue
        if target.want.state == "absent":
            plan_absent(target, have, draft)
        else:
            plan_present(target, have, draft)
    return draft.plan()
