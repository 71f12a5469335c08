# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judgement of the probe, and the probe itself where the machine has the device."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host import kvm as _kvm
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.kvm import judge, probe_kvm

GOOD_SUM = sum(range(1, _kvm.LOOPS + 1)) & 0xFFFFFFFF


def report(stages: str = "RPLXD", **values: object) -> bytes:
    return stages.encode() + json.dumps({"sum": GOOD_SUM, "loop_cpu_s": 0.0004} | values).encode()


def test_a_guest_at_hardware_speed_works() -> None:
    verdict = judge(report())
    assert verdict.state == "works"
    assert verdict.virt_type == "kvm"


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (report(loop_cpu_s=0.27), "emulates instructions"),
        (report(sum=7), "computed 7 instead of"),
        (b'RP{"error": "unexpected exit 8 (shutdown (triple fault))"}', "after: protected mode: unexpected exit 8"),
        (b'{"error": "[Errno 22] Invalid argument"}', "after: nothing: [Errno 22]"),
        (b"RP", "did not end within 5 s; the last it reached was: protected mode"),
        (b"", "the last it reached was: nothing"),
        (b'RPLX{"sum": 1', "exception handling"),
        (b"\xff\xfe", "the last it reached was: nothing"),
    ],
)
def test_everything_else_is_broken_and_says_how(written: bytes, reason: str) -> None:
    verdict = judge(written)
    assert verdict.state == "broken"
    assert verdict.virt_type == "qemu"
    assert reason in verdict.reason


def test_the_reason_does_not_change_from_run_to_run() -> None:
    assert judge(report(loop_cpu_s=0.27)) == judge(report(loop_cpu_s=0.31))


def test_a_device_that_is_not_there_is_absent(tmp_path: Path) -> None:
    verdict = probe_kvm(str(tmp_path / "kvm"))
    assert (verdict.state, verdict.virt_type) == ("absent", "qemu")


def test_a_file_in_its_place_is_broken(tmp_path: Path) -> None:
    (tmp_path / "kvm").touch()
    verdict = probe_kvm(str(tmp_path / "kvm"))
    assert verdict.state == "broken"
    assert "after: nothing" in verdict.reason


def test_a_guest_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def hang(_handle: int, writer: int) -> dict[str, object]:
        os.write(writer, b"R")
        while True:
            time.sleep(1)

    monkeypatch.setattr(_kvm, "_run_guest", hang)
    (tmp_path / "kvm").touch()
    started = time.monotonic()
    verdict = probe_kvm(str(tmp_path / "kvm"), timeout_s=1)
    assert verdict.state == "broken"
    assert "first instruction" in verdict.reason
    assert time.monotonic() - started < 3
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.skipif(not os.access("/dev/kvm", os.R_OK | os.W_OK), reason="this machine has no /dev/kvm for us")
def test_the_real_device_is_judged_twice_alike_and_in_time() -> None:
    started = time.monotonic()
    first, second = probe_kvm("/dev/kvm"), probe_kvm("/dev/kvm")
    assert first == second
    assert first.state in ("works", "broken")
    assert time.monotonic() - started < 2 * (_kvm.TIMEOUT_S + 2)


def test_a_device_that_was_taken_away_is_not_looked_for_without_our_mark(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_kvm, "DEVICE", tmp_path / "kvm")
    monkeypatch.setattr(_kvm, "REMOVED_MARK", tmp_path / "mark")
    assert _kvm.probe_host_kvm().state == "absent"
