# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the API of AWX 24, as far as the modules of awx.awx need it, which keeps what it was told in memory.

It answers on loopback, refuses what AWX refuses of what the role does (unknown fields, names given twice, playbooks
that the project has not, credentials of a kind that jobs do not get, surveys against its rules), hides secrets, and
notes every request that changes something. It runs no job and reads no repository: a project has the playbooks that
the test says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qsl, urlsplit

from .awx_rules import ASSOCIATIONS, FIELDS, FOR_JOBS, KEYS, MACHINE, UNIFIED, RefusedError, Thing, check_survey

ROOT = "/api/v2"
TOKEN = "a-token-of-the-test"
ENCRYPTED = "$encrypted$"


@dataclass
class StandIn:
    """What there is, by collection and id, and which requests have changed it."""

    playbooks: Sequence[str]
    address: str = ""
    things: dict[str, dict[int, Thing]] = field(default_factory=lambda: {name: {} for name in FIELDS})
    surveys: dict[int, Thing] = field(default_factory=dict)
    links: dict[tuple[str, int, str], list[int]] = field(default_factory=dict)
    changes: list[tuple[str, str]] = field(default_factory=list)
    last_id: int = 0
    lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.make("credential_types", {"name": "Machine", "kind": "ssh", "inputs": MACHINE, "managed": True})

    def find(self, collection: str, name: str) -> Thing:
        """The only object of this name, as it is kept."""
        key = "identifier" if collection == "workflow_job_template_nodes" else "name"
        (found,) = [thing for thing in self.things[collection].values() if thing[key] == name]
        return found

    def linked(self, collection: str, name: str, link: str) -> list[str]:
        """The names of what an object is linked to."""
        target = ASSOCIATIONS[collection][link]
        ids = self.links.get((collection, self.find(collection, name)["id"], link), [])
        return [self.things[target][one].get("name") or self.things[target][one]["identifier"] for one in ids]

    def make(self, collection: str, given: Thing) -> Thing:
        self._check(collection, given)
        self.last_id += 1
        thing = {**FIELDS[collection], **given, "id": self.last_id}
        self._refuse_second(collection, thing)
        self._check_references(collection, thing)
        self.things[collection][self.last_id] = thing
        return thing

    def change(self, collection: str, thing: Thing, given: Thing) -> None:
        self._check(collection, given)
        inputs = given.get("inputs", thing.get("inputs")) or {}
        if collection == "credential_types" and inputs != thing["inputs"] and self._is_used(thing):
            raise RefusedError(400, {"inputs": ["Modifications to inputs are not allowed for types in use"]})
        if collection == "credentials":
            kept = {key: thing["inputs"].get(key) for key, value in inputs.items() if value == ENCRYPTED}
            given = {**given, "inputs": {**inputs, **kept}}
        changed = {**thing, **given}
        self._refuse_second(collection, changed)
        self._check_references(collection, changed)
        thing.update(changed)

    def _is_used(self, credential_type: Thing) -> bool:
        return any(one["credential_type"] == credential_type["id"] for one in self.things["credentials"].values())

    def _check(self, collection: str, given: Thing) -> None:
        unknown = set(given) - set(FIELDS[collection]) - {"managed"}
        if unknown:
            raise RefusedError(400, {"unknown to this stand-in": sorted(unknown)})

    def _refuse_second(self, collection: str, thing: Thing) -> None:
        key = KEYS.get(collection, ("name",))
        for other in self.things[collection].values():
            if other["id"] != thing["id"] and all(other[part] == thing[part] for part in key):
                raise RefusedError(400, {"__all__": [f"{collection} with this {' and '.join(key)} already exists"]})

    def _check_references(self, collection: str, thing: Thing) -> None:
        if collection == "job_templates" and thing["playbook"] not in self.playbooks:
            raise RefusedError(400, {"playbook": ["Playbook not found for project."]})
        if collection == "credentials":
            fields = self.things["credential_types"][thing["credential_type"]]["inputs"]["fields"]
            unknown = set(thing["inputs"]) - {one["id"] for one in fields}
            if unknown:
                raise RefusedError(400, {"inputs": [f"unknown: {sorted(unknown)}"]})
        if collection == "schedules" and not re.match(r"DTSTART\S*:\d{8}T\d{6}Z? RRULE:\S*FREQ=", thing["rrule"]):
            raise RefusedError(400, {"rrule": ["Multiple or no DTSTART or RRULE"]})
        for name in ("organization", "project", "inventory", "workflow_job_template"):
            target = {"inventory": "inventories"}.get(name, f"{name}s")
            if thing.get(name) is not None and thing[name] not in self.things[target]:
                raise RefusedError(400, {name: [f"Invalid pk {thing[name]}"]})

    def link(self, collection: str, thing: Thing, link: str, given: Thing) -> None:
        ids = self.links.setdefault((collection, thing["id"], link), [])
        if given.get("disassociate"):
            ids.remove(given["id"])
            return
        if link == "credentials":
            kinds = [self._type_of(one) for one in (*ids, given["id"])]
            if kinds[-1]["kind"] not in FOR_JOBS:
                raise RefusedError(400, {"error": f"Cannot assign a Credential of kind `{kinds[-1]['kind']}`."})
            if kinds[-1] in kinds[:-1]:
                raise RefusedError(400, {"error": f"Cannot assign multiple {kinds[-1]['name']} credentials."})
        ids.append(given["id"])

    def _type_of(self, credential: int) -> Thing:
        return self.things["credential_types"][self.things["credentials"][credential]["credential_type"]]

    def shown(self, collection: str, thing: Thing) -> Thing:
        """An object as AWX shows it."""
        url = f"{ROOT}/{collection}/{thing['id']}/"
        related = {"survey_spec": f"{url}survey_spec/"} if collection.endswith("job_templates") else {}
        summary: Thing = {}
        if collection == "projects":
            # Its first update has been made by the time that anybody asks.
            summary["current_update"] = {"id": thing["id"]}
        if collection == "workflow_job_template_nodes" and thing["unified_job_template"] is not None:
            owner = next(one for one in UNIFIED if thing["unified_job_template"] in self.things[one])
            related["unified_job_template"] = f"{ROOT}/{owner}/{thing['unified_job_template']}/"
        result = {"type": collection.removesuffix("s"), **thing, "url": url, "related": related}
        if collection == "credentials":
            fields = self.things["credential_types"][thing["credential_type"]]["inputs"].get("fields", ())
            secret = {one["id"] for one in fields if one.get("secret")}
            result["inputs"] = {k: ENCRYPTED if k in secret else v for k, v in thing["inputs"].items()}
        return {**result, "summary_fields": summary}

    def listed(self, collection: str, wanted: Mapping[str, str]) -> Thing:
        names = UNIFIED if collection == "unified_job_templates" else (collection,)
        found = [
            self.shown(name, thing)
            for name in names
            for thing in self.things[name].values()
            if all(str(thing.get(key)) == value for key, value in wanted.items() if key != "page_size")
        ]
        return {"count": len(found), "next": None, "previous": None, "results": found}


def answer(stand_in: StandIn, method: str, path: str, given: Thing) -> tuple[int, Thing | None]:
    """What AWX would answer: the status, and the body. Raises RefusedError."""
    parts = urlsplit(path)
    words = parts.path.removeprefix(ROOT).strip("/").split("/")
    wanted = dict(parse_qsl(parts.query))
    match method, words:
        case "GET", ["ping"]:
            return 200, {"version": "24.6.1", "ha": False}
        case "GET", ["config"]:
            return 200, {"version": "24.6.1", "license_info": {"license_type": "open"}}
        case "GET", ["me"]:
            return 200, {"count": 1, "next": None, "results": [{"id": 1, "username": "admin"}]}
        case "GET", ["project_updates", number]:
            return 200, {"id": int(number), "status": "successful", "finished": "2026-11-29T00:00:00Z"}
        case "GET", ["unified_job_templates"]:
            return 200, stand_in.listed("unified_job_templates", wanted)
        case "GET", [collection] if collection in FIELDS:
            return 200, stand_in.listed(collection, wanted)
        case "POST", [collection] if collection in FIELDS:
            return 201, stand_in.shown(collection, stand_in.make(collection, given))
    if len(words) < 2 or words[0] not in FIELDS or not words[1].isdigit():
        raise RefusedError(404, {"detail": f"this stand-in has no {method} {path}"})
    collection, thing = words[0], stand_in.things[words[0]].get(int(words[1]))
    if thing is None:
        raise RefusedError(404, {"detail": "Not found."})
    return _answer_for(stand_in, method, collection, thing, words[2:], given)


def _answer_for(
    stand_in: StandIn, method: str, collection: str, thing: Thing, rest: Sequence[str], given: Thing
) -> tuple[int, Thing | None]:
    match method, rest:
        case "GET", []:
            return 200, stand_in.shown(collection, thing)
        case "PATCH", []:
            stand_in.change(collection, thing, given)
            return 200, stand_in.shown(collection, thing)
        case "GET", ["survey_spec"]:
            return 200, stand_in.surveys.get(thing["id"], {})
        case "POST", ["survey_spec"]:
            check_survey(given)
            stand_in.surveys[thing["id"]] = given
            return 200, {}
        case "DELETE", ["survey_spec"]:
            stand_in.surveys.pop(thing["id"], None)
            return 200, {}
        case "POST", ["create_approval_template"]:
            approval = stand_in.make("workflow_approval_templates", given)
            thing["unified_job_template"] = approval["id"]
            return 201, stand_in.shown("workflow_approval_templates", approval)
        case "GET", [link] if link in ASSOCIATIONS.get(collection, {}):
            target = ASSOCIATIONS[collection][link]
            ids = stand_in.links.get((collection, thing["id"], link), [])
            found = [stand_in.shown(target, stand_in.things[target][one]) for one in ids]
            return 200, {"count": len(found), "next": None, "results": found}
        case "POST", [link] if link in ASSOCIATIONS.get(collection, {}):
            stand_in.link(collection, thing, link, given)
            return 204, None
    raise RefusedError(404, {"detail": f"this stand-in has no {method} {'/'.join(rest)} of {collection}"})


class _Handler(BaseHTTPRequestHandler):
    stand_in: StandIn

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        given = json.loads(self.rfile.read(length) or "{}")
        with self.stand_in.lock:
            status, body = self._find_answer(given)
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("X-API-Product-Name", "AWX")
        self.send_header("X-API-Product-Version", "24.6.1")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _find_answer(self, given: Thing) -> tuple[int, object]:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"detail": "Authentication credentials were not provided."}
        if self.command != "GET":
            self.stand_in.changes.append((self.command, self.path))
        try:
            return answer(self.stand_in, self.command, self.path, given)
        except RefusedError as refused:
            return refused.status, refused.what

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class has it
        """Say nothing."""


@contextmanager
def serve(playbooks: Sequence[str]) -> Iterator[StandIn]:
    """A stand-in that answers on a free port of loopback. playbooks: what the project has."""
    stand_in = StandIn(playbooks)
    handler = type("Handler", (_Handler,), {"stand_in": stand_in})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    stand_in.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
