# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that went wrong in a run, wherever that was, as one list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ._model.errors import Problem


def collect_problems(noted: Mapping[str, Sequence[Mapping[str, Any]]], present: Iterable[str]) -> list[Problem]:
    """Return everything that the hosts of a run have noted, each once.

    present: the hosts that are still in the run. Of one that is not and has noted nothing, ssh broke off.
    """
    still = set(present)
    problems: list[Problem] = []
    for host, found in noted.items():
        if not found and host not in still:
            problems.append(describe_silence(host))
        for one in found:
            fields = (one.get(key) or "" for key in ("what", "remedy", "node", "resource"))
            problems.append(Problem(*(str(field) for field in fields)))
    return list(dict.fromkeys(problems))


def describe_silence(host: str) -> Problem:
    """Return what is said of a host with which ssh broke off."""
    return Problem(
        "it did not answer over ssh, or stopped answering, so this run left it out",
        "See that the host is up and sshd runs there (systemctl status ssh), then run again.",
        host,
    )


def render_report(problems: Sequence[Problem]) -> str:
    """Return the lines that tell people. What many suffer from is told once, and then who they are."""
    suffering: dict[tuple[str | None, str, str], list[str]] = {}
    for one in problems:
        suffering.setdefault((one.node, one.what, one.remedy), []).append(one.resource or "")
    lines = []
    for (node, what, remedy), resources in suffering.items():
        named = [each for each in resources if each]
        is_alone = len(resources) == len(named) == 1
        lines.append(str(Problem(what, remedy, node, named[0] if is_alone else None)))
        if named and not is_alone:
            lines.append(f"  so not as declared: {', '.join(named)}")
    if len(suffering) == 1:
        return "\n  ".join([f"1 problem; what does not need it is done. {lines[0]}", *lines[1:]])
    return "\n  ".join([f"{len(suffering)} problems; what does not need these is done:", *lines])
