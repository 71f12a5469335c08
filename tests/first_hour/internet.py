# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in for two servers of the internet, as files: Galaxy, and a distribution's server of cloud images.

They answer under their own names over https, with certificates of an authority that the containers trust.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.distributions import (
    DISTRIBUTIONS,
    Publication,
    find_publication,
)

GALAXY = "galaxy.ansible.com"
# What init takes unless it is told otherwise.
DISTRIBUTION = "debian-12"


def publication() -> Publication:
    """Return where the distribution's publisher has its image, and what it says of it."""
    return find_publication(DISTRIBUTIONS[DISTRIBUTION], "x86_64")


def image_host() -> str:
    """Return the name of the server that has the distribution's image."""
    return urlsplit(publication().url).netloc


def lay_image(image: Path, root: Path) -> None:
    """Lay an image and a list of checksums where the distribution's publisher has its own."""
    file = _path_of(publication().url, root)
    content = image.read_bytes()
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    checksums = _path_of(publication().checksums, root)
    kind = checksums.name.removesuffix("SUMS").lower()
    checksums.write_text(f"{hashlib.new(kind, content).hexdigest()}  {file.name}\n", encoding="utf-8")


def lay_collections(tarballs: Iterable[Path], root: Path) -> None:
    """Lay collections as Galaxy has them, as far as `ansible-galaxy collection install` asks for them."""
    api = root / GALAXY / "api"
    _say(api, {"available_versions": {"v3": "v3/"}})
    for tarball in tarballs:
        content = tarball.read_bytes()
        info = _read_info(tarball)
        collection = api / "v3" / "collections" / info["namespace"] / info["name"]
        version = info["version"]
        _say(collection, {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"})
        _say(collection / "versions", {"data": [{"version": version}], "links": {"next": None}})
        about = {
            "namespace": {"name": info["namespace"]},
            "collection": {"name": info["name"]},
            "version": version,
            "href": f"/api/v3/collections/{info['namespace']}/{info['name']}/versions/{version}/",
            "download_url": f"https://{GALAXY}/download/{tarball.name}",
            "artifact": {"sha256": hashlib.sha256(content).hexdigest()},
            "metadata": {"dependencies": info["dependencies"]},
        }
        _say(collection / "versions" / version, about)
        file = root / GALAXY / "download" / tarball.name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)


def make_certificates(folder: Path) -> None:
    """Make an authority, `ca.crt`, and what the servers prove their names with, `server.crt` and `server.key`."""
    names = ",".join(f"DNS:{name}" for name in (GALAXY, image_host()))
    (folder / "names").write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n", encoding="utf-8")
    new = ("req", "-newkey", "rsa:2048", "-nodes")
    _openssl(folder, *new, "-x509", "-days", "1", "-subj", "/CN=the first hour", "-keyout", "ca.key", "-out", "ca.crt")
    _openssl(folder, *new, "-subj", f"/CN={GALAXY}", "-keyout", "server.key", "-out", "server.csr")
    signer = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1", "-extfile", "names")
    _openssl(folder, "x509", "-req", "-in", "server.csr", "-out", "server.crt", *signer)


def _path_of(url: str, root: Path) -> Path:
    parts = urlsplit(url)
    return root / parts.netloc / parts.path.lstrip("/")


def _say(folder: Path, answer: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.json").write_text(json.dumps(answer), encoding="utf-8")


def _read_info(tarball: Path) -> dict[str, str]:
    told = subprocess.run(
        ["tar", "-xzOf", str(tarball), "MANIFEST.json"], check=True, capture_output=True, text=True, timeout=60
    )
    info: dict[str, str] = json.loads(told.stdout)["collection_info"]
    return info


def _openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder, timeout=60)
