# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node is, to the tests of storage: a libvirt with a pool of somebody else's, and labels."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem, SwitchError

HOST = """<node><cpu><mhz>6000</mhz><model>x86_64</model><active>4</active><nodes>1</nodes><sockets>1</sockets>
<cores>4</cores><threads>1</threads></cpu><memory>8192000</memory>
<pool type='dir'><name>foreign</name><uuid>11111111-2222-3333-4444-555555555555</uuid>
<target><path>/srv/foreign</path></target></pool></node>"""


class Labels:
    """A node's labels, in memory. They can be made to fail, some times."""

    def __init__(self) -> None:
        self._labels: dict[str, str] = {}
        self.writes = 0
        self.failures = 0

    def read(self) -> dict[str, str]:
        return dict(self._labels)

    def write(self, labels: Mapping[str, str | None]) -> None:
        if self.failures:
            self.failures -= 1
            raise SwitchError([Problem("the disk is full")])
        self.writes += 1
        self._labels.update({key: text for key, text in labels.items() if text is not None})
        for key in [key for key, text in labels.items() if text is None]:
            self._labels.pop(key, None)
