# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes with units."""

from __future__ import annotations

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.sizes import parse_size_mib, show_size
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "mib"),
    [
        ("512 MiB", 512),
        ("512MiB", 512),
        ("512 m", 512),
        (" 2 GiB ", 2048),
        ("2g", 2048),
        ("0.5 GiB", 512),
        ("1 TiB", 1024**2),
        ("1 PiB", 1024**3),
        ("2048 KiB", 2),
    ],
)
def test_reads(text: str, mib: int) -> None:
    assert parse_size_mib(text) == (mib, None)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (512, "512 is not a size; write a number and a unit, such as 512 MiB or 2 GiB"),
        ("512", '"512" is not a size'),
        ("1e3", '"1e3" is not a size'),
        ("-1 GiB", '"-1 GiB" is not a size'),
        ("", '"" is not a size'),
        (None, "nothing is not a size"),
        ("1 MB", '"1 MB" has an unknown unit; write KiB, MiB, GiB, TiB or PiB'),
        ("1 XiB", '"1 XiB" has an unknown unit'),
        ("0 MiB", '"0 MiB" is no size; write more than nothing'),
        ("1 KiB", '"1 KiB" is not a whole number of MiB'),
    ],
)
def test_refuses(value: object, problem: str) -> None:
    size, found = parse_size_mib(value)
    assert size is None
    assert found is not None
    assert found.startswith(problem)


@pytest.mark.parametrize(("mib", "text"), [(512, "512 MiB"), (1024, "1 GiB"), (1536, "1536 MiB"), (1024**2, "1 TiB")])
def test_shows(mib: int, text: str) -> None:
    assert show_size(mib) == text


@given(st.integers(min_value=1, max_value=2**50))
def test_what_is_shown_is_read_again(mib: int) -> None:
    assert parse_size_mib(show_size(mib)) == (mib, None)


@given(st.text(alphabet="0123456789.KMGTPiB "))
def test_never_raises(text: str) -> None:
    size, problem = parse_size_mib(text)
    assert (size is None) != (problem is None)
