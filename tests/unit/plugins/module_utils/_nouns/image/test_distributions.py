# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Short names of images: the table, and what publishers' lists of every form say, from a server that is laid out so.

Signatures are a real gpg's. Only the addresses of the table are replaced, and what a name means: all is on loopback.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host import image_files as cache
from ansible_collections.pextra.cloud.plugins.module_utils._doors.web import fetch
from ansible_collections.pextra.cloud.plugins.module_utils._model.digest import of_sha512
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import new_id
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan, Step
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import AssociationRow, Row
from ansible_collections.pextra.cloud.plugins.module_utils._model.source import check_source
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image import distributions
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.distributions import (
    DISTRIBUTIONS,
    find_publication,
    url_of,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.labels import (
    images_from_labels,
    labels_of_image,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.planning import plan_images
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.state import ImageHave
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.published import Publishers
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.resource import ImageResource
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.spec import Image
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.trust import to_inline

ROOT = Path(__file__).resolve().parents[6]
CONTENT = bytes(range(256)) * 4096
SHA256, SHA512 = hashlib.sha256(CONTENT).hexdigest(), hashlib.sha512(CONTENT).hexdigest()
CLUSTER = Row(new_id("cluster"), "cluster", "mtl-1")
NODE = Row(new_id("node"), "node", "node1", CLUSTER.id, {})
POOL = Row(
    new_id("pool"),
    "pool",
    "local",
    CLUSTER.id,
    {"type": "directory", "path": "/srv/local", "shared": False, "deleting": False},
)
WANT = Image(name="it", source="debian-12")


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_table(name: str) -> None:
    one = DISTRIBUTIONS[name]
    assert re.fullmatch(r"[a-z]+-[0-9.]+", name)
    assert set(one.architectures) == set(one.firmware) == {"x86_64", "aarch64"}
    assert (one.fingerprint is None) is (one.signature is None), "a signature counts with a fingerprint alone"
    assert one.fingerprint is None or re.fullmatch(r"[0-9A-F]{40}", one.fingerprint)
    for architecture in one.architectures:
        publication = find_publication(one, architecture)
        for url in (publication.url, publication.checksums, publication.signature):
            assert url is None or (url.startswith("https://") and check_source(url) is None and "{" not in url)
    rows = [line for line in (ROOT / "docs" / "images.md").read_text().splitlines() if line.startswith(f"| `{name}` |")]
    assert rows == [_documented(name)]


def _documented(name: str) -> str:
    one = DISTRIBUTIONS[name]
    signed = f"`{one.fingerprint}`" if one.fingerprint else "not signed, or by whom is not certain: HTTPS alone"
    firmware = "BIOS or UEFI" if one.firmware["x86_64"] == "any" else one.firmware["x86_64"].upper()
    return f"| `{name}` | {one.title} | `{one.user}` | {firmware} | {signed} |"


@dataclass(frozen=True)
class Signer:
    home: str

    def gpg(self, *arguments: str, stdin: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", self.home, "--batch", "--yes", "--quiet", "--passphrase", "", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, check=True, timeout=60).stdout

    @property
    def key(self) -> str:
        return to_inline(self.gpg("--armor", "--export"))

    @property
    def fingerprint(self) -> str:
        lines = self.gpg("--with-colons", "--list-keys").decode().splitlines()
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


class Handler(SimpleHTTPRequestHandler):
    """Files below a directory, with ranges. What ends with `broken` in the server's list breaks off in the middle."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        body = path.read_bytes()[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        is_broken = self.server.breaks.pop() if self.server.breaks else False  # type: ignore[attr-defined]
        self.wfile.write(body[: len(body) // 2] if is_broken else body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@dataclass
class Mirror:
    """A server that is laid out like those of the table."""

    folder: Path
    server: Any
    table: dict[str, Any]

    def put(self, name: str, files: Mapping[str, bytes | str]) -> None:
        """Serve files beside the image of a distribution, and the image."""
        publication = find_publication(self.table[name], "x86_64")
        for file, content in {publication.url.rpartition("/")[2]: CONTENT, **files}.items():
            path = self.folder / publication.url.split("/", 3)[3].rpartition("/")[0] / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def sign_as(self, name: str, fingerprint: str) -> None:
        self.table[name] = replace(self.table[name], fingerprint=fingerprint)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setattr(cache, "DIRECTORY", str(tmp_path / "pextra" / "images"))
    monkeypatch.setattr(fetch, "is_inward", lambda text: False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *rest, **more: resolve("127.0.0.1", *rest, **more))
    folder = tmp_path / "www"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    server.asked, server.breaks = [], []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    table = {
        name: replace(one, url=re.sub(r"^https://[^/]+", f"http://images.test:{server.server_port}", one.url))
        for name, one in DISTRIBUTIONS.items()
    }
    for name, one in table.items():
        monkeypatch.setitem(distributions.DISTRIBUTIONS, name, one)  # type: ignore[arg-type]
    shared = distributions.DISTRIBUTIONS
    yield Mirror(folder, server, shared)  # type: ignore[arg-type]
    server.shutdown()
    server.server_close()


def have(*images: Row) -> ImageHave:
    volumes = {(NODE.name, POOL.id): frozenset({f"{row.id}.qcow2" for row in images})}
    labels = {NODE.name: {key: value for row in images for key, value in labels_of_image(row, [_key()]).items()}}
    associations = (AssociationRow(POOL.id, NODE.id, {"enabled": True}),)
    return ImageHave((CLUSTER,), (NODE,), (POOL,), images, associations, volumes, {}, labels)


def _key() -> str:
    return f"{POOL.id}/{NODE.id}"


def plan(want: Image, state: ImageHave, publishers: Publishers | None = None) -> Plan:
    return plan_images([want], (publishers or Publishers()).look_up([want], state))


def registered(made: Plan, sha256: str = SHA256) -> Row:
    """Return the row as it is once the plan is carried out."""
    row = next(step for step in made.first[0].steps if step.act == "register").data["row"]
    return replace(row, attributes={**row.attributes, "sha256": sha256, "virtual_size": 1024**2, "copies": [_key()]})


def lists(name: str, digits: str) -> str:
    file = find_publication(distributions.DISTRIBUTIONS[name], "x86_64").url.rpartition("/")[2]
    other = "0" * len(digits)
    return {
        "debian-12": f"{other}  debian-12-nocloud-amd64.qcow2\n{digits}  {file}\n",
        "ubuntu-24.04": f"{other} *noble.vmdk\n{digits} *{file}\n",
        "rocky-9": f"# {file}: 1048576 bytes\nSHA256 ({file}) = {digits}\n",
        "alma-9": f"SHA256 ({file}) = {digits.upper()}\n",
        "fedora-43": f"# {file}: 1048576 bytes\nSHA256 ({file}) = {digits}\n",
        "alpine-3.22": f"{digits}\n",
    }[name]


def list_file(name: str) -> str:
    return find_publication(distributions.DISTRIBUTIONS[name], "x86_64").checksums.rpartition("/")[2]


@pytest.mark.parametrize(
    ("name", "digits"),
    [
        ("debian-12", SHA512),
        ("ubuntu-24.04", SHA256),
        ("rocky-9", SHA256),
        ("alma-9", SHA256),
        ("alpine-3.22", SHA512),
    ],
)
def test_a_list_of_each_form_is_had_once(mirror: Mirror, name: str, digits: str) -> None:
    mirror.put(name, {list_file(name): lists(name, digits)})
    want = replace(WANT, source=name)
    publishers = Publishers()
    first = plan(want, have(), publishers)
    assert not first.refusals
    assert not first.failures
    assert [step.act for step in first.first[0].steps] == ["fetch", "register"]
    stated = digits if len(digits) == 64 else of_sha512(digits)
    assert first.first[0].steps[0].data["sha256"] == stated
    plan(want, have(), publishers)
    assert len(mirror.server.asked) == 1, "the list was asked twice in a run"

    mirror.server.breaks = [True]
    _carry_out_fetch(first.first[0].steps[0])
    assert Path(cache.cached_path(SHA256)).read_bytes() == CONTENT
    assert cache.known_sha256(stated) == SHA256
    assert len(mirror.server.asked) == 3, "what broke off was not taken up"

    # Had, but not registered: as after a run that was killed. What is here is found by either digest.
    again = Publishers().look_up([want], have())
    assert again.published[want].digest == SHA256

    row = registered(first)
    mirror.server.asked.clear()
    assert plan(want, have(row)).is_empty
    assert mirror.server.asked == [], "a second run needs no network"
    [label] = labels_of_image(row, [_key()]).items()
    [rebuilt] = images_from_labels(dict([label]), cluster_id=CLUSTER.id)
    assert plan(want, have(rebuilt)).is_empty, "of a rebuilt registry neither"
    cache.drop(SHA256)
    assert os.listdir(cache.DIRECTORY) == []
    assert plan(replace(want, renew=True), have(row)).is_empty, "the same content, by what the list had stated"
    assert mirror.server.asked


def _carry_out_fetch(step: Step) -> None:
    fetch.fetch_image(step.data["urls"], step.data["sha256"], max_size_mib=64, label="image it")


def test_what_the_publisher_has_now_is_taken_when_it_is_asked_for(mirror: Mirror) -> None:
    mirror.put("debian-12", {"SHA512SUMS": lists("debian-12", SHA512)})
    row = registered(plan(WANT, have()))
    newer = hashlib.sha512(b"newer").hexdigest()
    mirror.put("debian-12", {"SHA512SUMS": lists("debian-12", newer)})
    assert plan(WANT, have(row)).is_empty
    renewed = plan(replace(WANT, renew=True), have(row))
    [work] = renewed.first
    assert [step.act for step in work.steps] == ["fetch", "register"]
    assert next(change for change in work.changes if change.field == "sha256").after == of_sha512(newer)
    other = plan(replace(WANT, source="debian-13"), have(row))
    assert "answers 404" in str(other.failures[0])


def test_one_content_is_declared(mirror: Mirror) -> None:
    """Then nobody is asked, and mirrors have it under its own name."""
    want = replace(WANT, sha256=SHA256, mirrors=("http://192.0.2.7/images",))
    [work] = plan(want, have()).first
    assert work.steps[0].data["urls"] == (
        "http://192.0.2.7/images/debian-12-genericcloud-amd64.qcow2",
        url_of(want),
    )
    assert mirror.server.asked == []


@pytest.mark.parametrize("name", ["ubuntu-24.04", "alma-9", "fedora-43"])
def test_lists_that_are_signed(mirror: Mirror, signers: tuple[Signer, Signer], name: str) -> None:
    publisher, other = signers
    text = lists(name, SHA256).encode()
    is_within = distributions.DISTRIBUTIONS[name].signature == "within"

    def put(signer: Signer, signed: bytes = text, told: bytes = text) -> None:
        if is_within:
            whole = signer.gpg("--clear-sign", stdin=signed).replace(signed.strip(), told.strip())
            mirror.put(name, {list_file(name): whole})
        else:
            signature = signer.gpg("--detach-sign", stdin=signed)
            mirror.put(name, {list_file(name): told, str(DISTRIBUTIONS[name].signature): signature})

    mirror.sign_as(name, publisher.fingerprint)
    want = replace(WANT, source=name, signing_key=publisher.key)
    put(publisher)
    good = plan(want, have())
    assert not good.failures
    [work] = good.first
    assert work.steps[-1].data["proven"]["signed_by"] == publisher.fingerprint

    unsigned = replace(want, signing_key=None)
    assert not plan(unsigned, have()).failures, "without a key the list rests on https"

    wrong = text.replace(SHA256.encode(), b"0" * 64).replace(SHA256.upper().encode(), b"0" * 64)
    put(publisher, told=wrong)
    assert "its signature is of another content" in str(plan(want, have()).failures[0])
    put(other)
    assert "signed with another key than signing_key" in str(plan(want, have()).failures[0])
    theirs = replace(want, signing_key=other.key)
    assert f"its publisher signs with {publisher.fingerprint}" in str(plan(theirs, have()).failures[0])
    if is_within:
        put(publisher)
        path = next(mirror.folder.rglob(list_file(name)))
        path.write_bytes(wrong + path.read_bytes())
        assert plan(want, have()).first[0].steps[0].data["sha256"] == SHA256, "what is before it nobody has signed"
        path.write_bytes(text)
    else:
        next(mirror.folder.rglob(str(DISTRIBUTIONS[name].signature))).unlink()
    assert plan(want, have()).failures


def test_what_cannot_be_found_out_leaves_all_as_it_is(mirror: Mirror) -> None:
    mirror.put("debian-12", {"SHA512SUMS": lists("debian-12", SHA512)})
    row = registered(plan(WANT, have()))
    mirror.put("debian-12", {"SHA512SUMS": "nothing\n"})
    failed = plan(replace(WANT, renew=True), have(row))
    assert "the list of checksums names debian-12-genericcloud-amd64.qcow2 not" in str(failed.failures[0])
    assert not failed.refusals
    assert not failed.first


def test_a_file_whose_publisher_has_another_one_by_now(mirror: Mirror) -> None:
    mirror.put("debian-12", {})
    with pytest.raises(fetch.FetchError, match=f"has the SHA-512 {SHA512}, not {'1' * 128}"):
        fetch.fetch_image(
            [find_publication(mirror.table["debian-12"], "x86_64").url],
            of_sha512("1" * 128),
            max_size_mib=64,
            label="image it",
        )
    assert [name for name in os.listdir(cache.DIRECTORY) if not name.endswith(".part")] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": "debian-12", "checksums": "https://a.example/SUMS"}, "checksums: is known of debian-12"),
        ({"source": "debian-12", "kind": "iso"}, "kind: is iso"),
        ({"source": "debian-12", "format": "raw"}, "format: is raw"),
        ({"source": "debian-12", "renew": True, "sha256": "a" * 64}, "renew: contradicts sha256"),
        ({"source": "ubuntu-24.04", "signing_key": "key.asc", "sha256": "a" * 64}, "which sha256 makes needless"),
        ({"source": "debian-12", "signing_key": "key.asc"}, "no signature of debian-12 is known"),
        ({"source": "tiny.qcow2", "renew": True}, "renew: is for short names"),
    ],
)
def test_what_contradicts_a_short_name(options: dict[str, Any], said: str) -> None:
    _, mistakes = ImageResource().parse({"name": "it", **options}, "")
    assert said in "\n".join(map(str, mistakes))
