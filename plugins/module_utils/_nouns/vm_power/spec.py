# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to an instance's power, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._fields.common import CLUSTER, parse_spec
from ..._fields.field import Field
from ..._model.mistake import Mistake

ACTIONS = ("restart", "reset", "pause", "suspend_to_memory", "save", "resume", "nmi", "discard_saved")
FIELDS = {
    "name": Field(kind="str", required=True, help="The instances, by name or identifier; one alone needs no list."),
    "cluster": CLUSTER,
    "action": Field(
        kind="str",
        required=True,
        choices=ACTIONS,
        help="V(restart) asks the guest to stop, waits for it, and starts it. V(reset) presses the reset button: what "
        "the guest had not written is lost. V(pause) halts its virtual CPUs; its memory stays taken. "
        "V(suspend_to_memory) has the agent in the guest suspend it (S3). V(save) writes its memory to the node's "
        "disk, and ends it. V(resume) lets go on what is paused, suspended to memory or saved. V(nmi) sends it a "
        "non-maskable interrupt, on which many guests write a dump. V(discard_saved) deletes what was saved of its "
        "memory, so that it boots at its next start; it needs O(confirm=DESTROY).",
    ),
    "stop_timeout_s": Field(
        kind="int",
        default=90,
        minimum=1,
        maximum=3600,
        help="For V(restart), how many seconds the guest has to stop after it was asked to.",
    ),
    "force_stop": Field(
        kind="bool",
        default=False,
        help="For V(restart), whether the power of a guest that has not stopped by then is cut. What it had not "
        "written is lost. Without it the restart fails, and the guest goes on.",
    ),
}


@dataclass(frozen=True, kw_only=True)
class PowerAct:
    name: str
    action: str
    cluster: str | None = None
    stop_timeout_s: int = 90
    force_stop: bool = False


def parse_power_act(raw: Mapping[str, Any], path: str) -> tuple[PowerAct | None, list[Mistake]]:
    """Parse what is to be done to one instance. Returns (act or None, mistakes)."""
    return parse_spec(FIELDS, PowerAct, raw, path)
