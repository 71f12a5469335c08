# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of which architecture an instance is, or will be, and that it has only what such a machine has. Pure."""

from __future__ import annotations

from ...._model.errors import Problem
from ...._model.rows import Row
from ..architectures import USUAL, facts_of, find_unsuited
from ..spec import Vm, what_is_said
from .context import Context, FailedError, RefusedError, node_name
from .references import find_image
from .state import Domain


def architecture_of(want: Vm, row: Row | None, current: Domain | None, context: Context) -> str:
    """Return the architecture of an instance. Of a new one that does not say it: its image's, or else that of the node
    where it has to be, or else that which the nodes of its cluster have in common. Of containers there is one.

    What an instance is made as it stays: it fails where only nodes that do not answer could tell.
    """
    if want.type == "lxc":
        return USUAL
    if current is not None:
        return current.architecture
    said = want.further.get("architecture") or _of_image(want, context)
    if said is not None:
        return str(said)
    home = node_name(want.node or (row.attributes.get("node") if row is not None else None), context)
    nodes = context.have.nodes
    if home is not None and home in nodes:
        return nodes[home].own_architecture
    if home is not None and home in context.have.down:
        raise FailedError(context.have.down[home])
    common = {state.own_architecture for state in nodes.values() if state.row.scope == context.cluster.id}
    if len(common) != 1:
        return USUAL
    (found,) = common
    silent = sorted(name for name in context.have.down if name in context.nodes)
    if found != USUAL and silent:
        raise FailedError(
            Problem(
                f"the nodes that answer are of {found}, and {', '.join(silent)}, which may be of another architecture, "
                "do not",
                f"Say which it is to be (architecture: {found} or architecture: {USUAL}), or wait for them.",
                silent[0],
            )
        )
    return found


def require_machine(want: Vm, current: Domain | None, architecture: str, context: Context) -> None:
    """Refuse what a machine of the architecture cannot have, and an image of another one."""
    of_image = _of_image(want, context)
    if of_image not in (None, architecture):
        raise RefusedError(
            f"image {want.image} is of {of_image}, and it is of {architecture}",
            f"Choose an image of {architecture}; what is to be of {of_image} can be an instance of another name.",
        )
    if want.further.get("architecture") not in (None, architecture):
        return  # which is refused as a whole
    if facts_of(architecture).has_all:
        return  # as nearly all of thousands
    said = what_is_said(want)
    if current is not None:
        said = {"vcpus": current.config.vcpus, **said}
    unsuited = find_unsuited(said, architecture)
    if unsuited:
        raise RefusedError("; ".join(f"{path} {what}" for path, what in unsuited))


def _of_image(want: Vm, context: Context) -> str | None:
    return find_image(want.image, context).attributes.get("architecture") if want.image else None
