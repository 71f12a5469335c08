# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting and stopping. Pure."""

from __future__ import annotations

from ...._model.plan import Step, step_of
from .acts import Reset, Resume, Start, Stop, Suspend
from .state import Consent


def power_steps(now: str, wanted: str, consent: Consent, *, saved: bool = False, hangs: bool = False) -> list[Step]:
    """saved: it is stopped, and what was saved of its memory is what it goes on from. hangs: its watchdog has paused
    it, and would not do so again if it only went on.
    """
    if now == wanted:
        return []
    if wanted == "stopped":
        return stop_steps(now, consent)
    if now == "stopped":
        text = "start" if wanted == "running" else "start paused"
        return [step_of(Start(wanted == "paused", saved), f"{text} from what was saved" if saved else text)]
    if wanted == "paused":
        return [step_of(Suspend(), "pause")]
    return [*([step_of(Reset(), "reset, since it hung")] if hangs else []), step_of(Resume(), "resume")]


def stop_steps(now: str, consent: Consent) -> list[Step]:
    """The guest is asked first, and has its time. Only then is its power cut, where the call allows that."""
    is_forced, timeout_s = consent.force_stop, consent.stop_timeout_s
    text = f"stop, by force after {timeout_s} s" if is_forced else "stop"
    stop = step_of(Stop(timeout_s, is_forced), text)
    # A paused guest does not feel its power button.
    return [step_of(Resume(may_fail=is_forced), "resume"), stop] if now == "paused" else [stop]
