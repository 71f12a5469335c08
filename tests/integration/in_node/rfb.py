# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log in to a screen of VNC (RFC 6143): rfb.py PORT, the password on standard input.

Prints a JSON object: security, the numbers of what the screen asks for (1 nothing, 2 a password), and is_let_in.
"""

from __future__ import annotations

import json
import socket
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, modes

try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES


def take(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = connection.recv(size - len(found))
        if not part:
            raise EOFError("the screen hung up")
        found += part
    return found


def main() -> None:
    password = sys.stdin.read().encode()
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20) as connection:
        take(connection, 12)
        connection.sendall(b"RFB 003.008\n")
        security = list(take(connection, take(connection, 1)[0]))
        kind = 2 if 2 in security else 1
        connection.sendall(bytes([kind]))
        if kind == 2:
            # The bits of each byte of the key come the other way round; three times the same key is single DES.
            key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password[:8].ljust(8, b"\0"))
            cipher = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()
            connection.sendall(cipher.update(take(connection, 16)))
        is_let_in = take(connection, 4) == bytes(4)
    print(json.dumps({"security": security, "is_let_in": is_let_in}))


main()
