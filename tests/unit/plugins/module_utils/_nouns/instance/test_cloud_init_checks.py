# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cloud-init in a guest is told: what it would skip without a word, and what must not be in it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance import cloud_init_checks as checks
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import CloudInit
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm, find_missing
from deployment_document import instance, read, told
from hypothesis import given
from hypothesis import strategies as st

SHA512 = "$6$0SqalCz3JgFcN0rH$38iejbBcyrBgg7MtwgJddQuvyNzdp.P8K49ZmMDE2nfcq8SbXcoYP2IyAZHhjHKBDIaOOxjtkhmm8od8zF4dJ."
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINgi+7CUcoV4lrRZhupDG6Pefq3wL4uMdETUrMHxFCHr"
ECDSA = (
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPqLtRoUHARIsDiJQ2IIOu585tWJeydfsIL1PIC"
    "AeAKIqMG9RCQfwJ77+JC6e9vo/Wb2xeozgPUpoUNZFA6KgJQ="
)
PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "value",
    [
        SHA512,
        SHA512.replace("$6$", "$6$rounds=656000$"),
        "$5$HwKY6hdZv.Wnh.9E$YlnssrgJdWTHzZic9IMdKDouXh3O4I54mg5N8fyzG6D",
        "$2b$12$k5tLhBbrBTJeQ1YHazyOOuhMUXMlo9Ya2WfTQ8q7Q.EYL0waV7kPy",
        "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$6foLM1JhGupouWKMU70wxK61Kw9ZnecbACjJwRadqM2",
    ],
)
def test_hashes_of_passwords(value: str) -> None:
    assert checks.check_password_hash(value) is None


@pytest.mark.parametrize(
    "value",
    ["", "hush", "!", "*", "$ecret$word", "$6$x$y", SHA512[:-1], SHA512 + "\n", SHA512 + ":", SHA512[2:], "$1$a$b"],
)
def test_what_is_no_hash_is_not_shown(value: str) -> None:
    problem = checks.check_password_hash(value)
    assert problem is not None
    assert not value or value not in problem


@pytest.mark.parametrize(
    "value", [ED25519, f"{ED25519} ann at her desk", f"{ECDSA} ", f'restrict,command="echo a b" {ED25519} ann']
)
def test_public_keys(value: str) -> None:
    assert checks.check_public_key(value) is None


@pytest.mark.parametrize(
    "value",
    [
        *("", "ann", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-ed25519 AAAA… me@example", f"{ED25519}\n", f"{ED25519}\0"),
        *(f"{ED25519}\n{ECDSA}", ED25519.split()[1], ED25519.replace("ssh-ed25519", "ssh-rsa"), f" {ED25519}"),
        *("ssh-dss AAAAB3NzaC1kc3MAAACBAP", "/home/ann/.ssh/id_ed25519.pub", "https://github.com/ann.keys"),
    ],
)
def test_what_is_no_public_key(value: str) -> None:
    problem = checks.check_public_key(value)
    assert problem is not None
    assert problem.isprintable()


def test_a_private_key_is_not_shown() -> None:
    problem = checks.check_public_key(PRIVATE)
    assert problem == "is a private key; write the public one, from the file whose name ends with .pub"


@pytest.mark.parametrize(
    "value",
    [
        *("", "\n", "#cloud-config\n", "#cloud-config-archive\n", "\n #Cloud-Config\nusers: []", "#!/bin/sh\n"),
        *("#include\nhttps://a/b", "#include-once\n", "#cloud-boothook\n", "#part-handler\n", "## template: jinja\n#!"),
        "Content-Type: multipart/mixed; boundary=x\nMIME-Version: 1.0\n\n--x",
        "#cloud-config\n" + "x" * (1024**2 - 14),
    ],
)
def test_user_data(value: str) -> None:
    assert checks.check_user_data(value) is None


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("users: [secret]", "does not say what it is"),
        ("# cloud-config\nsecret", "does not say what it is"),
        ("cloud-config\nsecret", "does not say what it is"),
        ("#cloud-config\nsecret\ud800", "half of a character"),
        ("#cloud-config\nsecret" + "ü" * (512 * 1024), "has 1048596 bytes; write at most 1048576"),
    ],
)
def test_what_cloud_init_would_skip_is_not_shown(value: str, what: str) -> None:
    problem = checks.check_user_data(value)
    assert problem is not None
    assert what in problem
    assert "secret\n" not in problem
    assert problem.isprintable()


@given(st.sampled_from([checks.check_password_hash, checks.check_public_key, checks.check_user_data]), st.text())
def test_no_text_raises(check: Any, value: str) -> None:
    problem = check(value)
    assert problem is None or problem.isprintable()


def one(**cloud_init: Any) -> dict[str, Any]:
    return {"pextra_instances": [instance("db", cloud_init=cloud_init)]}


USERS = [{"name": "ann", "ssh_authorized_keys": [ED25519], "hashed_password": SHA512}]
HERE = "pextra_instances[0] (db).cloud_init"
DOCUMENT: list[tuple[str, dict[str, Any], list[str]]] = [
    ("users", one(users=USERS), []),
    ("user data", one(user_data="#!/bin/sh\n", hostname="www"), []),
    ("users, and no user data", one(users=USERS, user_data=""), []),
    ("both", one(users=USERS, user_data="#!/bin/sh\n"), [f"{HERE}.user_data: cannot be together with users"]),
    (
        "a user twice",
        one(users=[*USERS, {"name": "bob"}, {"name": "ann"}]),
        [f'{HERE}.users[2] (ann).name: "ann" is the name of another user of it'],
    ),
    (
        "clear text, and a private key",
        one(users=[{"name": "ann", "hashed_password": "hush", "ssh_authorized_keys": [PRIVATE]}]),
        [
            f"{HERE}.users[0] (ann).hashed_password: its secret value is no hash",
            f"{HERE}.users[0] (ann).ssh_authorized_keys[0]: is a private key",
        ],
    ),
    ("no header", one(user_data="users: []"), [f"{HERE}.user_data: its secret value does not say what it is"]),
    (
        "without an image",
        {
            "pextra_instances": [
                {
                    "name": "db",
                    "root": {"pool": "local", "size": "1 GiB"},
                    "cloud_init": {"hostname": "www", "user_data": "#!/bin/sh\n"},
                }
            ]
        },
        [
            f"{HERE}.hostname: is for an instance that begins from an image, with cloud-init in it",
            f"{HERE}.user_data: is for an instance that begins from an image, with cloud-init in it",
        ],
    ),
]


@pytest.mark.parametrize(("changes", "expected"), [case[1:] for case in DOCUMENT], ids=[case[0] for case in DOCUMENT])
def test_document(changes: dict[str, Any], expected: list[str]) -> None:
    found = sorted(told(read(changes)))
    assert len(found) == len(expected), found
    for text, start in zip(found, expected, strict=True):
        assert text.startswith(start), text


def test_a_call_that_makes_an_instance_without_an_image_is_told_too() -> None:
    (mistake,) = find_missing(Vm(name="db", cloud_init=CloudInit(user_data="#!/bin/sh\n")), "")
    assert mistake.path == "cloud_init.user_data"
