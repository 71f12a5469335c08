# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody types after a playbook of ours: another one, called as this one was."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from ansible import constants, context


def tell_next(now: str, then: str) -> str | None:
    """Return the command that runs one playbook after another, such as `site` after `validate`.

    None if this run is of another playbook: somebody's own, of which nobody knows here what comes next.
    """
    given = list(context.CLIARGS.get("inventory") or ())
    inventories = [] if given == list(constants.DEFAULT_HOST_LIST) else given
    return render_next(context.CLIARGS.get("args") or (), inventories, os.getcwd(), now, then)


def name_called() -> str | None:
    """Return which playbook of ours this run is of, such as `site`; None of somebody's own, whatever its name is."""
    called = list(context.CLIARGS.get("args") or ())
    if len(called) != 1:
        return None
    path = Path(called[0]).resolve()
    if path.parent == Path(__file__).resolve().parents[2] / "playbooks":
        return path.stem
    named = re.fullmatch(r"pextra\.cloud\.(\w+)", called[0])
    return None if named is None else named[1]


def render_next(
    playbooks: Sequence[str], inventories: Sequence[str], directory: str, now: str, then: str
) -> str | None:
    """See tell_next. playbooks and inventories: as given to this run. directory: where it was started."""
    if len(playbooks) != 1:
        return None
    called = re.fullmatch(rf"(?P<begin>pextra\.cloud\.|(?:.*/)?){now}(?P<end>|\.yml)", playbooks[0])
    if called is None:
        return None
    words = ["ansible-playbook"]
    for inventory in inventories:
        words += ["-i", inventory.removeprefix(f"{directory}/")]
    return shlex.join([*words, f"{called['begin']}{then}{called['end']}"])
