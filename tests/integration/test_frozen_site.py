# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node, or one of its daemons, that answers no more costs a run its own bound once, and nothing else."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from .lab import Lab, Run, Site

NODE = "node3"
# What one frozen node may cost beyond the usual time.
BOUND_S = 30


@contextmanager
def paused(lab: Lab) -> Iterator[None]:
    subprocess.run(["podman", "pause", f"pextra-{NODE}"], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["podman", "unpause", f"pextra-{NODE}"], check=True, capture_output=True)


def stopped(name: str) -> Callable[[Lab], object]:
    """Stop all processes of a name: their sockets stay, and take connections that nobody answers."""

    @contextmanager
    def stop(lab: Lab) -> Iterator[None]:
        lab.sh(NODE, f"pkill -STOP -x {name}")
        try:
            yield
        finally:
            lab.sh(NODE, f"pkill -CONT -x {name}")

    return stop


# What is told of it, and where the remedy looks.
FROZEN = [
    pytest.param(paused, "it did not answer over ssh", "ssh", id="node"),
    pytest.param(stopped("sshd"), "it did not answer over ssh", "ssh", id="sshd"),
    pytest.param(stopped("libvirtd"), "libvirtd is frozen", "libvirtd", id="libvirtd"),
    pytest.param(
        stopped("stunnel4"), "stunnel before Open vSwitch's database is frozen", "pextra-ovsdb-tls", id="stunnel"
    ),
]


@pytest.fixture(scope="module")
def usual_s(cloud: Site) -> float:
    cloud.run().must_change_nothing()
    start = time.monotonic()
    cloud.run().must_change_nothing()
    return time.monotonic() - start


def elsewhere(lab: Lab) -> str:
    """Return an instance that runs on another node."""
    return next(name for name in ("web-1", "web-2", "web-3") if lab.home(name) != NODE)


def check(lab: Lab, run: Run, took_s: float, usual_s: float, home: str, mended: str) -> None:
    assert run.code != 0, run.output[-6000:]
    assert took_s <= usual_s + BOUND_S, f"{took_s:.1f} s, usually {usual_s:.1f} s\n{run.output[-6000:]}"
    assert lab.domains(home)[mended] == "running", run.output[-6000:]
    assert "Traceback" not in run.output


def check_told(run: Run, what: str, unit: str) -> None:
    """The end of the run tells the node, its daemon and the remedy in one sentence after the other."""
    end = run.output[run.output.rindex("TASK [Tell what is not as declared]") :]
    assert re.search(rf"{NODE}: {re.escape(what)}.*systemctl status {unit}\b", end), end
    assert f"{NODE}: {NODE}:" not in end


@pytest.mark.long
@pytest.mark.parametrize(("freeze", "what", "unit"), FROZEN)
def test_frozen_before_a_run(
    lab: Lab, cloud: Site, usual_s: float, freeze: Callable[[Lab], Iterator[None]], what: str, unit: str
) -> None:
    mended = elsewhere(lab)
    home = lab.home(mended)
    lab.exec(home, "virsh", "destroy", mended)
    with freeze(lab):  # type: ignore[attr-defined]
        start = time.monotonic()
        run = cloud.run(timeout_s=300)
        took_s = time.monotonic() - start
        # podman exec does not reach into a paused container, so only the other is looked at.
        check(lab, run, took_s, usual_s, home, mended)
        check_told(run, what, unit)
    cloud.run().must_change_nothing()


@pytest.mark.long
@pytest.mark.parametrize(("freeze", "what", "unit"), FROZEN)
def test_frozen_during_a_run(
    lab: Lab, cloud: Site, usual_s: float, freeze: Callable[[Lab], Iterator[None]], what: str, unit: str
) -> None:
    mended = elsewhere(lab)
    home = lab.home(mended)
    lab.exec(home, "virsh", "destroy", mended)
    start = time.monotonic()
    process = cloud.start()
    assert process.stdout is not None
    for line in process.stdout:
        if "TASK [pextra.cloud.preflight : Keep what the host is" in line:
            break  # it has answered, and is asked again at once
    with freeze(lab):  # type: ignore[attr-defined]
        run = cloud.wait(process, timeout_s=300)
        took_s = time.monotonic() - start
        check(lab, run, took_s, usual_s, home, mended)
        check_told(run, what, unit)
    cloud.run().must_change_nothing()
