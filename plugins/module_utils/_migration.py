"""Watching a live migration: it may take as long as it makes progress, and no longer than its memory accounts for."""

from __future__ import annotations

import time
from typing import Any

import libvirt

LOOK_EVERY_S = 1.0
_NO_PROGRESS_S = 60.0
_LEAST_S = 300.0
_SLOWEST_MIB_PER_S = 8
# How long it may take to end once it was stopped.
_ABORT_S = 30.0
_MOVING = {libvirt.VIR_DOMAIN_JOB_BOUNDED, libvirt.VIR_DOMAIN_JOB_UNBOUNDED}


class Migration:
    """One that is under way. domain: on the node that it leaves."""

    def __init__(self, domain: Any) -> None:
        self._domain = domain
        self._began = self._moved = time.monotonic()
        self._limit_s = _LEAST_S + domain.info()[1] / 1024 / _SLOWEST_MIB_PER_S
        self._data: Any = None
        self._aborted: float | None = None
        # Why it was stopped, and what to do about that.
        self.why: tuple[str, str] | None = None
        # All is sent, or nearly, and the target decides whether the guest runs there.
        self.is_handing_over = False

    @property
    def is_late(self) -> bool:
        """Whether it was stopped, and does not end nevertheless."""
        return self._aborted is not None and time.monotonic() - self._aborted > _ABORT_S

    def look(self) -> None:
        """Look at how far it is, and stop it when that is no further than long ago. Raises libvirtError."""
        now = time.monotonic()
        state = self._domain.state()
        self.is_handing_over = state == [libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION]
        stats = self._domain.jobStats()
        data = stats.get(libvirt.VIR_DOMAIN_JOB_DATA_PROCESSED)
        if stats["type"] not in _MOVING or data != self._data:
            self._data, self._moved = data, now
        if now - self._moved > _NO_PROGRESS_S:
            self.stop(
                f"it moved nothing for {_NO_PROGRESS_S:g} s, was stopped, and goes on where it was",
                "Look at the network between the nodes, and at the target; then run again.",
            )
        elif now - self._began > self._limit_s:
            self.stop(
                f"it was not done within {self._limit_s:.0f} s, was stopped, and goes on where it was",
                "Its memory may change faster than the network takes it: move it when it has less to do, or stopped.",
            )

    def stop(self, why: str, remedy: str) -> None:
        """Stop it; the guest goes on where it was. Once it is handed over, that has no effect. Raises libvirtError."""
        if self._aborted is None:
            self._aborted, self.why = time.monotonic(), (why, remedy)
            self._domain.abortJob()
