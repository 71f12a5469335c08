# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting and stopping. Pure."""

from __future__ import annotations

from ...._model.plan import Step
from .context import Context


def power_steps(now: str, wanted: str, context: Context) -> list[Step]:
    if now == wanted:
        return []
    if wanted == "stopped":
        return stop_steps(now, context)
    if now == "stopped":
        return [Step("start", "start" if wanted == "running" else "start paused", {"paused": wanted == "paused"})]
    return [Step("resume", "resume") if wanted == "running" else Step("suspend", "pause")]


def stop_steps(now: str, context: Context) -> list[Step]:
    """The guest is asked first, and has its time. Only then is its power cut, where the call allows that."""
    is_forced, timeout_s = context.consent.force_stop, context.consent.stop_timeout_s
    text = f"stop, by force after {timeout_s} s" if is_forced else "stop"
    stop = Step("stop", text, {"timeout_s": timeout_s, "is_forced": is_forced})
    # A paused guest does not feel its power button.
    return [Step("resume", "resume", {"may_fail": is_forced}), stop] if now == "paused" else [stop]
