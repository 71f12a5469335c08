# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an error that nobody foresaw becomes one that is told, of one work or one node: the others go on."""

from __future__ import annotations

import os
from types import TracebackType

from .._model.errors import DefectError, PextraError, Problem


class as_problem:  # noqa: N801 - used as a function is
    """Within this context an error that is not ours is raised as a DefectError of the node and the resource."""

    def __init__(self, node: str | None = None, resource: str | None = None) -> None:
        self._node = node
        self._resource = resource

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, PextraError):
            raise DefectError([self._problem(error, trace)]) from error

    def _problem(self, error: Exception, trace: TracebackType | None) -> Problem:
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = "" if trace is None else f" ({os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno})"
        return Problem(
            f"this is a defect of the collection: {type(error).__name__}: {error}{where}",
            "Report it, with what was declared and what is there.",
            self._node,
            self._resource,
        )
