# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On a converged cloud nothing changes, nothing restarts, and check mode says so."""

from __future__ import annotations

import pytest

from .lab import Lab, Site


def test_a_second_run_changes_and_restarts_nothing(lab: Lab, cloud: Site) -> None:
    cloud.run().must_change_nothing()
    before = lab.snapshot()
    cloud.run().must_change_nothing()
    assert lab.snapshot() == before


def test_check_mode_reports_nothing(lab: Lab, cloud: Site) -> None:
    before = lab.snapshot()
    run = cloud.run("--check", "--diff").must_change_nothing()
    assert "+++ after" not in run.output
    assert lab.snapshot() == before


@pytest.mark.long
def test_every_stage_runs_alone(cloud: Site) -> None:
    for stage in ("validate", "preflight", "cluster", "network", "storage", "images", "instances"):
        cloud.run("--tags", stage).must_change_nothing()


def test_limit_to_one_node_touches_no_other(lab: Lab, cloud: Site) -> None:
    before = lab.snapshot()
    run = cloud.run("--limit", "node3", "--tags", "preflight,node,disks").must_change_nothing()
    assert set(run.hosts) == {"node3"}
    refused = cloud.run("--limit", "node3")
    assert refused.code == 2
    assert "leaves out node1" in refused.output
    assert lab.snapshot() == before
