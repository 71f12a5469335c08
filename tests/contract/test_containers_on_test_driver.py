# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helpers of containers on the test driver, whose domains never end by themselves: as where libvirt misses the end."""

from __future__ import annotations

import time
from collections.abc import Callable

import libvirt
import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt import containers
from ansible_collections.pextra.cloud.plugins.module_utils._doors.libvirt.hypervisor import Hypervisor
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import HypervisorError, NotFoundError

NAME = "pextra-helper"
HELPER = f"<domain type='test'><name>{NAME}</name><memory>1024</memory><os><type>hvm</type></os></domain>"
GRACE_S = 0.2


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "_GRACE_S", GRACE_S)
    # The test driver knows no domain that ends with its connection.
    monkeypatch.setattr(libvirt, "VIR_DOMAIN_START_AUTODESTROY", 0)


def names(driver: Hypervisor) -> set[str]:
    return {domain.name() for domain in driver._connection.listAllDomains()}


def run(driver: Hypervisor, has_ended: Callable[[], bool], limit_s: float = 30.0) -> float:
    """Run the helper to its end, and return how long that took, in seconds."""
    begun = time.monotonic()
    for _ in driver.run_container(HELPER, limit_s, "instance box", has_ended):
        time.sleep(0.02)
    return time.monotonic() - begun


def test_one_that_shows_its_end_is_ended_where_libvirt_does_not_say_so(driver: Hypervisor) -> None:
    looks = iter([False, False, True])

    def has_ended() -> bool:
        assert NAME in names(driver)
        return next(looks)

    took = run(driver, has_ended)
    assert NAME not in names(driver)
    assert GRACE_S <= took < 10


def end(driver: Hypervisor) -> None:
    driver._connection.lookupByName(NAME).destroy()


def test_what_libvirt_says_is_enough(driver: Hypervisor) -> None:
    def has_ended() -> bool:
        end(driver)
        return False

    assert run(driver, has_ended) < 10


def test_libvirt_may_end_it_at_the_same_time(driver: Hypervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hypervisor, "_is_there", lambda *_: True)

    def has_ended() -> bool:
        end(driver)
        return True

    assert run(driver, has_ended) < 10


def test_one_that_does_not_get_on_is_ended_within_its_bound(driver: Hypervisor) -> None:
    with pytest.raises(HypervisorError, match="not done within 1 s"):
        run(driver, lambda: False, 1.0)
    assert NAME not in names(driver)


def test_what_cannot_be_looked_at_is_said(driver: Hypervisor) -> None:
    def look() -> bool:
        driver.permissions_of_volume("local", "nothing", "instance box")
        return True

    with pytest.raises(NotFoundError):
        run(driver, look)
