# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two coordinators with one registry, in PostgreSQL: each has the propagation job, and one of them acts."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.lab import INVENTORY, Lab, Site, wait_until

COORDINATORS = ("node1", "node2")
DATABASE_HOST, DATABASE_ADDRESS = "node3", "10.91.0.13"
PROGRAM = "/usr/local/lib/pextra/pextra-coordinator propagate"
# Starts the job with the next but two second of the clock, which the containers have in common.
AT_ONCE = f"""
rm -f /tmp/at-once
systemd-run --quiet --collect --on-calendar="$(date -d '+3 seconds' +%T)" --timer-property=AccuracySec=1ms \\
    sh -c '{PROGRAM} >/tmp/at-once.part 2>&1; echo ended >>/tmp/at-once.part; mv /tmp/at-once.part /tmp/at-once'
"""
POOLS = tuple(f"both-{number}" for number in range(10))
INTERVAL_S = 2
# For one database that only the lab's network can reach, and that goes when the test ends.
INSTALL = """
apt-get -qq update >/dev/null
DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends postgresql >/dev/null 2>&1
cd /etc/postgresql/*/main
echo "listen_addresses = '*'" > conf.d/pextra.conf
echo 'host pextra pextra 10.91.0.0/24 scram-sha-256' >> pg_hba.conf
systemctl restart postgresql
"""
REMOVE = """
DEBIAN_FRONTEND=noninteractive apt-get -qq purge 'postgresql*' >/dev/null 2>&1
apt-get -qq autoremove --purge >/dev/null 2>&1
rm -rf /var/lib/postgresql /etc/postgresql
"""

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def both(cloud: Site, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The lab's cloud with two coordinators, and ten pools. Afterwards it is as it was."""
    password = secrets.token_hex(16)
    lab.sh(DATABASE_HOST, INSTALL)
    lab.exec(
        DATABASE_HOST, "runuser", "-u", "postgres", "--", "psql", "--quiet",
        stdin=f"CREATE ROLE pextra LOGIN PASSWORD '{password}';\nCREATE DATABASE pextra OWNER pextra;\n",
    )  # fmt: skip
    url = f"postgresql://pextra:{password}@{DATABASE_ADDRESS}/pextra"
    more: dict[str, Any] = {
        "pextra_coordinators": {
            "hosts": dict.fromkeys(COORDINATORS),
        },
        "all": {"vars": {"pextra_registry_url": url}},
    }
    overlay = tmp_path_factory.mktemp("inventory") / "hosts.yml"
    overlay.write_text(yaml.safe_dump(more))
    site = two_coordinators(lab, overlay, url)
    site.run("-e", f"pextra_propagation_interval={INTERVAL_S}", timeout_s=1200).must_succeed()
    site.module("pextra_pool", pools=pools("present"))
    yield site
    site.module("pextra_pool", pools=pools("absent"))
    cloud.run().must_succeed()
    lab.sh(DATABASE_HOST, REMOVE)
    lab.on_all("rm", "-rf", "/srv/both")


def two_coordinators(lab: Lab, overlay: Path, url: str) -> Site:
    """Modules that tests call by themselves must look into the same registry."""

    class SharedSite(Site):
        def module(self, name: str, /, **options: Any) -> dict[str, Any]:
            return super().module(name, registry=url, **options)

    return SharedSite(lab, INVENTORY, overlay)


def pools(state: str) -> list[dict[str, Any]]:
    return [{"name": name, "path": f"/srv/both/{name}", "state": state} for name in POOLS]


def undefine(lab: Lab, node: str) -> None:
    commands = "; ".join(f"pool-destroy {pool}; pool-undefine {pool}" for pool in POOLS)
    lab.exec(node, "virsh", "--quiet", commands, check=False)


def defined(lab: Lab, node: str) -> set[str]:
    return set(lab.exec(node, "virsh", "pool-list", "--name").split()) & set(POOLS)


def test_the_job_is_on_both_and_a_second_run_changes_nothing(both: Site, lab: Lab) -> None:
    for node in COORDINATORS:
        assert lab.sh(node, "systemctl is-active pextra-propagation.timer").strip() == "active"
    assert lab.sh("node3", "systemctl is-active pextra-propagation.timer || true").strip() == "inactive"
    both.run("-e", f"pextra_propagation_interval={INTERVAL_S}").must_change_nothing()


@pytest.mark.parametrize("left", COORDINATORS)
def test_either_brings_back_what_is_gone(left: str, both: Site, lab: Lab) -> None:
    other = next(node for node in COORDINATORS if node != left)
    lab.sh(other, "systemctl stop pextra-propagation.timer pextra-propagation.service")
    try:
        for node in lab.nodes:
            undefine(lab, node)
        for node in lab.nodes:
            wait_until(f"all are back on {node}", lambda node=node: defined(lab, node) == set(POOLS), 30)
        events = both.module("pextra_registry_info", names=[POOLS[0]])["events"]
        assert events[0]["actor"].startswith(f"propagation at {left} ")
    finally:
        lab.sh(other, "systemctl start pextra-propagation.timer")


def test_of_two_at_once_one_acts(both: Site, lab: Lab) -> None:
    """Started at the same moment on both, again and again: each time all is done once, and by one of them."""
    for node in COORDINATORS:
        lab.sh(node, "systemctl stop pextra-propagation.timer pextra-propagation.service")
    try:
        for _ in range(5):
            undefine(lab, "node3")
            for node in COORDINATORS:
                lab.sh(node, AT_ONCE)
            said = {
                node: wait_until(f"{node} is done", lambda node=node: lab.sh(node, "cat /tmp/at-once || true"), 30)
                for node in COORDINATORS
            }
            done = [node for node, text in said.items() if "define and start" in text]
            assert len(done) == 1, said
            assert said[done[0]].count("define and start") == len(POOLS)
            (idle,) = set(COORDINATORS) - set(done)
            assert "has been changing it since" in said[idle] or said[idle] == "ended\n", said
            assert defined(lab, "node3") == set(POOLS)
    finally:
        for node in COORDINATORS:
            lab.sh(node, "rm -f /tmp/at-once; systemctl start pextra-propagation.timer")


def test_the_password_is_nowhere_to_be_seen(both: Site, lab: Lab) -> None:
    settings = lab.exec("node1", "cat", "/etc/pextra/coordinator.json")
    password = settings.split("pextra:")[1].split("@")[0]
    assert len(password) == 32
    for node in COORDINATORS:
        assert lab.sh(node, "stat -c '%a %U' /etc/pextra/coordinator.json").strip() == "600 root"
        seen = "cat >/run/pextra-secret; journalctl --no-pager | grep -cFf /run/pextra-secret; rm /run/pextra-secret"
        assert lab.exec(node, "sh", "-c", f"umask 077; {seen}", stdin=password).strip() == "0"
    assert password not in both.run("-vvv", "--tags", "coordinator").output
