# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of the cloud and of the document, and what is said of it: health and room."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.capacity import find_capacity
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.figures import (
    show_bytes,
    show_count,
    show_mib,
    show_share,
    show_time,
)
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.model import Cluster, Instance, Node
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.order import by_name
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.page import render_page
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.reading_cloud import Answers, read_cloud
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.reading_document import read_document
from report_cloud import DOCUMENT, make_answers, make_troubled


def test_a_document_is_read() -> None:
    page = read_document(DOCUMENT)
    assert (page.deployment, page.is_live, page.differences, page.events) == ("lab", False, None, None)
    (cluster,) = page.clusters
    assert (cluster.organization, cluster.datacenter) == ("acme", "Montreal")
    assert [(node.name, node.memory, node.reserved) for node in cluster.nodes] == [
        ("node1", 8192, 1024),
        ("node2", 8192, 2048),
    ]
    assert [(pool.name, pool.shared) for pool in cluster.pools] == [("local", False), ("ceph", True)]
    assert [group.name for group in cluster.switches[0].port_groups] == ["Production"]
    assert [(copy.pool, copy.node) for copy in cluster.images[0].copies] == [
        ("local", "node1"),
        ("local", "node2"),
        ("ceph", None),
    ]
    web, old = cluster.instances
    assert (web.memory, web.vcpus, web.declared, web.nics[0].addresses) == (1024, 2, "running", ("192.0.2.20",))
    assert [(disk.name, disk.pool, disk.size) for disk in web.disks] == [
        ("root", "local", 4096),
        ("data", "ceph", 10240),
    ]
    # Of what is adopted it is not said whether it is to run.
    assert (old.power, old.declared) == ("unknown", None)
    assert cluster.volumes[0].attached_to == "web-1"


def test_what_a_document_leaves_open_is_not_told_as_none() -> None:
    """What is adopted may say neither memory nor virtual CPUs, and a virtual function goes past its vSwitch."""
    document = copy.deepcopy(DOCUMENT)
    image = document["images"][0]["name"]
    document["instances"] = [
        {"name": "old", "cluster": "mtl-1", "adopt": True, "cdroms": [{"name": "cd", "image": image}]},
        {"name": "fast", "cluster": "mtl-1", "nics": [{"port_group": "Production", "sr_iov": "eth2"}]},
    ]
    page = read_document(document)
    old, fast = page.clusters[0].instances
    assert [nic.is_switched for nic in fast.nics] == [False]
    assert page.clusters[0].images[0].used_by == 1
    assert old.discs == (image,)
    html = render_page(page, "2026-11-30T00:00:00Z")
    assert "fast:" not in html, "it is on no port of the port group"
    assert "0 MiB" not in html.partition('id="instances"')[2].partition("</section>")[0]


def test_a_document_may_say_next_to_nothing() -> None:
    assert read_document({}).clusters == ()
    assert read_cloud(Answers(document={})).troubles[0].what == "nothing of it could be read"


def test_a_well_cloud_has_no_troubles() -> None:
    page = read_cloud(make_answers())
    assert page.troubles == ()
    assert page.differences is not None
    assert (page.differences.count, page.differences.is_complete) == (0, True)
    assert len(page.events or ()) == 12
    assert [len(page.clusters[0].nodes), len(page.clusters[0].instances)] == [3, 9]


def test_everything_that_is_not_well_is_told_once() -> None:
    page = read_cloud(make_troubled())
    assert [(trouble.where, trouble.what) for trouble in page.troubles] == [
        ("node3", "10.91.0.13 port 16514 does not answer within 5 s"),
        ("svswitch10 on node1", "the uplink enp1s0f1 has no link"),
        ("storage pool shared on node2", "10.91.0.50 does not answer"),
        ("image debian-12", "its copy in local on node2 has gone"),
        ("instance web-1", "it is stopped, and declared to be running"),
        ("volume archive", "it is missing in shared"),
    ]
    assert page.differences is not None
    assert (page.differences.count, page.differences.is_complete) == (3, False)
    assert page.differences.pending == ("instance web-2 on node3: memory waits for a restart",)


def test_what_many_suffer_from_is_told_once() -> None:
    problems = [{"node": "node3", "what": "no answer", "remedy": "x", "resource": f"instance {n}"} for n in range(9)]
    (trouble,) = read_cloud(make_answers(problems=problems)).troubles
    assert trouble.where == "node3: instance 0, instance 1, instance 2 and 6 more"


def test_a_check_that_could_not_look_says_so() -> None:
    for check in ({"unknown": True}, {"failed": True, "msg": "x"}):
        page = read_cloud(make_answers(check=check))
        assert page.differences is not None
        assert not page.differences.is_complete
    assert read_cloud(make_answers(check=None)).differences is None


def _cluster(*memory: int | None, running: int = 0) -> Cluster:
    nodes = tuple(Node(name=f"node{n}", memory=mib, threads=4, health="healthy") for n, mib in enumerate(memory))
    instances = tuple(
        Instance(name=f"i{n}", power="running", node="node0", memory=1024, vcpus=2) for n in range(running)
    )
    return Cluster(name="c", vcpus_per_thread=4, nodes=nodes, instances=instances)


@pytest.mark.parametrize(
    ("cluster", "usable", "left", "lacking"),
    [
        (_cluster(4096, 8192, running=4), 12288, 4096, 0),
        (_cluster(4096, 8192, running=5), 12288, 4096, 1024),
        (_cluster(4096), 4096, None, None),
        (_cluster(4096, None), None, None, None),
        (_cluster(), None, None, None),
    ],
)
def test_room_with_a_node_lost(cluster: Cluster, usable: int | None, left: int | None, lacking: int | None) -> None:
    found = find_capacity(cluster)
    assert found.usable == usable
    worst = found.worst
    assert (worst and worst.left, worst and worst.lacking) == (left, lacking)


def test_a_node_that_does_not_answer_has_no_room() -> None:
    cluster = _cluster(4096, 8192, running=2)
    silent = replace(cluster, nodes=(cluster.nodes[0], replace(cluster.nodes[1], health="unreachable")))
    found = find_capacity(silent)
    assert (found.usable, [room.usable for room in found.rooms]) == (4096, [4096, None])
    # What ran on a node of which nobody can tell needs its memory all the same.
    unknown = Instance(name="u", power="unknown", declared="running", node="node1", memory=512)
    assert find_capacity(replace(silent, instances=(*silent.instances, unknown))).used == 2 * 1024 + 512


def test_virtual_cpus_are_counted_as_the_cluster_says() -> None:
    room = find_capacity(_cluster(4096, running=3)).rooms[0]
    assert (room.vcpus, room.most_vcpus, room.instances) == (6, 16, 3)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (show_mib(None), "unknown"),
        (show_mib(0), "0 MiB"),
        (show_mib(96), "96 MiB"),
        (show_mib(1024), "1 GiB"),
        (show_mib(7987), "7.8 GiB"),
        (show_mib(5 * 1024**4), "5,120 PiB"),
        (show_bytes(2 * 1024**2), "2 MiB"),
        (show_count(1, "node"), "1 node"),
        (show_count(1000, "node"), "1,000 nodes"),
        (show_count(2, "vSwitch", "vSwitches"), "2 vSwitches"),
        (show_time(0), "1970-01-01 00:00:00"),
        (show_share(1, 1000), "1 %"),
        (show_share(0, 1000), "0 %"),
        (show_share(1, 0), ""),
    ],
)
def test_figures(shown: str, expected: str) -> None:
    assert shown == expected


def test_names_are_in_the_order_of_their_numbers() -> None:
    names = ["web-10", "web-2", "2", "web", "10", "\u0662"]
    found = [one.name for one in by_name([Instance(name=name, power="running") for name in names])]
    assert found == ["2", "10", "web", "web-2", "web-10", "\u0662"]
