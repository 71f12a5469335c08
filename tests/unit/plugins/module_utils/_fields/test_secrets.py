# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of given options is hidden wherever Ansible tells of a call."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._fields.field import parse
from ansible_collections.pextra.cloud.plugins.module_utils._fields.secrets import secrets_in
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import FIELDS


def test_secrets_are_found_at_any_depth() -> None:
    init = {"hostname": "web", "user_data": "#!/bin/sh", "users": [{"name": "ann", "hashed_password": "$6$abc"}]}
    assert set(secrets_in(FIELDS, {"name": "web", "cloud_init": init})) == {"#!/bin/sh", "$6$abc"}


def test_what_is_blank_is_no_secret() -> None:
    """It is everywhere: hiding it would leave nothing to read."""
    for blank in ("", " ", "\n", None):
        assert list(secrets_in(FIELDS, {"name": "web", "cloud_init": {"user_data": blank, "vendor_data": blank}})) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"cloud_init": "#cloud-config\npassword: hunter2"},
        {"cloud_init": ["hunter2"]},
        {"cloud_init": {"users": ["hunter2"]}},
        {"cloud_init": {"users": "hunter2"}},
        {"cloud_init": {"user_data": ["hunter2"]}},
        {"graphics": "hunter2"},
    ],
)
def test_a_secret_in_the_wrong_place_is_not_told(wrong: dict[str, Any]) -> None:
    _, mistakes = parse(FIELDS, {"name": "web", **wrong}, "pextra_instances[0]")
    assert mistakes
    for one in mistakes:
        assert "hunter2" not in f"{one.path} {one.problem} {one.allowed}"
