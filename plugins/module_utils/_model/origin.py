# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs something, what job started it, and from which revision of the project: read on the controller, bounded
where it is written. All of it comes from outside, and is for people: a value that makes no sense is none. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .foreign_text import make_harmless

# Of a name, a job and a revision each: the registry has room for twice as much, and says where someone was as well.
LONGEST = 120
_CUT = "..."


class Origin(NamedTuple):
    """actor: who. job: what started the run, such as "AWX job 42 (deploy)". revision: of the project it is from."""

    actor: str = ""
    job: str = ""
    revision: str = ""


@dataclass(frozen=True, kw_only=True)
class System:
    """Something that starts jobs, and the names under which it says which.

    number: of the job. where: what the job is of. users: who started it, the first that is given. is_variable: they are
    variables of the run, not of the environment.
    """

    words: str
    number: str
    where: str
    users: tuple[str, ...]
    revision: str
    is_variable: bool = False


def _controller(prefix: str) -> System:
    return System(
        words="AWX job",
        number=f"{prefix}_job_id",
        where=f"{prefix}_job_template_name",
        users=(f"{prefix}_user_name", f"{prefix}_schedule_name"),
        revision=f"{prefix}_project_revision",
        is_variable=True,
    )


# The first that says anything counts. Newer versions of AWX give both names.
SYSTEMS = (
    _controller("awx"),
    _controller("tower"),
    System(
        words="GitLab job",
        number="CI_JOB_ID",
        where="CI_PROJECT_PATH",
        users=("GITLAB_USER_LOGIN",),
        revision="CI_COMMIT_SHA",
    ),
    System(
        words="GitHub run",
        number="GITHUB_RUN_ID",
        where="GITHUB_REPOSITORY",
        users=("GITHUB_ACTOR",),
        revision="GITHUB_SHA",
    ),
)


def find_origin(variables: Mapping[str, Any], environment: Mapping[str, str], user: str) -> Origin:
    """Return where a run comes from. variables: the run's; user: who runs Ansible, if nothing says better."""
    for system in SYSTEMS:
        given = variables if system.is_variable else environment
        number, where = bound(given.get(system.number)), bound(given.get(system.where))
        who = next(filter(None, (bound(given.get(name)) for name in system.users)), "")
        if number or who:
            job = f"{system.words} {number}" + (f" ({where})" if where else "") if number else ""
            return Origin(who or bound(user), bound(job), bound(given.get(system.revision)))
    return Origin(bound(user))


def bound(value: object) -> str:
    """Return a value from outside as one short line that does no harm, empty if it is neither text nor a number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    # Not all of a text that is too long need be looked at; a number beyond 4,300 digits Python refuses to write.
    try:
        text = str(value)[: 4 * LONGEST]
    except ValueError:
        return ""
    line = " ".join(make_harmless(text.encode("utf-8", "replace")).split())
    return line if len(line) <= LONGEST else line[: LONGEST - len(_CUT)] + _CUT
