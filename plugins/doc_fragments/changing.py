# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options in module_utils/_fields/argspec.py that only modules that change something have."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  confirm:
    description:
      - Consent to lose data.
      - Without V(DESTROY) the module fails before it touches anything, and names what would be lost.
    type: str
    choices: [DESTROY]
  lease_timeout:
    description:
      - How many seconds to wait for another run that is changing the same resource.
    type: int
    default: 60
  earlier_changes:
    description:
      - Only for check mode, whether an earlier task of the same run would make something that this one may need.
      - What would be refused because it is not there yet is then a warning that it cannot be known, and no failure.
    type: bool
    default: false
"""
