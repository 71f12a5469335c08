# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make molecule-own`: the scenario, copied out of the installed collection and changed as the guide says, is run, with
three containers in the place of a user's hosts.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .own import HOSTS, NAMES, Own

ROOT = Path(__file__).resolve().parents[2]
PREFIX = NAMES["pextra-test-"]


def podman(*words: str) -> str:
    return subprocess.run(["podman", *words], capture_output=True, text=True, check=True, timeout=120).stdout


def left() -> list[str]:
    """All that there is on this machine of the test's containers, volumes and networks."""
    containers = [name for one in json.loads(podman("ps", "--all", "--format", "json")) for name in one["Names"]]
    others = [*podman("volume", "ls", "--quiet").split(), *podman("network", "ls", "--quiet").split()]
    return sorted(
        [name for name in containers if name.startswith(PREFIX)]
        + [name for name in others if name.startswith("pextra-test")]
    )


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Own]:
    one = Own(home=tmp_path, collections=ROOT / ".build")
    one.write_deployment()
    one.write_scenario()
    one.change_both_files()
    assert left() == []
    try:
        yield one
    finally:
        one.run("molecule", "destroy")


def test_the_whole_sequence(own: Own) -> None:
    """Made, converged, converged again without a change, looked at, and removed without a trace."""
    said = own.must("molecule", "test", limit_s=3600)
    for host in HOSTS:
        assert f"{host} " in said
    assert left() == []
    assert not (own.home / ".pextra").exists(), "the authority of the real cloud would lie there"


def test_what_it_makes_is_the_inventory(own: Own) -> None:
    own.must("molecule", "converge", limit_s=3600)
    running = [podman("exec", f"{PREFIX}{host}", "virsh", "list", "--name").split() for host in HOSTS]
    assert sorted(name for names in running for name in names) == ["web-1", "web-2"]
    for host in HOSTS:
        assert "eno2" in podman("exec", f"{PREFIX}{host}", "ovs-vsctl", "list-ifaces", "svswitch1").split()
        assert podman("exec", f"{PREFIX}{host}", "virsh", "pool-list", "--name").split() == ["local", "vms"]
    podman("exec", f"{PREFIX}alpha", "touch", "/srv/vms/seen")
    podman("exec", f"{PREFIX}charlie", "test", "-e", "/srv/vms/seen")

    # What is not as declared is found: a machine that somebody switched off, on whichever host it is.
    [host] = [name for name, names in zip(HOSTS, running, strict=True) if "web-1" in names]
    podman("exec", f"{PREFIX}{host}", "virsh", "destroy", "web-1")
    verified = own.run("molecule", "verify")
    assert verified.returncode != 0, verified.stdout
    assert "Compare the instances of all hosts" in verified.stdout

    own.must("molecule", "destroy")
    assert left() == []
