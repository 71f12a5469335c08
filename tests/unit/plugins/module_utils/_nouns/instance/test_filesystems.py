# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories of a node that an instance mounts: only those that the node gives, with memory that is shared."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance import walk
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_writing import edit_domain
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.element import make_element
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Root
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.planning import plan_vms
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.state import Consent
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import (
    Vm,
    find_mistakes_within,
    parse_vm,
)
from instance_model import Model, acts, whole

MEDIA, LOGS = {"name": "media", "directory": "/srv/media"}, {"name": "logs", "directory": "/srv/logs"}


def call(*filesystems: Any, **options: Any) -> Vm:
    return Vm(name="web", further={"filesystems": filesystems, **options})


def begun(*filesystems: Any, power: str | None = None) -> Model:
    model = Model.fresh()
    vm = whole(name="web", node="node1", root=Root(pool="shared", size=64), power=power)
    model.converge(replace(vm, further={**vm.further, **({"filesystems": filesystems} if filesystems else {})}))
    return model


def config(model: Model) -> Any:
    return ET.fromstring(model.guest("web")[1].xml)


def test_memory_that_a_new_one_says_more_of_is_shared_by_itself() -> None:
    model = Model.fresh()
    backing = {"locked": True}
    model.converge(whole(name="web", node="node1", further={"filesystems": (MEDIA,), "memory_backing": backing}))
    assert config(model).find("memoryBacking/access").get("mode") == "shared"
    assert config(model).find("memoryBacking/locked") is not None
    # Without any it is the private one of every other.
    assert whole(name="web", further={"memory_backing": backing}).further["memory_backing"]["access"] == "private"
    assert whole(name="web", further={"filesystems": (MEDIA,)}).further.get("memory_backing") is None


@pytest.mark.parametrize("unsaid", ['<target dir="a b"/>', '<target dir="etc"/>'])
def test_an_element_names_all_that_it_has_or_none(unsaid: str) -> None:
    model = begun(MEDIA)

    def said() -> Any:
        ((domain,),) = model.have.domains.values()
        return make_element(domain, None).get("filesystems")

    assert said() == [MEDIA]
    guest = model.guest("web")[1]
    guest.xml = guest.xml.replace(
        "</devices>",
        f'<filesystem type="mount"><driver type="virtiofs"/><source dir="/etc"/>{unsaid}</filesystem></devices>',
    )
    assert said() is None


def test_it_comes_changes_and_goes() -> None:
    model = begun()
    for wanted, there in (((MEDIA,), ["/srv/media"]), ((LOGS, MEDIA), ["/srv/logs", "/srv/media"]), ((), [])):
        plan = model.call(call(*wanted))
        assert acts(plan) == ["define"]
        model.apply(plan)
        found = config(model).findall("devices/filesystem")
        assert [one.find("source").get("dir") for one in found] == there
        assert [one.find("driver").get("type") for one in found] == ["virtiofs"] * len(found)
        assert acts(model.call(call(*wanted))) == []
    backing = config(model).find("memoryBacking")
    assert [(one.tag, one.attrib) for one in backing] == [("access", {"mode": "shared"}), ("source", {"type": "memfd"})]


def test_what_a_hand_has_said_of_it_stays() -> None:
    model = begun(MEDIA)
    guest = model.guest("web")[1]
    guest.xml = guest.xml.replace('<driver type="virtiofs" />', '<driver type="virtiofs" queue="1024" />')
    guest.xml = guest.xml.replace("</devices>", "<filesystem type='mount'><target dir='by-9p'/></filesystem></devices>")
    model.converge(call(LOGS, MEDIA))
    found = {one.find("target").get("dir"): one for one in config(model).findall("devices/filesystem")}
    assert found["media"].find("driver").get("queue") == "1024"
    assert set(found) == {"by-9p", "logs", "media"}
    assert walk.read(config(model))["filesystems"] == (LOGS, MEDIA)


def test_huge_pages_and_other_sources_of_memory_stay() -> None:
    model = begun()
    guest = model.guest("web")[1]
    guest.xml = guest.xml.replace("<features>", "<memoryBacking><source type='file'/></memoryBacking><features>", 1)
    model.converge(call(MEDIA))
    assert config(model).find("memoryBacking/source").get("type") == "file"
    assert config(model).find("memoryBacking/access").get("mode") == "shared"


def test_a_new_instance_has_a_slot_for_each() -> None:
    without, having = (begun(*given).guest("web")[1].xml.count("pcie-root-port") for given in ((), (MEDIA, LOGS)))
    assert having == without + 2


def with_abilities(model: Model, **given: str) -> Any:
    have = model.have
    nodes = {
        name: replace(state, abilities=frozenset({"cpu:Nehalem", f"directory:{given.get(name)}"}))
        for name, state in have.nodes.items()
    }
    return replace(have, nodes=nodes)


def test_it_is_where_its_directories_are() -> None:
    have = with_abilities(Model.fresh(), node2="/srv/media")
    vm = whole(name="web")
    plan = plan_vms([replace(vm, further={**vm.further, "filesystems": (MEDIA,)})], have, Consent())
    assert [work.node for work in plan.works] == ["node2"]
    plan = plan_vms([replace(vm, further={**vm.further, "filesystems": (LOGS,)})], have, Consent())
    assert "it has no directory /srv/logs to share (pextra_shared_directories)" in str(plan.refusals[0])
    # One that is there already is left where it is, and gets no other.
    have = with_abilities(begun(MEDIA))
    assert plan_vms([call(MEDIA)], have, Consent()).is_empty
    assert "no directory /srv/logs to share" in str(plan_vms([call(MEDIA, LOGS)], have, Consent()).failures[0])


def test_it_moves_only_while_it_is_stopped() -> None:
    moved = Vm(name="web", node="node2")
    model = begun(MEDIA)
    plan = plan_vms([moved], with_abilities(model, node2="/srv/media"), Consent())
    assert "it mounts directories of node1 (media), and moves only while it is stopped" in str(plan.refusals[0])
    stopped = begun(MEDIA, power="stopped")
    plan = plan_vms([moved], with_abilities(stopped, node2="/srv/media"), Consent())
    assert "move" in acts(plan)
    plan = plan_vms([moved], with_abilities(stopped, node2="/srv/logs"), Consent())
    assert "it has no directory /srv/media to share" in str(plan.refusals[0])


@pytest.mark.parametrize(
    ("options", "path", "told"),
    [
        ({"filesystems": [MEDIA, {**LOGS, "name": "media"}]}, "filesystems[1] (media).name", "is the name of another"),
        ({"filesystems": [{**MEDIA, "name": "a b"}]}, "filesystems[0] (a b).name", "cannot be its name"),
        (
            {"filesystems": [{**MEDIA, "directory": "/etc"}]},
            "filesystems[0] (media).directory",
            "belongs to the system",
        ),
        (
            {"filesystems": [{**MEDIA, "directory": "/var/lib/pextra/pools/local"}]},
            "filesystems[0] (media).directory",
            "or holds volumes",
        ),
        (
            {"filesystems": [MEDIA], "memory_backing": {"access": "private"}},
            "memory_backing.access",
            "shares memory with the program of the node",
        ),
    ],
)
def test_what_is_wrong_by_itself(options: dict[str, Any], path: str, told: str) -> None:
    vm, mistakes = parse_vm({"name": "web", **options}, "")
    mistakes = mistakes or (find_mistakes_within(vm, "") if vm is not None else [])
    assert [one.path for one in mistakes] == [path]
    assert told in mistakes[0].problem


def test_its_memory_stays_shared_as_long_as_it_has_any() -> None:
    model = begun(MEDIA)
    private = Vm(name="web", further={"memory_backing": {"access": "private"}})
    plan = plan_vms([private], model.have, Consent())
    assert "memory_backing.access: it shares memory with the program of the node" in str(plan.refusals[0])
    model.converge(Vm(name="web", further={"memory_backing": {"access": "private"}, "filesystems": ()}))
    assert edit_domain(model.guest("web")[1].xml, model.guest("web")[1].config)
    assert config(model).find("memoryBacking/access").get("mode") == "private"
