# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image: a disk, or the files, that instances begin from, or an ISO that is put into their drives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._fields.checks import check_sha256
from ..._fields.common import (
    CLUSTER,
    DESCRIPTION,
    MAX_VOLUME_MIB,
    NAME,
    STATE,
    protected,
)
from ..._fields.field import Field, join
from ..._model.mistake import Mistake
from ..._model.source import check_mirror, check_source
from ..pool.kinds import TREE_FORMATS
from .distributions import DISTRIBUTIONS, Distribution, find_distribution
from .trust import check_key, check_signed

# The format of a file of which nobody says it, by what the image is.
USUAL_FORMAT = {"disk": "qcow2", "iso": "raw"}
FIELDS = {
    "name": NAME,
    "kind": Field(
        kind="str",
        create="disk",
        choices=("disk", "iso"),
        help="What it is: a disk that instances begin from, or a CD or DVD that is put into a drive of theirs "
        "(O(pextra.cloud.pextra_vm#module:cdroms)). It stays what it is.",
    ),
    "source": Field(
        kind="str",
        check=check_source,
        help="A file on the controller (absolute, or relative to the inventory), an http or https URL, or the short "
        "name of a distribution's cloud image, such as V(debian-12) or V(ubuntu-24.04). "
        f"There are {', '.join(f'V({name})' for name in DISTRIBUTIONS)}.",
    ),
    "sha256": Field(
        kind="str",
        check=check_sha256,
        help="The SHA-256 of the file. Required for a URL; computed from a local file unless given. With a short name, "
        "the one content that it is to mean; unless given, what its publisher's list of checksums states when it is "
        "had for the first time.",
    ),
    "signature": Field(
        kind="str",
        check=check_signed,
        help="A detached OpenPGP signature of the file or, with O(checksums), of that list: a file on the controller, "
        "or an http or https URL. Needs O(signing_key). Not with a short name, whose publisher's is known.",
    ),
    "signing_key": Field(
        kind="str",
        no_log=False,  # it is public
        check=check_key,
        help="The one public key that the signature is checked with: a file on the controller, or the text of an "
        "armored one. With a short name, the list of checksums of its publisher is then taken only if it is signed "
        "with this key, which must be the publisher's.",
    ),
    "checksums": Field(
        kind="str",
        check=check_signed,
        help="A list of SHA-256 or SHA-512 (SHA256SUMS) that names the file and that O(signature) is of: a file on the "
        "controller, or an http or https URL.",
    ),
    "renew": Field(
        kind="bool",
        help="Whether a short name as O(source) comes to mean what its publisher has now, in each call that says "
        "V(true). Otherwise it means what it meant when it was had for the first time. What began from that keeps it.",
    ),
    "mirrors": Field(
        kind="list",
        element=Field(kind="str", check=check_mirror, help="A directory on the controller, or an http or https URL."),
        unique=True,
        help="Where the file of a URL is looked for first, under its own name: directories on the controller, then "
        "http and https URLs in their order.",
    ),
    "format": Field(
        kind="str",
        choices=("qcow2", "raw", *TREE_FORMATS),
        help="The format of the file. It is never guessed: V(qcow2) unless given, and V(raw) of an O(kind=iso), which "
        "has no other. V(qcow2) and V(raw) are disks of virtual machines; V(tar), also compressed with gzip, and "
        "V(squashfs) are the files of containers.",
    ),
    "architecture": Field(
        kind="str",
        choices=("x86_64", "aarch64"),
        help="The processors that what is in it is for. Instances that begin from it are machines of them. Not said "
        "unless given.",
    ),
    "pools": Field(
        kind="list",
        element=Field(kind="str", help="A storage pool, by name or identifier."),
        unique=True,
        help="The storage pools that hold a copy of it, on each of their nodes; once where the pool is shared. "
        "Unless given, in the deployment document those whose instances begin from it, or have it in a drive; to the "
        "module alone, for a new one, all pools of the cluster.",
    ),
    "max_size": Field(
        kind="size",
        create=65536,
        minimum=1,
        maximum=MAX_VOLUME_MIB,
        help="The largest virtual size that is accepted of a new content.",
    ),
    "retention": Field(
        kind="int",
        minimum=0,
        maximum=100,
        help="How many older contents that nothing uses are kept, to go back to. As before unless given; 0 at first.",
    ),
    "cluster": CLUSTER,
    "description": DESCRIPTION,
    "protected": protected(
        "it cannot be removed, its name cannot come to mean another content, and of every content a copy stays"
    ),
    "state": STATE,
}


@dataclass(frozen=True, kw_only=True)
class Image:
    """max_size is in MiB; sha256 in lower case. What is None is not managed."""

    name: str
    kind: str | None = None
    source: str | None = None
    sha256: str | None = None
    signature: str | None = None
    signing_key: str | None = None
    checksums: str | None = None
    renew: bool | None = None
    mirrors: tuple[str, ...] | None = None
    format: str | None = None
    architecture: str | None = None
    pools: tuple[str, ...] | None = None
    max_size: int | None = None
    retention: int | None = None
    cluster: str | None = None
    description: str | None = None
    protected: bool | None = None
    state: str = "present"

    def __post_init__(self) -> None:
        if self.sha256 is not None:
            object.__setattr__(self, "sha256", self.sha256.lower())


def find_mistakes_within(image: Image, path: str) -> list[Mistake]:
    """Check what no single field can tell."""
    distribution = find_distribution(image.source)
    if distribution is not None:
        return _find_mistakes_of_name(image, distribution, path)
    if image.renew:
        problem = f"is for short names as source ({', '.join(DISTRIBUTIONS)}); leave it out"
        return [Mistake(join(path, "renew"), problem)]
    if image.kind == "iso" and image.format not in (None, "raw"):
        problem = f"is {image.format}, and an image of kind iso is raw, as it comes; leave it out"
        return [Mistake(join(path, "format"), problem)]
    return []


def _find_mistakes_of_name(image: Image, distribution: Distribution, path: str) -> list[Mistake]:
    """Check an image whose source is a short name."""
    found = [
        (key, f"is known of {image.source}; leave it out")
        for key in ("signature", "checksums")
        if getattr(image, key) is not None
    ]
    if image.kind == "iso":
        found.append(("kind", f"is iso, and {image.source} is a disk; leave it out"))
    if image.format not in (None, "qcow2"):
        found.append(("format", f"is {image.format}, and {image.source} is qcow2; leave it out"))
    if image.architecture is not None and image.architecture not in distribution.architectures:
        allowed = ", ".join(distribution.architectures)
        found.append(("architecture", f"is {image.architecture}, and {image.source} there is for {allowed}"))
    if image.renew and image.sha256 is not None:
        found.append(("renew", "contradicts sha256, which says what the name means; leave out one of them"))
    if image.signing_key is not None and image.sha256 is not None:
        found.append(("signing_key", "is for the publisher's list, which sha256 makes needless; leave out one of them"))
    elif image.signing_key is not None and distribution.fingerprint is None:
        found.append(("signing_key", f"has nothing to check: no signature of {image.source} is known; leave it out"))
    return [Mistake(join(path, key), problem) for key, problem in found]


def image_kind(attributes: Mapping[str, Any]) -> str:
    """Return what a registered image is. Older rows do not say it."""
    return str(attributes.get("kind") or "disk")
