# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching over real HTTP from a server in this process. Only what a name means is replaced: tests stay on loopback."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host import image_files as _image_cache
from ansible_collections.pextra.cloud.plugins.module_utils._doors.web import fetch as _image_fetch
from ansible_collections.pextra.cloud.plugins.module_utils._doors.web.fetch import FetchError, fetch_image, fetch_small
from ansible_collections.pextra.cloud.plugins.module_utils._model.source import is_inward

CONTENT = bytes(range(256)) * 12 * 1024
SHA256 = hashlib.sha256(CONTENT).hexdigest()
_getaddrinfo = socket.getaddrinfo


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range")))  # type: ignore[attr-defined]
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        if self.path.startswith("/missing"):
            self.send_error(404)
            return
        content = self.server.content  # type: ignore[attr-defined]
        if self.path == "/silent":
            time.sleep(3)
            return
        if self.path == "/trickle":
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            for start in range(200):
                self.wfile.write(content[start : start + 1])
                time.sleep(0.05)
            return
        if self.path == "/pieces":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n" % len(content) + content[: len(content) // 2])
            return
        if self.path == "/unmeasured":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            return
        start = 0
        if self.headers.get("Range") and self.path != "/no-ranges":
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            self.send_response(206)
        else:
            self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()[:8]}"')
        body = content[start:]
        self.send_header("Content-Length", str(2**50 if self.path == "/huge" else len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.path == "/broken" else body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Clients that hang up are what is tested."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(_image_cache, "DIRECTORY", str(tmp_path / "pextra" / "images"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    served = Server(("127.0.0.1", 0), Handler)
    served.asked = []  # type: ignore[attr-defined]
    served.content = CONTENT  # type: ignore[attr-defined]
    threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()

    def resolve(host: str, *rest: Any, **more: Any) -> Any:
        return _getaddrinfo("127.0.0.1" if host == "images.test" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    yield served
    served.shutdown()
    served.server_close()


@pytest.fixture
def outward(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the loopback pass for another host; 169.254 stays what it is."""
    monkeypatch.setattr(_image_fetch, "is_inward", lambda text: text.startswith("169.254."))


def fetch(server: Any, path: str, sha256: str = SHA256, max_size_mib: int = 64) -> None:
    url = f"http://images.test:{server.server_port}{path}"
    fetch_image([url], sha256, max_size_mib=max_size_mib, label="image tiny")


@pytest.mark.usefixtures("outward")
def test_a_file_is_fetched_once_and_for_the_owner_alone(server: Any) -> None:
    fetch(server, "/tiny.qcow2")
    fetch(server, "/tiny.qcow2")
    path = _image_cache.cached_path(SHA256)
    assert Path(path).read_bytes() == CONTENT
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(_image_cache.DIRECTORY).st_mode & 0o777 == 0o700
    assert len(server.asked) == 1
    assert os.listdir(_image_cache.DIRECTORY) == [SHA256]


@pytest.mark.usefixtures("outward")
@pytest.mark.parametrize("path", ["/tiny.qcow2", "/no-ranges"])
def test_what_broke_off_is_taken_up(server: Any, path: str) -> None:
    """At once, as long as each time something comes; in the end by the next run."""
    with pytest.raises(FetchError, match="broke off after 2752512 of 3145728 bytes"):
        fetch(server, "/broken")
    assert [asked for _, asked in server.asked] == [None, "bytes=1572864-", "bytes=2359296-"]
    fetch(server, path)
    assert Path(_image_cache.cached_path(SHA256)).read_bytes() == CONTENT
    assert server.asked[-1] == (path, "bytes=2752512-")


@pytest.mark.usefixtures("outward")
def test_a_file_that_changed_while_it_was_fetched_is_refused(server: Any) -> None:
    """It is asked for once more from its beginning, since what was there before may be what is wrong."""
    with pytest.raises(FetchError, match="broke off"):
        fetch(server, "/broken")
    server.content = CONTENT[::-1]
    with pytest.raises(FetchError, match=f"not {SHA256} as declared"):
        fetch(server, "/tiny.qcow2")
    assert [asked for _, asked in server.asked][-2:] == ["bytes=2752512-", None]
    assert not os.path.exists(_image_cache.cached_path(SHA256))
    server.content = CONTENT
    fetch(server, "/tiny.qcow2")
    assert Path(_image_cache.cached_path(SHA256)).read_bytes() == CONTENT


@pytest.mark.usefixtures("outward")
@pytest.mark.parametrize(("path", "said"), [("/pieces", "broke off"), ("/unmeasured", "not ")])
def test_half_a_file_of_unknown_length_is_never_taken_for_a_whole_one(server: Any, path: str, said: str) -> None:
    with pytest.raises(FetchError, match=said):
        fetch(server, path)
    assert not os.path.exists(_image_cache.cached_path(SHA256))
    fetch(server, "/tiny.qcow2")
    assert Path(_image_cache.cached_path(SHA256)).read_bytes() == CONTENT


@pytest.mark.usefixtures("outward")
@pytest.mark.parametrize(
    "path",
    [
        "/missing?token=hunter2",
        "/to/http://user:hunter2@images.test/x",
        "/to/ftp://user:hunter2@images.test/x",
        "/to/http://images.test:1/x?token=hunter2",
    ],
)
def test_no_message_holds_a_secret_of_a_url(server: Any, path: str) -> None:
    with pytest.raises(FetchError) as caught:
        fetch(server, path)
    assert "hunter2" not in str(caught.value)


@pytest.mark.usefixtures("outward")
def test_the_beginning_of_another_file_is_not_taken_up(server: Any) -> None:
    _image_cache.make_directory()
    Path(_image_cache.partial_path(SHA256)).write_bytes(b"another")
    fetch(server, "/tiny.qcow2")
    assert Path(_image_cache.cached_path(SHA256)).read_bytes() == CONTENT


@pytest.mark.usefixtures("outward")
@pytest.mark.parametrize(
    ("path", "sha256", "max_size", "said"),
    [
        ("/tiny.qcow2", "0" * 64, 64, "not 0000"),
        ("/missing", SHA256, 64, "answers 404"),
        ("/huge", SHA256, 64, "MiB long, more than max_size allows"),
        ("/to//to//to//to//to//to//tiny.qcow2", SHA256, 64, "redirects more than 5 times"),
        ("/to/file:///etc/passwd", SHA256, 64, 'has the scheme "file"'),
        ("/to/http://127.0.0.1/x", SHA256, 64, "loopback or link-local"),
        ("/to/http://169.254.169.254/latest/meta-data", SHA256, 64, "loopback or link-local"),
        ("/to/http://user:pass@images.test/x", SHA256, 64, "holds a password"),
        ("/to/http://localhost/x", SHA256, 64, "the coordinator itself"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(server: Any, path: str, sha256: str, max_size: int, said: str) -> None:
    with pytest.raises(FetchError) as caught:
        fetch(server, path, sha256, max_size)
    assert said in str(caught.value)
    assert not os.path.exists(_image_cache.cached_path(sha256))


@pytest.mark.usefixtures("outward")
def test_mirrors_are_tried_in_their_order(server: Any) -> None:
    """One that is down, one without the file, one that breaks off; the next goes on where that one stopped."""
    base = f"http://images.test:{server.server_port}"
    urls = ["http://images.test:1/tiny.qcow2", f"{base}/missing", f"{base}/broken", f"{base}/tiny.qcow2?token=hunter2"]
    found = fetch_image(urls, SHA256, max_size_mib=64, label="image tiny")
    assert found is not None
    assert found.url == f"{base}/tiny.qcow2"
    assert [why.rpartition("/")[2].split()[0] for why in found.passed_over] == ["tiny.qcow2", "missing", "broken"]
    assert server.asked[-1] == ("/tiny.qcow2?token=hunter2", "bytes=2752512-")
    assert Path(_image_cache.cached_path(SHA256)).read_bytes() == CONTENT
    assert fetch_image(urls, SHA256, max_size_mib=64, label="image tiny") is None


@pytest.mark.usefixtures("outward")
def test_a_mirror_with_another_file_is_passed_over(server: Any) -> None:
    base = f"http://images.test:{server.server_port}"
    wrong = hashlib.sha256(CONTENT[: len(CONTENT) // 2]).hexdigest()
    found = fetch_image([f"{base}/tiny.qcow2", f"{base}/unmeasured"], wrong, max_size_mib=64, label="image tiny")
    assert found is not None
    assert f"has the SHA-256 {SHA256}, not {wrong} as declared" in found.passed_over[0]
    with pytest.raises(FetchError) as caught:
        fetch_image([f"{base}/tiny.qcow2", f"{base}/missing"], "0" * 64, max_size_mib=64, label="image tiny")
    assert len(caught.value.problems) == 2


@pytest.mark.usefixtures("outward")
def test_small_files_are_had_with_the_same_care(server: Any) -> None:
    base = f"http://images.test:{server.server_port}"
    for path, said in (
        ("/tiny.qcow2", "is longer than 1 MiB"),
        ("/missing?token=hunter2", "answers 404"),
        ("/to/http://169.254.169.254/key", "loopback or link-local"),
    ):
        with pytest.raises(FetchError) as caught:
            fetch_small(f"{base}{path}", "image tiny")
        assert said in str(caught.value)
        assert "hunter2" not in str(caught.value)
    server.content = b"signature"
    with pytest.raises(FetchError, match="could not be fetched"):
        fetch_small(f"{base}/pieces", "image tiny")
    assert fetch_small(f"{base}/tiny.qcow2.sig", "image tiny") == b"signature"


@pytest.mark.usefixtures("outward")
def test_redirects_to_other_hosts_are_followed_when_allowed(server: Any) -> None:
    fetch(server, f"/to/http://images.test:{server.server_port}/tiny.qcow2")
    assert Path(_image_cache.cached_path(SHA256)).exists()


def test_a_name_that_means_this_host_is_refused_before_anything_is_sent(server: Any) -> None:
    with pytest.raises(FetchError, match=r"leads to 127\.0\.0\.1"):
        fetch(server, "/tiny.qcow2")
    assert server.asked == []


def test_a_name_that_changes_its_meaning_is_refused(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_image_fetch, "_refuse_inward", lambda *_: None)
    with pytest.raises(FetchError, match=r"leads to 127\.0\.0\.1"):
        fetch(server, "/tiny.qcow2")
    assert not os.path.exists(_image_cache.cached_path(SHA256))


@pytest.mark.parametrize(
    ("address", "is_ours"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("0.0.0.0", True),
        ("169.254.169.254", True),
        ("224.0.0.1", True),
        ("::1", True),
        ("::", True),
        ("fe80::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:169.254.169.254", True),
        ("10.0.0.9", False),
        ("192.168.1.1", False),
        ("fd00::1", False),
        ("93.184.216.34", False),
    ],
)
def test_inward_addresses(address: str, is_ours: bool) -> None:
    assert is_inward(address) is is_ours


@pytest.mark.usefixtures("outward")
def test_a_server_that_hangs_is_waited_for_once(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many images there are from it; those of other servers are fetched."""
    monkeypatch.setattr(_image_fetch, "_OPENING_S", 0.5)
    monkeypatch.setattr(_image_fetch, "_silent", set())
    with pytest.raises(FetchError, match=r"/silent could not be fetched: .*timed out"):
        fetch(server, "/silent")
    began = time.monotonic()
    with pytest.raises(FetchError, match="its server did not answer a moment ago"):
        fetch(server, "/tiny.qcow2")
    assert time.monotonic() - began < 0.4
    other = f"http://127.0.0.1:{server.server_port}/tiny.qcow2"
    monkeypatch.setattr(_image_fetch, "check_source", lambda _: None)
    assert fetch_image([other], SHA256, max_size_mib=64, label="image tiny") is not None


@pytest.mark.usefixtures("outward")
def test_a_server_that_only_trickles_has_a_limit(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its silences are short, and it never ends."""
    monkeypatch.setattr(_image_fetch, "_TOTAL_S", 0.5)
    began = time.monotonic()
    with pytest.raises(FetchError, match=r"took longer than 0\.5 s"):
        fetch(server, "/trickle")
    assert time.monotonic() - began < 5


@pytest.mark.usefixtures("outward")
def test_a_name_that_is_not_resolved_has_a_limit(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_image_fetch, "_NAME_S", 0.3)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(2))
    with pytest.raises(FetchError, match=r"names a host that is not resolved within 0\.3 s"):
        fetch(server, "/tiny.qcow2")
