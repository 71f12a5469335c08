"""The engine of every module: validate, read, plan, apply, read again and plan again.

The only reader of check mode, and the only place where errors become results.
"""

from __future__ import annotations

import os
import pwd
import secrets
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NoReturn

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ._argspec import info_arguments, resource_arguments
from ._errors import ConsentError, InvalidInputError, PextraError, Problem, RefusedError
from ._plan._diff import render_diff
from ._plan._types import Plan, Work
from ._progress import Progress
from ._spec._fields import Table
from ._spec._mistake import Mistake

if TYPE_CHECKING:
    from ._cloud import Cloud
    from ._resource._base import Options, Resource

# Two starts at once are best on two cores, and four or eight are no faster (measured; docs/architecture.md).
WORKERS_PER_NODE = 2
_SHOWN_DIFFS = 200
# The answer of a module that would change something, and cannot know what.
_CHANGES: Mapping[str, Any] = {"changed": True, "actions": []}


class _Module(AnsibleModule):  # type: ignore[misc]  # ansible has no types
    """Keeps options out of the host's journal.

    Ansible writes every call there. In a list it recognises a secret only if that is one line long, which user data is
    not. What is done stands in the audit trail; a lab test plants secrets and searches the journals.
    """

    def _log_invocation(self) -> None:
        self.log("Invoked")


def run(
    load: Callable[[], type[Any]], *, table: Table, plural: str, extra: dict[str, dict[str, Any]] | None = None
) -> None:
    """Be the module that makes a noun as declared. `load` imports the noun's Resource, which needs libraries."""
    module = _Module(**resource_arguments(table, plural, extra))
    resource = _load(module, load, _CHANGES)
    try:
        _converge(module, resource, plural)
    except PextraError as error:
        fail(module, error.problems)


def run_info(load: Callable[[], type[Any]], *, plural: str, extra: dict[str, dict[str, Any]] | None = None) -> None:
    """Be the module that reads a noun."""
    module = AnsibleModule(**info_arguments(extra))
    nothing: dict[str, Any] = {"changed": False, plural: [], "unreachable_nodes": []}
    resource = _load(module, load, nothing)
    try:
        with ExitStack() as stack:
            cloud = _open(module, stack)
            if cloud is None:
                _exit_unknown(module, "there is no registry yet", nothing)
            from ._resource._base import Options

            have = resource.read(cloud, (), Options(module.params))
            found = resource.describe((), have)
            names = module.params["names"]
            if names is not None:
                found = [item for item in found if item["name"] in names or item.get("id") in names]
            problems = [problem.as_dict() for problem in cloud.unreachable.values()]
            for problem in cloud.unreachable.values():
                module.warn(str(problem))
        module.exit_json(changed=False, **{plural: found}, unreachable_nodes=problems)
    except PextraError as error:
        fail(module, error.problems)


def fail(module: AnsibleModule, problems: Sequence[Problem], **result: Any) -> NoReturn:
    """End with every problem, readable and as data."""
    lines = [str(problem) for problem in problems]
    message = lines[0] if len(lines) == 1 else f"{len(lines)} problems:\n  " + "\n  ".join(lines)
    module.fail_json(msg=message, errors=[problem.as_dict() for problem in problems], **result)
    raise AssertionError("fail_json returned")


def _load(module: AnsibleModule, load: Callable[[], type[Any]], unknown: Mapping[str, Any]) -> Any:
    try:
        return load()()
    except ImportError as error:
        if module.check_mode:
            _exit_unknown(module, f"the Python library {error.name} is not installed here yet", unknown)
        module.fail_json(
            msg=missing_required_lib(str(error.name), reason="; the coordinator stage of site.yml installs it")
        )
        raise


def _exit_unknown(module: AnsibleModule, why: str, result: Mapping[str, Any]) -> NoReturn:
    """In check mode on a host that is not prepared: say what cannot be known."""
    message = f"What is here, and would change, cannot be known yet: {why}."
    module.warn(message)
    module.exit_json(msg=message, unknown=True, **result)
    raise AssertionError("exit_json returned")


def _open(module: AnsibleModule, stack: ExitStack) -> Cloud | None:
    from ._cloud import Cloud
    from ._registry.store import Registry, sqlite_path

    url = module.params["registry"]
    path = sqlite_path(url)
    if module.check_mode and path is not None and not os.path.exists(path):
        return None
    registry = stack.enter_context(Registry(url))
    return stack.enter_context(Cloud(registry))


def _converge(module: AnsibleModule, resource: Resource[Any, Any], plural: str) -> None:
    from ._registry import audit, leases
    from ._resource._base import Options

    wants = _parse(module.params, resource, plural)
    options = Options(module.params)
    with ExitStack() as stack:
        cloud = _open(module, stack)
        if cloud is None:
            _exit_unknown(module, "there is no registry yet", _CHANGES)
        revision = cloud.registry.revision()
        have = resource.read(cloud, wants, options)
        try:
            plan = _plan(resource, wants, have, options)
        except RefusedError as error:
            if module.check_mode and module.params["earlier_changes"]:
                _exit_unknown(module, f"earlier stages would change what it needs ({error.problems[0]})", _CHANGES)
            raise
        _require_consent(plan, module.params["confirm"])
        if module.check_mode or plan.is_empty:
            _finish(module, resource, plural, wants, have, plan, [], bool(plan.effective))

        holder = _holder(module)
        run_id = secrets.token_hex(4)
        with ExitStack() as held:
            keys: set[str] = set()
            while not keys.issuperset(_lease_keys(plan)):
                held.close()  # all are taken in one order, so more cannot be taken while some are held
                keys |= _lease_keys(plan)
                held.enter_context(
                    leases.Leases(cloud.registry, keys, holder=holder, timeout_s=module.params["lease_timeout"])
                )
                now = cloud.registry.revision()
                if now != revision:
                    # Another run has finished something since we read: what we planned may be done, or wrong.
                    revision = now
                    cloud.refresh_nodes()
                    have = resource.read(cloud, wants, options)
                    plan = _plan(resource, wants, have, options)
                    _require_consent(plan, module.params["confirm"])
            if plan.is_empty:
                _finish(module, resource, plural, wants, have, plan, [], changed=False)
            audit.record(cloud.registry, _events(plan.effective, run_id, holder, "started"))
            resource.reserve(cloud, plan)
            try:
                failures = _apply(cloud, resource, plan)
            finally:
                cloud.registry.bump_revision()
            failed = {work.label for work, _ in failures}
            audit.record(
                cloud.registry,
                _events([work for work in plan.effective if work.label not in failed], run_id, holder, "done"),
            )
            audit.record(cloud.registry, _events([work for work, _ in failures], run_id, holder, "failed"))

            cloud.refresh_nodes()
            have = resource.read(cloud, wants, options)
            problems = [problem for _, found in failures for problem in found]
            if not problems:
                rest = _plan(resource, wants, have, options)
                problems += [
                    Problem(
                        f"still not as declared after applying everything: {_summarise(work)}",
                        "Something else may be changing it; if not, this is a defect worth reporting.",
                        work.node,
                        f"{work.kind} {work.name}",
                    )
                    for work in rest.effective
                ]
                # A node that has gone since then: what it holds could not be looked at again.
                problems += [problem for problem in rest.failures if problem not in plan.failures]
        _finish(module, resource, plural, wants, have, plan, problems, changed=True)


def _lease_keys(plan: Plan) -> set[str]:
    return {f"{work.kind} {work.name}" for work in plan.effective}


def _parse(params: Mapping[str, Any], resource: Resource[Any, Any], plural: str) -> list[Any]:
    """Parse the options of the call into specs; all mistakes at once."""
    if params[plural] is not None:
        raws = [(f"{plural}[{index}] ({raw.get('name')})", raw) for index, raw in enumerate(params[plural])]
    else:
        raws = [("", {name: params[name] for name in resource.table})]
    specs: list[Any] = []
    mistakes: list[Mistake] = []
    seen: dict[tuple[Any, Any], str] = {}
    for path, raw in raws:
        spec, found = resource.parse(raw, path)
        mistakes += found
        specs.append(spec)
        if spec is not None:
            key = (getattr(spec, "cluster", None), spec.name)
            if key in seen:
                mistakes.append(Mistake(f"{path}.name", f'"{spec.name}" is given twice'))
            seen[key] = path
    if mistakes:
        raise InvalidInputError([Problem(mistake.problem, resource=mistake.path) for mistake in mistakes])
    return specs


def _plan(resource: Resource[Any, Any], wants: Sequence[Any], have: Any, options: Options) -> Plan:
    plan = resource.plan(wants, have, options)
    if plan.refusals:
        raise RefusedError(plan.refusals)
    return plan


def _require_consent(plan: Plan, confirm: str | None) -> None:
    losing = [work for work in plan.effective if work.loses]
    if losing and confirm != "DESTROY":
        raise ConsentError(
            [
                Problem(
                    f"this would destroy {'; '.join(work.loses)}",
                    "Nothing was changed. If that is what you want, set confirm: DESTROY.",
                    work.node,
                    f"{work.kind} {work.name}",
                )
                for work in losing
            ]
        )


def _apply(cloud: Cloud, resource: Resource[Any, Any], plan: Plan) -> list[tuple[Work, tuple[Problem, ...]]]:
    """Carry out the plan, nodes in parallel. Returns the works that failed; the others are done."""
    failures: list[tuple[Work, tuple[Problem, ...]]] = []
    with Progress(resource.plural, sum(1 for work in plan.effective)) as progress:
        for stage in (plan.first, plan.works, plan.last):
            failures += _apply_stage(cloud, resource, [work for work in stage if work.steps], progress)
    return failures


def _apply_stage(
    cloud: Cloud, resource: Resource[Any, Any], works: Sequence[Work], progress: Progress
) -> list[tuple[Work, tuple[Problem, ...]]]:
    by_node: dict[str | None, list[Work]] = defaultdict(list)
    for work in works:
        by_node[work.node].append(work)

    def carry_out(work: Work) -> tuple[Problem, ...]:
        try:
            for step in work.steps:
                resource.apply(cloud, work, step)
        except PextraError as error:
            return error.problems
        finally:
            progress.advance(work)
        return ()

    failures: list[tuple[Work, tuple[Problem, ...]]] = []
    with ExitStack() as stack:
        futures: list[tuple[Work, Future[tuple[Problem, ...]]]] = []
        for group in by_node.values():
            pool = stack.enter_context(ThreadPoolExecutor(max_workers=WORKERS_PER_NODE))
            futures += [(work, pool.submit(carry_out, work)) for work in group]
        for work, future in futures:
            problems = future.result()
            if problems:
                failures.append((work, problems))
    return failures


def _finish(
    module: AnsibleModule,
    resource: Resource[Any, Any],
    plural: str,
    wants: Sequence[Any],
    have: Any,
    plan: Plan,
    problems: Sequence[Problem],
    changed: bool,
) -> NoReturn:
    for warning in plan.warnings:
        module.warn(warning)
    described = resource.describe(wants, have)
    result: dict[str, Any] = {
        "changed": changed,
        "actions": [f"{work.label}: {_summarise(work)}" for work in plan.effective],
        "pending": [
            {"name": work.name, "node": work.node, "field": change.field}
            for work in plan.all
            for change in work.pending
        ],
    }
    if module.params[plural] is not None:
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
    all_problems = [*problems, *failures]
    if all_problems:
        fail(module, all_problems, **result)
    module.exit_json(**result)
    raise AssertionError("exit_json returned")


def _summarise(work: Work) -> str:
    return ", ".join(step.text for step in work.steps)


def _events(works: Sequence[Work], run_id: str, actor: str, outcome: Any) -> list[Any]:
    from ._registry.audit import Event

    return [
        Event(
            run=run_id,
            actor=actor,
            kind=work.kind,
            name=work.name,
            what=_summarise(work),
            outcome=outcome,
            resource=work.id,
            node=work.node,
        )
        for work in works
    ]


def _holder(module: AnsibleModule) -> str:
    """Say who is at work, for the audit trail and for those who wait."""
    who = module.params["actor"] or os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    return f"{who} at {socket.gethostname()} (process {os.getpid()}, {time.strftime('%H:%M:%S', time.gmtime())} UTC)"
