# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cloud-init's own schema says of `#cloud-config`, on the controller: a guest would only write it to its log.

The schema is that of cloud_init_schema.json, which tools/write_cloud_init_schema.py takes from Debian's package.
cloud-init itself is needed nowhere: where it is installed, it runs at each boot.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import shown, suggest
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.cloud_init_checks import is_cloud_config

SCHEMA = Path(__file__).with_name("cloud_init_schema.json")
# What no schema could be held against in reasonable time: aliases of aliases of aliases.
_MOST_NODES = 200_000
_MOST_TOLD = 5
_LISTED = 12
_WORDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "nothing",
    "number": "a number",
    "object": "a mapping",
    "string": "a text",
}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class CloudConfigCheck:
    """Of one run: the same text is looked at once. note: why texts were not looked at, if so."""

    def __init__(self) -> None:
        self._known: dict[str, str | None] = {}
        self.note: str | None = None

    def find_problem(self, text: str) -> str | None:
        """Return what is wrong with user data or vendor data, with lines and reasons and without values, or None.

        Only `#cloud-config` has a schema.
        """
        if not is_cloud_config(text):
            return None
        if text not in self._known:
            self._known[text] = self._find(text)
        return self._known[text]

    def _find(self, text: str) -> str | None:
        found = list(_problems_of_yaml(text))
        if not found:
            if self._schema is None:
                self.note = (
                    "what cloud-init is told was not checked against cloud-init's schema: the Python library "
                    f"jsonschema is missing in {sys.executable}, which runs Ansible. Install it there: "
                    f"{sys.executable} -m pip install jsonschema (or apt-get install python3-jsonschema, for Debian's "
                    "Ansible)"
                )
                return None
            value, node = _read(text)
            found = list(_problems_of_schema(self._validator, value, node))
        if not found:
            return None
        told = [f"line {line}: {what}" for line, what in sorted(set(found))]
        more = f", and {len(told) - _MOST_TOLD} more" if len(told) > _MOST_TOLD else ""
        version = f" of cloud-init {self._schema['version']}" if self._schema is not None else ""
        return f"its secret value does not follow the schema{version}: {'; '.join(told[:_MOST_TOLD])}{more}"

    @cached_property
    def _schema(self) -> dict[str, Any] | None:
        try:
            import jsonschema  # noqa: F401 - whether it is there
        except ImportError:
            return None
        schema: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
        return schema

    @cached_property
    def _validator(self) -> Any:
        """As cloud-init makes it: bytes, which YAML calls binary, are texts."""
        import jsonschema

        checker = jsonschema.Draft4Validator.TYPE_CHECKER.redefine(
            "string", lambda _checker, value: isinstance(value, str | bytes)
        )
        made = jsonschema.validators.extend(jsonschema.Draft4Validator, type_checker=checker)
        return made((self._schema or {})["schema"])


def _read(text: str) -> tuple[Any, Any]:
    """Return what YAML says, and its tree, which knows lines. Raises yaml.YAMLError, ValueError, RecursionError."""
    # Of Ansible's own kinds of texts libyaml takes none. Halves of characters are told elsewhere.
    loader = _LOADER(text.encode(errors="replace"))
    try:
        node = loader.get_single_node()
        _require_size(node)
        return (loader.construct_document(node) if node is not None else None), node
    finally:
        loader.dispose()


class _UnfitError(ValueError):
    """line: where it is, from 1."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


def _require_size(root: Any) -> None:
    """Refuse what has no end, or grows by aliases beyond all measure, and keys that are no texts."""
    sizes: dict[int, int] = {}

    def size_of(node: Any) -> int:
        if node is None:
            return 0
        known = sizes.get(id(node))
        if known is not None:
            if known == 0:
                raise _UnfitError(node.start_mark.line + 1, "an alias leads back to what it is in")
            return known
        sizes[id(node)] = 0
        total = 1
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
                    said = shown(key.value) if isinstance(key, yaml.ScalarNode) else "this one"
                    raise _UnfitError(key.start_mark.line + 1, f"keys are texts, and {said} is none; put it in quotes")
                total += 1 + size_of(value)
        elif isinstance(node, yaml.SequenceNode):
            total += sum(size_of(one) for one in node.value)
        if total > _MOST_NODES:
            raise _UnfitError(node.start_mark.line + 1, f"its aliases make more than {_MOST_NODES} values of it")
        sizes[id(node)] = total
        return total

    size_of(root)


def _problems_of_yaml(text: str) -> Iterator[tuple[int, str]]:
    try:
        value, node = _read(text)
    except (yaml.constructor.ConstructorError, yaml.composer.ComposerError) as error:
        # The library's own text has the value in it.
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        yield line, "it has a tag or an alias that is not known; put a value that begins with !, & or * in quotes"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        yield (mark.line + 1 if mark is not None else 1), f"it is no YAML: {error.problem or error.context}"
    except yaml.reader.ReaderError as error:
        yield text.count("\n", 0, error.position) + 1, f"it is no YAML: {error.reason}"
    except _UnfitError as error:
        yield error.line, str(error)
    except RecursionError:
        yield 1, "it is nested too deeply"
    except (ValueError, LookupError, AttributeError):
        yield 1, "a date, time, number or tag in it is none; put it in quotes"
    else:
        if value is not None and not isinstance(value, dict):
            yield node.start_mark.line + 1, "it has to be a mapping of keys to values"


def _problems_of_schema(validator: Any, value: Any, node: Any) -> Iterator[tuple[int, str]]:
    for error in validator.iter_errors(value if value is not None else {}):
        for path, what in _reasons(error):
            yield _line_of(node, path), f"{_show(path)}{what}"


def _show(path: Sequence[Any]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{shown(part)[1:-1]}" for part in path)
    return f"{text.removeprefix('.')} " if text else ""


def _line_of(node: Any, path: Sequence[Any]) -> int:
    """Return the line of what is at the path, from 1: of a key's value the key's."""
    line = node.start_mark.line if node is not None else 0
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == part), None)
            if found is None:
                break  # it came by a merge key
            line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line
    return int(line) + 1


def _reasons(error: Any) -> Iterator[tuple[list[Any], str]]:
    """Say what breaks a rule of the schema, in our words: the schema's library would show the value."""
    path, rule = list(error.absolute_path), error.validator_value
    match error.validator:
        case "anyOf" | "oneOf":
            yield from _reasons_of_choice(error, path)
        case "additionalProperties":
            known = error.schema.get("properties", {})
            for key in _unknown_keys(error):
                yield [*path, key], f"is a key that is not known there.{suggest(key, known)}".rstrip(".")
        case "required":
            missing = [key for key in rule if key not in error.instance]
            yield path, f"has no {' and no '.join(map(str, missing))}"
        case "type":
            yield path, f"has to be {_types(rule)}"
        case "enum":
            yield path, f"has to be one of {_list(rule)}"
        case "minItems" | "minProperties" if rule == 1:
            return  # what templates leave where there is nothing to say, and cloud-init takes it for that
        case "minItems" | "minLength" | "minProperties":
            yield path, "is empty" if rule == 1 else f"is too short: it has less than {rule}"
        case "maxItems" | "maxLength" | "maxProperties":
            yield path, f"is too long: it has more than {rule}"
        case "minimum" | "maximum":
            yield path, f"has to be {'at least' if error.validator == 'minimum' else 'at most'} {rule}"
        case "uniqueItems":
            yield path, "names something twice"
        case "pattern":
            yield path, f"has to be of the form {rule}"
        case "dependencies":
            yield path, f"lacks what goes with one of {_list(sorted(rule))}"
        case _:
            yield path, f"breaks the schema's rule {error.validator}"


def _reasons_of_choice(error: Any, path: list[Any]) -> Iterator[tuple[list[Any], str]]:
    """Tell of the alternative that was most likely meant: the one that was followed the deepest."""
    if not error.context:
        yield path, "is more than one of what it may be"
        return
    branches: dict[Any, list[Any]] = {}
    for each in error.context:
        branches.setdefault(each.relative_schema_path[0], []).append(each)
    fits = [some for some in branches.values() if not any(_is_of_another_type(one, path) for one in some)]
    if not fits:
        types = [one.validator_value for one in error.context if _is_of_another_type(one, path)]
        yield path, f"has to be {_types(types)}"
        return
    meant = min(fits, key=lambda some: (len(some), -max(len(one.absolute_path) for one in some)))
    for one in meant:
        yield from _reasons(one)


def _is_of_another_type(error: Any, path: list[Any]) -> bool:
    return error.validator == "type" and list(error.absolute_path) == path


def _unknown_keys(error: Any) -> list[str]:
    known, patterns = error.schema.get("properties", {}), error.schema.get("patternProperties", {})
    return [key for key in error.instance if key not in known and not any(re.search(one, key) for one in patterns)]


def _types(rule: Any) -> str:
    flat = [
        one
        for each in (rule if isinstance(rule, list) else [rule])
        for one in ([each] if isinstance(each, str) else each)
    ]
    return " or ".join(dict.fromkeys(_WORDS.get(one, one) for one in flat))


def _list(values: Sequence[Any]) -> str:
    words = [json.dumps(value) if not isinstance(value, str) else value for value in values]
    return ", ".join(words[:_LISTED]) + (" and others" if len(words) > _LISTED else "")


def find_problems_of(arguments: Mapping[str, Any], check: CloudConfigCheck) -> Iterator[tuple[str, str]]:
    """Return what is wrong in the options of pextra_vm: pairs of a path and a problem."""
    many = arguments.get("vms")
    elements = [
        ("", arguments),
        *((f"vms[{index}].", one) for index, one in enumerate(many if isinstance(many, list) else ())),
    ]
    for where, element in elements:
        init = element.get("cloud_init") if isinstance(element, Mapping) else None
        for key in ("user_data", "vendor_data"):
            text = init.get(key) if isinstance(init, Mapping) else None
            problem = check.find_problem(text) if isinstance(text, str) else None
            if problem is not None:
                yield f"{where}cloud_init.{key}", problem
