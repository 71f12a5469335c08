# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 at any moment of a first run: one more run ends as a clean run does, and loses nothing."""

from __future__ import annotations

import os
import random
import time

from .lab import Lab, Site

_STAGES = ("--tags", "network,storage,images,instances")
_INTERRUPTIONS = int(os.environ.get("PEXTRA_INTERRUPTIONS", "6"))


def _remove_all(site: Site) -> None:
    """Take the cloud back to prepared nodes without anything on them."""
    document = site.document()
    absent = [{"name": item["name"], "state": "absent"} for item in document["instances"]]
    site.play(
        [
            {
                "pextra.cloud.pextra_vm": {
                    "vms": absent,
                    "force_stop": True,
                    "remove_volumes": True,
                    "confirm": "DESTROY",
                }
            },
            {
                "pextra.cloud.pextra_image": {
                    "images": [{"name": item["name"], "state": "absent"} for item in document["images"]],
                    "confirm": "DESTROY",
                }
            },
        ]
    )


def _state(lab: Lab, site: Site) -> dict[str, object]:
    """Return the end state, without what is random in every first run: identifiers and free placement."""
    pinned = {item["name"]: item.get("node") for item in site.declared()}
    state: dict[str, object] = {}
    for node in lab.nodes:
        for name, power in lab.domains(node).items():
            assert name not in state, f"{name} is on two nodes"
            state[name] = (power, node if pinned.get(name) else "anywhere")
    return state


def _volumes(lab: Lab) -> dict[str, int]:
    """Return how many volumes of each instance there are, wherever they are."""
    counts: dict[str, int] = {}
    seen: set[str] = set()
    for node in lab.nodes:
        for path in lab.sh(
            node, "ls /var/lib/pextra/pools/local/*.inst-* /srv/shared/*.inst-* 2>/dev/null || true"
        ).split():
            key = path if path.startswith("/srv/shared") else f"{node}:{path}"
            if key not in seen:
                seen.add(key)
                name = path.rsplit("/", 1)[1].split(".inst-")[0]
                counts[name] = counts.get(name, 0) + 1
    return counts


def test_a_run_killed_anywhere_is_finished_by_the_next(lab: Lab, cloud: Site) -> None:
    seed = int(os.environ.get("PEXTRA_SEED", str(random.randrange(10**6))))
    chance = random.Random(seed)
    print(f"PEXTRA_SEED={seed}")
    clean, volumes = _state(lab, cloud), _volumes(lab)
    started = time.monotonic()
    _remove_all(cloud)
    cloud.run(*_STAGES).must_succeed()
    whole_s = time.monotonic() - started
    assert _state(lab, cloud) == clean

    _remove_all(cloud)
    for number in range(_INTERRUPTIONS):
        process = cloud.start(*_STAGES)
        delay_s = chance.uniform(0.5, whole_s)
        time.sleep(delay_s)
        cloud.kill(process)
        if number % 3 == 2 or number == _INTERRUPTIONS - 1:
            cloud.run(*_STAGES).must_succeed()
            assert _state(lab, cloud) == clean, f"killed after {delay_s:.1f} s, seed {seed}"
            assert _volumes(lab) == volumes, f"killed after {delay_s:.1f} s, seed {seed}"
            cloud.run(*_STAGES).must_change_nothing()
            if number < _INTERRUPTIONS - 1:
                _remove_all(cloud)
    assert cloud.module("pextra_registry_info")["leases"] == []
