# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identifiers, and what follows from them."""

from __future__ import annotations

import uuid

import netaddr
import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import (
    ALPHABET,
    PREFIXES,
    id_of,
    is_id,
    mac_of,
    new_id,
    uuid_of,
)
from hypothesis import given
from hypothesis import strategies as st

KINDS = st.sampled_from(sorted(PREFIXES))
BODIES = st.text(alphabet=ALPHABET, min_size=21, max_size=21)


@given(KINDS)
def test_a_new_one_is_one(kind: str) -> None:
    fresh = new_id(kind)
    assert is_id(fresh)
    assert is_id(fresh, kind)
    assert not any(is_id(fresh, other) for other in PREFIXES if PREFIXES[other] != PREFIXES[kind])
    assert new_id(kind) != fresh


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("node-qthm_iLrflJ_DtSS1l4Gx", True),
        ("inst---------------------_", True),
        ("node-qthm_iLrflJ_DtSS1l4G", False),
        ("node-qthm_iLrflJ_DtSS1l4Gxx", False),
        ("node-qthm_iLrflJ_DtSS1l4G.", False),
        ("node-qthm_iLrflJ_DtSS1l4Gx\n", False),
        ("xyz-qthm_iLrflJ_DtSS1l4Gx", False),
        ("node1", False),
        ("", False),
    ],
)
def test_form(text: str, expected: bool) -> None:
    assert is_id(text) is expected


@given(KINDS, BODIES)
def test_a_uuid_stands_for_an_identifier(kind: str, body: str) -> None:
    identifier = f"{PREFIXES[kind]}-{body}"
    assert id_of(kind, uuid_of(identifier)) == identifier
    assert str(uuid.UUID(uuid_of(identifier))) == uuid_of(identifier)


@given(KINDS, BODIES, BODIES)
def test_different_identifiers_have_different_uuids(kind: str, one: str, other: str) -> None:
    uuids = {uuid_of(f"{PREFIXES[kind]}-{body}") for body in (one, other)}
    assert len(uuids) == len({one, other})


@given(st.uuids())
def test_other_uuids_stand_for_nothing(value: uuid.UUID) -> None:
    found = id_of("instance", str(value))
    assert (found is None) == (value.int & 0b11 != 0b10)
    assert found is None or uuid_of(found) == str(value)


@given(BODIES, st.text(max_size=5))
def test_macs_are_stable_unicast_and_local(body: str, nic: str) -> None:
    mac = mac_of(f"inst-{body}", nic)
    assert mac == mac_of(f"inst-{body}", nic)
    first = netaddr.EUI(mac).words[0]
    assert first & 0b11 == 0b10
    assert str(netaddr.EUI(mac, dialect=netaddr.mac_unix_expanded)) == mac


def test_macs_differ() -> None:
    assert len({mac_of(new_id("instance"), str(nic)) for nic in range(8) for _ in range(250)}) == 2000
