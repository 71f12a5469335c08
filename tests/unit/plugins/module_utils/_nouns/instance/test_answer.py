# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said is read as it was said, and what is anything else is one clear error."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import InvalidInputError, Problem
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.answer import (
    FORMAT,
    INSTANCE,
    NIC,
    read_answer,
)
from guards.project import returned
from inventory_answers import id_of, nic, read, text_of, told, unknown


def test_an_instance_is_read_as_it_was_told() -> None:
    (instance,) = read(told(1, "web", nics=[nic("172.20.0.11/24", "fd00::11/64")], tags=["a", "b"]))
    assert set(instance) == set(INSTANCE)
    assert {key: instance[key] for key in ("id", "name", "cluster", "power", "memory", "autostart")} == {
        "id": id_of(1),
        "name": "web",
        "cluster": "mtl-1",
        "power": "running",
        "memory": 512,
        "autostart": True,
    }
    assert instance["tags"] == ("a", "b")
    assert instance["nics"] == (nic() | {"addresses": ("172.20.0.11/24", "fd00::11/64")},)


def test_what_is_not_known_is_none() -> None:
    (instance,) = read(unknown(1, "web"))
    assert (instance["power"], instance["node"]) == ("unknown", "node1")
    assert [key for key, value in instance.items() if value is None] == [
        *("vcpus", "memory", "image", "autostart", "description", "tags", "flavor", "profiles", "nics")
    ]


def test_problems_and_warnings_are_read_as_they_were_told() -> None:
    problems = [Problem("it does not answer", "Check it.", "node2"), Problem("it is odd", resource="vm x")]
    answer = read_answer(text_of([], problems, ["mind this"]))
    assert list(answer.unreachable) == problems
    assert list(answer.warnings) == ["mind this"]


def test_it_says_only_what_the_noun_tells() -> None:
    """Each value is one that pextra_vm_info returns, of the same type."""
    documented = returned("pextra_vm_info")["vms"]["contains"]
    for table, values in ((INSTANCE, documented), (NIC, documented["nics"]["contains"])):
        assert {name: field.kind for name, field in table.items()} == {name: values[name]["type"] for name in table}


def changed(change: Callable[[Any], Any]) -> str:
    raw = json.loads(text_of([told(1, "web"), told(2, "db")]))
    change(raw)
    return json.dumps(raw)


def in_first(**values: Any) -> Callable[[Any], Any]:
    return lambda raw: raw["instances"][0].update(values)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty"),
        ("Welcome!\n{}", 'it begins with "Welcome!'),
        ("[" * 100_000, "it is no JSON"),
        ("NaN", "NaN is no number of JSON"),
        ("[]", "it: a list is not a mapping"),
        ("{}", "format: is missing"),
        (f'{{"format": {FORMAT}}}', "instances: is missing"),
        (f'{{"format": {FORMAT + 1}}}', f"it has the format {FORMAT + 1}, and this collection reads {FORMAT}"),
        (changed(lambda raw: raw.update(more=1)), "more: unknown key"),
        (changed(lambda raw: raw.update(instances={})), "instances: a mapping is not a list"),
        (changed(lambda raw: raw["instances"].append("x")), '"x" is not a mapping'),
        (changed(lambda raw: raw["instances"][0].pop("id")), "instances[0] (web).id: is missing"),
        (changed(in_first(id="inst-x")), 'instances[0] (web).id: "inst-x" is no identifier of an instance'),
        (changed(in_first(power="flying")), 'instances[0] (web).power: "flying" is not allowed'),
        (changed(in_first(tags="front")), 'instances[0] (web).tags: "front" is not a list'),
        (changed(in_first(name=["web"])), "instances[0].name: a list is not a text"),
        (changed(in_first(memory=-1)), "instances[0] (web).memory: "),
        (changed(in_first(nics=[{"name": "nic0"}])), "instances[0] (web).nics[0] (nic0).mac: is missing"),
        (changed(in_first(ansible_connection="local")), "instances[0] (web).ansible_connection: unknown key"),
    ],
)
def test_what_is_no_answer_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_answer(text)
    (found,) = caught.value.problems
    assert problem in found.what
    assert found.remedy
    assert len(str(found)) < 1500


def test_of_many_mistakes_a_few_are_told() -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_answer(changed(lambda raw: raw.update(instances=["x"] * 100)))
    assert "and 97 more" in str(caught.value)
