# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWX 24 knows of its objects, and what it refuses: the tables of the stand-in for its API."""

from __future__ import annotations

from typing import Any

Thing = dict[str, Any]

_TEXTS = dict.fromkeys(("name", "description"), "")
_PROMPTS = dict.fromkeys(
    (f"ask_{what}_on_launch" for what in ("limit", "tags", "variables", "inventory", "diff_mode", "verbosity")), False
)
# Collection: what an object has when nothing is said of it. Other fields are refused.
FIELDS: dict[str, Thing] = {
    "organizations": {**_TEXTS, "max_hosts": 0, "default_environment": None},
    "execution_environments": {**_TEXTS, **dict.fromkeys(("organization", "credential")), "image": "", "pull": ""},
    "credential_types": {**_TEXTS, "kind": "cloud", "inputs": {}, "injectors": {}, "managed": False},
    "credentials": {**_TEXTS, **dict.fromkeys(("organization", "credential_type")), "inputs": {}},
    "projects": {
        **dict.fromkeys((*_TEXTS, "scm_type", "scm_url", "scm_branch", "scm_revision"), ""),
        **dict.fromkeys(("organization", "credential", "default_environment")),
        **dict.fromkeys(("scm_update_on_launch", "allow_override"), False),
        "timeout": 0,
    },
    "inventories": {**_TEXTS, **dict.fromkeys(("organization", "host_filter")), "kind": "", "variables": ""},
    "inventory_sources": {
        **dict.fromkeys((*_TEXTS, "source", "source_path"), ""),
        **dict.fromkeys(("inventory", "source_project", "execution_environment", "credential")),
        **dict.fromkeys(("overwrite", "overwrite_vars", "update_on_launch"), False),
        "timeout": 0,
    },
    "job_templates": {
        **dict.fromkeys((*_TEXTS, "playbook"), ""),
        **dict.fromkeys(("organization", "project", "inventory", "execution_environment")),
        **dict.fromkeys((*_PROMPTS, "diff_mode", "allow_simultaneous", "survey_enabled"), False),
        "job_type": "run",
        "timeout": 0,
    },
    "workflow_job_templates": {
        **_TEXTS,
        **dict.fromkeys(("organization", "inventory")),
        **dict.fromkeys((*_PROMPTS, "allow_simultaneous", "survey_enabled"), False),
    },
    "workflow_job_template_nodes": {
        **dict.fromkeys(("workflow_job_template", "unified_job_template")),
        "identifier": "",
        # What kind of object it is, the module sends as well.
        "type": "workflow_job_template_node",
    },
    "workflow_approval_templates": {**_TEXTS, "timeout": 0},
    "schedules": {**_TEXTS, "unified_job_template": None, "rrule": "", "enabled": True, "extra_data": {}},
}
# Ids of these are in one number range, as the templates of jobs are of one kind in AWX.
UNIFIED = ("projects", "inventory_sources", "job_templates", "workflow_job_templates", "workflow_approval_templates")
# What names one object of a collection.
KEYS = {
    "workflow_job_template_nodes": ("workflow_job_template", "identifier"),
    "inventory_sources": ("inventory", "name"),
    "schedules": ("unified_job_template", "name"),
    "credentials": ("organization", "credential_type", "name"),
    **dict.fromkeys(("projects", "inventories", "job_templates", "workflow_job_templates"), ("organization", "name")),
}
ASSOCIATIONS = {
    "job_templates": {"credentials": "credentials"},
    "workflow_job_template_nodes": dict.fromkeys(
        ("success_nodes", "failure_nodes", "always_nodes"), "workflow_job_template_nodes"
    ),
}
FOR_JOBS = {"ssh", "vault", "cloud", "net", "kubernetes"}
MACHINE = {"fields": [{"id": "username"}, {"id": "ssh_key_data", "secret": True}, {"id": "password", "secret": True}]}
_ANSWERS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("text", "textarea", "password", "multiplechoice", "multiselect"), str),
    "integer": int,
    "float": (int, float),
}


class RefusedError(Exception):
    """A request that AWX would not take. What it would answer: the status, and why."""

    def __init__(self, status: int, what: object) -> None:
        super().__init__(status, what)
        self.status = status
        self.what = what


def check_survey(survey: Thing) -> None:
    """Refuse what AWX refuses of a survey."""
    if not isinstance(survey.get("description"), str) or not isinstance(survey.get("name"), str):
        raise RefusedError(400, {"error": "'name' and 'description' have to be texts"})
    if not survey.get("spec"):
        raise RefusedError(400, {"error": "'spec' doesn't contain any items"})
    variables = [question.get("variable") for question in survey["spec"]]
    if None in variables or len(set(variables)) < len(variables):
        raise RefusedError(400, {"error": f"a variable is missing or there twice: {variables}"})
    for question in survey["spec"]:
        if {"type", "question_name", "variable", "required"} - set(question) or question["type"] not in _ANSWERS:
            raise RefusedError(400, {"error": f"not a question: {question}"})
        choices = question.get("choices")
        if question["type"] in {"multiplechoice", "multiselect"} and not choices:
            raise RefusedError(400, {"error": f"{question['variable']} must specify choices"})
        default = question.get("default", "")
        if default != "" and not isinstance(default, _ANSWERS[question["type"]]):
            raise RefusedError(400, {"error": f"the default of {question['variable']} has the wrong type"})
        if choices and any(one not in choices for one in str(default).splitlines()):
            raise RefusedError(400, {"error": "Default choice must be answered from the choices listed."})
