# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running guest gets memory and gives it back: in libvirt, and as its kernel counts it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from .instance_rows import look
from .lab import GONE, Lab, Site, wait_until

NAME = "grows"
AT = "devices/memory[@model='virtio-mem']/target"


@pytest.fixture
def guest(lab: Lab, cloud: Site) -> Iterator[Site]:
    boots = lab.console(NAME).count("pextra-guest: ready")
    cloud.module(
        "pextra_vm",
        name=NAME,
        node="node1",
        image="tiny",
        root={"pool": "shared"},
        memory="256 MiB",
        memory_max="512 MiB",
    )
    wait_until("it is up", lambda: lab.console(NAME).count("pextra-guest: ready") > boots, timeout_s=90)
    yield cloud
    cloud.module("pextra_vm", name=NAME, **GONE)


def definition(lab: Lab) -> str:
    return lab.exec(lab.home(NAME), "virsh", "dumpxml", "--inactive", NAME)


def running(lab: Lab) -> str:
    return lab.exec(lab.home(NAME), "virsh", "dumpxml", NAME)


def counted(lab: Lab) -> int:
    """Return how much memory the guest's kernel has, in MiB, as it said last where it is; 0 before it said any."""
    return int([0, *re.findall(r"pextra-guest: memory (\d+) MiB", lab.since_boot(NAME))][-1])


@pytest.mark.long
def test_memory_comes_and_goes(lab: Lab, guest: Site) -> None:
    first = counted(lab)
    for memory, begins in ((448, 384), (300, 256), (512, None)):
        call = {"name": NAME, "memory": f"{memory} MiB"}
        done, again = guest.calls("pextra_vm", call, call)
        assert (done["changed"], done["pending"], again["changed"], again["pending"]) == (True, [], False, [])
        told = [(one["option"], one["after"], one["when"]) for one in done["changes"]]
        assert (told, again["changes"]) == ([("memory", memory, "hot_plug")], [])
        wait_until("its kernel has it", lambda m=memory: counted(lab) == first + m - 256, timeout_s=30)
        now, then = running(lab), definition(lab)
        for name in ("requested", "current"):
            assert look(now, f"{AT}/{name}") == str((memory - 256) * 1024)
        assert [look(xml, "currentMemory") for xml in (now, then)] == [str(memory * 1024)] * 2
        # Its next start gives as much of it as can be without a driver.
        assert look(then, "cpu/numa/cell@memory") == str((begins or memory) * 1024)
        assert look(then, f"{AT}/requested") == (str((memory - begins) * 1024) if begins else None)
        (told,) = guest.module("pextra_vm_info", names=[NAME], figures=True)["vms"]
        assert (told["memory"], told["memory_max"], told["figures"]["memory_given"]) == (memory, 512, memory)
    # It takes along what was plugged, and goes on with it: the first time it moves, the second time it is there.
    for memory in (320, 512):
        guest.module("pextra_vm", name=NAME, memory=f"{memory} MiB")
        wait_until("its kernel has it", lambda m=memory: counted(lab) == first + m - 256, timeout_s=30)
        guest.module("pextra_vm", name=NAME, node="node2")
        assert lab.home(NAME) == "node2"
        for name in ("requested", "current"):
            assert look(running(lab), f"{AT}/{name}") == str((memory - 256) * 1024)
        assert look(definition(lab), "currentMemory") == str(memory * 1024)

    refused = guest.refused_module("pextra_vm", name=NAME, memory="640 MiB")["msg"]
    assert "it can have 512 MiB of memory, and is to have 640 MiB" in refused
    assert counted(lab) == first + 256

    # One that cannot give it back now is asked for it all the same, and the rest is told.
    guest.module("pextra_vm", name=NAME, power="paused")
    call = {"name": NAME, "memory": "384 MiB"}
    done, again = guest.calls("pextra_vm", call, call)
    for result, changed in ((done, True), (again, False)):
        assert result["changed"] is changed
        assert [one["option"] for one in result["pending"]] == ["memory"]
    assert [look(running(lab), f"{AT}/{name}") for name in ("requested", "current")] == ["131072", "262144"]
    guest.module("pextra_vm", name=NAME, power="running")
    wait_until("it gives it back", lambda: counted(lab) == first + 128, timeout_s=30)
    assert guest.module("pextra_vm", **call)["pending"] == []

    boots = lab.console(NAME).count("pextra-guest: ready")
    guest.module("pextra_vm_power", name=NAME, action="restart", force_stop=True, stop_timeout_s=2)
    wait_until("it boots", lambda: lab.console(NAME).count("pextra-guest: ready") > boots, timeout_s=90)
    # What a kernel begins with costs it a little for itself.
    assert first + 120 < counted(lab) <= first + 128
    assert look(running(lab), "cpu/numa/cell@memory") == str(384 * 1024)
    again = guest.module("pextra_vm", name=NAME, memory="384 MiB", memory_max="512 MiB")
    assert (again["changed"], again["pending"]) == (False, [])
