# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is Ansible's in every module: options in, results out; what is between them is the engine (_engine/converge.py).

The only reader of check mode but its counterpart on the controller (plugin_utils/runner.py), and the only place where
errors become results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ._engine.collector import spare_collector
from ._engine.defects import as_problem
from ._engine.diff import render_diff
from ._engine.origin import read_origin
from ._engine.own_host import HostResult, HostWork, converge_on_host
from ._engine.telling import tell
from ._fields.argspec import CHANGING, act_arguments, info_arguments, resource_arguments
from ._fields.field import Table
from ._fields.secrets import secrets_in
from ._model.errors import (
    ConsentError,
    InvalidInputError,
    NotConvergedError,
    PextraError,
    Problem,
    RefusedError,
    tell_problems,
)
from ._model.mistake import Mistake
from ._model.origin import Origin
from ._model.plan import Plan
from ._module_classes import QuietModule, RegistryModule

if TYPE_CHECKING:
    from ._cloud import Cloud
    from ._engine.converge import Result, Terms
    from ._engine.noun import Resource

_SHOWN_DIFFS = 200
# The answer of a module that would change something, and cannot know what: of resources, and of its own host.
_CHANGES: Mapping[str, Any] = {"changed": True, **tell(Plan())}
_CHANGES_HOST: Mapping[str, Any] = {"changed": True, "actions": []}


def run(
    load: Callable[[], type[Any]],
    *,
    table: Table,
    plural: str,
    extra: dict[str, dict[str, Any]] | None = None,
    is_act: bool = False,
) -> None:
    """Be the module that makes a noun as declared. `load` imports the noun's Resource, which needs libraries.

    is_act: it does one thing to all whose names are given, and declares nothing.
    """
    module = QuietModule(**(act_arguments(table) if is_act else resource_arguments(table, plural, extra)))
    resource = _load(module, load, _CHANGES)
    try:
        with as_problem():
            _converge(module, resource, plural)
    except PextraError as error:
        fail(module, error.problems)


def run_deployment(tables: Mapping[str, Table]) -> None:
    """Be the module that makes a whole deployment as declared. tables: of each noun, by its name in the document."""
    lists = {name: {"type": "list", "elements": "dict"} for name in tables}
    more = {
        "allow_restart": {"type": "bool", "default": False},
        "declared": {"type": "dict", "default": {}},
        "unanswering": {"type": "list", "elements": "str", "default": []},
    }
    module = QuietModule(argument_spec={**lists, **CHANGING, **more}, supports_check_mode=True)
    elements = {name: module.params[name] or [] for name in tables}
    for name, table in tables.items():
        module.no_log_values.update(secret for raw in elements[name] for secret in secrets_in(table, raw))
    given = {name: [str(raw.get("name")) for raw in raws] for name, raws in elements.items()}
    invocation = {"invocation": {"module_args": {**module.params, **given}}}
    try:
        from ._document import converge as _deployment
    except ImportError as error:
        if module.check_mode:
            _exit_unknown(module, f"the Python library {error.name} is not installed here yet", _CHANGES)
        module.fail_json(msg=describe_missing(error), **invocation)
        raise
    from ._doors import hung_nodes
    from ._nouns.registry.tree import render_tree

    spare_collector()

    try:
        with ExitStack() as stack:
            cloud = _open(module, stack)
            if cloud is None:
                _exit_unknown(module, "there is no registry yet", _CHANGES)
            for name in module.params["unanswering"]:
                hung_nodes.suspect(name)
            terms = _terms_of(module)
            stack.enter_context(cloud.reading_once())
            order = _deployment.Order(elements, module.params, module.params["earlier_changes"])
            outcome = _deployment.converge_deployment(cloud, order, terms)
            declared = module.params["declared"] or _deployment.declared_power(order)
            tree = render_tree(**_deployment.read_everything(cloud), declared=declared)
    except PextraError as error:
        fail(module, error.problems, **invocation)
    for text in outcome.warnings:
        module.warn(text)
    for text in outcome.unknown:
        module.warn(f"Cannot be known yet: {text}")
    result = {"changed": outcome.changed, **outcome.told, "plan": outcome.works, **invocation}
    if module._diff and outcome.diffs:
        result["diff"] = outcome.diffs[:_SHOWN_DIFFS]
    if outcome.problems:
        fail(module, outcome.problems, tree="\n".join(tree), **result)
    module.exit_json(tree="\n".join(tree), **result)


def run_info(
    load: Callable[[], type[Any]],
    *,
    plural: str,
    extra: dict[str, dict[str, Any]] | None = None,
    further: Sequence[str] = (),
) -> None:
    """Be the module that reads a noun. further: lists beside the resources, which its `describe_further` returns."""
    module = RegistryModule(**info_arguments(extra))
    nothing: dict[str, Any] = {
        "changed": False,
        plural: [],
        **{name: [] for name in further},
        "unreachable_nodes": [],
    }
    resource = _load(module, load, nothing)
    try:
        with as_problem(), ExitStack() as stack:
            cloud = _open(module, stack)
            if cloud is None:
                _exit_unknown(module, "there is no registry yet", nothing)
            from ._engine.noun import Options

            have = resource.read(cloud, (), Options(module.params))
            found = resource.describe((), have)
            names = module.params["names"]
            if names is not None:
                found = [item for item in found if item["name"] in names or item.get("id") in names]
            beside = resource.describe_further(have) if further else {}
            problems = [problem.as_dict() for problem in cloud.unreachable.values()]
            for problem in cloud.unreachable.values():
                module.warn(str(problem))
        module.exit_json(changed=False, **{plural: found}, **beside, unreachable_nodes=problems)
    except PextraError as error:
        fail(module, error.problems)


def run_on_host(arguments: Mapping[str, Any], make: Callable[[AnsibleModule], HostWork[Any]], *, failing: str) -> None:
    """Be a module that acts on its own host. `make` takes the options to the work; failing: what is said first of all
    when it cannot be done.
    """
    module = AnsibleModule(dict(arguments), supports_check_mode=True)
    module.run_command_environ_update = {"LC_ALL": "C"}
    where = module.params.get("node") or module.params.get("name")
    begin = f"{where}: {failing}" if where else f"{failing[0].upper()}{failing[1:]}"
    try:
        result = converge_on_host(make(module), apply=not module.check_mode, confirm=module.params.get("confirm"))
    except PextraError as error:
        _fail_on_host(module, begin, error)
        raise
    _exit_on_host(module, begin.partition(":")[0], result)


def run_look(
    arguments: Mapping[str, Any], look: Callable[..., tuple[list[dict[str, Any]], Sequence[Problem]]], *, plural: str
) -> None:
    """Be a module that looks at something of its own host, and changes nothing. look: takes the options, and whether to
    wait for what they name: in a check it may not come, as nothing else is done either.
    """
    module = AnsibleModule(dict(arguments), supports_check_mode=True)
    try:
        found, problems = look(module.params, waits=not module.check_mode)
    except PextraError as error:
        fail(module, error.problems)
    if problems:
        fail(module, problems, **{plural: found})
    module.exit_json(changed=False, **{plural: found})


def run_registry(arguments: Mapping[str, Any], load: Callable[[], Callable[..., Any]], *, where: str) -> None:
    """Be a module that works on the registry itself. It acts on its own host, as the database is, whichever that is.

    `load` imports what takes the options, what the call comes from, and who people are told is at work, to the work; it
    needs libraries. where: what warnings are about.
    """
    module = RegistryModule(**{"supports_check_mode": True, **arguments})
    origin = read_origin(module.params)
    try:
        work: HostWork[Any] = _load(module, lambda: _make_registry_work(module.params, origin, load()), _CHANGES_HOST)
        with as_problem():
            result = converge_on_host(work, apply=not module.check_mode, confirm=module.params.get("confirm"))
    except PextraError as error:
        fail(module, error.problems)
    _exit_on_host(module, where, result)


def require_no_mistakes(mistakes: Sequence[Mistake]) -> None:
    """Raise InvalidInputError for what is wrong with the options, all at once."""
    if mistakes:
        raise InvalidInputError([Problem(mistake.problem, resource=mistake.path) for mistake in mistakes])


def _make_registry_work(params: Mapping[str, Any], origin: Origin, make: Callable[..., Any]) -> Callable[[], Any]:
    from ._engine.converge import name_holder

    return partial(make, params, origin, name_holder(origin.actor))


def _exit_on_host(module: AnsibleModule, where: str, result: HostResult) -> NoReturn:
    for text in result.plan.warnings:
        module.warn(text)
    for problem in result.plan.conditions if module.check_mode else ():
        module.warn(f"{where}: cannot be known yet: {problem}")
    actions = result.plan.actions
    module.exit_json(changed=bool(actions), actions=actions, diff=result.plan.diff, **result.further)
    raise AssertionError("exit_json returned")


def _fail_on_host(module: AnsibleModule, begin: str, error: PextraError) -> NoReturn:
    if isinstance(error, InvalidInputError | RefusedError | ConsentError):
        done = "Nothing was changed."
    elif isinstance(error, NotConvergedError):
        done = "Everything was done, and it is still not as declared."
    else:
        done = "What was begun is gone on with by another run."
    lines = "".join(f"\n  {problem}" for problem in error.problems)
    module.fail_json(msg=f"{begin}. {done}{lines}", errors=[problem.as_dict() for problem in error.problems])
    raise AssertionError("fail_json returned")


def fail(module: AnsibleModule, problems: Sequence[Problem], **result: Any) -> NoReturn:
    """End with every problem, readable and as data."""
    module.fail_json(msg=tell_problems(problems), errors=[problem.as_dict() for problem in problems], **result)
    raise AssertionError("fail_json returned")


def _load(module: AnsibleModule, load: Callable[[], Callable[[], Any]], unknown: Mapping[str, Any]) -> Any:
    try:
        resource = load()()
        spare_collector()
        return resource
    except ImportError as error:
        if module.params.get("without_registry") == "warn":
            module.warn(f"what was done is not recorded: {describe_missing(error)}")
            module.exit_json(changed=False, actions=[])
        if module.check_mode:
            _exit_unknown(module, f"the Python library {error.name} is not installed here yet", unknown)
        module.fail_json(msg=describe_missing(error))
        raise


def describe_missing(error: ImportError) -> str:
    """Say which library this host lacks, and that it is hosts of another kind that have it."""
    reason = (
        "; the coordinator stage of site.yml installs it on the coordinators, "
        "which are the hosts that this module runs on"
    )
    return str(missing_required_lib(str(error.name), reason=reason))


def _exit_unknown(module: AnsibleModule, why: str, result: Mapping[str, Any]) -> NoReturn:
    """In check mode on a host that is not prepared: say what cannot be known."""
    message = f"What is here, and would change, cannot be known yet: {why}."
    module.warn(message)
    module.exit_json(msg=message, unknown=True, **result)
    raise AssertionError("exit_json returned")


def _open(module: AnsibleModule, stack: ExitStack) -> Cloud | None:
    from ._cloud import Cloud
    from ._doors.registry.store import Registry, is_there, sqlite_path

    url = module.params["registry"]
    path = sqlite_path(url)
    if module.check_mode and path is not None and not is_there(path):
        return None
    registry = stack.enter_context(Registry(url))
    return stack.enter_context(Cloud(registry))


def _converge(module: AnsibleModule, resource: Resource[Any, Any], plural: str) -> None:
    from ._engine.noun import Options, parse_all

    wants = parse_all(resource, module.params)
    with ExitStack() as stack:
        cloud = _open(module, stack)
        if cloud is None:
            _exit_unknown(module, "there is no registry yet", _CHANGES)
        from ._engine.converge import converge

        terms = _terms_of(module)
        try:
            result = converge(cloud, resource, wants, Options(module.params), terms)
        except RefusedError as error:
            if module.check_mode and module.params["earlier_changes"]:
                _exit_unknown(module, f"earlier stages would change what it needs ({error.problems[0]})", _CHANGES)
            raise
        _finish(module, resource, plural, wants, result)


def _finish(
    module: AnsibleModule,
    resource: Resource[Any, Any],
    plural: str,
    wants: Sequence[Any],
    outcome: Result,
) -> NoReturn:
    plan = outcome.plan
    for warning in plan.warnings:
        module.warn(warning)
    described = resource.describe(wants, outcome.have)
    result: dict[str, Any] = {"changed": outcome.changed, **tell(plan)}
    if plural not in module.params:
        result[plural] = described
    elif module.params[plural] is not None:
        result[plural] = described
        # Ansible would repeat every option of every element, given or not, for -vvv: of a thousand, a megabyte.
        names = [element["name"] for element in module.params[plural]]
        result["invocation"] = {"module_args": {**module.params, plural: names}}
    else:
        result[resource.noun] = described[0] if described else None
    shown = [work for work in plan.all if work.steps or work.pending]
    if module._diff and shown:
        result["diff"] = [render_diff(work) for work in shown[:_SHOWN_DIFFS]]
    failures: Sequence[Problem] = plan.failures
    if module.check_mode and module.params["earlier_changes"]:
        # A host that earlier stages have yet to prepare does not answer: known, and no failure of a check.
        for problem in failures:
            module.warn(f"Cannot be known yet: {problem}")
        failures = ()
    all_problems = [*outcome.problems, *failures]
    if all_problems:
        fail(module, all_problems, **result)
    module.exit_json(**result)
    raise AssertionError("exit_json returned")


def _terms_of(module: AnsibleModule) -> Terms:
    from ._engine.converge import Terms, name_holder

    origin = read_origin(module.params)
    return Terms(
        name_holder(origin.actor),
        module.params["lease_timeout"],
        confirm=module.params["confirm"],
        apply=not module.check_mode,
        origin=origin,
    )
