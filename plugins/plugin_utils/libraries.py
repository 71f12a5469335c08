# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python libraries that the controller needs beside those of Ansible."""

from __future__ import annotations

import sys

from ansible.errors import AnsibleActionFail


def require_netaddr() -> None:
    """Raises AnsibleActionFail, which says what to do, where it is missing: whoever uses it imports it late."""
    try:
        import netaddr  # noqa: F401 - asked for here, where it can be said what to do
    except ImportError:
        raise AnsibleActionFail(
            f"The Python library netaddr is missing on the controller, in {sys.executable}, which runs Ansible. "
            f"Nothing was done. Install it there: {sys.executable} -m pip install netaddr "
            "(or apt-get install python3-netaddr, for Debian's Ansible)."
        ) from None
