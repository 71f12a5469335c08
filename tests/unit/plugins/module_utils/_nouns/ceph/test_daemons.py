# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Idle units are started, running ones are left alone, and a check only says so."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.pextra.cloud.plugins.module_utils._engine.own_host import converge_on_host
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.ceph.daemons import MonitorWork
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.ceph.host import find_idle_units
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.ceph.monitor import render_address, render_keyring

RUNNING = "Id=ceph-mon@a.service\nActiveState=active\nUnitFileState=enabled\n"
FAILED = "Id=ceph-osd@0.service\nActiveState=failed\nUnitFileState=enabled\n"
FORGOTTEN = "Id=ceph-osd@1.service\nActiveState=active\nUnitFileState=disabled\n"


def test_idle_is_what_does_not_run_or_will_not_after_a_boot() -> None:
    names = ["ceph-mon@a.service", "ceph-osd@0.service", "ceph-osd@1.service"]
    assert find_idle_units(lambda _argv: (0, "\n".join([RUNNING, FAILED, FORGOTTEN]), ""), names) == names[1:]
    assert find_idle_units(lambda _argv: (1, "", "no systemd"), names) == names


def test_a_check_of_a_bare_host_says_what_would_be_done() -> None:
    asked: list[Sequence[str]] = []

    def run(argv: Sequence[str]) -> tuple[int, str, str]:
        asked.append(argv)
        return 0, "Id=ceph-mon@no-such-monitor.service\nActiveState=inactive\nUnitFileState=\n", ""

    work = MonitorWork(run, "no-such-monitor", "f", {"no-such-monitor": "192.0.2.1"})
    assert converge_on_host(work, apply=False, confirm=None).plan.actions == [
        "make the store of the monitor no-such-monitor",
        "start ceph-mon@no-such-monitor.service",
    ]
    assert [argv[:2] for argv in asked] == [["systemctl", "show"]]


def test_monitors_speak_version_2_alone() -> None:
    assert render_address("192.0.2.1") == "[v2:192.0.2.1:3300]"
    assert render_address("2001:db8::1") == "[v2:[2001:db8::1]:3300]"


def test_a_keyring_names_its_owner() -> None:
    assert render_keyring("osd.0", "KEY") == "[osd.0]\n\tkey = KEY\n"
