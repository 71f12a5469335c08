# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Surveys of AWX from argument specs: what a playbook or role can be told becomes what AWX asks before it runs it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

Option = Mapping[str, Any]
Question = dict[str, Any]

# Type of an option: type of the question, where nothing else decides it. AWX gives the answer to a text as a text,
# which Ansible reads as the option's type: a list with commas between its elements, a mapping as JSON.
_QUESTIONS = {
    "bits": "text",
    "bool": "multiplechoice",
    "bytes": "text",
    "dict": "textarea",
    "float": "float",
    "int": "integer",
    "json": "textarea",
    "jsonarg": "textarea",
    "list": "text",
    "path": "text",
    "raw": "text",
    "str": "text",
}
_TRUTHS = ("true", "false")
# What has one line can be asked for without being shown. A password of AWX has no second line.
_CAN_BE_SECRET = frozenset({"bits", "bytes", "float", "int", "path", "raw", "str"})
# O(x), V(x), C(x), M(x) and the like are markup of Ansible's documentation.
_MARKUP = re.compile(r"\b[A-Z]\(([^)]*)\)")
_TEMPLATE = re.compile(r"\{\{|\{%")
_OF_THE_COLLECTION = "pextra_"


class SurveyError(ValueError):
    """An option that no survey can ask for. The text says which, and why."""


def make_survey(name: str, spec: Mapping[str, Any], without: Collection[str] = ()) -> dict[str, Any]:
    """Return the survey of one entry of an argument spec, as the API of AWX takes it; nothing if nothing is asked.

    name: the survey's. without: the options that are not asked for. What cannot be asked for and need not be given is
    left out as well. Raises SurveyError.
    """
    options = {key: option for key, option in (spec.get("options") or {}).items() if key not in without}
    questions = [
        make_question(variable, option)
        for variable, option in options.items()
        if option.get("required") or _find_obstacle(option) is None
    ]
    return {"name": name, "description": "", "spec": questions} if questions else {}


def make_question(variable: str, option: Option) -> Question:
    """Return the question for one option. Raises SurveyError if AWX has none that could be answered rightly."""
    obstacle = _find_obstacle(option)
    if obstacle is not None:
        raise SurveyError(f"{variable} cannot be asked for by a survey of AWX: {obstacle}.")
    question = {
        "question_name": _title(variable),
        "question_description": _describe(option),
        "required": bool(option.get("required", False)),
        "type": _find_type(option),
        "variable": variable,
    }
    choices = _list_choices(option)
    if choices and question["type"] != "password":
        question["choices"] = choices
    default = _find_default(option)
    # Whoever may see the template would see a secret's default.
    if default is not None and question["type"] != "password":
        question["default"] = default
    return question


def _find_obstacle(option: Option) -> str | None:
    kind = option.get("type", "str")
    if kind not in _QUESTIONS:
        return f"its type is {kind}; there are questions for {', '.join(sorted(_QUESTIONS))}"
    if kind == "list" and option.get("elements", "str") in {"dict", "list"}:
        return f"it is a list of {option['elements']}, and an answer is a text with commas; write it in the inventory"
    if option.get("no_log") and kind not in _CAN_BE_SECRET:
        return f"it is secret and of the type {kind}, and AWX hides one line only; use a credential"
    return None


def _find_type(option: Option) -> str:
    kind = option.get("type", "str")
    if option.get("no_log"):
        return "password"
    if option.get("choices"):
        return "multiselect" if kind == "list" else "multiplechoice"
    if kind in {"str", "raw"} and "\n" in str(option.get("default") or ""):
        return "textarea"
    return _QUESTIONS[kind]


def _list_choices(option: Option) -> list[str]:
    if option.get("choices"):
        return [_as_text(choice) for choice in option["choices"]]
    return list(_TRUTHS) if option.get("type") == "bool" else []


def _find_default(option: Option) -> str | int | float | None:
    """Return what the question suggests, as AWX wants it: of numbers a number, of all else a text."""
    default = option.get("default")
    if default is None or default in ("", [], {}) or _has_template(default):
        return None
    kind = _find_type(option)
    if kind == "integer":
        return int(default)
    if kind == "float":
        return float(default)
    if isinstance(default, Mapping):
        return json.dumps(default, indent=2, sort_keys=True)
    if isinstance(default, Sequence) and not isinstance(default, str):
        return ("\n" if kind == "multiselect" else ",").join(_as_text(one) for one in default)
    return _as_text(default)


def _has_template(default: Any) -> bool:
    """Tell whether a default is for Ansible to find: AWX would give the template itself, as a text."""
    if isinstance(default, Mapping):
        return any(_has_template(one) for one in default.values())
    if isinstance(default, str):
        return _TEMPLATE.search(default) is not None
    return isinstance(default, Sequence) and any(_has_template(one) for one in default)


def _as_text(value: object) -> str:
    return _TRUTHS[not value] if isinstance(value, bool) else str(value)


def _title(variable: str) -> str:
    words = variable.removeprefix(_OF_THE_COLLECTION).replace("_", " ")
    return words[:1].upper() + words[1:]


def _describe(option: Option) -> str:
    description = option.get("description") or ""
    paragraphs = [description] if isinstance(description, str) else description
    return " ".join(_MARKUP.sub(r"\1", " ".join(str(one).split())) for one in paragraphs)
