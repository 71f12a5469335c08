# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that answer under their names, over https: internet.py DIRECTORY CERTIFICATE KEY LOG.

What NAME has lies in DIRECTORY/NAME; what ends with a slash is the file index.json there. What is asked for is noted in
LOG: the name, the path, and how it was answered.
"""

from __future__ import annotations

import ssl
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

DIRECTORY, CERTIFICATE, KEY, LOG = map(Path, sys.argv[1:])


class Handler(SimpleHTTPRequestHandler):
    @property
    def site(self) -> str:
        return (self.headers.get("Host") or "").partition(":")[0]

    def translate_path(self, path: str) -> str:
        self.directory = str(DIRECTORY / self.site)
        plain = path.partition("?")[0]
        return super().translate_path(f"{plain}index.json" if plain.endswith("/") else plain)

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        with LOG.open("a", encoding="utf-8") as log:
            log.write(f"{self.site}{self.path} {int(code)}\n")


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server = ThreadingHTTPServer(("", 443), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
