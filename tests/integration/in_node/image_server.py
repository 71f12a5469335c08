# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server on a node, for one file: image_server.py FILE ADDRESS PORT LOG.

/whole/NAME serves it with ranges, /plain/NAME without, /stall/NAME sends its first half and then nothing more. What is
asked for is noted in LOG: the path and the range.
"""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        wanted = self.headers.get("Range") or ""
        with Path(sys.argv[4]).open("a", encoding="utf-8") as log:
            log.write(f"{self.path.partition('?')[0]} {wanted or 'all'}\n")
        way, _, name = self.path.partition("?")[0].lstrip("/").partition("/")
        path = Path(sys.argv[1]).with_name(name)
        if not path.is_file() or way not in ("whole", "plain", "stall"):
            self.send_error(404)
            return
        size = path.stat().st_size
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and way == "whole" else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        left = size // 2 if way == "stall" else size - start
        with path.open("rb") as file:
            file.seek(start)
            while left and (chunk := file.read(min(left, 1024**2))):
                self.wfile.write(chunk)
                left -= len(chunk)
        if way == "stall":
            self.wfile.flush()
            time.sleep(600)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


ThreadingHTTPServer((sys.argv[2], int(sys.argv[3])), Handler).serve_forever()
