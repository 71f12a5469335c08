# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every error this collection raises on purpose. The runner alone turns them into results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, on which object, what, and what to do about it."""

    what: str
    remedy: str = ""
    node: str | None = None
    resource: str | None = None

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.node, self.resource) if part)
        text = f"{where}: {self.what}" if where else self.what
        return f"{text.rstrip('.')}. {self.remedy}" if self.remedy else text

    def as_dict(self) -> dict[str, str | None]:
        return {"node": self.node, "resource": self.resource, "what": self.what, "remedy": self.remedy}


# Of so many alike a reader wants to know how many they are, and one text.
_ALIKE = 4
_NAMED = 3


def tell_problems(problems: Sequence[Problem]) -> str:
    """Return a message with every problem. What is wrong alike with many resources of one node is said once."""
    alike: dict[tuple[str | None, str, str], list[Problem]] = {}
    for problem in problems:
        alike.setdefault((problem.node, problem.what, problem.remedy), []).append(problem)
    lines = []
    for same in alike.values():
        names = [problem.resource for problem in same if problem.resource]
        if len(names) < max(_ALIKE, len(same)):
            lines += [str(problem) for problem in same]
            continue
        first = ", ".join(names[:_NAMED])
        named = f"{first} and {len(names) - _NAMED} more"
        lines.append(str(replace(same[0], resource=named)))
    if len(problems) == 1:
        return lines[0]
    return f"{len(problems)} problems:\n  " + "\n  ".join(lines)


class PextraError(Exception):
    """Base of all errors; `problems` says everything that is wrong, at once."""

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        if isinstance(problems, str):
            problems = [Problem(problems)]
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class InvalidInputError(PextraError):
    """What was asked for breaks a rule. Nothing has been touched."""


class RefusedError(PextraError):
    """What was asked for is well formed, but must not be done as things stand. Nothing has been touched."""


class ConsentError(PextraError):
    """Data would be lost and `confirm: DESTROY` was not given. Nothing has been touched."""


class NotConvergedError(PextraError):
    """Everything was done, and it is still not as declared."""


class UnreachableError(PextraError):
    """A node's management protocol does not answer."""


class HypervisorError(PextraError):
    """libvirt refused or failed."""


class NotFoundError(HypervisorError):
    """The object is not there (any more)."""


class BusyError(HypervisorError):
    """libvirt is at something else there; it ends by itself."""


class SwitchError(PextraError):
    """OVSDB refused or failed."""


class CephError(PextraError):
    """Ceph refused or failed."""


class RegistryError(PextraError):
    """The registry cannot be used."""


class LeaseError(PextraError):
    """Another run holds the resource."""


class DefectError(PextraError):
    """An error that nobody foresaw (_engine/defects.py)."""
