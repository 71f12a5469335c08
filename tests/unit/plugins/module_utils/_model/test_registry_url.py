# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords in the registry's address are hidden, whatever is in them."""

from __future__ import annotations

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.connection import database_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import RegistryError
from ansible_collections.pextra.cloud.plugins.module_utils._model.registry_url import (
    find_port_mistake,
    password_of,
    without_password,
)


@pytest.mark.parametrize(
    ("url", "password", "is_right"),
    [
        ("sqlite:////var/lib/pextra/registry.db", None, True),
        ("postgresql:///pextra?host=/run/postgresql", None, True),
        ("postgresql://pextra@db/pextra", None, True),
        ("postgresql://pextra:hunter2@db:5432/pextra", "hunter2", True),
        ("postgresql://pextra:h%2Fu%40nter@[2001:db8::1]:5432/pextra", "h%2Fu%40nter", True),
        ("postgresql://pextra:hun@ter2@db/pextra", "hun@ter2", True),
        ("postgresql://pextra:hun/ter2@db/pextra", "hun/ter2", False),
        ("postgresql://pextra:hun#ter2@db/pextra", "hun#ter2", False),
        ("postgresql://pextra:hun?ter2@db/pextra", "hun?ter2", False),
        ("postgresql://pextra:hun[ter2@db/pextra", "hun[ter2", False),
        ("postgresql://pextra:hunter2@db:port/pextra", "hunter2", False),
        ("postgresql://pextra:hunter2@db:70000/pextra", "hunter2", False),
    ],
)
def test_a_password_is_hidden(url: str, password: str | None, is_right: bool) -> None:
    assert password_of(url) == password
    shown = without_password(url)
    assert shown == (url if password is None else url.replace(f":{password}@", ":***@"))
    mistake = find_port_mistake(url)
    assert (mistake is None) is is_right
    if mistake is not None:
        assert "hun" not in mistake
        with pytest.raises(RegistryError) as raised:
            database_of(url)
        assert "hun" not in str(raised.value)
