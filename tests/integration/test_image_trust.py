# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose an image is, and where it may come from, on the lab: real keys, the node's gpgv, mirrors and no internet."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.image_server import Served, serve_image
from tests.integration.lab import Lab, Site

pytestmark = pytest.mark.long

CACHE = "/var/lib/pextra/images"
DIRECTORY = "/srv/it-pool"
IMAGE, IMAGE_INFO = "pextra.cloud.pextra_image", "pextra.cloud.pextra_image_info"


@dataclass(frozen=True)
class Signer:
    """A key of its own, in a home of its own."""

    home: str

    def gpg(self, *arguments: str, stdin: bytes = b"") -> str:
        command = [
            "gpg",
            "--homedir",
            self.home,
            "--batch",
            "--yes",
            "--quiet",
            "--passphrase",
            "",
            "--armor",
            *arguments,
        ]
        return subprocess.run(command, input=stdin, capture_output=True, check=True, timeout=60).stdout.decode()

    def sign(self, content: bytes) -> str:
        return self.gpg("--detach-sign", stdin=content)

    @property
    def fingerprint(self) -> str:
        lines = self.gpg("--with-colons", "--list-keys").splitlines()
        return next(line.split(":")[9] for line in lines if line.startswith("fpr:"))


@pytest.fixture(scope="module")
def signers() -> Iterator[tuple[Signer, Signer]]:
    """The publisher, and somebody else. The agent's socket needs a short path."""
    with tempfile.TemporaryDirectory(prefix="gpg-") as one, tempfile.TemporaryDirectory(prefix="gpg-") as other:
        found = Signer(one), Signer(other)
        for signer in found:
            signer.gpg("--quick-gen-key", "images <images@example.com>", "ed25519", "sign", "never")
        yield found
        for signer in found:
            subprocess.run(["gpgconf", "--homedir", signer.home, "--kill", "all"], check=True)


@pytest.fixture
def storage(cloud: Site, lab: Lab) -> Iterator[Site]:
    """A pool on two nodes; nothing is left of what a test makes."""
    cloud.module("pextra_pool", name="it-pool", path=DIRECTORY, nodes=["node1", "node2"])
    yield cloud
    gone = {"state": "absent", "confirm": "DESTROY"}
    cloud.play(
        [{IMAGE: {"name": "it-image"} | gone}, {"pextra.cloud.pextra_pool": {"name": "it-pool", "state": "absent"}}]
    )
    lab.on_all("rm", "-rf", DIRECTORY)


@pytest.fixture
def served(lab: Lab) -> Iterator[Served]:
    with serve_image(lab, 2) as served:
        yield served


def have_image(site: Site, source: Path | str, **more: Any) -> dict[str, Any]:
    options = {"name": "it-image", "source": str(source), "format": "raw", "pools": ["it-pool"], **more}
    return site.play([{IMAGE: options}])[-1]


def assert_nothing_left(site: Site, lab: Lab, digest: str) -> None:
    assert site.module("pextra_image_info", names=["it-image"])["images"] == []
    for node in ("node1", "node2"):
        assert lab.exec(node, "ls", DIRECTORY) == ""
    assert digest not in lab.sh("node1", f"ls -a {CACHE}")


def test_a_short_name_of_one_content_from_a_mirror(storage: Site, lab: Lab, served: Served) -> None:
    """Without internet: the mirror has the file under its publisher's name, and nobody is asked for a list."""
    name = "debian-12-genericcloud-amd64.qcow2"
    lab.exec("node3", "qemu-img", "create", "-q", "-f", "qcow2", f"/srv/it-www/{name}", "1M")
    digest = lab.exec("node3", "sha256sum", f"/srv/it-www/{name}").split()[0]
    options = {
        "name": "it-image",
        "source": "debian-12",
        "sha256": digest,
        "mirrors": [f"{served.url}/whole"],
        "pools": ["it-pool"],
    }
    first = storage.play([{IMAGE: options}])[-1]
    assert first["changed"]
    [image] = first["images"]
    assert (image["origin"], image["sha256"]) == ("debian-12", digest)
    assert served.asked() == [f"/whole/{name} all"]
    for node in ("node1", "node2"):
        assert lab.sh(node, f"sha256sum {DIRECTORY}/*.qcow2").split()[0] == digest
    # From now on the name means what it meant: without its digest neither, and nobody is asked.
    for again in (options, {key: value for key, value in options.items() if key != "sha256"}):
        assert not storage.play([{IMAGE: again}])[-1]["changed"]
    assert len(served.asked()) == 1


def test_a_file_that_its_publisher_has_signed(
    storage: Site, lab: Lab, signers: tuple[Signer, Signer], tmp_path: Path
) -> None:
    publisher, other = signers
    file, key = tmp_path / "signed.img", tmp_path / "publisher.asc"
    content = os.urandom(1024**2)
    file.write_bytes(content)
    key.write_text(publisher.gpg("--export"))
    digest = hashlib.sha256(content).hexdigest()
    for number, (signature, said) in enumerate(
        (
            (publisher.sign(content[:-1]), "its signature is of another content"),
            (other.sign(content), "it was signed with another key than signing_key"),
            ("", "its signature"),
        )
    ):
        wrong = tmp_path / f"{number}.sig"
        wrong.write_text(signature)
        refused = have_image(storage, file, signature=str(wrong), signing_key=str(key))
        assert refused["failed"]
        assert said in refused["msg"]
        assert_nothing_left(storage, lab, digest)

    right = tmp_path / "right.sig"
    right.write_text(publisher.sign(content))
    made = have_image(storage, file, signature=str(right), signing_key=str(key))
    assert made["image"]["signed_by"] == publisher.fingerprint
    assert {copy["status"] for copy in made["image"]["copies"]} == {"complete"}
    assert not have_image(storage, file, signature=str(right), signing_key=str(key))["changed"]
    assert not have_image(storage, file)["changed"]

    refused = have_image(storage, file, signature=str(right), signing_key=other.gpg("--export"))
    assert "it was signed with another key" in refused["msg"]
    [image] = storage.module("pextra_image_info", names=["it-image"])["images"]
    assert (image["signed_by"], len(image["copies"])) == (publisher.fingerprint, 2)


def test_a_list_of_checksums_that_is_signed(
    storage: Site, lab: Lab, served: Served, signers: tuple[Signer, Signer]
) -> None:
    publisher, other = signers
    listing = f"{'a' * 64} *another.img\n{served.digest} *big.img\n"
    served.add("SHA256SUMS", listing)
    served.add("SHA256SUMS.gpg", publisher.sign(listing.encode()))
    served.add("theirs.gpg", other.sign(listing.encode()))
    wrong = listing.replace(served.digest, "b" * 64)
    served.add("WRONG", wrong)
    served.add("WRONG.gpg", publisher.sign(wrong.encode()))
    key = publisher.gpg("--export")

    def have(checksums: str, signature: str) -> dict[str, Any]:
        url = f"{served.url}/whole"
        more = {"checksums": f"{url}/{checksums}", "signature": f"{url}/{signature}", "signing_key": key}
        return have_image(storage, f"{url}/big.img", sha256=served.digest, **more)

    for checksums, signature, said in (
        ("SHA256SUMS", "theirs.gpg", "it was signed with another key"),
        ("SHA256SUMS", "none.gpg", "answers 404"),
        ("WRONG", "WRONG.gpg", f"states {'b' * 64} for big.img"),
    ):
        refused = have(checksums, signature)
        assert refused["failed"]
        assert said in refused["msg"]
        assert_nothing_left(storage, lab, served.digest)
    assert have("SHA256SUMS", "SHA256SUMS.gpg")["image"]["signed_by"] == publisher.fingerprint
    before = len(served.asked())
    assert not have("SHA256SUMS", "SHA256SUMS.gpg")["changed"]
    assert len(served.asked()) == before, "a second run needs no network"


def test_mirrors_serve_without_internet(storage: Site, lab: Lab, served: Served, tmp_path: Path) -> None:
    """192.0.2.0/24 is nobody's: the source never answers."""
    source = "http://192.0.2.1/images/big.img"
    (tmp_path / "big.img").write_bytes(b"another file")
    made = have_image(
        storage,
        source,
        sha256=served.digest,
        mirrors=[str(tmp_path), f"{served.url}/none", f"{served.url}/whole"],
    )
    assert {copy["status"] for copy in made["image"]["copies"]} == {"complete"}
    assert made["image"]["fetched"]["url"] == f"{served.url}/whole/big.img"
    assert made["image"]["fetched"]["passed_over"] == [f"{served.url}/none/big.img answers 404 Not Found"]
    assert served.asked() == ["/none/big.img all", "/whole/big.img all"]
    assert not have_image(storage, source, sha256=served.digest, mirrors=[f"{served.url}/whole"])["changed"]

    content = os.urandom(1024**2)
    (tmp_path / "big.img").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    renewed = have_image(storage, source, sha256=digest, mirrors=[f"{served.url}/whole", str(tmp_path)])
    assert renewed["image"]["number"] == 2
    assert "fetched" not in renewed["image"]
    assert len(served.asked()) == 2, "a directory comes before servers"
    refused = have_image(storage, source, sha256=digest, mirrors=["http://127.0.0.1:8000/whole"])
    assert "loopback" in refused["msg"]
