# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a run comes from, by the variables of AWX and the environments of GitLab CI and GitHub Actions."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.origin import LONGEST, Origin, bound, find_origin
from hypothesis import given
from hypothesis import strategies as st

SHA = "9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c"
AWX = {
    "awx_job_id": 42,
    "awx_job_template_name": "apply",
    "awx_user_name": "ann",
    "awx_project_revision": SHA,
    "tower_job_id": 42,
    "tower_user_name": "ann",
}
GITLAB = {"CI_JOB_ID": "7", "CI_PROJECT_PATH": "infra/cloud", "GITLAB_USER_LOGIN": "bob", "CI_COMMIT_SHA": SHA}
GITHUB = {"GITHUB_RUN_ID": "99", "GITHUB_REPOSITORY": "infra/cloud", "GITHUB_ACTOR": "eve", "GITHUB_SHA": SHA}
SCHEDULE = {"awx_job_id": 43, "awx_schedule_name": "drift, nightly"}

ORIGINS: list[tuple[dict[str, Any], dict[str, str], Origin]] = [
    ({}, {}, Origin("carol")),
    ({}, {"CI": "true", "USER": "runner"}, Origin("carol")),
    (AWX, {}, Origin("ann", "AWX job 42 (apply)", SHA)),
    (AWX, GITLAB, Origin("ann", "AWX job 42 (apply)", SHA)),
    (SCHEDULE, {}, Origin("drift, nightly", "AWX job 43")),
    ({"tower_job_id": "5", "tower_user_name": "ann"}, {}, Origin("ann", "AWX job 5")),
    ({"awx_job_id": 5}, {}, Origin("carol", "AWX job 5")),
    ({"awx_user_name": "ann"}, {}, Origin("ann")),
    ({}, GITLAB, Origin("bob", "GitLab job 7 (infra/cloud)", SHA)),
    ({}, GITHUB, Origin("eve", "GitHub run 99 (infra/cloud)", SHA)),
    # Variables of a run are no environment, and the other way round.
    (GITLAB, {"awx_job_id": "1"}, Origin("carol")),
    # Whatever makes no sense is none.
    ({"awx_job_id": None, "awx_user_name": ["ann"], "awx_project_revision": {}}, {}, Origin("carol")),
    ({"awx_job_id": True, "awx_user_name": ""}, GITHUB, Origin("eve", "GitHub run 99 (infra/cloud)", SHA)),
    ({"awx_job_id": 1, "awx_user_name": 7}, {}, Origin("7", "AWX job 1")),
]


@pytest.mark.parametrize(("variables", "environment", "origin"), ORIGINS)
def test_where_a_run_comes_from(variables: dict[str, Any], environment: dict[str, str], origin: Origin) -> None:
    assert find_origin(variables, environment, "carol") == origin


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("ann", "ann"),
        ("  ann\t\nis\r\nhere ", "ann is here"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x00b\x9b2Jc", "abc"),
        ("\udcff\u202eann", "?ann"),
        (42, "42"),
        pytest.param(10**5000, "", id="too long a number"),
        (1.5, ""),
        (b"ann", ""),
        ("x" * LONGEST, "x" * LONGEST),
        ("x" * (LONGEST + 1), "x" * (LONGEST - 3) + "..."),
    ],
)
def test_what_is_odd_does_no_harm(value: object, line: str) -> None:
    assert bound(value) == line


ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.text()))


@given(variables=st.dictionaries(st.sampled_from([*AWX, *SCHEDULE]), ANYTHING), user=ANYTHING)
def test_nothing_makes_a_traceback_or_a_second_line(variables: dict[str, Any], user: Any) -> None:
    for text in find_origin(variables, variables, user):
        assert len(text) <= LONGEST
        assert text.isprintable() or not text
