# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What storage pools of each type are made of: the tables of their sources, and checks of single values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..._fields.checks import check_address, check_hostname
from ..._fields.field import REQUIRED, Field
from ..._model.mistake import shown

# RFC 3720, "iSCSI names": iqn.YYYY-MM.reversed-domain[:anything], eui.<16 hex>, naa.<16 or 32 hex>.
_IQN = re.compile(
    r"iqn\.[0-9]{4}-[0-9]{2}\.[a-z0-9][a-z0-9.-]{0,100}(:[a-z0-9._:-]{1,100})?|(eui|naa)\.[0-9A-Fa-f]{16,32}"
)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# Ends in `//host/share` as an argument of mount: nothing that mount or a shell could take for something else.
_SHARE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._$-]{0,79}(/[A-Za-z0-9][A-Za-z0-9._-]{0,79})*")
_EXPORT = re.compile(r"/|(/[A-Za-z0-9_][A-Za-z0-9._@+-]{0,254}){1,32}")
# Ceph's keys are 28 bytes in base64.
_CEPH_KEY = re.compile(r"[A-Za-z0-9+/]{38}==")


def check_host(value: str) -> str | None:
    """A host name or an address."""
    if check_hostname(value) is None or check_address(value) is None:
        return None
    return f"{shown(value)} is neither a host name nor an address; write one such as storage.example.com or 192.0.2.9"


def check_export(value: str) -> str | None:
    """The path of an NFS export, or the name of an SMB share with or without a directory in it."""
    parts = value.split("/")
    if not {".", ".."} & set(parts) and (_EXPORT.fullmatch(value) or _SHARE.fullmatch(value)):
        return None
    return f"{shown(value)} is no export; write a path such as /export/vms for NFS, or the share's name for SMB"


def check_iscsi_target(value: str) -> str | None:
    if _IQN.fullmatch(value):
        return None
    return f"{shown(value)} is not an iSCSI name; write one such as iqn.2026-01.com.example:storage"


def check_word(value: str) -> str | None:
    if _WORD.fullmatch(value):
        return None
    return f"{shown(value)} is no name of this kind; write letters, digits, dots, dashes or underscores"


def check_chap_password(value: str) -> str | None:
    """RFC 7143, 12.1.3: less than 12 bytes are refused by many targets; open-iscsi takes 255 at most."""
    if 12 <= len(value) <= 255 and value.isascii() and value.isprintable():
        return None
    return "its secret value is no CHAP password; write 12 to 255 printable ASCII characters"


def check_smb_password(value: str) -> str | None:
    """What a line of mount.cifs's credentials file can hold (mount.cifs(8))."""
    if 1 <= len(value) <= 127 and value.isprintable() and value == value.strip():
        return None
    return "its secret value is no password of SMB; write 1 to 127 printable characters, with no blank at either end"


def check_ceph_key(value: str) -> str | None:
    if _CEPH_KEY.fullmatch(value):
        return None
    return "its secret value is no key of Ceph; write what `ceph auth get-key client.NAME` prints"


_HOST = Field(kind="str", create=REQUIRED, check=check_host, help="The server, by host name or address.")

NETFS = {
    "host": _HOST,
    "export": Field(
        kind="str",
        create=REQUIRED,
        check=check_export,
        help="What the server exports: a path such as V(/export/vms) for NFS, the name of the share for SMB.",
    ),
    "format": Field(
        kind="str",
        create="nfs",
        choices=("nfs", "cifs"),
        help="V(nfs), or V(cifs) for a share of an SMB server.",
    ),
    "username": Field(
        kind="str", check=check_word, help="The user of the SMB server. Without it the share is used as a guest."
    ),
    "password": Field(
        kind="str",
        no_log=True,
        check=check_smb_password,
        help="The user's password. libvirt has no place for it: the role P(pextra.cloud.node#role) writes it on the "
        "nodes, to C(/etc/pextra/smb/<pool>), which root alone can read.",
    ),
}
ISCSI = {
    "host": _HOST,
    "port": Field(kind="int", create=3260, minimum=1, maximum=65535, help="The TCP port of the portal."),
    "target": Field(kind="str", create=REQUIRED, check=check_iscsi_target, help="The name of the target (IQN)."),
    "username": Field(
        kind="str", check=check_word, help="The user of CHAP. Without it the target is used without a login."
    ),
    "password": Field(
        kind="str",
        no_log=True,
        check=check_chap_password,
        help="The password of CHAP, 12 characters or more. It is kept in a secret of the nodes' libvirt.",
    ),
}
RBD = {
    "monitors": Field(
        kind="list",
        element=Field(kind="str", check=check_host, help="A monitor, by host name or address."),
        unique=True,
        help="The monitors of Ceph, by host name or address. They are asked on port 3300 (messenger version 2). In the "
        "deployment document they are derived for a pool of the deployment's own Ceph.",
    ),
    "pool": Field(kind="str", check=check_word, help="The pool of Ceph. The name of the storage pool unless given."),
    "user": Field(
        kind="str", create="pextra", check=check_word, help="The user of Ceph, without V(client.) before it."
    ),
    "key": Field(
        kind="str",
        no_log=True,
        check=check_ceph_key,
        help="The user's key. It is kept in a secret of the nodes' libvirt.",
    ),
}

# The credentials among them; they are never registered, nor written where others can read.
SECRETS = {"netfs": "password", "iscsi": "password", "rbd": "key"}
# Of these, what libvirt has secrets for.
IN_LIBVIRT = ("iscsi", "rbd")


def target_of(source: Mapping[str, Any]) -> str:
    """Return what the iSCSI target of a pool is known by, through whichever portal: its name, in lower case.

    source: what the pool is made of. The text is empty where that is no target.
    """
    return str(source.get("target") or "").lower()
