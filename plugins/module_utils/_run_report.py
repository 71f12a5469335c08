"""Everything that went wrong in a run, wherever that was, as one list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ._errors import Problem


def collect_problems(noted: Mapping[str, Sequence[Mapping[str, Any]]], present: Iterable[str]) -> list[Problem]:
    """Return everything that the hosts of a run have noted, each once.

    present: the hosts that are still in the run. Of one that is not and has noted nothing, ssh broke off.
    """
    still = set(present)
    problems: list[Problem] = []
    for host, found in noted.items():
        if not found and host not in still:
            problems.append(
                Problem(
                    "it did not answer over ssh, or stopped answering, so this run left it out",
                    "See that the host is up and sshd runs there (systemctl status ssh), then run again.",
                    host,
                )
            )
        for one in found:
            fields = (one.get(key) or "" for key in ("what", "remedy", "node", "resource"))
            problems.append(Problem(*(str(field) for field in fields)))
    return list(dict.fromkeys(problems))


def render_report(problems: Sequence[Problem]) -> str:
    """Return the lines that tell people."""
    if len(problems) == 1:
        return f"1 problem; what does not need it is done. {problems[0]}"
    head = f"{len(problems)} problems; what does not need these is done:"
    return "\n  ".join([head, *(str(each) for each in problems)])
