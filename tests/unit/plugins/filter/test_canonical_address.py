# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One form for each address."""

from __future__ import annotations

import pytest
from ansible_collections.pextra.cloud.plugins.filter.canonical_address import FilterModule


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.0.0.11", "10.0.0.11"),
        ("FD00:0:0:0:0:0:0:0011", "fd00::11"),
        ("fd00::11", "fd00::11"),
        ("node1", "node1"),
        ("", ""),
    ],
)
def test_an_address_has_one_form(text: str, canonical: str) -> None:
    assert FilterModule().filters()["canonical_address"](text) == canonical
