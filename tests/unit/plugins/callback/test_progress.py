# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The progress on a screen: of ansible-playbook itself in a terminal, and of events that nobody foresaw."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.callback.progress import CallbackModule
from terminal import Screen, run_in_terminal

ROOT = Path(__file__).resolve().parents[4]
# Ansible quotes a playbook where a task of it fails: the secret stands nowhere in it.
PLAYBOOK = """
- name: Prepare the nodes
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Look
      ansible.builtin.command: "true"
      changed_when: false
    - name: Install packages
      ansible.builtin.command: sleep 2.2
    - name: Left out
      ansible.builtin.command: "true"
      when: false
    - name: Tell what is there
      ansible.builtin.debug: {msg: [one line, "another"]}
- name: Converge the cloud
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Read a secret
      ansible.builtin.command: echo {{ 'hunter' ~ 2 }}
      no_log: true
    - name: Lose a secret
      ansible.builtin.command: sh -c 'echo {{ "hunter" ~ 2 }}; exit 1'
      no_log: true
      ignore_errors: true
    - name: Start the service
      ansible.builtin.command: printf 'first\\033[2Jline\\nsecond'
      register: started
      failed_when: true
"""


def environment_of(site: Path, **more: str) -> dict[str, str]:
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_") and key != "NO_COLOR"},
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "unit"),
        "ANSIBLE_LOCAL_TEMP": str(site / "tmp"),
        "ANSIBLE_STDOUT_CALLBACK": "pextra.cloud.progress",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
        "HOME": str(site),
        "TERM": "xterm",
        **more,
    }


def command_of(site: Path, *arguments: str, playbook: str = PLAYBOOK) -> list[str]:
    (site / "play.yml").write_text(playbook, encoding="utf-8")
    return [sys.executable, "-m", "ansible", "playbook", "play.yml", *arguments]


def show(site: Path, *arguments: str, columns: int = 100, playbook: str = PLAYBOOK, **more: str) -> tuple[int, Screen]:
    command = command_of(site, *arguments, playbook=playbook)
    return run_in_terminal(command, environment_of(site, **more), str(site), columns)


def test_a_screen_in_the_end(tmp_path: Path) -> None:
    code, screen = show(tmp_path)
    lines = screen.text
    assert code == 2
    assert lines[:4] == [
        "  changed    localhost: Install packages",
        "  one line",
        "  another",
        "  changed    localhost: Read a secret",
    ]
    assert "  failed     localhost: Lose a secret (its failure is ignored)" in lines
    failure = lines.index("  failed     localhost: Start the service")
    # Whole, and what the host says does not reach the terminal.
    assert lines[failure + 1].startswith("[ERROR]: Task failed")
    assert "    first\\x1b[2Jline" in lines[failure:]
    assert "    second" in lines[failure:]
    assert re.fullmatch(r"Failed after \d+\.?\d* s: localhost failed; 2 tasks changed something\.", lines[-2])
    assert lines[-1] == "", "the line at the bottom is left over"
    text = "\n".join(lines)
    assert not re.search(r"Left out|localhost: Look|hunter2|Traceback", text)
    assert screen.is_coloured


MANY = """
- name: Prepare the nodes
  hosts: all
  gather_facts: false
  tasks:
    - name: Write the configuration
      ansible.builtin.copy:
        content: "{{ 'ours' if inventory_hostname == 'node2' else 'theirs' }}\\n"
        dest: "{{ playbook_dir }}/{{ file | default(inventory_hostname) }}"
        mode: "0600"
    - name: Install packages
      ansible.builtin.fail: {msg: "No mirror answers."}
"""


def show_many(site: Path, count: int, *arguments: str, **more: str) -> tuple[int, list[str]]:
    names = ",".join(f"node{number}" for number in range(1, count + 1))
    local = ("-e", "ansible_connection=local", "-e", f"ansible_python_interpreter={sys.executable}")
    code, screen = show(site, "-i", f"{names},", *local, *arguments, playbook=MANY, **{"NO_COLOR": "1", **more})
    return code, screen.text


SILENT = """
- name: Prepare the nodes
  hosts: HOSTS
  gather_facts: false
  tasks:
    - {name: Look, ansible.builtin.command: id}
    - {name: Record it, ansible.builtin.command: id, delegate_to: "{{ 'node1' }}", run_once: true}
"""


@pytest.mark.parametrize(("hosts", "task"), [("node1", "Look"), ("local", "Record it")])
def test_who_does_not_answer_is_named(tmp_path: Path, hosts: str, task: str) -> None:
    (tmp_path / "hosts").write_text(
        "node1 ansible_host=192.0.2.1 ansible_ssh_common_args='-F /dev/null -o ProxyCommand=false'\n"
        f"local ansible_connection=local ansible_python_interpreter={sys.executable}\n"
    )
    _, screen = show(tmp_path, "-i", "hosts", columns=200, playbook=SILENT.replace("HOSTS", hosts), NO_COLOR="1")
    lines = screen.text
    silent = lines.index(f"  no answer  node1: {task}")
    assert "Failed to connect to the host" in lines[silent + 1]
    assert not [line for line in lines if "Origin:" in line or "column" in line]
    assert any("node1 did not answer" in line for line in lines)


def test_what_many_hosts_do_alike_is_told_once(tmp_path: Path) -> None:
    code, lines = show_many(tmp_path, 6)
    assert code == 2
    assert lines[0] == "  changed    node1, node2, node3 and 3 more: Write the configuration"
    # The first failure at once and whole, then who else has it.
    assert re.fullmatch(r"  failed     node\d: Install packages", lines[1])
    assert lines[2] == "    No mirror answers."
    assert re.fullmatch(r"  failed     (node\d, ){2}node\d and 2 more: Install packages, for the same reason", lines[3])
    assert re.fullmatch(r"Failed after .*: node1, node2, node3 and 3 more failed; 1 task changed something\.", lines[4])
    assert lines[5:] == [""]


def test_each_difference_stands_below_whose_it_is(tmp_path: Path) -> None:
    _, lines = show_many(tmp_path, 3, "--diff", "--check", "-e", "file=one")
    text = "\n".join(lines)
    for who, content in (("node1, node3", "theirs"), ("node2", "ours")):
        head = rf"^  to change  {who}: Write the configuration\n--- before\n\+\+\+ after: "
        assert re.search(rf"{head}[^\n]*\n@@ [^\n]*\n\+{content}$", text, re.M), text


def test_a_check_changes_nothing_and_says_so(tmp_path: Path) -> None:
    quiet = MANY.replace("ansible.builtin.fail: {msg", "ansible.builtin.debug: {msg")
    command = ("-i", "node1,", "-e", "ansible_connection=local", "-e", f"ansible_python_interpreter={sys.executable}")
    _, screen = show(tmp_path, "--check", *command, playbook=quiet, NO_COLOR="1")
    assert screen.text[0] == "  to change  node1: Write the configuration"
    assert re.fullmatch(r"Checked in .* s: 1 host, 1 task would change something\.", screen.text[-2])
    converged = quiet.replace("ansible.builtin.copy:", "ansible.builtin.copy:\n        force: false")
    (tmp_path / "node1").write_text("there", encoding="utf-8")
    _, screen = show(tmp_path, "--check", *command, playbook=converged, NO_COLOR="1")
    assert re.fullmatch(r"Checked in .* s: 1 host, nothing would change\.", screen.text[-2])


def test_warnings_of_many_hosts_are_one_line(tmp_path: Path) -> None:
    """A module that warns of each host, by its name, as preflight does where an exception is made."""
    module = tmp_path / "library" / "warning.py"
    module.parent.mkdir()
    module.write_text(
        "from ansible.module_utils.basic import AnsibleModule\n"
        "module = AnsibleModule({'host': {}})\n"
        "module.warn(module.params['host'] + ': memory: found 1 GiB; required: 2 GiB. An exception is made.')\n"
        "module.exit_json()\n",
        encoding="utf-8",
    )
    warning = "- {hosts: all, gather_facts: false, tasks: [{warning: {host: '{{ inventory_hostname }}'}}]}\n"
    local = ("-e", "ansible_connection=local", "-e", f"ansible_python_interpreter={sys.executable}")
    _, screen = show(tmp_path, "-i", "node1,node2,", *local, playbook=warning, columns=60, NO_COLOR="1")
    assert screen.text[:2] == [
        "  warning    node1, node2: memory: found 1 GiB; required: 2",
        "    GiB. An exception is made.",
    ]
    assert screen.text[2].startswith("Done in ")


def test_a_message_that_says_all_stands_alone(tmp_path: Path) -> None:
    """Where the task stands in the playbook helps its author, and hides from others what is wrong."""
    refusing = """
- hosts: localhost
  gather_facts: false
  tasks:
    - {name: Refuse, ansible.builtin.fail: {msg: "Not so. Do this."}, ignore_errors: true}
    - {name: Tell, ansible.builtin.debug: {msg: "{{ nothing }}"}}
"""
    _, screen = show(tmp_path, playbook=refusing, NO_COLOR="1")
    assert screen.text[:3] == [
        "  failed     localhost: Refuse (its failure is ignored)",
        "    Not so. Do this.",
        "  failed     localhost: Tell",
    ]
    # Of what broke, everything is told.
    assert any(line.startswith("Origin: ") for line in screen.text[3:])
    _, screen = show(tmp_path, "-v", playbook=refusing, NO_COLOR="1")
    assert sum(line.startswith("Origin: ") for line in screen.text) > 1


def test_the_line_at_the_bottom_while_it_runs(tmp_path: Path) -> None:
    _, screen = show(tmp_path)
    seen = "\n".join(screen.seen)
    assert re.search(
        r"^\[1/2\] Prepare the nodes \[#####---------------\] Install packages: localhost 1 s$", seen, re.M
    )
    assert "[2/2] Converge the cloud [" in seen
    assert "hunter2" not in seen


@pytest.mark.parametrize("columns", [24, 48, 100])
def test_it_keeps_to_the_width(tmp_path: Path, columns: int) -> None:
    _, screen = show(tmp_path, columns=columns)
    status = [line for line in screen.seen if line.startswith("[")]
    assert status
    assert max(map(len, status)) < columns
    assert not any(line.startswith("[1/2]") for line in screen.text), "it has wrapped"


def test_without_colours(tmp_path: Path) -> None:
    _, screen = show(tmp_path, NO_COLOR="1")
    assert not screen.is_coloured


def test_secrets_stay_hidden_however_much_is_shown(tmp_path: Path) -> None:
    _, screen = show(tmp_path, "-vvv", NO_COLOR="1")
    text = "\n".join(screen.text)
    assert "ok         localhost: Look" in text
    assert "skipped    localhost: Left out" in text
    assert "hunter2" not in text


@pytest.mark.parametrize("terminal", ["none", "dumb"])
def test_plain_lines_where_there_is_no_screen(tmp_path: Path, terminal: str) -> None:
    if terminal == "dumb":
        _, screen = show(tmp_path, TERM="dumb", NO_COLOR="1")
        assert screen.seen == []
        lines = screen.text
    else:
        done = subprocess.run(
            command_of(tmp_path),
            env=environment_of(tmp_path),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert "\x1b" not in done.stdout
        lines = done.stdout.splitlines()
    assert lines[:6] == [
        "[1/2] Prepare the nodes",
        "  changed    localhost: Install packages",
        "  one line",
        "  another",
        "[2/2] Converge the cloud",
        "  changed    localhost: Read a secret",
    ]


def test_a_run_that_changes_nothing_is_one_line(tmp_path: Path) -> None:
    quiet = """
- hosts: localhost
  gather_facts: false
  tasks: [{name: Look, ansible.builtin.command: "true", changed_when: false}]
"""
    code, screen = show(tmp_path, playbook=quiet)
    assert code == 0
    assert [line for line in screen.text if line] == [screen.text[-2]]
    assert re.fullmatch(r"Done in .* s: 1 host, nothing changed\.", screen.text[-2])


def test_differences_are_shown(tmp_path: Path) -> None:
    playbook = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.copy: {content: "{{ item }}\\n", dest: "{{ playbook_dir }}/{{ item }}", mode: "0600"}
      loop: [ours, theirs]
"""
    _, screen = show(tmp_path, "--diff", playbook=playbook, NO_COLOR="1")
    assert {"+ours", "+theirs"} <= set(screen.text)
    assert screen.text[0] == "  changed    localhost: ansible.builtin.copy"


class Name(str):
    """The name of a host that is no host."""

    event = ""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"in {self.event} nobody foresaw {name}")


class Broken:
    """What no event is like: whatever is asked of it fails."""

    def __init__(self, event: str) -> None:
        self.event = event
        self.result = {"failed": True, "msg": "the disk is full"}
        self.host = Name("node1")
        self.host.event = event

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"in {self.event} nobody foresaw {name}")


# These ask nothing of what they are given that it has not.
CONTENT = {
    *("v2_playbook_on_vars_prompt", "v2_playbook_on_no_hosts_matched", "v2_playbook_on_no_hosts_remaining"),
    *("v2_runner_retry", "v2_runner_item_on_ok"),
}
EVENTS = [name for name in vars(CallbackModule) if name.startswith("v2_")]


@pytest.mark.parametrize("event", EVENTS)
def test_no_event_ends_a_run(event: str, capsys: pytest.CaptureFixture[str]) -> None:
    callback = CallbackModule()
    takes_two = event in ("v2_playbook_on_task_start", "v2_runner_on_start")
    takes_none = event.startswith("v2_playbook_on_no_hosts")
    for _ in range(2):
        getattr(callback, event)(*([] if takes_none else [Broken(event)] * (2 if takes_two else 1)))
    told = " ".join(capsys.readouterr().err.split())
    count = told.count(f"The progress display is off (RuntimeError: in {event} nobody")
    assert count == (0 if event in CONTENT else 1), told
    assert "Traceback" not in told


@pytest.mark.parametrize("event", ["v2_runner_on_failed", "v2_runner_on_unreachable"])
def test_a_failure_is_told_even_then(event: str, capsys: pytest.CaptureFixture[str]) -> None:
    callback = CallbackModule()
    for _ in range(2):
        getattr(callback, event)(Broken(event))
    output = capsys.readouterr().out
    assert output.count("  failed     node1: the disk is full") == 2
