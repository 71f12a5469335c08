# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of loaders and template engines, made plain."""

from __future__ import annotations

import datetime
import json
from typing import Any

from ansible.template import trust_as_template
from ansible_collections.pextra.cloud.plugins.module_utils._fields.plain import make_plain


def test_tags_are_gone() -> None:
    plain = make_plain({"a": [trust_as_template("{{ x }}"), 1, 1.5, True, None]})
    assert plain == {"a": ["{{ x }}", 1, 1.5, True, None]}
    assert type(plain["a"][0]) is str
    assert json.dumps(plain)


def test_what_is_not_json_stays_for_the_parser() -> None:
    day = datetime.date(2026, 1, 1)
    assert make_plain([day]) == [day]
    assert make_plain(b"a") == b"a"


def test_tuples_and_sets_are_lists() -> None:
    assert make_plain({"a": (1, {2})}) == {"a": [1, [2]]}


def test_a_value_that_holds_itself_ends() -> None:
    value: list[Any] = []
    value.append(value)
    assert "too deeply" in json.dumps(make_plain(value))
