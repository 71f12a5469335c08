# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A document with many mistakes: all are told at once, and nothing is touched."""

from __future__ import annotations

from typing import Any

from .lab import Lab, Site, group_vars

_ROOT = {"pool": "local", "size": "64 MiB"}


def _instance(name: Any, address: str, **more: Any) -> dict[str, Any]:
    nics = [{"port_group": "Production", "addresses": [address]}]
    return {"name": name, "flavor": "small", "image": "tiny", "root": _ROOT, "nics": nics, **more}


def test_every_mistake_is_told_and_nothing_is_touched(lab: Lab, cloud: Site) -> None:
    document = {
        "pextra_vswitches": [{"name": "svswitch0"}, {"name": "svswitch10", "uplinks": ["eth0", "eth1"]}],
        "pextra_port_groups": [
            {"name": "Production", "vswitch": "svswitch10", "vlan": 5000},
            {"name": "DMZ", "vswitch": "svswitch11", "vlan": 99},
        ],
        "pextra_pools": [*group_vars("storage")["pextra_pools"], {"name": "../etc"}],
        "pextra_instances": [
            _instance("web", "172.20.0.11/24"),
            _instance("web", "172.20.0.12/24"),
            _instance(False, "172.20.0.13/24"),
            _instance("twin", "172.20.0.11/24"),
            _instance("xml", "172.20.0.14/24", description="<b>bold</b>"),
            _instance("line", "172.20.0.15/24", cloud_init={"hostname": "a\nb"}),
            _instance("key", "172.20.0.16/24", memroy="1 GiB"),
            _instance("type", "172.20.0.17/24", vcpus="two"),
        ],
    }
    told = {
        "pextra_vswitches[0] (svswitch0).name": "write svswitchN with N from 1",
        "pextra_vswitches[1] (svswitch10).uplinks[0]": "management",
        "pextra_port_groups[0] (Production).vlan": "5000 is out of range",
        "pextra_port_groups[1] (DMZ).vswitch": "svswitch11",
        "pextra_instances[1] (web).name": "web",
        "pextra_instances[2].name": "put the word in quotes",
        "pextra_instances[3] (twin).nics[0].addresses[0]": "172.20.0.11",
        "pextra_instances[4] (xml).description": 'holds "<", ">"',
        "pextra_instances[5] (line).cloud_init.hostname": "is not a host name",
        "pextra_instances[6] (key).memroy": 'Did you mean "memory"?',
        "pextra_instances[7] (type).vcpus": "is not a whole number",
    }
    before = lab.snapshot()
    with cloud.overlay(document) as extra:
        run = cloud.run(*extra)
    assert run.code != 0
    assert "Traceback" not in run.output
    assert not {host: counts for host, counts in run.hosts.items() if counts["changed"] or counts["ok"]}
    lines = run.output.splitlines()
    for path, words in told.items():
        assert any(path in line and words in line for line in lines), f"{path}: {words}\n{run.output[-6000:]}"
    assert any("pextra_pools" in line and "../etc" in line for line in lines)
    assert lab.snapshot() == before


def test_more_memory_than_the_cluster_has_is_refused(lab: Lab, cloud: Site) -> None:
    """How much the hosts have is known on the coordinator only."""
    before = lab.snapshot()
    refused = cloud.refused_module("pextra_vm", name="huge", memory="900 GiB", nics=[], power="running")
    assert "huge" in refused["msg"]
    assert "memory" in refused["msg"]
    assert lab.snapshot() == before
