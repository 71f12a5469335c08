# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of an image that vouch for it: what they can be, and what they need."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._fields.common import parse_spec
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.spec import FIELDS, Image
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.trust import (
    file_name_of,
    find_trust_mistakes,
    from_inline,
    mirrored,
    to_inline,
)

URL = "https://images.example.com/a/tiny.qcow2"
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n"
SIGNED = {"signature": "tiny.sig", "signing_key": KEY}


def mistakes_of(**options: Any) -> list[str]:
    image, mistakes = parse_spec(FIELDS, Image, {"name": "tiny", "source": URL, "sha256": "a" * 64, **options}, "it")
    return [str(one) for one in mistakes or find_trust_mistakes(image, "it")]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {},
        SIGNED,
        {**SIGNED, "signing_key": "keys/publisher.asc"},
        {**SIGNED, "signing_key": to_inline(b"\x99\x01")},
        {**SIGNED, "signature": "https://images.example.com/tiny.sig", "checksums": "SHA256SUMS"},
        {"mirrors": ["/srv/mirror", "mirror", "http://192.0.2.7/images"]},
        {"mirrors": [], "source": "tiny.qcow2"},
    ],
)
def test_what_is_right(options: dict[str, Any]) -> None:
    assert mistakes_of(**options) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"signature": "tiny.sig"}, "it.signing_key: is missing"),
        ({"signing_key": KEY}, "it.signature: is missing"),
        ({"checksums": "https://other.example.com/SHA256SUMS"}, "a list of checksums that is not signed"),
        ({**SIGNED, "signature": "file:///etc/passwd"}, "it.signature"),
        ({**SIGNED, "signature": "http://127.0.0.1/tiny.sig"}, "it.signature"),
        ({**SIGNED, "signature": "../tiny.sig"}, "it.signature"),
        ({**SIGNED, "signature": "-x"}, "it.signature"),
        ({**SIGNED, "checksums": "http://169.254.169.254/SHA256SUMS"}, "it.checksums"),
        ({**SIGNED, "signing_key": "https://images.example.com/key.asc"}, "is a URL; who changes the image"),
        ({**SIGNED, "signing_key": "-----BEGIN PGP PRIVATE KEY BLOCK-----\nhunter2"}, "it is a private key"),
        ({"mirrors": ["file:///srv/mirror"]}, "it.mirrors[0]"),
        ({"mirrors": ["http://localhost/"]}, "it.mirrors[0]"),
        ({"mirrors": ["http://127.0.0.1:8080/"]}, "it.mirrors[0]"),
        ({"mirrors": ["http://user:hunter2@192.0.2.7/"]}, "it.mirrors[0]"),
        ({"mirrors": ["../mirror"]}, "it.mirrors[0]"),
        ({"mirrors": ["/srv/mirror", "/srv/mirror"]}, "is given twice"),
        ({"mirrors": ["/srv/mirror"], "source": "tiny.qcow2"}, "only what has a URL or a short name as its source"),
        ({"mirrors": ["/srv/mirror"], "source": "https://images.example.com/"}, "names no file at its end"),
    ],
)
def test_what_is_refused(options: dict[str, Any], said: str) -> None:
    [mistake] = mistakes_of(**options)
    assert said in mistake
    assert "hunter2" not in mistake


def test_contents_travel_as_values() -> None:
    assert from_inline(to_inline(b"\x00\xff")) == b"\x00\xff"
    assert from_inline(KEY) == KEY.encode()
    assert from_inline("data:;base64,!!") == b""
    assert from_inline("keys/publisher.asc") is None


def test_mirrors_know_a_file_by_its_own_name() -> None:
    assert file_name_of(f"{URL}?x=/y") == "tiny.qcow2"
    assert mirrored("/srv/mirror", URL) == "/srv/mirror/tiny.qcow2"
    assert mirrored("http://192.0.2.7/a/", f"{URL}?token=1") == "http://192.0.2.7/a/tiny.qcow2"
    assert file_name_of("https://images.example.com/..%2Fx") == "x"
