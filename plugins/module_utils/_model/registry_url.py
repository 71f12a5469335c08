# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the registry is unless told otherwise. Apart from the registry, because argument specs need no database."""

DEFAULT_URL = "sqlite:////var/lib/pextra/registry.db"
