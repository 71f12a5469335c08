# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest uses, from libvirt's words and units."""

from __future__ import annotations

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.figures import describe_figures, find_ports
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Root
from instance_model import Model, whole

# As libvirt 9 tells it of a guest with a root volume, a drive without a medium, and a NIC.
STATS = {
    "cpu.time": 12_500_000_000,
    "balloon.current": 524_288,
    "balloon.rss": 430_080,
    "block.count": 2,
    "block.0.name": "vda",
    "block.0.rd.reqs": 120,
    "block.0.rd.bytes": 1_048_576,
    "block.0.wr.reqs": 3,
    "block.0.wr.bytes": 4096,
    "block.1.name": "sdc",
    "net.count": 1,
    "net.0.name": "vnet3",
    "net.0.rx.bytes": 90_210,
    "net.0.tx.bytes": 4711,
    "net.0.rx.drop": 2,
    "net.0.tx.drop": 1,
}


def test_figures() -> None:
    model = Model.fresh()
    model.converge(whole(name="web", node="node1", root=Root(pool="local", size=1024)))
    live = model.guest("web")[1].live
    assert live is not None
    told = describe_figures(STATS, live)
    assert (told["cpu_time_s"], told["memory_given"], told["memory_on_node"]) == (12.5, 512, 420)
    assert told["memory_unused"] is None, "the guest does not tell"
    root, drive = told["disks"]
    assert root == {
        "target": "vda",
        "name": "root",
        "read_bytes": 1_048_576,
        "reads": 120,
        "written_bytes": 4096,
        "writes": 3,
    }
    assert (drive["target"], drive["name"], drive["read_bytes"]) == ("sdc", None, 0)
    assert told["nics"] == [{"device": "vnet3", "received_bytes": 90_210, "sent_bytes": 4711, "dropped": 3}]
    # One whose QEMU is busy tells little.
    assert describe_figures({}, live)["disks"] == []


def test_ports_are_told_by_their_names_on_the_node() -> None:
    ports = "<interface><target dev='vnet3'/></interface><interface/><interface><target dev='vnet7'/></interface>"
    assert find_ports(f"<domain><devices>{ports}</devices></domain>") == ("vnet3", "vnet7")
