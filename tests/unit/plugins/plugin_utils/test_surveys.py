# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Surveys of AWX from argument specs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.pextra.cloud.plugins.filter.awx_survey import awx_survey
from ansible_collections.pextra.cloud.plugins.plugin_utils.surveys import SurveyError, make_question, make_survey

ROOT = Path(__file__).resolve().parents[4]
SPECS = [ROOT / "playbooks" / "meta" / "argument_specs.yml", *sorted(ROOT.glob("roles/*/meta/argument_specs.yml"))]
TYPES = {"text", "textarea", "password", "integer", "float", "multiplechoice", "multiselect"}

# What an option says; what the question says beside its name, description, variable, and that it is not required.
ROWS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("no type is a text", {}, {"type": "text"}),
    ("text", {"type": "str", "default": "a"}, {"type": "text", "default": "a"}),
    ("path", {"type": "path", "default": "/srv"}, {"type": "text", "default": "/srv"}),
    ("empty default", {"type": "str", "default": ""}, {"type": "text"}),
    ("no default", {"type": "int", "default": None}, {"type": "integer"}),
    ("template", {"type": "str", "default": "{{ inventory_hostname }}"}, {"type": "text"}),
    ("template in a list", {"type": "list", "default": ["a", "{{ b }}"]}, {"type": "text"}),
    ("template in a mapping", {"type": "dict", "default": {"a": "{% if b %}c{% endif %}"}}, {"type": "textarea"}),
    ("several lines", {"type": "str", "default": "a\nb\n"}, {"type": "textarea", "default": "a\nb\n"}),
    ("whole number", {"type": "int", "default": 3600}, {"type": "integer", "default": 3600}),
    ("nought", {"type": "int", "default": 0}, {"type": "integer", "default": 0}),
    ("number", {"type": "float", "default": 2}, {"type": "float", "default": 2.0}),
    ("truth", {"type": "bool"}, {"type": "multiplechoice", "choices": ["true", "false"]}),
    (
        "false",
        {"type": "bool", "default": False},
        {"type": "multiplechoice", "choices": ["true", "false"], "default": "false"},
    ),
    (
        "true",
        {"type": "bool", "default": True},
        {"type": "multiplechoice", "choices": ["true", "false"], "default": "true"},
    ),
    (
        "choices",
        {"choices": ["a", "b"], "default": "b"},
        {"type": "multiplechoice", "choices": ["a", "b"], "default": "b"},
    ),
    (
        "choice of numbers",
        {"type": "int", "choices": [1, 2], "default": 2},
        {"type": "multiplechoice", "choices": ["1", "2"], "default": "2"},
    ),
    (
        "some choices",
        {"type": "list", "elements": "str", "choices": ["a", "b"], "default": ["a", "b"]},
        {"type": "multiselect", "choices": ["a", "b"], "default": "a\nb"},
    ),
    (
        "none of some choices",
        {"type": "list", "choices": ["a"], "default": []},
        {"type": "multiselect", "choices": ["a"]},
    ),
    ("list", {"type": "list", "elements": "int", "default": [1, 2]}, {"type": "text", "default": "1,2"}),
    ("mapping", {"type": "dict", "default": {"a": 1}}, {"type": "textarea", "default": '{\n  "a": 1\n}'}),
    ("empty mapping", {"type": "dict", "default": {}}, {"type": "textarea"}),
    ("secret", {"type": "str", "no_log": True}, {"type": "password"}),
    ("secret with a default", {"type": "str", "no_log": True, "default": "sesame"}, {"type": "password"}),
    ("secret choice", {"choices": ["a"], "no_log": True, "default": "a"}, {"type": "password"}),
    ("secret of several lines", {"type": "str", "no_log": True, "default": "a\nb"}, {"type": "password"}),
]


@pytest.mark.parametrize(("option", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_what_is_asked(option: dict[str, Any], expected: dict[str, Any]) -> None:
    question = make_question("size_of_it", option)
    assert question == {
        "question_name": "Size of it",
        "question_description": "",
        "required": False,
        "variable": "size_of_it",
        **expected,
    }


def test_what_has_to_be_given_is_required() -> None:
    assert make_question("nodes", {"type": "str", "required": True})["required"] is True


def test_a_question_is_told_without_the_markup_of_the_documentation() -> None:
    question = make_question(
        "pextra_allow_restart",
        {"description": ["Whether O(x) may be V(true).", "See M(pextra.cloud.pextra_vm)\n now."]},
    )
    assert question["question_name"] == "Allow restart"
    assert question["variable"] == "pextra_allow_restart"
    assert question["question_description"] == "Whether x may be true. See pextra.cloud.pextra_vm now."


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ({"type": "list", "elements": "dict"}, "it is a list of dict"),
        ({"type": "list", "elements": "list"}, "it is a list of list"),
        ({"type": "sid"}, "its type is sid"),
        ({"type": "dict", "no_log": True}, "it is secret and of the type dict"),
        ({"type": "list", "no_log": True}, "it is secret and of the type list"),
    ],
)
def test_what_no_survey_can_ask_for(option: dict[str, Any], why: str) -> None:
    """One that need not be given is left out, so that the playbook's own default counts; any other is refused."""
    with pytest.raises(SurveyError, match=f"^x cannot be asked for by a survey of AWX: {why}"):
        make_question("x", option)
    assert make_survey("a", {"options": {"x": option}}) == {}
    assert [one["variable"] for one in make_survey("a", {"options": {"x": option, "y": {}}})["spec"]] == ["y"]
    with pytest.raises(AnsibleFilterError, match=f"^a: x cannot .*{why}"):
        awx_survey({"options": {"x": {**option, "required": True}}}, "a")


def test_a_survey_asks_in_the_order_of_the_options() -> None:
    survey = make_survey("take out", {"options": {"nodes": {}, "report": {}, "dead": {}}}, without=["report"])
    assert (survey["name"], survey["description"]) == ("take out", "")
    assert [question["variable"] for question in survey["spec"]] == ["nodes", "dead"]


@pytest.mark.parametrize("spec", [{}, {"options": None}, {"options": {}}])
def test_nothing_to_ask_is_no_survey(spec: dict[str, Any]) -> None:
    assert make_survey("a", spec) == {}


@pytest.mark.parametrize("path", SPECS, ids=[path.parent.parent.name for path in SPECS])
def test_all_specs_of_the_collection_make_surveys_that_awx_takes(path: Path) -> None:
    """Its rules: a type that it knows, defaults of that type and among the choices, no default that shows a secret."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]
    for name, entry in entries.items():
        unaskable = [key for key, option in (entry.get("options") or {}).items() if option.get("elements") == "dict"]
        for question in make_survey(name, entry, unaskable).get("spec", ()):
            assert question["type"] in TYPES
            assert question["question_name"]
            default = question.get("default")
            if question["type"] in {"integer", "float"}:
                assert default is None or isinstance(default, int | float)
            elif default is not None:
                assert isinstance(default, str)
            if "choices" in question and default is not None:
                assert set(default.splitlines()) <= set(question["choices"])
            if question["type"] == "password":
                assert "default" not in question
