# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A screen has a password that nobody is told, and listens beyond its node over TLS alone."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition import parse_domain
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.element import make_element
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Root
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.planning import plan_vms
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.state import Consent
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.report import describe_instance
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import (
    Vm,
    find_mistakes_within,
    parse_vm,
)
from instance_model import Model, acts, whole

SECRET, OTHER = "pa55-one", "pa55-two"
HERE, THERE = "10.91.0.11", "10.91.0.12"


def call(**values: Any) -> Vm:
    return Vm(name="web", further={"graphics": values})


def begun(**values: Any) -> Model:
    """An instance on node1 that runs, with such a screen."""
    model = Model.fresh()
    model.converge(whole(name="web", node="node1", further={"graphics": values}))
    return model


def screens(model: Model) -> list[Any]:
    guest = model.guest("web")[1]
    return [ET.fromstring(text).find("devices/graphics") for text in (guest.xml, guest.live_xml) if text]


def said(plan: Plan) -> str:
    return " ".join(f"{work.changes} {work.pending} {work.steps}" for work in plan.works) + str(plan.refusals)


def test_it_is_on_loopback_without_a_password_unless_said_otherwise() -> None:
    for screen in screens(begun(type="vnc")):
        assert (screen.get("listen"), screen.get("passwd"), screen.get("defaultMode")) == ("127.0.0.1", None, None)
        assert [(one.get("type"), one.get("address")) for one in screen.findall("listen")] == [("address", "127.0.0.1")]


def test_another_password_is_had_at_once_and_told_without_it() -> None:
    model = begun(type="vnc", password=SECRET)
    plan = model.call(call(password=OTHER))
    assert acts(plan) == ["define", "plug"]
    (work,) = plan.works
    assert [(one.field, one.before, one.after, one.when) for one in work.changes] == [
        ("graphics.password", "another one", "as declared", "live")
    ]
    assert (work.pending, work.steps[1].text) == ((), "change the graphics")
    assert SECRET not in said(plan)
    assert OTHER not in said(plan)
    model.apply(plan)
    assert [screen.get("passwd") for screen in screens(model)] == [OTHER, OTHER]
    assert acts(model.call(call(password=OTHER))) == []


@pytest.mark.parametrize(("before", "after"), [("", SECRET), (SECRET, "")])
def test_whether_it_has_one_waits_for_the_next_start(before: str, after: str) -> None:
    model = begun(type="vnc", password=before)
    plan = model.call(call(password=after))
    assert acts(plan) == ["define"]
    (work,) = plan.works
    hidden = {"": None, SECRET: "(secret)"}
    assert [(one.field, one.before, one.after) for one in work.pending] == [
        ("graphics.password", hidden[before], hidden[after])
    ]
    model.apply(plan)
    assert [screen.get("passwd") for screen in screens(model)] == [after or None, before or None]
    assert SECRET not in said(plan)


def test_a_password_changes_at_once_while_something_else_waits() -> None:
    model = begun(type="spice", password=SECRET)
    plan = model.call(call(password=OTHER, listen="management"))
    (work,) = plan.works
    assert acts(plan) == ["define", "plug"]
    assert [(one.field, one.when) for one in work.changes] == [
        ("graphics.listen", "next_boot"),
        ("graphics.password", "live"),
    ]
    assert [one.field for one in work.pending] == ["graphics.listen"]
    model.apply(plan)
    config, live = screens(model)
    assert (config.get("listen"), config.get("defaultMode"), config.get("passwd")) == (HERE, "secure", OTHER)
    assert (live.get("listen"), live.get("defaultMode"), live.get("passwd")) == ("127.0.0.1", None, OTHER)


def test_what_becomes_another_protocol_takes_no_password_of_that_before() -> None:
    plan = begun(type="vnc", password=SECRET).call(call(type="spice", password="as long as SPICE takes it"))
    assert acts(plan) == ["define"]


def test_it_goes_back_to_loopback() -> None:
    model = begun(type="spice", listen="management", password=SECRET)
    model.converge(call(listen="loopback"))
    (config, live) = screens(model)
    assert (config.get("listen"), config.get("defaultMode")) == ("127.0.0.1", None)
    assert (live.get("listen"), live.get("defaultMode")) == (HERE, "secure")


def test_where_it_goes_it_listens_there() -> None:
    model = Model.fresh()
    model.converge(
        whole(
            name="web",
            node="node1",
            root=Root(pool="shared", size=64),
            further={"graphics": {"type": "spice", "listen": "management", "password": SECRET}},
        )
    )
    plan = model.call(Vm(name="web", node="node2"))
    (work,) = plan.works
    moves = [step.does for step in work.steps if step.act == "move"]
    assert [move.screen for move in moves] == [(HERE, THERE)]
    assert (work.pending, [one.field for one in work.changes]) == ((), ["node"])
    assert SECRET not in said(plan)
    model.converge(Vm(name="web", node="node2"))
    for screen in screens(model):
        assert (screen.get("listen"), [one.get("address") for one in screen.findall("listen")]) == (THERE, [THERE])
    model.converge(Vm(name="web", node="node1", power="stopped"), force_stop=True)
    assert screens(model)[0].get("listen") == HERE


def movable(**values: Any) -> Model:
    model = Model.fresh()
    model.converge(whole(name="web", node="node1", root=Root(pool="shared", size=64), further={"graphics": values}))
    return model


@pytest.mark.parametrize("listen", [None, "management", "loopback"])
@pytest.mark.parametrize("power", ["running", "stopped"])
def test_a_move_that_fails_leaves_it_with_the_address_of_its_node(listen: str | None, power: str) -> None:
    """Every part before the move is done, and the move itself is not."""
    begun = movable(type="spice", listen="management", password=SECRET)
    if power == "stopped":
        begun.converge(Vm(name="web", power="stopped"), force_stop=True)
    screen = {"type": "spice", "listen": listen, "password": OTHER}
    want = Vm(name="web", node="node2", further={"graphics": screen})
    for parts in range(1, 20):
        model = begun.copy()
        model.apply(model.call(want), parts=parts)
        there = {node for node, state in model.nodes.items() for _ in state.guests}
        if there != {"node1"}:
            break
        assert screens(model)[0].get("listen") in (HERE, "127.0.0.1" if listen == "loopback" else HERE)
        model.apply(model.call(want))
        assert acts(model.call(want)) == []
        config = screens(model)[0]
        assert (config.get("listen"), config.get("passwd")) == ("127.0.0.1" if listen == "loopback" else THERE, OTHER)
    else:
        pytest.fail("it never moved")


def test_another_password_is_in_the_definition_that_a_failed_move_leaves() -> None:
    model = movable(type="spice", listen="management", password=SECRET)
    plan = model.call(Vm(name="web", node="node2", further={"graphics": {"listen": "management", "password": OTHER}}))
    assert acts(plan)[:3] == ["register", "define", "plug"]
    model.apply(plan, parts=3)
    assert [(one.get("listen"), one.get("passwd")) for one in screens(model)] == [(HERE, OTHER), (HERE, OTHER)]


def test_screens_made_by_hand_go_with_it_and_keep_nobody_from_moving() -> None:
    model = movable(type="vnc")
    guest = model.guest("web")[1]
    second = f"<graphics type='spice' listen='{HERE}'><listen type='address' address='{HERE}'/></graphics></devices>"
    for name in ("xml", "live_xml"):
        text = (getattr(guest, name) or "").replace("127.0.0.1", HERE).replace("</devices>", second)
        setattr(guest, name, text)
    guest.live = parse_domain(guest.live_xml or "")
    model.converge(Vm(name="web", node="node2"))
    there = model.guest("web")
    assert there[0] == "node2"
    for text in (there[1].xml, there[1].live_xml or ""):
        assert HERE not in text
        assert [one.get("listen") for one in ET.fromstring(text).findall("devices/graphics")] == [THERE, THERE]


@pytest.mark.parametrize(
    ("screen", "path", "told"),
    [
        (
            {"type": "vnc", "password": "nine-char"},
            "graphics.password",
            "longer than the 8 characters",
        ),
        ({"type": "spice", "password": "x" * 61}, "graphics.password", "its secret value is no password"),
        (
            {"type": "spice", "password": "caf\u00e9"},
            "graphics.password",
            "its secret value is no password of a screen",
        ),
        ({"type": "spice", "listen": "management", "password": ""}, "graphics.password", "is missing"),
        ({"type": "vnc", "listen": "management", "password": SECRET}, "graphics.listen", "VNC has no TLS of a single"),
        ({"type": "spice", "listen": "0.0.0.0"}, "graphics.listen", "write one of loopback, management"),
    ],
)
def test_what_is_wrong_by_itself(screen: dict[str, Any], path: str, told: str) -> None:
    vm, mistakes = parse_vm({"name": "web", "graphics": screen}, "")
    mistakes = mistakes or (find_mistakes_within(vm, "") if vm is not None else [])
    assert [one.path for one in mistakes] == [path]
    assert told in mistakes[0].problem
    assert screen.get("password") is None or screen["password"] == "" or screen["password"] not in str(mistakes[0])


@pytest.mark.parametrize(
    ("has", "wanted", "told"),
    [
        ({"type": "vnc"}, {"password": "nine-char"}, "longer than the 8 characters"),
        ({"type": "spice", "password": "as-long-as-spice"}, {"type": "vnc"}, "longer than the 8 characters"),
        ({"type": "spice"}, {"listen": "management"}, "it has none, and a screen that listens beyond its node"),
        ({"type": "vnc", "password": SECRET}, {"listen": "management"}, "VNC has no TLS of a single screen"),
        ({"type": "spice", "listen": "management", "password": SECRET}, {"type": "vnc"}, "VNC has no TLS"),
        ({"type": "spice", "listen": "management", "password": SECRET}, {"password": ""}, "it has none, and a screen"),
    ],
)
def test_what_is_wrong_with_what_it_has(has: dict[str, Any], wanted: dict[str, Any], told: str) -> None:
    model = begun(**has)
    before = model.guest("web")[1].xml
    plan = plan_vms([call(**wanted)], model.have, Consent())
    assert plan.works == ()
    assert told in str(plan.refusals[0])
    assert all(value not in str(plan) for value in (wanted.get("password"), has.get("password")) if value)
    assert model.guest("web")[1].xml == before


def test_what_a_hand_has_made_stays_as_long_as_it_is_not_named() -> None:
    model = begun(type="vnc")
    guest = model.guest("web")[1]
    guest.xml = guest.xml.replace("127.0.0.1", "0.0.0.0")
    guest.live_xml = (guest.live_xml or "").replace("127.0.0.1", "0.0.0.0")
    model.converge(Vm(name="web", description="Looked at from anywhere"))
    assert [screen.get("listen") for screen in screens(model)] == ["0.0.0.0", "0.0.0.0"]
    model.converge(call(listen="loopback"))
    assert screens(model)[0].get("listen") == "127.0.0.1"


def test_spice_that_may_talk_in_the_clear_is_not_as_declared() -> None:
    model = begun(type="spice", listen="management", password=SECRET)
    guest = model.guest("web")[1]
    guest.xml = guest.xml.replace('defaultMode="secure"', "")
    plan = model.call(call(listen="management"))
    assert [(one.field, one.before, one.after) for one in plan.works[0].changes] == [
        ("graphics.listen", f"{HERE}, without TLS", HERE)
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (">", "><channel name='display' mode='insecure'/><channel name='inputs' mode='secure'/>"),
        ('autoport="yes"', 'autoport="no" port="5901" tlsPort="5902"'),
    ],
)
def test_no_channel_and_no_port_of_spice_is_left_in_the_clear(old: str, new: str) -> None:
    model = begun(type="spice", listen="management", password=SECRET)
    guest = model.guest("web")[1]
    whole_screen = guest.xml[guest.xml.index("<graphics") :].partition(">")[0] + ">"
    guest.xml = guest.xml.replace(whole_screen, whole_screen.replace(old, new))
    plan = model.call(call(listen="management"))
    assert [(one.field, one.before, one.after) for one in plan.works[0].changes] == [
        ("graphics.listen", f"{HERE}, without TLS", HERE)
    ]
    model.apply(plan)
    assert acts(model.call(call(listen="management"))) == []
    screen = screens(model)[0]
    assert (screen.get("autoport"), screen.get("port"), screen.get("tlsPort")) == ("yes", None, None)
    assert [one.get("name") for one in screen.findall("channel")] == (["inputs"] if "channel" in new else [])


def test_what_was_in_the_clear_on_loopback_is_not_beyond_it() -> None:
    model = begun(type="spice", password=SECRET)
    guest = model.guest("web")[1]
    guest.xml = guest.xml.replace('autoport="yes"', 'autoport="no" port="5901"')
    guest.xml = guest.xml.replace("</graphics>", "<channel name='display' mode='insecure'/></graphics>")
    assert acts(model.call(call(listen="loopback"))) == []
    model.converge(Vm(name="web", further={"graphics": {"type": "spice", "listen": "management", "password": SECRET}}))
    screen = screens(model)[0]
    assert (screen.get("autoport"), screen.get("port"), screen.findall("channel")) == ("yes", None, [])


@pytest.mark.parametrize("other", ["egl-headless", "dbus", "sdl"])
def test_what_is_no_screen_of_the_network_is_left_alone(other: str) -> None:
    model = begun(type="vnc")
    guest = model.guest("web")[1]
    guest.xml = guest.xml.replace("<graphics", f"<graphics type='{other}'/><graphics", 1)
    assert acts(model.call(call(type="vnc"))) == []
    model.apply(model.call(call(password=SECRET)))
    assert acts(model.call(call(password=SECRET))) == []
    kinds = [(one.get("type"), one.get("passwd")) for one in ET.fromstring(guest.xml).findall("devices/graphics")]
    assert kinds == [(other, None), ("vnc", SECRET)]


def test_a_screen_that_asks_for_no_password_gets_none() -> None:
    model = begun(type="vnc")
    guest = model.guest("web")[1]
    guest.xml = guest.xml.replace('type="vnc"', 'type="rdp"')
    (refusal,) = model.call(call(password=SECRET)).refusals
    assert "graphics.password: its screen is of the type rdp, which asks for none" in str(refusal)
    assert SECRET not in str(refusal)


def test_another_password_is_not_over_when_the_one_before_was() -> None:
    model = begun(type="vnc", password=SECRET)
    guest = model.guest("web")[1]
    for name in ("xml", "live_xml"):
        over = (getattr(guest, name) or "").replace("passwd=", 'passwdValidTo="2026-01-01T00:00:00" passwd=')
        setattr(guest, name, over)
    model.converge(call(password=OTHER))
    assert [(one.get("passwd"), one.get("passwdValidTo")) for one in screens(model)] == [(OTHER, None)] * 2


def test_nobody_is_told_the_password() -> None:
    model = begun(type="spice", listen="management", password=SECRET)
    have = model.have
    ((domain,),) = have.domains.values()
    (row,) = have.rows("instance", domain.config.labels.cluster)
    assert describe_instance(row, domain, {}, {})["graphics"] == {"type": "spice", "listen": HERE}
    assert "password" not in make_element(domain, None)["graphics"]
    plan = Model.fresh().call(whole(name="web", node="node1", further={"graphics": {"password": SECRET}}))
    assert ("graphics.password", "(secret)") in [(one.field, one.after) for one in plan.works[0].changes]
    assert SECRET not in said(plan)
