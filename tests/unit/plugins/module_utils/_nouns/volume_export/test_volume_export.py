# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written to files of the coordinator, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.definition import VolumeFacts
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume.spec import Volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume_export.plan import plan_exports
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume_export.spec import Export, parse_export
from volume_model import GIB, SHARED, KilledError, Model, acts

DATA = Volume(name="data", pool="shared", size=1024)
WANT = Export(name="data", path="/srv/data.qcow2")
NOTHING = {"/srv/data.qcow2": "nothing", "/srv/data.vmdk": "nothing"}


@pytest.fixture
def model() -> Model:
    model = Model()
    model.add_guest("web", "node1")
    model.add_guest("off", "node2", power="stopped")
    model.converge(DATA)
    return model


def refusal(model: Model, *wants: Export, at_path: str = "nothing") -> str:
    plan = plan_exports(wants, model.have(), dict.fromkeys(NOTHING, at_path), ())
    return plan.refusals[0].what


def test_as_it_is_and_converted(model: Model) -> None:
    plan = plan_exports([WANT], model.have(), NOTHING, ())
    assert acts(plan) == ["download"]
    plan = plan_exports([replace(WANT, path="/srv/data.vmdk", format="vmdk")], model.have(), NOTHING, ())
    assert acts(plan) == ["convert", "download"]
    assert plan.works[0].steps[1].data["staging"].endswith(".export.vmdk")
    assert plan_exports([WANT], model.have(), NOTHING, {WANT.path}).is_empty


def test_what_a_clone_shares_is_in_the_file(model: Model) -> None:
    model.converge(Volume(name="copy", pool="shared", clone_of="data", clone_mode="linked"))
    plan = plan_exports([replace(WANT, name="copy")], model.have(), NOTHING, ())
    assert acts(plan) == ["convert", "download"]


@pytest.mark.parametrize("pool", ["vms", "vg0", "tank"])
def test_from_storage_without_files(model: Model, pool: str) -> None:
    """Also what a clone shares in Ceph is read, so nothing is made on the way."""
    model.converge(Volume(name="blocks", pool=pool, size=1024))
    name = "blocks"
    if pool == "vms":
        name = "linked"
        model.converge(Volume(name=name, pool=pool, clone_of="blocks", clone_mode="linked"))
    for suffix in ("qcow2", "raw"):
        plan = plan_exports([replace(WANT, name=name, format=suffix)], model.have(), NOTHING, ())
        assert acts(plan) == ["download"]
    assert "and vmdk cannot" in refusal(model, replace(WANT, name=name, format="vmdk"))


def test_a_stopped_instance_may_have_it(model: Model) -> None:
    model.converge(replace(DATA, attached_to="off"))
    plan = plan_exports([WANT], model.have(), NOTHING, ())
    assert plan.works[0].touches == ("instance off",)


def test_refused(model: Model) -> None:
    assert "no such volume" in refusal(model, replace(WANT, name="none"))
    assert "/srv/data.qcow2 is there already" in refusal(model, WANT, at_path="file")
    assert "cannot be written: there is no directory" in refusal(model, WANT, at_path="there is no directory /srv")
    assert "given twice" in refusal(model, WANT, replace(WANT, name="other"))
    assert "no cluster" in refusal(model, replace(WANT, cluster="elsewhere"))
    plan = plan_exports([replace(WANT, overwrite=True)], model.have(), dict.fromkeys(NOTHING, "file"), ())
    assert acts(plan) == ["download"]
    model.foreign["node3"] = frozenset({model.volume("data").name})
    assert "a virtual machine on node3 has it" in refusal(model, WANT)
    model.foreign.clear()
    model.converge(replace(DATA, attached_to="web"))
    assert "in use by instance web, which runs" in refusal(model, WANT)


def test_an_unfinished_one(model: Model) -> None:
    with pytest.raises(KilledError):
        model.converge(replace(DATA, name="half"), kill_after=1)
    assert "not finished" in refusal(model, replace(WANT, name="half"))


def test_a_forged_header(model: Model) -> None:
    shelf = model.volumes[SHARED.id, ""]
    (name,) = shelf
    shelf[name] = VolumeFacts(name=name, format="qcow2", capacity=GIB, allocation=0, backing="/etc/shadow")
    assert "makes libvirt take it for qcow2 upon /etc/shadow" in refusal(model, WANT)


def test_a_silent_node_may_use_it(model: Model) -> None:
    model.converge(replace(DATA, attached_to="web"))
    model.answering.discard("node1")
    plan = plan_exports([WANT], model.have(), NOTHING, ())
    assert plan.failures[0].node == "node1"


@pytest.mark.parametrize("path", ["data.raw", "/srv/../etc/shadow", "/srv/a\0b", "/", "", "-o"])
def test_hostile_paths(path: str) -> None:
    spec, mistakes = parse_export({"name": "data", "path": path}, "")
    assert spec is None
    assert "is not an absolute path" in str(mistakes[0])
