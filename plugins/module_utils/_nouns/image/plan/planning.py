# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images: which pools hold a copy of which file, and what is missing. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ...._model.draft import Draft
from ...._model.plan import Plan
from ..spec import Image
from .departure import plan_absent
from .presence import plan_present
from .state import ImageHave
from .targets import Target, resolve


def plan_images(wants: Sequence[Image], have: ImageHave) -> Plan:
    """Plan images over all pools and nodes at once."""
    draft = Draft()
    for want in wants:
        target = resolve(want, have)
        if not isinstance(target, Target):
            draft.refusals += target
        elif want.state == "absent":
            plan_absent(target, have, draft)
        else:
            plan_present(target, have, draft)
    return draft.plan()
