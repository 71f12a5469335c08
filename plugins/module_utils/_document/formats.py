# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a validation has found, as people, programs, code scanners (SARIF 2.1.0) and GitHub's annotations take it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .._model.mistake import Mistake, printable
from .document import Deployment
from .report import describe_mistakes, list_mistakes, name_file
from .summary import render_summary

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_TOOL = "pextra.cloud"
_HELP = "https://github.com/pextra/pextra.cloud/tree/main/docs/validate.md"
# What is one element's in a path, such as `[2] (db)`, or ` (node1)`: no part of the rule that is broken.
_OF_ONE = re.compile(r"\[[0-9]+\]| \([^()]*\)")


def render(deployment: Deployment, how: str, directory: str) -> str:
    """Return the findings as text that ends with a line feed. how: one of FORMATS. directory: files beneath it are
    named as seen from there.
    """
    return FORMATS[how](deployment, directory)


def _render_text(deployment: Deployment, directory: str) -> str:
    if deployment.mistakes:
        return f"{describe_mistakes(deployment.mistakes, directory)}\n"
    return "".join(f"{line}\n" for line in render_summary(deployment))


def _render_json(deployment: Deployment, directory: str) -> str:
    found = {
        "valid": not deployment.mistakes,
        "mistakes": _list_as_seen_from(deployment.mistakes, directory),
        "warnings": _list_as_seen_from(deployment.warnings, directory),
        "summary": deployment.summary,
    }
    return f"{json.dumps(found, indent=2, ensure_ascii=False)}\n"


def _list_as_seen_from(mistakes: Sequence[Mistake], directory: str) -> list[dict[str, Any]]:
    told = list_mistakes(mistakes)
    return [{**one, "file": one["file"] and name_file(str(one["file"]), directory)} for one in told]


def _render_sarif(deployment: Deployment, directory: str) -> str:
    levels = _list_levels(deployment)
    rules = sorted({_name_rule(mistake.path) for _, mistake in levels})
    driver = {
        "name": _TOOL,
        "informationUri": _HELP,
        "rules": [
            {"id": rule, "shortDescription": {"text": f"What {rule} may be."}, "helpUri": _HELP} for rule in rules
        ],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(level, mistake, rules, directory) for level, mistake in levels],
    }
    log = {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return f"{json.dumps(log, indent=2, ensure_ascii=False)}\n"


def _result(level: str, mistake: Mistake, rules: Sequence[str], directory: str) -> dict[str, Any]:
    location: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": mistake.path}]}
    if mistake.file is not None:
        location["physicalLocation"] = _place(mistake.file, mistake.line, directory)
    rule = _name_rule(mistake.path)
    return {
        "ruleId": rule,
        "ruleIndex": rules.index(rule),
        "level": level,
        "message": {"text": str(mistake)},
        "locations": [location],
        # Lines move when others are written above them: what is told as new is what is another mistake.
        "partialFingerprints": {"mistake/v1": hashlib.sha256(str(mistake).encode()).hexdigest()},
    }


def _place(file: str, line: int | None, directory: str) -> dict[str, Any]:
    name = name_file(file, directory)
    is_beneath = not name.startswith("/")
    artifact = {"uri": quote(name), "uriBaseId": "%SRCROOT%"} if is_beneath else {"uri": Path(name).as_uri()}
    return {"artifactLocation": artifact, **({} if line is None else {"region": {"startLine": line}})}


def _name_rule(path: str) -> str:
    """Return the path without what is one element's: `pextra_instances.nics.port_group`."""
    return _OF_ONE.sub("", path)


def _render_github(deployment: Deployment, directory: str) -> str:
    lines = [_annotate(level, mistake, directory) for level, mistake in _list_levels(deployment)]
    if not deployment.mistakes:
        lines += render_summary(deployment)
    return "".join(f"{line}\n" for line in lines)


def _annotate(level: str, mistake: Mistake, directory: str) -> str:
    about: dict[str, object] = {}
    if mistake.file is not None:
        about["file"] = printable(name_file(mistake.file, directory))
        about |= {} if mistake.line is None else {"line": mistake.line}
    about["title"] = mistake.path
    written = ",".join(f"{key}={_escape(str(value), ':,')}" for key, value in about.items())
    return f"::{level} {written}::{_escape(str(mistake))}"


def _escape(text: str, further: Iterable[str] = "") -> str:
    """Write what ends a command of GitHub's runners, or a value of it, as they want it written."""
    return "".join(f"%{ord(char):02X}" if char in {"%", "\r", "\n", *further} else char for char in text)


def _list_levels(deployment: Deployment) -> list[tuple[str, Mistake]]:
    """Return mistakes and warnings with their level, which SARIF and GitHub call the same."""
    return [
        *(("error", mistake) for mistake in deployment.mistakes),
        *(("warning", warning) for warning in deployment.warnings),
    ]


FORMATS: Mapping[str, Callable[[Deployment, str], str]] = {
    "text": _render_text,
    "json": _render_json,
    "sarif": _render_sarif,
    "github": _render_github,
}
