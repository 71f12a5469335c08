# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one call does to a volume and to its clones takes turns: nobody changes it while it is copied. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..._model.plan import Work

_COPIES = frozenset({"clone", "link"})


def take_turns(stages: Sequence[Mapping[int, Work]], origins: Mapping[int, int]) -> list[tuple[Work, ...]]:
    """Let a volume be made and grown before it is cloned, and be attached to what runs after it.

    stages: the works of a plan, by the index of what is wanted. origins: what a clone is a clone of, by their indices.

    If a clone fails, the volume is not attached: it could not be cloned while that guest runs.
    """
    found = [dict(stage) for stage in stages]
    later: list[list[Work]] = [[] for _ in stages]
    places = {index: number for number, stage in enumerate(found) for index in stage}
    clones: dict[int, list[int]] = {}
    for index, source in origins.items():
        if source in places and index in places and _is_copied(found[places[index]][index]):
            clones.setdefault(source, []).append(index)
    for source, copies in clones.items():
        stage = found[places[source]]
        now, then = _divide(stage[source])
        stage[source] = now
        for copy in copies:
            if now.steps and places[copy] == places[source]:
                clone = stage[copy]
                stage[copy] = replace(clone, after=(*clone.after, now.key))
        if then is not None:
            keys = tuple(found[places[copy]][copy].key for copy in copies)
            # In a stage of its own as long as there is one: what comes after it in the same one waits by its name.
            last = max(places[copy] for copy in copies)
            later[min(last + 1, len(stages) - 1)].append(replace(then, after=(*then.after, *keys)))
            if not now.steps:
                del stage[source]
    return [(*(stage[index] for index in sorted(stage)), *more) for stage, more in zip(found, later, strict=True)]


def _is_copied(work: Work) -> bool:
    return any(step.act in _COPIES for step in work.steps)


def _divide(work: Work) -> tuple[Work, Work | None]:
    """Return what is done to a volume before a running guest has it, and from then on."""
    begins = next((n for n, step in enumerate(work.steps) if step.act == "attach" and step.data["live"]), None)
    if begins is None:
        return work, None
    attached = tuple(change for change in work.changes if change.field == "attached_to")
    others = tuple(change for change in work.changes if change.field != "attached_to")
    if not others:  # what goes before is only to be noted
        return replace(work, steps=(), changes=()), work
    now = replace(work, steps=work.steps[:begins], changes=others, pending=())
    return now, replace(work, steps=work.steps[begins:], changes=attached, loses=())
