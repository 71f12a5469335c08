# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page as a whole: well formed, self-contained, inert whatever things are called, and as small as it has to be."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.drawing import WIDTH, fit, measure
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.model import Page
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.page import is_page, is_same, render_page
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.reading_cloud import Answers, read_cloud
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.reading_document import read_document
from report_cloud import DOCUMENT, make_answers, make_cloud, make_document, make_events, make_images, make_troubled

AT = "2026-11-29T15:04Z"
STYLE = Path(__file__).parents[5] / "plugins" / "plugin_utils" / "report_page" / "page.css"
VOID = {"br", "col", "input", "link", "meta"}
HOSTILE = "</script><script>alert('x')</script>\"' onload=alert(1) <img src=//evil.example/x>\n\u202e"


class Reader(HTMLParser):
    """Reads a page as a browser does, and insists that everything that begins ends."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]


def hostile(value: Any) -> Any:
    """Put what is hostile into every text."""
    if isinstance(value, dict):
        return {
            key: hostile(each) if key not in ("at", "health", "state", "status", "link") else each
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [hostile(each) for each in value]
    return f"{value}{HOSTILE}" if isinstance(value, str) else value


@cache
def pages() -> dict[str, Page]:
    evil = make_cloud()
    return {
        "document": read_document(DOCUMENT),
        "well": read_cloud(make_answers()),
        "troubled": read_cloud(make_troubled()),
        "nothing": read_cloud(Answers(document={"deployment_name": "new"})),
        "empty document": read_document({}),
        "hostile": read_cloud(
            Answers(
                document={**hostile(make_document(evil)), "deployment_name": HOSTILE},
                cloud=hostile(evil),
                images=hostile(make_images()),
                events=hostile(make_events()),
                check=hostile({"actions": ["x"], "diff": [{"before": "a", "after": "b", "after_header": "c"}]}),
                problems=[{"node": HOSTILE, "what": HOSTILE, "remedy": HOSTILE, "resource": HOSTILE}],
            )
        ),
        "hostile document": read_document(
            hostile({key: value for key, value in DOCUMENT.items() if key != "memory"} | {"deployment_name": "x"})
        ),
    }


@pytest.mark.parametrize("name", pages())
def test_a_page_is_well_formed_and_asks_for_nothing_from_elsewhere(name: str) -> None:
    text = render_page(pages()[name], AT)
    found = Reader(text)
    assert text.startswith("<!doctype html>\n<html lang=")
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    for tag, attributes in found.elements:
        assert tag not in ("img", "iframe", "link", "object", "embed", "base", "form", "image", "use", "foreignobject")
        assert not attributes.keys() & {"src", "srcset", "style", "action", "xlink:href"}, tag
        assert not [key for key in attributes if key.startswith("on")], tag
        if "href" in attributes:
            assert str(attributes["href"]).removeprefix("#") in ids
    labelled = [attributes["aria-labelledby"] for attributes in found.all("svg") if "aria-labelledby" in attributes]
    assert set(labelled) <= set(ids)
    assert (len(found.all("script")), len(found.all("style")), len(found.all("h1"))) == (1, 1, 1)
    assert not re.search(r"url\(|@import|https?://|//[a-z]", found.texts["style"].replace("// SPDX", ""))
    assert not re.search(r"https?://|fetch|XMLHttp|innerHTML|eval", found.texts["script"])


@pytest.mark.parametrize("name", ["hostile", "hostile document"])
def test_what_is_hostile_stands_there_as_text(name: str) -> None:
    text = render_page(pages()[name], AT)
    assert "<img" not in text
    assert text.count("<script") == text.count("</script") == 1
    assert text.count("&lt;script&gt;alert(") > 50
    assert "\u202e" not in text
    text.encode()


@pytest.mark.parametrize("name", pages())
def test_a_browser_is_told_to_run_nothing_but_what_is_ours(name: str) -> None:
    found = Reader(render_page(pages()[name], AT))
    (policy,) = [one["content"] for one in found.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(found.texts[kind].encode()).digest()).decode()
        assert rules.pop(f"{kind}-src") == f"'sha256-{digest}'"
    assert rules == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'"}
    # It holds for what comes after it.
    assert [one.get("charset") or one.get("http-equiv") for one in found.all("meta")][:2] == [
        "utf-8",
        "Content-Security-Policy",
    ]


def test_no_secret_of_the_document_is_on_the_page() -> None:
    assert "secret-of-web" in json.dumps(DOCUMENT)
    assert "secret-of-web" not in render_page(pages()["document"], AT)


def test_the_time_alone_makes_no_other_page() -> None:
    one, later = (render_page(pages()["well"], at) for at in (AT, "2026-11-30T01:00Z"))
    assert one != later
    assert is_same(one, later)
    assert not is_same(one, render_page(pages()["troubled"], AT))
    assert is_page(one)
    assert not is_page("<!doctype html><title>pextra.cloud</title>")


def test_a_name_cannot_pass_for_the_time() -> None:
    """Otherwise pages that differ would be taken for the same."""
    forged = [
        render_page(Page(deployment=f'<time datetime="">{name}</time>', is_live=False), AT) for name in ("one", "other")
    ]
    assert not is_same(*forged)


def test_sections_are_reached_from_above() -> None:
    for name, sections in (("well", 11), ("document", 8)):
        found = Reader(render_page(pages()[name], AT))
        assert [one["href"] for one in found.all("a")] == [f"#{one['id']}" for one in found.all("section")]
        assert len(found.all("section")) == sections


def test_the_verdict_says_how_it_is() -> None:
    verdicts = {
        "well": "All is well",
        "troubled": "6 things need attention",
        "nothing": "1 thing needs attention",
        "document": "What is declared",
    }
    for name, verdict in verdicts.items():
        assert f"<strong>{verdict}</strong>" in render_page(pages()[name], AT)


def test_a_thousand_instances_are_less_than_3_mib() -> None:
    page = read_cloud(make_answers(12, 1000, events=make_events(200)))
    begin = time.process_time()
    text = render_page(page, AT)
    assert time.process_time() - begin < 5
    assert len(text.encode()) < 1.5 * 1024**2
    found = Reader(text)
    assert len(found.all("tr")) > 1200
    # A picture of a thousand names is none.
    assert len(found.all("g")) < 1500


def test_pictures_name_what_there_is() -> None:
    text = render_page(pages()["well"], AT)
    pictures = re.findall(r"<svg .*?</svg>", text)
    network = next(one for one in pictures if 'id="network-1-title"' in one)
    storage = next(one for one in pictures if 'id="storage-1-title"' in one)
    for name in ("node3", "svswitch10", "enp1s0f1", "Production", "VLAN 42", "untagged", "web-1", "172.20.0.2"):
        assert f">{name}" in network, name
    for name in ("node3", "local", "shared", "debian-12", "archive", "web-1 / root", "2.6 TiB of 3.9 TiB free"):
        assert f">{name}" in storage, name


@pytest.mark.parametrize("name", pages())
def test_text_of_pictures_stays_in_its_picture_and_overlaps_no_other(name: str) -> None:
    for svg in re.findall(r'<svg [^>]*class="picture".*?</svg>', render_page(pages()[name], AT), re.DOTALL):
        height = float(re.findall(r'viewBox="0 0 \d+ (\d+)"', svg)[0])
        texts = []
        for x, y, kind, shown in re.findall(r'<text x="([\d.]+)" y="([\d.]+)" class="([^"]+)">([^<]*)', svg):
            size = re.findall(r"t-(\w+)", kind)[0]
            width = measure(re.sub(r"&[#\w]+;", "x", shown), size)
            left = float(x) - (width if "end" in kind.split() else 0)
            assert left >= 0, shown
            assert left + width <= WIDTH, shown
            assert 8 < float(y) < height, shown
            texts.append((left, left + width, float(y), shown))
        texts.sort(key=lambda text: text[2])
        for index, (left, right, y, shown) in enumerate(texts):
            for other_left, other_right, other_y, other in texts[index + 1 :]:
                if other_y - y >= 10:
                    break
                assert right <= other_left or other_right <= left, f"{shown!r} and {other!r} overlap"


@pytest.mark.parametrize("text", ["x", "W" * 200, "i" * 200, "\u4e2d" * 50, "\U0001f600" * 50, "e\u0301" * 90, ""])
def test_text_is_cut_to_fit(text: str) -> None:
    shown = fit(text, 100, "mid")
    assert measure(shown, "mid") <= 100
    assert shown == text or shown.endswith("\u2026")


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG reckons it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["page", "card", "sunk"])
@pytest.mark.parametrize("ink", ["text", "muted", "accent", "good", "bad", "wait", "off"])
def test_text_can_be_read_on_every_ground(theme: int, ground: str, ink: str) -> None:
    declared = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", STYLE.read_text(encoding="utf-8"))
    colours = {name: pair[theme] for name, *pair in declared}
    assert contrast(colours[ink], colours[ground]) >= 4.5
