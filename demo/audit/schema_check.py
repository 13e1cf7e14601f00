"""Checks lines against a file's own JSON Schema: the part of JSON Schema 2020-12 that out/demo's schemas use, compiled to closures.

It knows few keywords and refuses a schema that uses another one, so it never passes what it did not understand; a test holds it to
the verdicts of a full validator.  A line of thousands of lots is checked in the time of a few comparisons a lot.
"""

import re
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], str | None]

ANNOTATIONS = frozenset({"$schema", "$defs", "title", "description", "default", "format"})
TYPES: dict[str, frozenset[type]] = {
    "string": frozenset({str}),
    "integer": frozenset({int}),
    "number": frozenset({int, float}),
    "boolean": frozenset({bool}),
    "null": frozenset({type(None)}),
    "array": frozenset({list}),
    "object": frozenset({dict}),
}


def compile_schema(schema: dict[str, Any], root: dict[str, Any]) -> Check:
    """A function that says what is wrong with a value, or None.  Raises ValueError for a keyword it does not know."""
    checks = [KEYWORDS[key](value, schema, root) for key, value in schema.items() if key not in ANNOTATIONS and _known(key)]

    def check(value: Any) -> str | None:
        for one in checks:
            problem = one(value)
            if problem is not None:
                return problem
        return None

    return check


def line_checks(schema: dict[str, Any]) -> dict[str, Check]:
    """For a schema of lines: the check of each type that its oneOf lists."""
    names = [option["$ref"].removeprefix("#/$defs/") for option in schema["oneOf"]]
    return {name: compile_schema(schema["$defs"][name], schema) for name in names}


def _known(key: str) -> bool:
    if key not in KEYWORDS:
        raise ValueError(f"the schema uses {key}, which this check does not know")
    return True


def _ref(value: str, schema: dict[str, Any], root: dict[str, Any]) -> Check:
    compiled: list[Check] = []

    def check(instance: Any) -> str | None:
        if not compiled:  # only now: a definition may lead back to itself
            compiled.append(compile_schema(root["$defs"][value.removeprefix("#/$defs/")], root))
        return compiled[0](instance)

    return check


def _type(value: str | list[str], schema: dict[str, Any], root: dict[str, Any]) -> Check:
    classes = _classes(value)
    return lambda instance: None if type(instance) in classes else f"{instance!r:.40} is not {value}"


def _classes(value: str | list[str]) -> frozenset[type]:
    """The exact Python types, as JSON is decoded; an integer is not a boolean."""
    return frozenset().union(*(TYPES[name] for name in ([value] if isinstance(value, str) else value)))


def _const(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> Check:
    return lambda instance: None if instance == value else f"{instance!r:.40} is not {value!r}"


def _enum(value: list[Any], schema: dict[str, Any], root: dict[str, Any]) -> Check:
    return lambda instance: None if instance in value else f"{instance!r:.40} is none of {value}"


def _pattern(value: str, schema: dict[str, Any], root: dict[str, Any]) -> Check:
    search = re.compile(value).search
    return lambda instance: None if not isinstance(instance, str) or search(instance) else f"{instance!r:.40} is not like {value}"


def _required(value: list[str], schema: dict[str, Any], root: dict[str, Any]) -> Check:
    def check(instance: Any) -> str | None:
        missing = [key for key in value if key not in instance] if isinstance(instance, dict) else []
        return f"{', '.join(missing)} missing" if missing else None

    return check


def _properties(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any]) -> Check:
    checks = {key: compile_schema(part, root) for key, part in value.items()}

    def check(instance: Any) -> str | None:
        for key, part in instance.items() if isinstance(instance, dict) else ():
            problem = checks[key](part) if key in checks else None
            if problem is not None:
                return f"{key}: {problem}"
        return None

    return check


def _additional(value: bool | dict[str, Any], schema: dict[str, Any], root: dict[str, Any]) -> Check:
    named = frozenset(schema.get("properties", ()))
    inner = compile_schema(value, root) if isinstance(value, dict) else None

    def check(instance: Any) -> str | None:
        others = [key for key in instance if key not in named] if isinstance(instance, dict) else []
        if value is False and others:
            return f"{', '.join(others)} unknown"
        problems = (inner(instance[key]) for key in others) if inner is not None else ()
        return next((problem for problem in problems if problem is not None), None)

    return check


def _items(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any]) -> Check:
    inner = compile_schema(value, root)
    simple = _classes(value["type"]) if value.keys() == {"type"} else None

    def check(instance: Any) -> str | None:
        if not isinstance(instance, list) or (simple is not None and simple.issuperset(map(type, instance))):
            return None
        return next((problem for problem in map(inner, instance) if problem is not None), None)

    return check


def _any_of(value: list[dict[str, Any]], schema: dict[str, Any], root: dict[str, Any]) -> Check:
    options = [compile_schema(option, root) for option in value]

    def check(instance: Any) -> str | None:
        problems = [option(instance) for option in options]
        return None if None in problems else f"fits none of the options: {problems[0]}"

    return check


KEYWORDS: dict[str, Callable[[Any, dict[str, Any], dict[str, Any]], Check]] = {
    "$ref": _ref,
    "type": _type,
    "const": _const,
    "enum": _enum,
    "pattern": _pattern,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
    "items": _items,
    "anyOf": _any_of,
}
