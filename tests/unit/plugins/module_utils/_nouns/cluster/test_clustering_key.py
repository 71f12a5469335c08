# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clustering keys."""

from __future__ import annotations

import base64
import json

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.cluster.clustering_key import check_key, issue_key
from hypothesis import given
from hypothesis import strategies as st

SECRETS = {"cls-1": "a" * 64, "cls-2": "b" * 64, "cls-3": ""}
KEY = issue_key("cls-1", SECRETS["cls-1"], expires=1000.9, nonce="n")
DAMAGED = "the clustering key is not one: it is damaged or incomplete"
STRANGE = "the clustering key was not issued by this deployment"


@pytest.mark.parametrize(
    ("key", "cluster", "now", "expected"),
    [
        (KEY, "cls-1", 999, None),
        (f"  {KEY}\n", "cls-1", 1000, None),
        (KEY, "cls-1", 1001, "the clustering key expired at 1970-01-01 00:16:40 UTC"),
        (KEY, "cls-2", 999, "the clustering key was issued for another cluster"),
        (issue_key("cls-1", "c" * 64, expires=1000, nonce="n"), "cls-1", 999, STRANGE),
        (issue_key("cls-3", "", expires=1000, nonce="n"), "cls-3", 999, STRANGE),
        (issue_key("cls-9", "", expires=1000, nonce="n"), "cls-9", 999, STRANGE),
        (KEY.replace("pck1", "pck2"), "cls-1", 999, DAMAGED),
        (KEY[:-1], "cls-1", 999, DAMAGED),
        (KEY[5:], "cls-1", 999, DAMAGED),
        (KEY + ".x", "cls-1", 999, DAMAGED),
        ("", "cls-1", 999, DAMAGED),
        ("ä.ö.ü", "cls-1", 999, DAMAGED),
    ],
)
def test_check(key: str, cluster: str, now: float, expected: str | None) -> None:
    assert check_key(key, SECRETS, cluster, now=now) == expected


def test_a_key_of_another_cluster_signed_by_it() -> None:
    """The second cluster's secret does not open the first."""
    forged = issue_key("cls-1", SECRETS["cls-2"], expires=1000, nonce="n")
    assert check_key(forged, SECRETS, "cls-1", now=0) is not None


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 100_000,
        b"null",
        json.dumps({"cluster": "cls-1", "expires": 1e999}).encode(),
        json.dumps({"cluster": ["cls-1"], "expires": "x"}).encode(),
    ],
)
def test_what_is_not_signed_is_not_even_parsed(payload: bytes) -> None:
    text = base64.urlsafe_b64encode(payload).decode().rstrip("=")
    assert check_key(f"pck1.{text}.{KEY.split('.')[2]}", SECRETS, "cls-1", now=0) == STRANGE


@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    assert check_key(text, SECRETS, "cls-1", now=0) is not None


@given(st.integers(0, len(KEY) - 1), st.characters(codec="ascii"))
def test_one_other_character(index: int, char: str) -> None:
    changed = KEY[:index] + char + KEY[index + 1 :]
    if changed.strip() != KEY:
        assert check_key(changed, SECRETS, "cls-1", now=0) is not None


def test_keys_differ() -> None:
    assert issue_key("cls-1", "s", expires=1, nonce="a") != issue_key("cls-1", "s", expires=1, nonce="b")
    assert "s3cret" not in issue_key("cls-1", "s3cret", expires=1, nonce="a")
