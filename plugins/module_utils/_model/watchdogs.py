# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By what the definition of a guest says that the coordinators' job restarts it when its watchdog has paused it."""

from __future__ import annotations

# An alias of a user's own: libvirt keeps what begins so.
RESTARTS = "ua-pextra-restart"
