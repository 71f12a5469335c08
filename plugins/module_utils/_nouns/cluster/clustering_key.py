# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clustering keys: what lets a node join a cluster. Signed, expiring, shown once.

A key is `pck1.<payload>.<signature>`: a JSON payload {cluster, expires, nonce} and its HMAC-SHA256 with a secret that
never leaves the registry.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime

_PREFIX = "pck1"


def issue_key(cluster_id: str, secret: str, *, expires: float, nonce: str) -> str:
    """Return a key for a cluster that is valid until `expires` (seconds since the epoch)."""
    payload = json.dumps({"cluster": cluster_id, "expires": int(expires), "nonce": nonce}, sort_keys=True).encode()
    return f"{_PREFIX}.{_encode(payload)}.{_encode(_sign(payload, secret))}"


def check_key(key: str, secrets: Mapping[str, str], cluster_id: str, *, now: float) -> str | None:
    """Return why a key does not let a node into the cluster, or None. `secrets` are by cluster identifier."""
    damaged = "the clustering key is not one: it is damaged or incomplete"
    try:
        prefix, payload_text, signature = key.strip().split(".")
        payload, given = _decode(payload_text), _decode(signature)
    except (ValueError, binascii.Error):
        return damaged
    if prefix != _PREFIX or len(given) != hashlib.sha256().digest_size:
        return damaged
    # Whoever made it up must not choose what is parsed: the signature comes first.
    signers = [
        cluster for cluster, secret in secrets.items() if secret and hmac.compare_digest(given, _sign(payload, secret))
    ]
    content = json.loads(payload) if signers else {}
    if not signers or content["cluster"] not in signers:
        return "the clustering key was not issued by this deployment"
    expires = content["expires"]
    if content["cluster"] != cluster_id:
        return "the clustering key was issued for another cluster"
    if now > expires:
        return f"the clustering key expired at {datetime.fromtimestamp(expires, tz=UTC):%Y-%m-%d %H:%M:%S} UTC"
    return None


def _sign(payload: bytes, secret: str) -> bytes:
    return hmac.new(secret.encode(), payload, hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    """Raises ValueError for any spelling but the one that `_encode` writes."""
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(data) != text:
        raise ValueError(text)
    return data
