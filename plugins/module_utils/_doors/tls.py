# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutual TLS to a node's daemons: this coordinator's side of it, and who is at fault when it fails.

Faults are told by OpenSSL's numbers and by the alerts' names, not by texts, which are of some language and version.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import ssl
import threading

from .._model.errors import Problem, UnreachableError

CA_FILE = "/etc/pki/pextra/ca.pem"
CRL_FILE = "/etc/pki/pextra/crl.pem"
CERTIFICATE_FILE = "/etc/pki/pextra/cert.pem"
KEY_FILE = "/etc/pki/pextra/key.pem"
_ALERT_TIMEOUT_S = 1.0
_TIMEOUT_S = 3.0
# OpenSSL's X509_V_ERR_*.
_NOT_NOW = {9, 10}
_REVOKED = {23}
_CRL_UNUSABLE = {3, 5, 8, 11, 12}
_OTHER_NAME = {62, 64}

_context_lock = threading.Lock()


def context_for(
    node: str,
    *,
    ca_file: str = CA_FILE,
    crl_file: str = CRL_FILE,
    certificate_file: str = CERTIFICATE_FILE,
    key_file: str = KEY_FILE,
) -> ssl.SSLContext:
    """Return what this coordinator speaks TLS with. Raises UnreachableError if it cannot."""
    files = (ca_file, crl_file, certificate_file, key_file)
    try:
        changed = tuple(os.stat(path).st_mtime_ns for path in files if os.path.exists(path))
        with _context_lock:  # nodes are connected to at once, and the first loads it for all
            return _load_context(*files, changed)
    except OSError as error:  # SSLError is one
        problem = Problem(
            f"this coordinator's own certificate cannot be used ({certificate_file}, {key_file}, {ca_file}): {error}",
            "Modules run as root on a coordinator; run site.yml --tags node there, which renews it.",
            node,
        )
        raise UnreachableError([problem]) from error


@functools.lru_cache(maxsize=1)  # reading the files costs more than a handshake
def _load_context(
    ca_file: str, crl_file: str, certificate_file: str, key_file: str, _changed: tuple[int, ...]
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(ca_file)
    context.load_cert_chain(certificate_file, key_file)
    if os.path.exists(crl_file):
        context.load_verify_locations(crl_file)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


def find_fault(node: str, daemon: str, address: str, port: int, context: ssl.SSLContext) -> Problem | None:
    """Shake hands with a daemon that refused, only to find out why. None: it lets us in as far as TLS goes."""
    try:
        plain = socket.create_connection((address, port), timeout=_TIMEOUT_S)
    except OSError:
        return None
    try:
        with context.wrap_socket(plain, server_hostname=address) as greeted:
            greeted.settimeout(_ALERT_TIMEOUT_S)
            # Who is let in may be greeted, or waited for; who is not is sent away, with TLS 1.3 only now.
            return None if greeted.recv(1) else refused(node, daemon, EOFError("it closed the connection"))
    except TimeoutError:
        return None
    except ssl.SSLError as error:
        return explain(node, daemon, error)
    except OSError as error:
        return refused(node, daemon, error)
    finally:
        with contextlib.suppress(OSError):
            plain.close()


def explain(node: str, daemon: str, error: Exception) -> Problem:
    """Say why a handshake failed. daemon: whose, as "its OVSDB"."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return refused(node, daemon, error)
    renew = f"Run site.yml --tags node --limit {node}, which renews it."
    text, code = error.verify_message, error.verify_code
    if code in _NOT_NOW:
        return Problem(f"the certificate of {daemon} is not valid now: {text}", renew, node)
    if code in _REVOKED:
        return Problem(
            f"the certificate of {daemon} is revoked: {text}",
            "A decommissioned host answers at this address. Find out who it is before anything else.",
            node,
        )
    if code in _CRL_UNUSABLE:
        return Problem(f"the revocation list {CRL_FILE} is not usable: {text}", "Run site.yml --tags node.", node)
    if code in _OTHER_NAME:
        return Problem(f"the certificate of {daemon} does not name it: {text}", renew, node)
    return Problem(
        f"the certificate of {daemon} is not of this deployment's CA: {text}",
        "Find out to which deployment the node belongs; decommission it there first.",
        node,
    )


def refused(node: str, daemon: str, error: Exception) -> Problem:
    """Say why the other side refused; `reason` is the alert's name."""
    text = getattr(error, "reason", None) or str(error) or type(error).__name__
    if "EXPIRED" in text:
        return Problem(
            f"{daemon} says that this coordinator's certificate has expired ({text})",
            "Run site.yml --tags node --limit with the coordinator's name, which renews it.",
            node,
        )
    if "UNKNOWN_CA" in text:
        return Problem(
            f"{daemon} does not know this deployment's CA ({text})",
            "Find out to which deployment the node belongs; decommission it there first.",
            node,
        )
    if "WRONG_VERSION" in text:
        return Problem(
            f"{daemon} does not speak TLS at its port ({text})",
            f"Find out what listens there; or run site.yml --tags node --limit {node}.",
            node,
        )
    return Problem(
        f"{daemon} refused the TLS connection ({text})",
        f"The node must accept this coordinator's name: run site.yml --tags node --limit {node}; and if this "
        "coordinator's own certificate has expired, with the coordinator's name.",
        node,
    )


def alert_of(error: Exception) -> ssl.SSLError | None:
    """Return the error if it is what the other side said, rather than that it closed."""
    was_closed = isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    return error if isinstance(error, ssl.SSLError) and not was_closed else None
