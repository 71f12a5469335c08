# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory plugin asks a coordinator: all instances, read as the modules read them."""

from __future__ import annotations

from typing import Any

from ._cloud import Cloud
from ._doors.registry.store import Registry
from ._engine.noun import Options
from ._nouns.instance.answer import make_answer
from ._nouns.instance.resource import VmResource


def read_instances(cloud: Cloud) -> dict[str, Any]:
    """Return the answer: all nodes are read at once, and those that do not answer are named in it."""
    resource = VmResource()
    have = resource.read(cloud, (), Options({}))
    return make_answer(resource.describe((), have, is_outline=True), list(cloud.unreachable.values()), have.warnings)


def list_instances(registry: Registry) -> dict[str, Any]:
    """Return the answer. Raises PextraError where the registry cannot be read."""
    with Cloud(registry) as cloud:
        return read_instances(cloud)
