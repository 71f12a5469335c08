# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs of the whole playbook at once, on different resources that want the same thing: never do both get it.

What is raced for changes from round to round. LUNs need a target, which the nodes of this lab do not have; the model of
two runs in the unit tests has them (test_races.py there).
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from .lab import INVENTORY, Lab, Run, Site

RACES = int(os.environ.get("PEXTRA_RACES", "6"))
NODE = "node3"
NAMES = ("race-a", "race-b")
Documents = tuple[dict[str, Any], dict[str, Any]]


def _instances(site: Site, *declared: dict[str, Any]) -> Documents:
    """Return for each run a document whose only instance is one of these."""
    common = {"memory": "64 MiB", "power": "stopped", "autostart": False, "node": NODE}
    first, second = ({"pextra_instances": [common | one]} for one in declared)
    return first, second


def _memory(site: Site) -> Documents:
    """Each wants more than half of what the node has."""
    [node] = [one for one in site.module("pextra_node_info")["nodes"] if one["name"] == NODE]
    share = f"{node['facts']['memory'] * 11 // 20} MiB"
    return _instances(site, *({"name": name, "memory": share, "power": "running"} for name in NAMES))


def _place(site: Site) -> Documents:
    return _instances(site, *({"name": name, "anti_affinity": "race"} for name in NAMES))


def _mac(site: Site) -> Documents:
    """One address in two spellings."""
    nics = [[{"port_group": "Production", "mac": mac}] for mac in ("52:54:00:00:0a:ce", "52-54-00-00-0A-CE")]
    return _instances(site, *({"name": name, "nics": one} for name, one in zip(NAMES, nics, strict=True)))


def _address(site: Site) -> Documents:
    nics = [{"port_group": "Production", "addresses": ["172.20.0.99/24"]}]
    return _instances(site, *({"name": name, "nics": nics} for name in NAMES))


def _name(site: Site) -> Documents:
    return _instances(site, *({"name": NAMES[0], "description": one} for one in ("first", "second")))


def _image(site: Site) -> Documents:
    """One new image, of which each wants a copy in another pool."""
    source = str((INVENTORY / "../../.build/lab/tiny.qcow2").resolve())
    image = {"name": NAMES[0], "source": source}
    first, second = (
        {"pextra_images": [image | {"pools": [pool]}], "pextra_instances": []} for pool in ("local", "shared")
    )
    return first, second


def _one_of_two(lab: Lab, site: Site, runs: list[Run]) -> None:
    there = [name for name in NAMES if NODE in lab.where(name)]
    assert len(there) == 1, [run.output[-3000:] for run in runs]
    assert sorted(run.code == 0 for run in runs) == [False, True], [run.output[-3000:] for run in runs]
    refused = next(run for run in runs if run.code != 0)
    assert next(name for name in NAMES if name not in there) in refused.output
    assert "Traceback" not in refused.output


def _one_by_name(lab: Lab, site: Site, runs: list[Run]) -> None:
    assert lab.where(NAMES[0]) == [NODE]
    for run in runs:
        run.must_succeed()


def _one_image(lab: Lab, site: Site, runs: list[Run]) -> None:
    """One identifier, and of every copy that is recorded the whole file."""
    [image] = [one for one in site.module("pextra_image_info")["images"] if one["name"] == NAMES[0]]
    recorded = {(copy["pool"], copy["node"]) for copy in image["copies"] if copy["status"] == "complete"}
    assert len(recorded) == len(image["copies"]), image
    found = set()
    for node in lab.nodes:
        for pool, folder in (("local", "/var/lib/pextra/pools/local"), ("shared", "/srv/shared")):
            if lab.sh(node, f"ls {folder}/{image['id']}.* 2>/dev/null || true").split():
                found.add((pool, None if pool == "shared" else node))
    assert {(pool, node or None) for pool, node in recorded} == found
    assert found, [run.output[-3000:] for run in runs]


KINDS: dict[str, tuple[Callable[[Site], Documents], Callable[[Lab, Site, list[Run]], None]]] = {
    "memory": (_memory, _one_of_two),
    "anti-affinity": (_place, _one_of_two),
    "MAC": (_mac, _one_of_two),
    "address": (_address, _one_of_two),
    "name": (_name, _one_by_name),
    "image": (_image, _one_image),
}


@pytest.mark.long
def test_two_runs_never_take_the_same(lab: Lab, cloud: Site) -> None:
    chance = random.Random(int(os.environ.get("PEXTRA_SEED", "0")))
    kinds = list(KINDS)
    for number in range(RACES):
        kind = kinds[number % len(kinds)]
        documents, must_hold = KINDS[kind]
        first, second = documents(cloud)
        print(f"race {number + 1} of {RACES}: {kind}", flush=True)
        try:
            with cloud.overlay(first) as left, cloud.overlay(second) as right:
                commands = [left, right]
                chance.shuffle(commands)
                running = [cloud.start(*extra) for extra in commands]
                runs = [cloud.wait(process, timeout_s=300) for process in running]
            must_hold(lab, cloud, runs)
        finally:
            _remove(cloud)
    # The documents of the races had no instance that needs a copy of the image in each pool.
    cloud.run().must_succeed()
    cloud.run().must_change_nothing()


def _remove(site: Site) -> None:
    site.module(
        "pextra_vm",
        vms=[{"name": name, "state": "absent"} for name in NAMES],
        force_stop=True,
        stop_timeout_s=1,
        remove_volumes=True,
        confirm="DESTROY",
    )
    site.module("pextra_image", images=[{"name": NAMES[0], "state": "absent"}], confirm="DESTROY")
