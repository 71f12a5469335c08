# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that anybody has named becomes markup."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.markup import Markup, escape, join, raw, tag
from hypothesis import given
from hypothesis import strategies as st


class _Reader(HTMLParser):
    """What a browser's parser makes of markup: elements with their attributes, and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "</td></tr></table><script>",
        '"\' onmouseover=alert(1) x="',
        "`${1}`",
        "-->",
        "]]>",
        "&lt;b&gt;",
        "a\nb",
        "javascript:alert(1)",
    ],
)
def test_what_is_hostile_is_text(hostile: str) -> None:
    found = _Reader(tag("td", hostile, title=hostile))
    assert found.elements == [("td", {"title": hostile})]
    assert found.text == hostile


@given(st.text())
def test_any_text_is_one_text(text: str) -> None:
    found = _Reader(tag("td", text, title=text))
    assert [name for name, _ in found.elements] == ["td"]
    assert found.elements[0][1]["title"] == found.text
    assert len(found.text) == len(text)


@pytest.mark.parametrize("char", ["\0", "\x1b", "\x9b", "\u202e", "\u2066", "\u200f", "\ud800", "\ufffe"])
def test_what_a_browser_would_not_show_as_itself_is_marked(char: str) -> None:
    assert escape(f"a{char}b") == "a\ufffdb"
    escape(f"a{char}b").encode()


def test_markup_is_not_escaped_twice() -> None:
    inner = tag("b", "1 < 2")
    assert tag("p", inner, None, " & ", 3) == "<p><b>1 &lt; 2</b> &amp; 3</p>"
    assert join([inner, None, "<"]) == "<b>1 &lt; 2</b>&lt;"
    assert isinstance(join([]), Markup)


def test_attributes_are_there_or_not() -> None:
    written = tag("input", type="radio", checked=True, disabled=False, id=None, data_sort=1.0, class_="a")
    assert written == '<input type="radio" checked data-sort="1" class="a">'


def test_a_script_of_our_own_cannot_end_early() -> None:
    with pytest.raises(ValueError, match="before its end"):
        raw("script", "'</script>'")
