# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hostile or mistyped options of an image are told, before anything is read or changed.

What its file can hide is in test_image_inspection.py, what a server can send in test_image_fetch.py, sources that lead
inwards in _plan/test_image.py, signatures in test_image_signature.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._fields.common import parse_spec
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.spec import FIELDS, Image

GOOD: dict[str, Any] = {"name": "tiny", "source": "images/tiny.qcow2"}

HOSTILE: list[tuple[str, Any, str]] = [
    *(
        ("name", name, "is not a name")
        for name in (
            *("../tiny", "..", "a..b", "/etc/passwd", "a/b", "-rf", "--help", ".hidden", "tiny-", ""),
            *("a b", "a\nb", "a\0b", "<tiny/>", "&amp;", "]]>", "{{ 7 * 7 }}", "$(id)", "`id`", "tïny"),
        )
    ),
    ("name", "x" * 64, "has 64 characters; write at most 63"),
    ("name", True, "YAML reads the bare words"),
    ("name", 1000.0, "YAML reads it as a number"),
    ("source", "images/../../tiny.qcow2", "is not a file name"),
    ("source", "-tiny.qcow2", "is not a file name"),
    ("source", "a\0b", "is not a file or a URL"),
    ("source", 10, "YAML reads it as a number"),
    *(("sha256", digest, "is not a SHA-256") for digest in ("", "a" * 63, "G" * 64, "g" * 64, f"{'a' * 64}\n")),
    ("sha256", 8, "YAML reads it as a number"),
    *(
        ("max_size", size, "is not a size")
        for size in ("1e3", "1e3 GiB", "-1 GiB", "64", "", "NaN GiB", "0x40 GiB", "a lot", [], True)
    ),
    *(("max_size", size, "is no size") for size in ("0 GiB", "0.0 TiB")),
    ("max_size", 0, "is not a size"),
    ("max_size", "64 GB", "has an unknown unit"),
    *(("retention", number, "") for number in (-1, 101, "1e3", True, "all", 1.5)),
    *(("format", wrong, "is not allowed; write one of qcow2, raw") for wrong in ("vmdk", "QCOW2", "")),
    ("pools", ["local", "local"], "is given twice"),
    ("pools", "local", "is not a list"),
    *(("description", text, "holds") for text in ("<b>", "a\nb", "\x1b[31m", "a\0b", "\u202eevil")),
    ("backing_file", "/etc/shadow", "unknown key"),
]


@pytest.mark.parametrize(("option", "value", "said"), HOSTILE, ids=lambda value: repr(value)[:40])
def test_it_is_refused_by_its_name(option: str, value: Any, said: str) -> None:
    image, mistakes = parse_spec(FIELDS, Image, {**GOOD, option: value}, "pextra_images[0]")
    assert image is None
    [mistake] = mistakes
    assert mistake.path.startswith(f"pextra_images[0].{option}")
    assert said in mistake.problem
    assert "\n" not in str(mistake)
    assert "\x1b" not in str(mistake)


def test_all_mistakes_come_at_once() -> None:
    wrong = {"name": "-rf", "source": "file:///etc/shadow", "sha256": "1", "max_size": "1e3", "format": "vdi"}
    _, mistakes = parse_spec(FIELDS, Image, wrong, "it")
    assert {mistake.path for mistake in mistakes} == {f"it.{key}" for key in wrong}
