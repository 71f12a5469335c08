# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The survey of AWX for a playbook or role."""

from __future__ import annotations

DOCUMENTATION = r"""
name: awx_survey
short_description: Make a survey of AWX from an argument spec
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Takes one entry of an argument spec and returns the survey that asks for its options, as the API of AWX takes it,
    or an empty mapping where nothing is asked.
  - Options that need not be given and that no survey can ask for, such as lists of mappings, are left out. The filter
    fails where one that has to be given is of that kind.
  - Secret options are asked for without being shown, and have no default.
positional: name, without
options:
  _input:
    description: The entry, with C(options).
    type: dict
    required: true
  name:
    description: The name of the survey.
    type: str
    required: true
  without:
    description: The options that are not asked for.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Have a job template that asks which node
  awx.awx.job_template:
    name: Decommission
    survey_enabled: true
    survey_spec: "{{ argument_specs.decommission | pextra.cloud.awx_survey('Decommission') }}"
"""

RETURN = r"""
_value:
  description: The survey.
  type: dict
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.pextra.cloud.plugins.plugin_utils.surveys import SurveyError, make_survey


def awx_survey(spec: Mapping[str, Any], name: str, without: Collection[str] = ()) -> dict[str, Any]:
    """Return the survey of an entry of an argument spec."""
    try:
        return make_survey(name, spec, without)
    except SurveyError as error:
        raise AnsibleFilterError(f"{name}: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"awx_survey": awx_survey}
