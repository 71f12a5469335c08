# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for tests, made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Authority:
    """A CA that makes certificates for 127.0.0.1, and for others on purpose."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        self._openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca"
        )

    def make(self, name: str, *, address: str = "127.0.0.1", days: int = 1) -> dict[str, str]:
        """Return the paths of a key and a certificate, as connect_tls takes them."""
        subject = ("-subj", f"/CN={name}")
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", *subject)
        (self.directory / "names").write_text(f"subjectAltName=IP:{address}\n")
        files = ("-in", f"{name}.csr", "-out", f"{name}.pem", "-extfile", "names")
        signer = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
        self._openssl("x509", "-req", *files, *signer, "-days", str(days))
        return {"certificate_file": f"{self.directory}/{name}.pem", "key_file": f"{self.directory}/{name}.key"}

    @property
    def ca(self) -> str:
        return f"{self.directory}/ca.pem"

    def _openssl(self, *argv: str) -> None:
        subprocess.run(["openssl", *argv], check=True, capture_output=True, cwd=self.directory)
