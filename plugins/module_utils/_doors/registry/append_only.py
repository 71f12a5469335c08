# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes the audit trail append-only: triggers, in the words of each database.

They refuse whatever changes a row, a new row that is numbered before others or takes another's number, and the removal
of rows, unless the registry says beside it up to when rows are being removed: that is a fact which only the
transaction that removes them has, and undoes (audit.py). Whoever owns the database can take triggers away; that no
trigger prevents.
"""

from __future__ import annotations

from typing import Any

from .connection import is_sqlite
from .models import Tables

# The fact that says, in seconds since the epoch, before when rows are being removed.
REMOVAL = "audit_removal"

_SQLITE = (
    """CREATE TRIGGER {table}_update BEFORE UPDATE ON {table}
    BEGIN SELECT RAISE(ABORT, '{refusal}: no entry is changed'); END""",
    """CREATE TRIGGER {table}_delete BEFORE DELETE ON {table}
    WHEN NOT EXISTS (SELECT 1 FROM {facts} WHERE key = '{removal}' AND OLD.at < CAST(value AS REAL))
    BEGIN SELECT RAISE(ABORT, '{refusal}: no entry is removed'); END""",
    # REPLACE removes without asking the trigger above.
    """CREATE TRIGGER {table}_replace BEFORE INSERT ON {table}
    WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, '{refusal}: no entry is replaced'); END""",
    # Which number a row gets is known only afterwards.
    """CREATE TRIGGER {table}_insert AFTER INSERT ON {table}
    WHEN NEW.id < (SELECT max(id) FROM {table})
    BEGIN SELECT RAISE(ABORT, '{refusal}: no entry comes before others'); END""",
)
_POSTGRESQL = (
    """CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            IF NEW.id > coalesce((SELECT max(id) FROM {table}), 0) THEN
                RETURN NEW;
            END IF;
        ELSIF TG_OP = 'DELETE' THEN
            IF EXISTS (SELECT 1 FROM {facts} WHERE key = '{removal}' AND OLD.at < value::double precision) THEN
                RETURN OLD;
            END IF;
        END IF;
        RAISE EXCEPTION USING MESSAGE = '{refusal}: ' || TG_OP || ' is refused', ERRCODE = 'restrict_violation';
    END $$""",
    """CREATE TRIGGER {table}_rows BEFORE INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION {table}_refuse()""",
    """CREATE TRIGGER {table}_whole BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()""",
)


def guard_trail(database: Any, tables: Tables) -> None:
    """Make the triggers. There must be none of them yet."""
    words = {
        "table": tables.audit_event._meta.table_name,
        "facts": tables.fact._meta.table_name,
        "removal": REMOVAL,
        "refusal": "the audit trail is append-only",
    }
    for statement in _SQLITE if is_sqlite(database) else _POSTGRESQL:
        # No per cent sign in any: drivers would look for parameters.
        database.execute_sql(statement.format(**words))
