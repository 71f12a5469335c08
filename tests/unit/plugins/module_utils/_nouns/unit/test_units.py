# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is restarted, started, masked or reloaded, and that nothing is without a reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.unit.plan import (
    Action,
    Unit,
    UnitStatus,
    parse_status,
    parse_timestamp,
    plan_units,
)

SERVICE = "libvirtd.service"
TLS = "libvirtd-tls.socket"
CONF = "/etc/libvirt/libvirtd.conf"
CERT = "/etc/pki/pextra/cert.pem"
WANTED = Unit(
    name=SERVICE, sockets=(TLS,), files=(CONF,), reload_files=(CERT,), reload=("virt-admin", "server-update-tls")
)
RUNNING = UnitStatus(name=SERVICE, load="loaded", active="active", enabled="enabled", active_since=100.0)
LISTENING = UnitStatus(name=TLS, load="loaded", active="active", enabled="enabled", active_since=90.0)
OLD = {CONF: 50.0, CERT: 50.0, "/etc/systemd/system/x.conf": 50.0}


def texts(
    unit: Unit = WANTED,
    service: UnitStatus = RUNNING,
    socket: UnitStatus = LISTENING,
    times: dict[str, float] | None = None,
) -> list[str]:
    status = {SERVICE: service, TLS: socket}
    return [action.text for action in plan_units([unit], status, OLD | (times or {}))]


def test_nothing_is_done_to_units_as_they_should_be() -> None:
    assert texts() == []


def test_a_newer_file_restarts() -> None:
    assert texts(times={CONF: 101.0}) == [f"restart {SERVICE}"]


def test_a_newer_unit_file_reloads_systemd_and_restarts() -> None:
    service = replace(RUNNING, needs_daemon_reload=True, unit_files=("/etc/systemd/system/x.conf",))
    assert texts(service=service, times={"/etc/systemd/system/x.conf": 101.0}) == [
        "daemon-reload",
        f"restart {SERVICE}",
    ]


def test_what_a_timer_begins_is_read_again() -> None:
    """systemd would go on with the service as it was."""
    other = "/etc/systemd/system/x.service"
    timer = replace(WANTED, files=(other,))
    assert texts(timer, times={other: 101.0}) == ["daemon-reload", f"restart {SERVICE}"]
    assert texts(timer, times={other: 99.0}) == []


def test_a_newer_certificate_reloads_once() -> None:
    assert texts(times={CERT: 101.0}) == [f"reload {SERVICE}"]
    assert texts(times={CERT: 101.0}, service=replace(RUNNING, reloaded_at=102.0)) == []
    assert texts(times={CERT: 103.0}, service=replace(RUNNING, reloaded_at=102.0)) == [f"reload {SERVICE}"]


def test_a_restart_makes_the_reload_needless() -> None:
    assert texts(times={CERT: 101.0, CONF: 101.0}) == [f"restart {SERVICE}"]


def test_a_closed_socket_is_opened_before_the_service() -> None:
    assert texts(socket=UnitStatus(name=TLS, load="loaded", enabled="enabled")) == [
        f"stop {SERVICE}",
        f"start {TLS} {SERVICE}",
    ]


def test_a_socket_with_a_newer_unit_file_is_opened_anew() -> None:
    socket = replace(LISTENING, unit_files=("/etc/systemd/system/x.conf",))
    assert texts(socket=socket, times={"/etc/systemd/system/x.conf": 95.0}) == [
        f"stop {SERVICE} {TLS}",
        f"start {TLS} {SERVICE}",
    ]


def test_a_stopped_service_is_started() -> None:
    assert texts(service=replace(RUNNING, active="inactive")) == [f"start {SERVICE}"]


def test_a_failed_service_is_started() -> None:
    assert texts(service=replace(RUNNING, active="failed")) == [f"start {SERVICE}"]


def test_a_disabled_one_is_enabled() -> None:
    assert texts(service=replace(RUNNING, enabled="disabled")) == [f"enable {SERVICE}"]


@pytest.mark.parametrize("state", ["static", "indirect", "generated", "alias"])
def test_what_cannot_be_enabled_is_not(state: str) -> None:
    assert texts(service=replace(RUNNING, enabled=state)) == []


def test_a_stale_one_restarts_without_a_newer_file() -> None:
    assert texts(unit=replace(WANTED, is_stale=True)) == [f"restart {SERVICE}"]


def test_masking_comes_first_and_stops() -> None:
    units = [replace(WANTED, is_stale=True), Unit(name="libvirtd-tcp.socket", masked=True)]
    actions = plan_units(units, {SERVICE: RUNNING, TLS: LISTENING}, OLD)
    assert actions[0] == Action(("systemctl", "mask", "--now", "libvirtd-tcp.socket"), "mask libvirtd-tcp.socket")
    masked = UnitStatus(name="libvirtd-tcp.socket", load="masked")
    assert plan_units(units[1:], {"libvirtd-tcp.socket": masked}, {}) == []


def test_a_unit_that_is_not_there_is_planned_for() -> None:
    assert [action.text for action in plan_units([Unit(name="x.service")], {}, {})] == [
        "enable x.service",
        "start x.service",
    ]


def test_status_is_parsed() -> None:
    text = """Id=libvirtd.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
NeedDaemonReload=yes
ActiveEnterTimestamp=Sat 2026-11-21 08:45:10.250000 UTC
FragmentPath=/lib/systemd/system/libvirtd.service
DropInPaths=/etc/a.conf /etc/b.conf

Id=none.service
LoadState=not-found
ActiveState=inactive
ActiveEnterTimestamp=
"""
    # systemd tells of c.conf only after it has been reloaded.
    status = parse_status(text, {"libvirtd.service": 5.0}, {"libvirtd.service": ["/etc/b.conf", "/etc/c.conf"]})
    assert status["libvirtd.service"] == UnitStatus(
        name="libvirtd.service",
        load="loaded",
        active="active",
        enabled="enabled",
        needs_daemon_reload=True,
        active_since=1795250710.25,
        reloaded_at=5.0,
        unit_files=("/lib/systemd/system/libvirtd.service", "/etc/a.conf", "/etc/b.conf", "/etc/c.conf"),
    )
    assert not status["none.service"].is_active


@pytest.mark.parametrize("text", ["", "n/a", "yesterday"])
def test_no_time_is_zero(text: str) -> None:
    assert parse_timestamp(text) == 0.0
