# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that nothing can cancel, with a bound: the thread of one that is late is left alone until the process ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


class TooLateError(Exception):
    """The call did not end within its bound; it may still go on."""


def begin(call: Callable[[], Result], *expected: type[Exception]) -> Future[Result]:
    """Call it in a thread, and return what will have its result, or what it raises of the exceptions that are expected.

    Not a pool's thread: Python waits for those when it ends.
    """
    outcome: Future[Result] = Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except expected as error:
            outcome.set_exception(error)
        finally:
            outcome.cancel()  # of what is not expected the one who waits hears at once

    threading.Thread(target=work, name="bounded", daemon=True).start()
    return outcome


def wait(outcome: Future[Result], timeout_s: float) -> Result:
    """Return its result, or raise what the call raised. Raises TooLateError when there is none yet."""
    try:
        return outcome.result(timeout_s)
    except TimeoutError as error:
        if outcome.done():  # it is the call's own
            raise
        raise TooLateError from error


def bounded(call: Callable[[], Result], timeout_s: float, *expected: type[Exception]) -> Result:
    """Return what `call` returns, or raise what it raises of the exceptions that are expected of it. Raises
    TooLateError when it takes longer.
    """
    return wait(begin(call, *expected), timeout_s)
