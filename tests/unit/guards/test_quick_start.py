# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""README and quick start tell a new user the same, which is what `make first-hour` runs."""

from __future__ import annotations

import pytest
from guards.project import ROOT, read_yaml

from tests.first_hour.guide import (
    GUIDE,
    HEADING,
    README,
    README_HEADING,
    fill_in,
    list_answers,
    list_commands,
)

PAGE = """# One

```
never
```

## Two

```
a one   # remark
# remark
b one \\
    goes on
```

| it asks | such as |
|---|---|
| Its name | `acme` |

```
# What the shell takes for a remark ends nothing.
c

```
### Three

```
neither
```
"""


def test_commands_are_those_of_one_heading() -> None:
    assert list_commands(PAGE, "Two") == ["a one   # remark", "b one \\\n    goes on", "c"]
    assert list_answers(PAGE, "Two") == {"Its name": "acme"}
    assert list_answers(PAGE, "Three") == {}


@pytest.mark.parametrize("heading", ["Four", "remark"])
def test_a_heading_that_there_is_not(heading: str) -> None:
    with pytest.raises(ValueError, match=heading):
        list_commands(PAGE, heading)


@pytest.mark.parametrize(
    ("command", "filled"),
    [
        ("ssh root@192.168.1.11 ls", "ssh root@10.0.0.1 ls"),
        ("-e nodes=alpha=192.168.1.11", "-e nodes=alpha=10.0.0.1"),
        ("ping 192.168.1.110", "ping 192.168.1.110"),
        ("ping 1.192.168.1.11", "ping 1.192.168.1.11"),
    ],
)
def test_only_the_whole_example_is_replaced(command: str, filled: str) -> None:
    assert fill_in(command, {"192.168.1.11": "10.0.0.1"}) == filled


def test_the_readme_begins_as_the_quick_start_does() -> None:
    in_readme = list_commands(README.read_text(encoding="utf-8"), README_HEADING)
    in_guide = list_commands(GUIDE.read_text(encoding="utf-8"), HEADING)
    assert in_readme == in_guide[: len(in_readme)]
    for playbook in ("init", "validate", "site", "report"):
        assert sum(f"pextra.cloud.{playbook}" in command for command in in_readme) == 1, playbook


def test_answers_are_to_questions_that_init_asks() -> None:
    [play] = read_yaml(ROOT / "playbooks" / "init.yml")
    prompts = [one["prompt"] for one in play["vars_prompt"]]
    answers = list_answers(GUIDE.read_text(encoding="utf-8"), HEADING)
    assert answers
    for question in answers:
        assert sum(prompt.startswith(question) for prompt in prompts) == 1, question
    # What has no default has to be answered.
    for one in play["vars_prompt"]:
        if not one["default"] and "none" not in one["prompt"] and one["name"] != "vlan":
            assert any(one["prompt"].startswith(question) for question in answers), one["prompt"]
