# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Propagation: what one node needs so that a storage pool is there, or gone. Pure.

The rules are those of the domain ("Propagation"); each call of `plan_propagation` is one round of the system job.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Act = Literal["fail", "define", "start", "forget", "remove", "dissociate"]


class Situation(NamedTuple):
    """A pool on a node, as registry and node tell it.

    pool_exists, has_association: the registry's rows. has_internal_id: the association names libvirt's pool.
    enabled: the node shall have it (False: the association is marked for deletion). defined, started: as libvirt has
    it. source_reachable: what the pool is made of can be used from the node. A pool whose server has gone stays
    "started" for libvirt, so it is available only if both hold.
    """

    pool_exists: bool
    has_association: bool
    has_internal_id: bool
    enabled: bool
    defined: bool
    started: bool
    source_reachable: bool


def plan_propagation(now: Situation) -> Act | None:
    """Return what one round does, None when there is nothing to do.

    fail: record that the source cannot be reached. define: define it, record libvirt's identifier, start it.
    forget: drop the internal identifier, so that the next round defines it again. remove: stop and undefine it, drop
    the association. dissociate: drop the association of a pool that is on the node no more.
    """
    if not now.pool_exists or not now.has_association:
        return None
    if not now.enabled:
        return "remove" if now.defined else "dissociate"
    if not now.has_internal_id:
        # A run that was killed may have defined it already: defining it again is harmless, and records it.
        return "define" if now.source_reachable else "fail"
    if not now.defined:
        return "forget"
    if not now.source_reachable:
        # Started, it is left to come back. Stopped, it is not started: that would wait for the server, and libvirt
        # would tell nothing about any pool of the node meanwhile.
        return "fail"
    return None if now.started else "start"


def plan_rounds(now: Situation) -> tuple[Act, ...]:
    """Return what all rounds do until one has nothing to do, or fails."""
    acts: list[Act] = []
    while (act := plan_propagation(now)) is not None:
        acts.append(act)
        if act == "fail":
            break
        now = _after(act, now)
    return tuple(acts)


def _after(act: Act, now: Situation) -> Situation:
    if act == "forget":
        return now._replace(has_internal_id=False)
    if act == "define":
        return now._replace(has_internal_id=True, defined=True, started=True)
    if act == "start":
        return now._replace(started=True)
    return now._replace(has_association=False, has_internal_id=False, defined=False, started=False)
