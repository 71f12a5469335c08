# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image that is to be there: its content, and the copies that are missing. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...._model.draft import Draft
from ...._model.errors import Problem
from ...._model.ids import new_id
from ...._model.plan import Change, Step, work_on
from ...._model.protection import changes_of, explain, is_protected
from ...._model.rows import Row, names_of
from ...._model.sizes import show_size
from ...._model.source import is_url
from ..trust import mirrored
from ..versions import Version, describe_anew, newest_of, older_of, versions_of, with_versions
from .carriers import worker_or_failure
from .departure import plan_departures
from .labelling import plan_labels
from .state import ImageHave, Proof, is_there, site_of
from .targets import Target, pools_of, retention_of

# The action plugin looks for this in what check mode predicts, and copies the file only then.
STAGE_TEXT = "copy the file to the coordinator"
# Likewise: then it looks for the file in mirrors that are directories of the controller.
FETCH_TEXT = "fetch the file"


def plan_present(target: Target, have: ImageHave, draft: Draft) -> None:
    want, row, sha256 = target.want, target.row, target.sha256
    label = f"image {want.name}"
    if want in have.unpublished:
        # What there is of it stays as it is.
        draft.failures += have.unpublished[want]
        return
    if sha256 is None:
        what = "its source is missing" if want.source is None else "its sha256 is missing"
        draft.refuse(what, "Set source, and sha256 for a URL.", resource=label)
        return
    if want.kind not in (None, target.kind):
        draft.refuse(
            f"it is of kind {target.kind}, and cannot become of kind {want.kind}",
            f"Leave out kind, or declare {target.kind}; an image of another name can be of the other kind.",
            resource=label,
        )
        return
    if target.kind == "iso" and target.format != "raw":
        draft.refuse("it is of kind iso, whose format is raw", "Leave out format.", resource=label)
        return
    if is_protected(row) and target.is_replaced:
        draft.refuse(*explain("its name cannot come to mean another content"), resource=label)
        return
    problems = _find_content_problems(target, have)
    if problems:
        draft.refusals += problems
        return

    new = _new_row(target, sha256)
    departed = (new, ()) if row is None else plan_departures(target, row, new, have, draft)
    if departed is None:
        return
    after, loses = departed
    uploads = Draft()
    missing = _plan_uploads(target, new, have, uploads)
    steps: list[Step] = []
    data = {
        "row": new,
        "is_fresh": target.is_fresh,
        "replaces": row.id if row and target.is_replaced else None,
        "sha256": sha256,
        "max_size": target.max_size,
        "proven": target.published.proven if target.published is not None else {},
    }
    if target.needs_proof and target.key_digest is not None:
        signature, key = want.signature or "", want.signing_key or ""
        data["proof"] = Proof(signature, key, target.key_digest, want.checksums, want.source)
    if (missing or target.is_fresh or target.needs_proof) and sha256 not in have.cached:
        if want.source is None:
            problem = Problem("its file is needed again, but its source is not given", "Set source.", resource=label)
            if not is_protected(row) or is_protected(new):
                draft.refusals.append(problem)
                return
            # Its protection ends all the same: what cannot be mended has to be removable.
            draft.failures.append(problem)
            uploads, missing = Draft(), []
        else:
            act = "fetch" if is_url(want.source) else "stage"
            text = FETCH_TEXT if act == "fetch" else STAGE_TEXT
            urls = tuple(mirrored(mirror, want.source) for mirror in want.mirrors or () if is_url(mirror))
            steps.append(Step(act, text, {**data, "urls": (*urls, want.source)}))
    draft.works += uploads.works
    draft.failures += uploads.failures
    draft.down |= uploads.down
    before = dict(row.attributes) if row else {}
    changes = [
        Change(key, before.get(key), new.attributes.get(key))
        for key in ("sha256", "format", "architecture", "description", "origin")
        if before.get(key) != new.attributes.get(key) and new.attributes.get(key) is not None
    ]
    changes += changes_of(is_protected(row), is_protected(new))
    if row is not None and new.attributes.get("pools") != row.attributes.get("pools"):
        changes.append(Change("pools", names_of(pools_of(row) or (), have.pools), names_of(target.pools, have.pools)))
    if retention_of(row) != target.retention:
        changes.append(Change("retention", retention_of(row), target.retention))
    known = {key for version in versions_of(row) for key in version.copies} if row is not None else set()
    gone = sorted(key for key in known if site_of(key, have) is None)
    if target.needs_proof:
        steps.append(Step("verify", "verify its signature", data))
    if row is None or target.is_replaced or changes or gone or target.needs_proof:
        steps.append(Step("register", _name_registering(target, changes), {**data, "gone": gone}))
    if steps:
        draft.first.append(work_on(new, steps, changes, loses=loses))
    arriving = newest_of(after)
    copies = tuple(sorted({*arriving.copies, *(key for key, _ in missing)}))
    after = with_versions(after, replace(arriving, copies=copies), older_of(after))
    plan_labels(after, have, draft, draft.last, is_uncertain=target.is_fresh or target.needs_proof)


def _name_registering(target: Target, changes: Sequence[Change]) -> str:
    if target.row is None:
        return "register"
    if target.restored is not None:
        return f"go back to version {target.restored.number}"
    if target.is_fresh:
        return "replace"
    return "change" if changes else "note who signed it" if target.needs_proof else "forget copies"


def _new_row(target: Target, sha256: str) -> Row:
    """The row as it will be; sizes of a new content are filled in when it has been looked at."""
    want, row = target.want, target.row
    description = want.description
    if description is None and row is not None:
        description = row.attributes.get("description")
    architecture = want.architecture
    if architecture is None and row is not None:
        architecture = row.attributes.get("architecture")
    protected = is_protected(row) if want.protected is None else want.protected
    own: dict[str, Any] = {
        **({"kind": target.kind} if target.kind != "disk" else {}),
        "description": description,
        **({"architecture": architecture} if architecture is not None else {}),
        **_origin_of(target),
        "protected": protected or None,
        "retention": target.retention or None,
    }
    if row is None or (want.pools is not None and target.pools != (pools_of(row) or frozenset())):
        own["pools"] = sorted(target.pools)
    elif "pools" in row.attributes:
        own["pools"] = row.attributes["pools"]
    if row is not None and not target.is_replaced:
        return describe_anew(row, own)
    number = max((version.number for version in versions_of(row)), default=0) + 1 if row is not None else 1
    restored = target.restored
    if restored is not None:
        newest = replace(restored, number=number)
    else:
        newest = Version(
            id=new_id("image"),
            number=number,
            sha256=sha256,
            format=target.format,
            virtual_size=0,
            size=None,
            copies=(),
        )
    older = [version for version in versions_of(row) if version.id != newest.id] if row is not None else []
    blank = Row(newest.id, "image", want.name, target.cluster.id, {})
    return with_versions(describe_anew(blank, own), newest, older)


def _origin_of(target: Target) -> dict[str, Any]:
    """What is recorded of a short name; nothing is known of it any more where another source is declared."""
    published, row = target.published, target.row
    if published is not None:
        return {"origin": published.origin, "stated": published.stated}
    known = row.attributes if row is not None and target.want.source is None else {}
    return {key: known[key] for key in ("origin", "stated") if known.get(key) is not None}


def _find_content_problems(target: Target, have: ImageHave) -> list[Problem]:
    want, row = target.want, target.row
    label = f"image {want.name}"
    if row is not None and not target.is_fresh:
        virtual_size = (target.restored or newest_of(row)).virtual_size
        if want.max_size is not None and virtual_size > want.max_size * 1024**2:
            shown = show_size(-(-virtual_size // 1024**2))
            return [
                Problem(
                    f"its virtual size is {shown}, more than the {show_size(want.max_size)} allowed",
                    "Raise max_size.",
                    resource=label,
                )
            ]
        return []
    return list(have.refused.get((want.cluster, want.name), ()))


def _plan_uploads(target: Target, new: Row, have: ImageHave, draft: Draft) -> list[tuple[str, Row]]:
    """Plan the copies that are not there. Returns (site key, node that writes it) of each."""
    label = f"image {new.name}"
    newest = newest_of(new)
    recorded = set(newest.copies)
    planned: list[tuple[str, Row]] = []
    by_node: dict[str, list[tuple[Step, Change]]] = {}
    for site in target.sites:
        worker = worker_or_failure(site, have, draft, label)
        if worker is None:
            continue
        is_present = is_there(newest, site, have)
        if site.key in recorded and is_present:
            continue
        doubt = have.doubts.get((worker.name, site.pool.id)) if site.key in recorded else None
        if doubt is not None:
            draft.failures.append(replace(doubt, resource=label))
            continue
        planned.append((site.key, worker))
        before = "missing" if site.key in recorded else "not complete" if is_present else None
        step = Step(
            "upload",
            f"copy into pool {site.pool.name}",
            {
                "id": new.id,
                "pool": site.pool.name,
                "key": site.key,
                "volume": newest.volume_in(site.pool),
                "pool_row": site.pool,
                "format": new.attributes["format"],
                "sha256": new.attributes["sha256"],
            },
        )
        by_node.setdefault(worker.name, []).append((step, Change(f"copies.{site.pool.name}", before, "complete")))
    for node, pairs in by_node.items():
        draft.works.append(work_on(new, [step for step, _ in pairs], [change for _, change in pairs], node=node))
    return planned
