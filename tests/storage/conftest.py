# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests on the storage node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.integration.lab import Site
from tests.storage.storage_node import INVENTORY, StorageNode, lab_command


@pytest.fixture(scope="session")
def node() -> StorageNode:
    """The storage node, up and serving."""
    lab_command("create")
    lab_command("serve")
    return StorageNode()


@pytest.fixture(scope="session")
def cloud(node: StorageNode) -> Site:
    """The cloud of inventories/storage-lab, brought up by site.yml."""
    site = Site(node, INVENTORY)
    site.run(timeout_s=3600).must_succeed()
    return site


@pytest.fixture(scope="session")
def declared(cloud: Site) -> Mapping[str, dict[str, Any]]:
    """The declared pools by name, as the module takes them, with their secrets."""
    return {pool["name"]: pool for pool in cloud.document()["pools"]}
