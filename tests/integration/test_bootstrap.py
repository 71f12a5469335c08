# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fresh Debian host and the smallest inventory: what a check says of it, and what a run makes of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .lab import ROOT, Lab, Site, group_vars, lab_command

_ADDRESS = "10.91.0.14"


@pytest.fixture(params=["bare", pytest.param("bare:trixie", marks=pytest.mark.compatibility)])
def fresh(lab: Lab, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """inventories/single for a bare fourth host, which leaves the lab in the end."""
    inventory = tmp_path / "single"
    shutil.copytree(ROOT / "inventories" / "single", inventory)
    hosts = yaml.safe_load((inventory / "hosts.yml").read_text())
    hosts["pextra"]["children"]["pextra_nodes"]["hosts"]["cloud1"] = {
        "pextra_address": _ADDRESS,
        "ansible_host": _ADDRESS,
    }
    hosts["pextra"]["vars"] = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(ROOT / ".build/lab/id_ed25519"),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={ROOT}/.build/lab/known_hosts -o IdentitiesOnly=yes",
        "pextra_ca_dir": str(tmp_path / "ca"),
        "pextra_preflight_exceptions": group_vars("deployment")["pextra_preflight_exceptions"],
    }
    (inventory / "hosts.yml").write_text(yaml.safe_dump(hosts, sort_keys=False))
    lab_command("add", "node4", "--image", request.param, timeout_s=1800)
    try:
        yield Site(lab, inventory)
    finally:
        lab_command("remove", "node4")


def _contents(lab: Lab) -> tuple[str, str]:
    """Return the host's packages, and its files but for those of the services that every Debian runs."""
    return (
        lab.exec("node4", "dpkg-query", "--show"),
        lab.sh(
            "node4", "find /etc /srv /usr/local /var/lib -path /var/lib/systemd -prune -o -printf '%p %m %U\\n' | sort"
        ),
    )


def test_a_fresh_host_is_looked_at_and_becomes_a_cloud(lab: Lab, fresh: Site, tmp_path: Path) -> None:
    before = _contents(lab)
    check = fresh.run("--check", "--diff").must_succeed()
    assert "cloud1 is not prepared: a real run would install packages" in check.output
    assert "cannot be known" in check.output
    assert _contents(lab) == before
    assert not (tmp_path / "ca").exists()

    assert "1 of 1 nodes healthy" in fresh.run().must_succeed().output
    assert "svswitch1" in lab.exec("node4", "ovs-vsctl", "list-br").split()
    assert lab.exec("node4", "virsh", "pool-list", "--name").split() == ["local"]
    fresh.run().must_change_nothing()
