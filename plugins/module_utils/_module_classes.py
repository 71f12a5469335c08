# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own module, with what ours hide of their options, and what they let Ansible look at."""

from __future__ import annotations

from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ._fields.argspec import narrow_options
from ._model.registry_url import password_of


class RegistryModule(AnsibleModule):  # type: ignore[misc]  # ansible has no types
    """A module with the option `registry`, of which nobody sees the password, however verbose Ansible is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._hide_password()

    def fail_json(self, msg: str, **result: Any) -> NoReturn:
        self._hide_password()  # it may fail before its options are checked
        super().fail_json(msg, **result)
        raise AssertionError("fail_json returned")

    def _hide_password(self) -> None:
        password = password_of(str(self.params.get("registry") or ""))
        if password:
            self.no_log_values.add(password)


class QuietModule(RegistryModule):
    """Keeps options out of the host's journal, and has Ansible look only at those of many elements that are named.

    Ansible writes every call there. In a list it recognises a secret only if that is one line long, which user data is
    not. What is done stands in the audit trail; a lab test plants secrets and searches the journals.
    """

    argument_spec: dict[str, Any]

    def _log_invocation(self) -> None:
        self.log("Invoked")

    def _load_params(self) -> None:
        super()._load_params()
        self.argument_spec = {
            name: {**option, "options": narrow_options(option["options"], self.params.get(name))}
            if option.get("elements") == "dict" and "options" in option
            else option
            for name, option in self.argument_spec.items()
        }
