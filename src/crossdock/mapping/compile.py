# SPDX-License-Identifier: Apache-2.0
"""Message Translator: a mapping written as data, checked once and compiled to closures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Table
from typing import Any

from msgspec import Struct

from crossdock.canonical.objects import OBJECTS
from crossdock.errors import NeedsEdit
from crossdock.mapping.build import REFUSALS, Field, blame_for, build_list, build_object, optional_object
from crossdock.mapping.checks import Check, json_able
from crossdock.mapping.converters import Convert, own_converters
from crossdock.mapping.failures import MOST_FAILURES, Fault, Faults, MappingError, Problem, as_failures
from crossdock.mapping.paths import MISSING, Read, Run
from crossdock.mapping.quick import ELEMENT, Quick, compile_quick
from crossdock.mapping.rules import check_shape, first_source, grouped, path_of, presence, retargeted
from crossdock.mapping.targets import TargetField, fields_of
from crossdock.mapping.values import Lookup, convert_steps, missing, read_source, run_rule
from crossdock.mapping.where import read_where
from crossdock.sdk.words import Mapping, Rule

Translate = Callable[[Any], Any]
_MOST_RULES = 2000
_DEEPEST = 8
_NO_CONTEXT: Table[str, Any] = {}


class Parts(Struct, frozen=True, kw_only=True):
    """A document without the bad elements of its isolated lists, and what was wrong with those."""

    document: Any
    failures: tuple[NeedsEdit, ...] = ()


class Translator:
    """A compiled mapping: call it with a decoded source, it returns the target. Pure, and safe to share by threads."""

    def __init__(self, mapping: Mapping, build: Read, quick: Quick) -> None:
        """`quick` builds what is in order at once; `build` says what is wrong where it is not."""
        self.mapping = mapping
        self.label = mapping.label
        self._build = build
        self._quick = quick
        self.isolates = any(rule.isolate for rule in mapping.rules)

    def __repr__(self) -> str:
        return f"<Translator {self.label}>"

    def __call__(self, source: Any, context: Table[str, Any] = _NO_CONTEXT) -> Any:
        """The target built from `source`: a canonical struct (in), or what JSON can hold (out).

        `context` is what paths with `~.` read. Raises NeedsEdit naming every field that is wrong (a
        hundred at most).
        """
        try:
            return self._quick(source, context)
        except REFUSALS:  # told below, with the place and the reason, unless it was merely unusual
            return self._in_full(source, context)

    def parts(self, source: Any, context: Table[str, Any] = _NO_CONTEXT) -> Parts:
        """As a call, but a bad element of a list marked `isolate` is left out and reported in `failures`."""
        try:
            return Parts(document=self._quick(source, context))
        except REFUSALS:
            run = Run(context, [])
        try:
            document = self._build(source, run)
        except Faults as more:
            raise self._failed([*more.faults, *(run.left_out or [])]) from None
        # Not shortened: every element that was left out is owed to somebody.
        return Parts(document=document, failures=tuple(as_failures(run.left_out or [], self.label)))

    def _in_full(self, source: Any, context: Table[str, Any]) -> Any:
        try:
            return self._build(source, Run(context))
        except Faults as more:
            raise self._failed(more.faults) from None

    def _failed(self, faults: Sequence[Fault]) -> NeedsEdit:
        return NeedsEdit.of(as_failures(faults[:MOST_FAILURES], self.label))


def compile_mapping(mapping: Mapping, crosswalks: Lookup | None = None) -> Translator:
    """The translator of `mapping`. `crosswalks(table, theirs)` gives our value or None (no lookup: nothing is known).

    Raises MappingError that lists everything wrong with the mapping: targets that do not exist, that are filled twice
    or not at all, converters that do not exist or take other arguments, constants that do not fit.
    """
    compiler = _Compiler(mapping, crosswalks or (lambda table, theirs: None))
    build = compiler.compile()
    if compiler.problems:
        listed = "; ".join(map(str, compiler.problems[:20]))
        raise MappingError(
            f"mapping {mapping.label}: {listed}", rule=mapping.label, fix="mend these rules", problems=compiler.problems
        )
    return Translator(mapping, build, compile_quick(mapping, compiler.cls, compiler.own, compiler.lookup))


class _Compiler:
    """One compilation: gathers problems instead of stopping at the first."""

    def __init__(self, mapping: Mapping, lookup: Lookup) -> None:
        self.mapping = mapping
        self.lookup = lookup
        self.problems: list[Problem] = []
        self.own: dict[str, Convert] = {}
        self.cls: type[Struct] | None = None
        self.count = 0

    def compile(self) -> Read:
        if self.mapping.target != "json":
            if self.mapping.target not in OBJECTS:
                self._problem(
                    "",
                    f"there is no canonical object {self.mapping.target!r}",
                    f"use one of {', '.join(OBJECTS)} or json",
                )
                return missing_everything
            self.cls = OBJECTS[self.mapping.target][1]
        try:
            self.own = own_converters(self.mapping.functions)
        except MappingError as error:
            self._problem("", error.reason, error.fix)
        return self._object(self.mapping.rules, self.cls, "", 0)

    def _problem(self, target: str, reason: str, fix: str) -> None:
        self.problems.append(Problem(target, reason, fix))

    def _object(self, rules: tuple[Rule, ...], cls: type[Struct] | None, prefix: str, depth: int) -> Read:
        """The builder of an object that `rules` fill, their targets relative to it; `prefix` names it in problems."""
        self.count += len(rules)
        if self.count > _MOST_RULES or depth > _DEEPEST or prefix.count(".") > 4 * _DEEPEST:
            self._problem(prefix, f"more than {_MOST_RULES} rules or {_DEEPEST} lists in lists", "split the mapping")
            return missing_everything
        targets = fields_of(cls) if cls else None
        of = cls.__name__ if cls else "json"
        fields: list[Field] = []
        groups = grouped(rules)
        for name, members in groups.items():
            label = f"{prefix}{name}"
            if not name:
                self._problem(
                    label or "(no target)", "a target has an empty part", "write field names with dots between"
                )
            if targets is not None and name not in targets:
                self._problem(label, f"{of} has no such field", f"use one of {', '.join(targets)}")
                continue
            field = targets[name] if targets is not None else None
            plain = [rule for rest, rule in members if not rest]
            if plain and len(members) > 1:
                self._problem(label, "more than one rule fills this field", "keep exactly one")
            elif plain:
                fields.append(self._single(name, plain[0], field, label, depth))
            else:
                fields.append(self._nested(name, members, field, label, depth))
        for name, field in (targets or {}).items():
            if field.required and name not in groups:
                self._problem(f"{prefix}{name}", "no rule fills this field, which the target must have", "add a rule")
        return build_object(cls or dict, fields, blame_for(prefix.rstrip("."), first_source(rules), depth, None))

    def _nested(
        self, name: str, members: list[tuple[str, Rule]], field: TargetField | None, label: str, depth: int
    ) -> Field:
        rules = tuple(retargeted(rule, rest) for rest, rule in members)
        blame = blame_for(label, first_source(rules), depth, None)
        if field is not None and field.nested is None:
            self._problem(label, "this field has no fields inside", "fill it with one rule")
            return name, missing_everything, blame
        build = self._object(rules, field.nested if field else None, f"{label}.", depth)
        present = [] if field is not None and field.required else presence(rules, depth)
        if not present or any(rule.required for rule in rules):
            return name, build, blame
        return name, optional_object(build, present), blame

    def _single(self, name: str, rule: Rule, field: TargetField | None, label: str, depth: int) -> Field:
        try:
            path = path_of(rule)
            blame = blame_for(label, path, depth, read_source(rule, depth))
            check_shape(rule, depth)
            if rule.each is not None:
                return name, self._each(rule, field, label, depth), blame
            check, hint = (field.check, field.hint) if field else (json_able, None)
            must = field.required if field else False
            return name, run_rule(rule, depth, self.own, self.lookup, check, hint, must=must), blame
        except MappingError as error:
            self._problem(label, error.reason, error.fix)
            return name, missing_everything, blame_for(label, None, depth, None)

    def _each(self, rule: Rule, field: TargetField | None, label: str, depth: int) -> Read:
        inner = rule.each or ()
        if field is not None and not field.listed:
            raise MappingError("this field is no list", fix="leave each out")
        where = read_where(rule.where, depth + 1, self.lookup) if rule.where else None
        if len(inner) == 1 and inner[0].target == ELEMENT:
            check: Check = (field.item or json_able) if field else json_able
            element = self._element(inner[0], check, label, depth + 1)
        else:
            if field is not None and field.element is None:
                raise MappingError("its elements are plain values", fix='give each one rule with the target "@"')
            element = self._object(inner, field.element if field else None, f"{label}.", depth + 1)
        items = self._items(rule, depth, must=field.required if field else False)
        blame = blame_for(label, path_of(rule), depth, None)
        return build_list(items, element, where, blame, tuple if field else list, isolate=rule.isolate)

    def _element(self, rule: Rule, check: Check, label: str, depth: int) -> Read:
        run = run_rule(rule, depth, self.own, self.lookup, check, None, must=True)
        return build_object(
            lambda value: value,
            [("value", run, blame_for(label, path_of(rule), depth, None))],
            blame_for(label, None, depth, None),
        )

    def _items(self, rule: Rule, depth: int, *, must: bool) -> Read:
        read = read_source(rule, depth)
        if read is None:
            raise MappingError("each has no source to take elements from", fix="give it a source")
        steps = convert_steps(rule, depth, self.own)
        absent = missing if must or rule.required else lambda: MISSING

        def items(here: Any, up: Any) -> Any:
            found = read(here, up)
            for step in steps:
                if found is MISSING or found is None:
                    break
                found = step(found, here, up)
            if rule.has_default and (found is MISSING or found is None or found == ""):
                found = rule.default
            return absent() if found is MISSING or found is None or found == "" else found

        return items


def missing_everything(here: Any, up: Any) -> Any:
    """Stands in for a rule with a problem; the mapping is refused, so it never runs."""
    return MISSING
