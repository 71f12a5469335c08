# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out what was planned for an instance: its power."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from ..._cloud import Cloud
from ..._model.errors import HypervisorError, NotFoundError, PextraError, Problem
from ..._model.plan import Work
from . import lifetimes
from .apply_targets import clear_switch, domain_of, node_of
from .definition_container import COMPLETE
from .plan import acts

_POLL_EVERY_S = 0.25
_PRESS_EVERY_S = 10
_SLEEP_TIMEOUT_S = 60


def start(cloud: Cloud, work: Work, act: acts.Start) -> None:
    hypervisor = node_of(cloud, work)
    unfinished = hypervisor.find_open_root(domain_of(work), COMPLETE, work.label)
    if unfinished is not None:
        what = f"its files in {unfinished} are not whole: a run that was to make them, or to remove them, was ended"
        raise HypervisorError(
            [Problem(what, "See docs/containers.md, Files that are not whole.", work.node, work.label)]
        )
    if "<interface " in hypervisor.config_xml_of(domain_of(work)):
        clear_switch(cloud, work)
    hypervisor.start_domain(domain_of(work), work.label, paused=act.paused, limit_s=act.limit_s)
    # Nothing depends on it, and the guest may have ended already.
    with contextlib.suppress(PextraError):
        start = lifetimes.render_start(cloud.registry.now())
        hypervisor.mark_running(domain_of(work), start, lifetimes.PREFIX, lifetimes.URI, work.label)
    # One that was paused when it was saved by hand is paused again.
    if act.saved and not act.paused and hypervisor.power_of(domain_of(work), work.label) == "paused":
        hypervisor.resume_domain(domain_of(work), work.label)


def resume(cloud: Cloud, work: Work, act: acts.Resume) -> None:
    # One that cannot go on (its storage is gone) can still be switched off.
    with contextlib.suppress(HypervisorError) if act.may_fail else contextlib.nullcontext():
        node_of(cloud, work).resume_domain(domain_of(work), work.label)


def stop(cloud: Cloud, work: Work, act: acts.Stop) -> Iterator[float]:
    """Press the power button, and wait for the guest. It may not have listened yet, so press again.

    One that does not stop in time is switched off if the call allows that, also if its QEMU does not take the button.
    """
    hypervisor = node_of(cloud, work)
    deadline = time.monotonic() + act.timeout_s
    pressed = 0.0
    what = f"the guest did not stop within {act.timeout_s} s"
    remedy = "Stop it from inside, give it more time (stop_timeout_s), or set force_stop: true."
    fault = unheard = HypervisorError([Problem(what, remedy, work.node, f"instance {work.name}")])
    while hypervisor.power_of(domain_of(work), work.label) != "stopped":
        now = time.monotonic()
        if now >= deadline and act.is_forced:
            hypervisor.force_stop(domain_of(work), work.label)
            return
        if now >= deadline:
            raise fault
        if now - pressed >= _PRESS_EVERY_S:
            pressed, fault = now, unheard
            try:
                limit_s = min(_PRESS_EVERY_S, deadline - now)
                yield from hypervisor.request_shutdown(domain_of(work), work.label, limit_s)
            except NotFoundError:
                continue
            except HypervisorError as error:
                fault = error  # it may go on in time
        yield _POLL_EVERY_S


def wake(cloud: Cloud, work: Work, act: acts.Wake) -> Iterator[float]:
    with contextlib.suppress(HypervisorError) if act.may_fail else contextlib.nullcontext():
        yield from sleep_or_wake(cloud, work, is_sleep=False)


def sleep_or_wake(cloud: Cloud, work: Work, *, is_sleep: bool) -> Iterator[float]:
    hypervisor = node_of(cloud, work)
    (hypervisor.put_to_sleep if is_sleep else hypervisor.wake_up)(domain_of(work), work.label)
    deadline = time.monotonic() + _SLEEP_TIMEOUT_S
    while (hypervisor.state_of(domain_of(work), work.label) == "asleep") is not is_sleep:
        if time.monotonic() >= deadline:
            what = f"the guest did not {'fall asleep' if is_sleep else 'wake up'} within {_SLEEP_TIMEOUT_S} s"
            remedy = "Look at its console: its drivers may refuse. A restart with force_stop: true ends it."
            raise HypervisorError([Problem(what, remedy, work.node, f"instance {work.name}")])
        yield _POLL_EVERY_S
