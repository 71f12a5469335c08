# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written to a terminal to have a line at its bottom."""

from __future__ import annotations

import pytest
from ansible_collections.pextra.cloud.plugins.plugin_utils.status_line import Status
from ansible_collections.pextra.cloud.plugins.plugin_utils.status_screen import StatusScreen


def test_a_line_is_never_seen_empty(capsys: pytest.CaptureFixture[str]) -> None:
    """Taken away first and written then, it would flicker twice a second."""
    status = Status(stage="Prepare the nodes", number=1, stages=2)
    screen = StatusScreen(None, status)
    with screen.changing():
        pass
    assert capsys.readouterr().out == "\r[1/2] Prepare the nodes\x1b[K"
    with screen.changing():
        pass
    assert capsys.readouterr().out == "", "what stands there already is painted again"
    with screen.changing():
        status.stage = "End"
    assert capsys.readouterr().out == "\r[1/2] End\x1b[K"


def test_after_a_question_it_is_painted_again(capsys: pytest.CaptureFixture[str]) -> None:
    screen = StatusScreen(None, Status(stage="End"))
    with screen.changing():
        pass
    screen.pause()
    with screen.changing():
        pass
    assert capsys.readouterr().out == "\rEnd\x1b[K" + "\r\x1b[K" + "\rEnd\x1b[K"
