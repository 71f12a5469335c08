# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The common distributions' cloud images, by short names. Pure.

Each has cloud-init in it. What a short name means is what its publisher's list of checksums states when the image is
had for the first time. A fingerprint stands here only where it is certain; where there is none, the list rests on
https.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ..._model.mistake import suggest
from ..._model.source import is_url

if TYPE_CHECKING:
    from .spec import Image

_PLAIN = {"x86_64": "x86_64", "aarch64": "aarch64"}
_DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A cloud image. url and checksums are addresses with {arch}, checksums relative to url.

    architectures: the publisher's words by ours. signature: where that of the list is, likewise relative; `within` if
    the list is signed in itself. fingerprint: of the key that signs. firmware: what it boots with, by architecture;
    user: who is in it before cloud-init is told of others.
    """

    title: str
    url: str
    checksums: str
    user: str
    architectures: Mapping[str, str] = field(default_factory=lambda: _PLAIN)
    signature: str | None = None
    fingerprint: str | None = None
    firmware: Mapping[str, Literal["any", "bios", "uefi"]] = field(
        default_factory=lambda: {"x86_64": "any", "aarch64": "uefi"}
    )


@dataclass(frozen=True)
class Publication:
    """Where the image of one architecture is. signature: a URL, None if the list is signed in itself or not at all."""

    url: str
    checksums: str
    signature: str | None
    is_signed_within: bool
    fingerprint: str | None


def _debian(version: int, code: str) -> Distribution:
    """Their lists are not signed."""
    return Distribution(
        title=f"Debian {version}",
        url=f"https://cloud.debian.org/images/cloud/{code}/latest/debian-{version}-genericcloud-{{arch}}.qcow2",
        checksums="SHA512SUMS",
        user="debian",
        architectures=_DEBIAN,
    )


def _ubuntu(version: str, code: str) -> Distribution:
    return Distribution(
        title=f"Ubuntu {version}",
        url=f"https://cloud-images.ubuntu.com/{code}/current/{code}-server-cloudimg-{{arch}}.img",
        checksums="SHA256SUMS",
        signature="SHA256SUMS.gpg",
        fingerprint="D2EB44626FDDC30B513D5BB71A5D6C4C7DB87C81",
        user="ubuntu",
        architectures=_DEBIAN,
    )


def _fedora(version: int, build: str, fingerprint: str) -> Distribution:
    """Not from where mirrors are chosen: these may lead away from https."""
    folder = f"https://dl.fedoraproject.org/pub/fedora/linux/releases/{version}/Cloud/{{arch}}/images"
    return Distribution(
        title=f"Fedora {version}",
        url=f"{folder}/Fedora-Cloud-Base-Generic-{version}-{build}.{{arch}}.qcow2",
        checksums=f"Fedora-Cloud-{version}-{build}-{{arch}}-CHECKSUM",
        signature="within",
        fingerprint=fingerprint,
        user="fedora",
    )


def _alpine(version: str) -> Distribution:
    """An image of each firmware; their signatures are of the files, and not looked at."""
    folder = f"https://dl-cdn.alpinelinux.org/alpine/v{version.rpartition('.')[0]}/releases/cloud"
    return Distribution(
        title=f"Alpine {version}",
        url=f"{folder}/nocloud_alpine-{version}-{{arch}}-cloudinit-r0.qcow2",
        checksums="{file}.sha512",
        user="alpine",
        architectures={"x86_64": "x86_64-bios", "aarch64": "aarch64-uefi"},
        firmware={"x86_64": "bios", "aarch64": "uefi"},
    )


DISTRIBUTIONS: Mapping[str, Distribution] = {
    "debian-12": _debian(12, "bookworm"),
    "debian-13": _debian(13, "trixie"),
    "ubuntu-22.04": _ubuntu("22.04", "jammy"),
    "ubuntu-24.04": _ubuntu("24.04", "noble"),
    "ubuntu-26.04": _ubuntu("26.04", "resolute"),
    "alma-9": Distribution(
        title="AlmaLinux 9",
        url="https://repo.almalinux.org/almalinux/9/cloud/{arch}/images/AlmaLinux-9-GenericCloud-latest.{arch}.qcow2",
        checksums="CHECKSUM",
        signature="CHECKSUM.asc",
        fingerprint="BF18AC2876178908D6E71267D36CB86CB86B3716",
        user="almalinux",
    ),
    "rocky-9": Distribution(
        title="Rocky Linux 9",
        url="https://dl.rockylinux.org/pub/rocky/9/images/{arch}/Rocky-9-GenericCloud-Base.latest.{arch}.qcow2",
        checksums="{file}.CHECKSUM",
        user="rocky",
    ),
    "fedora-43": _fedora(43, "1.6", "C6E7F081CF80E13146676E88829B606631645531"),
    "fedora-44": _fedora(44, "1.7", "36F612DCF27F7D1A48A835E4DBFCF71C6D9F90A6"),
    "alpine-3.22": _alpine("3.22.4"),
    "alpine-3.23": _alpine("3.23.4"),
}


def find_distribution(source: object) -> Distribution | None:
    """Return what a source means that is a short name, None if it is a file or a URL."""
    return DISTRIBUTIONS.get(source) if isinstance(source, str) else None


def find_publication(distribution: Distribution, architecture: str) -> Publication:
    """Return where its image for an architecture of ours is."""
    word = distribution.architectures[architecture]
    url = distribution.url.format(arch=word)
    checksums = _beside(url, distribution.checksums, word)
    is_within = distribution.signature == "within"
    signature = None if is_within or distribution.signature is None else _beside(url, distribution.signature, word)
    return Publication(url, checksums, signature, is_within, distribution.fingerprint)


def url_of(image: Image) -> str | None:
    """Return the URL that an image's source is, or means; None if it is a file, or not given."""
    distribution = find_distribution(image.source)
    if distribution is not None:
        architecture = image.architecture or "x86_64"
        known = architecture in distribution.architectures
        return find_publication(distribution, architecture).url if known else None
    return image.source if image.source is not None and is_url(image.source) else None


def suggest_distribution(source: str) -> str:
    """Return what a name may have been meant to be that is no file, as a sentence, or nothing."""
    return suggest(posixpath.basename(source), DISTRIBUTIONS)


def _beside(url: str, name: str, word: str) -> str:
    folder, _, file = url.rpartition("/")
    return f"{folder}/{name.format(arch=word, file=file)}"
