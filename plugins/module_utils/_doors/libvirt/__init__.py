# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only importer of libvirt: a typed door to one node's hypervisor, one room for each subject.

Everything is read in bulk, errors become ours, and nothing here decides anything. A connection is safe to use from
several threads.
"""
