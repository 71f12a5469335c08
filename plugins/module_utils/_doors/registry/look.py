# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at a registry that may not be there yet, or be of an older version. Nothing is made, and nothing changed."""

from __future__ import annotations

import os
from typing import NamedTuple

from ..._model.nouns import KINDS
from . import migrations
from .connection import database_of, is_there, open_connection, reporting_opening, sqlite_path
from .models import tables_of


class Found(NamedTuple):
    """version: of the schema in the database, 0 if there is none. newest: this collection's. is_empty: no resource is
    registered, as in a new deployment, or one whose registry was lost.
    """

    version: int
    newest: int
    is_empty: bool


def look_at(url: str) -> Found:
    """Return what is at `url`. Raises RegistryError if the database does not answer, may not be used, or has a schema
    that is newer than this collection.
    """
    newest = len(migrations.MIGRATIONS)
    path = sqlite_path(url)
    # SQLite would begin to write an empty file as soon as it opens it.
    if path is not None and (not is_there(path) or os.path.getsize(path) == 0):
        return Found(0, newest, is_empty=True)
    with reporting_opening(url):
        database = database_of(url)
        tables = tables_of(database)
        open_connection(database)
        try:
            version = migrations.read_version(database, tables)
            migrations.refuse_newer(version)
            kind = tables.resource.kind
            # No other column: an older schema may not have all of them.
            is_empty = version == 0 or not tables.resource.select(kind).where(kind.in_(KINDS)).exists()
            return Found(version, newest, is_empty)
        finally:
            database.close()
