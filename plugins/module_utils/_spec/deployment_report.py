"""How the mistakes of a deployment document are told to a person."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ._mistake import Mistake
from .deployment_hosts import COORDINATORS, GROUP
from .deployment_variables import DOCUMENT

# A longer path does not push all problems to the right.
_WIDEST = 60


def describe_mistakes(mistakes: Sequence[Mistake]) -> str:
    """Return one line that counts them and one line for each: where, and what is wrong."""
    count = f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"
    width = min(max(len(mistake.path) for mistake in mistakes), _WIDEST)
    lines = [f"  {mistake.path:<{width}}   {mistake.problem}" for mistake in mistakes]
    return "\n".join([f"The deployment has {count}. Nothing was changed.", *lines])


def sort_mistakes(mistakes: Sequence[Mistake]) -> list[Mistake]:
    """Order by the document: its variables in their order, then the position in them."""
    order = {name: number for number, name in enumerate((GROUP, COORDINATORS, *DOCUMENT))}

    def find_position(mistake: Mistake) -> tuple[int, int]:
        match = re.match(r"(\w+)(?:\[(\d+)\])?", mistake.path)
        if match is None:
            return len(order), 0
        return order.get(match[1], len(order)), int(match[2] or 0)

    return sorted(mistakes, key=find_position)
