# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsing by tables of fields, and rendering back."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._fields.field import (
    Field,
    created,
    parse,
    parse_value,
    render,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.cluster import spec as cluster
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.datacenter import spec as datacenter
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image import spec as image
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance import spec as vm
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node import spec as node
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.organization import spec as organization
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool import spec as pool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group import spec as port_group
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch import spec as vswitch
from hypothesis import given
from hypothesis import strategies as st

TABLES = [module.FIELDS for module in (cluster, datacenter, image, node, organization, pool, port_group, vm, vswitch)]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("str", "a", "a"),
        ("int", 5, 5),
        ("int", "5", 5),
        ("int", " -5 ", -5),
        ("float", 1, 1.0),
        ("float", "1.5", 1.5),
        ("bool", False, False),
        ("size", "2 GiB", 2048),
        ("list", ["a"], ("a",)),
        ("dict", {"a": 1}, {"a": 1}),
    ],
)
def test_reads(kind: Any, value: object, expected: object) -> None:
    assert parse_value(Field(kind=kind, help=""), value, "here") == (expected, [])


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        ("str", 5, "5 is not a text: YAML reads it as a number or a date; put it in quotes"),
        (
            "str",
            False,
            "false is not a text: YAML reads the bare words no, off or false as false; put the word in quotes",
        ),
        ("str", True, "true is not a text: YAML reads the bare words yes, on or true as true; put the word in quotes"),
        ("str", [], "a list is not a text"),
        ("int", "5.5", '"5.5" is not a whole number'),
        ("int", "--5", '"--5" is not a whole number'),
        ("int", "9" * 5000, "is not a whole number"),
        ("int", True, "true is not a whole number"),
        ("float", "nan", '"nan" is not a number'),
        ("float", "inf", '"inf" is not a number'),
        ("float", 10**400, "a number of more than 80 digits is not a number"),
        ("float", {}, "a mapping is not a number"),
        ("bool", "yes", '"yes" is not true or false'),
        ("size", 512, "512 is not a size"),
        ("list", "a", '"a" is not a list'),
        ("dict", [], "a list is not a mapping"),
    ],
)
def test_refuses(kind: Any, value: object, problem: str) -> None:
    parsed, mistakes = parse_value(Field(kind=kind, help=""), value, "here")
    assert parsed is None
    assert [mistake.path for mistake in mistakes] == ["here"]
    assert problem in mistakes[0].problem


@pytest.mark.parametrize(
    ("low", "high", "value", "problem"),
    [
        (1, 5, 6, "6 is out of range; allowed is 1 to 5"),
        (1, None, 0, "0 is too small; allowed is 1 or more"),
        (None, 5, 6, "6 is too large; allowed is 5 or less"),
        (1, 5, 5, None),
    ],
)
def test_ranges(low: int | None, high: int | None, value: int, problem: str | None) -> None:
    mistakes = parse_value(Field(kind="int", help="", minimum=low, maximum=high), value, "")[1]
    assert [mistake.problem for mistake in mistakes] == ([problem] if problem else [])


def test_choices_say_what_is_allowed() -> None:
    field = Field(kind="str", help="", choices=("running", "stopped"))
    (mistake,) = parse_value(field, "stoped", "power")[1]
    assert mistake.problem == '"stoped" is not allowed; write one of running, stopped. Did you mean "stopped"?'


def test_what_is_absent_is_the_default_and_null_is_absent() -> None:
    table = {"a": Field(kind="int", help="", default=3), "b": Field(kind="str", help="")}
    assert parse(table, {"a": None}, "") == ({"a": 3, "b": None}, [])


NEW = {
    "name": Field(kind="str", help="."),
    "size": Field(kind="size", help=".", create=512),
    "state": Field(kind="str", help=".", default="present"),
    "parts": Field(
        kind="list",
        help=".",
        element=Field(kind="dict", help=".", table={"on": Field(kind="bool", help=".", create=True)}),
    ),
}


@pytest.mark.parametrize(
    ("whole", "raw", "expected"),
    [
        (False, {}, {"name": None, "size": None, "state": "present", "parts": None}),
        (True, {}, {"name": None, "size": 512, "state": "present", "parts": None}),
        (False, {"parts": [{}]}, {"name": None, "size": None, "state": "present", "parts": ({"on": None},)}),
        (True, {"parts": [{}]}, {"name": None, "size": 512, "state": "present", "parts": ({"on": True},)}),
        (True, {"size": "1 GiB"}, {"name": None, "size": 1024, "state": "present", "parts": None}),
    ],
)
def test_only_a_document_states_what_a_new_one_gets(whole: bool, raw: Any, expected: Any) -> None:
    values, mistakes = parse(NEW, raw, "", whole=whole)
    assert (values, mistakes) == (expected, [])


def test_a_new_one_gets_what_create_says_and_keeps_what_was_said() -> None:
    values, _ = parse(NEW, {"name": "a", "parts": [{}, {"on": False}]}, "")
    assert created(NEW, values) == {
        "name": "a",
        "size": 512,
        "state": "present",
        "parts": ({"on": True}, {"on": False}),
    }


def test_all_mistakes_at_once_with_paths_of_elements() -> None:
    inner = {"name": Field(kind="str", required=True, help="Its name."), "size": Field(kind="size", help="")}
    table = {"disks": Field(kind="list", element=Field(kind="dict", table=inner, help=""), help="")}
    mistakes = parse(table, {"disks": [{"name": "a", "size": 1}, {"siz": "1 GiB"}, "b"], "disk": []}, "x")[1]
    assert [mistake.path for mistake in mistakes] == [
        "x.disk",
        "x.disks[0] (a).size",
        "x.disks[1].siz",
        "x.disks[1].name",
        "x.disks[2]",
    ]


def test_secrets_are_not_told() -> None:
    field = Field(kind="str", help="", no_log=True)
    (mistake,) = parse_value(field, 314159, "")[1]
    assert "314159" not in mistake.problem


def test_lists_of_unique_elements() -> None:
    field = Field(kind="list", element=Field(kind="str", help=""), unique=True, help="")
    (mistake,) = parse_value(field, ["a", "b", "a"], "tags")[1]
    assert str(mistake) == 'tags[2]: "a" is given twice'


def test_rendered_values_are_read_again_as_they_were() -> None:
    raw = {
        "name": "db",
        "memory": "1.5 GiB",
        "root": {"pool": "local", "size": "10G"},
        "nics": [{"port_group": "Production", "addresses": ["172.20.0.5/24"]}],
    }
    values, mistakes = parse(vm.FIELDS, raw, "")
    assert mistakes == []
    rendered = render(vm.FIELDS, values)
    assert rendered["memory"] == "1536 MiB"
    assert "node" not in rendered
    assert parse(vm.FIELDS, rendered, "") == (values, [])


@given(st.sampled_from(TABLES), st.data())
def test_nothing_that_json_can_hold_raises(table: Any, data: st.DataObject) -> None:
    raw = data.draw(st.dictionaries(st.sampled_from(sorted(table)) | st.text(max_size=5), JSON))
    values, mistakes = parse(table, raw, "x")
    for mistake in mistakes:
        assert mistake.path.isprintable()
        assert mistake.problem.isprintable()
    if not mistakes:
        assert parse(table, render(table, values), "x") == (values, [])
