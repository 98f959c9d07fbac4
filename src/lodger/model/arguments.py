"""A job's arguments: bound to its signature, validated from its annotations, stored as JSON by name.

Stored form: an object ``{"name": value, …}``; positional arguments that have no name here (the enqueuer
did not have the code) stand under ``"*"``. Annotations of plain JSON types are checked by hand, so that
pydantic is imported only by apps whose jobs take richer ones.
"""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any, Final

from lodger.errors import ConfigurationError, InvalidArguments
from lodger.model.payload import decode, encode

POSITIONAL: Final = "*"
DOUBTFUL: Final = frozenset({"serialization", "alias", "validation_alias", "serialization_alias"})
PLAIN: Final = frozenset({str, int, float, bool, type(None)})


class Arguments:
    """The arguments of one job: ``dump`` at enqueue, ``load`` in the worker."""

    def __init__(self, function: Callable[..., Any], name: str, *, skip_first: bool) -> None:
        """Read the signature of ``function``; ``skip_first`` leaves out the injected run."""
        self.job = name
        self._function = function
        signature = inspect.signature(function)
        parameters = list(signature.parameters.values())[1 if skip_first else 0 :]
        self.signature = signature.replace(parameters=parameters, return_annotation=signature.empty)
        for parameter in parameters:
            if parameter.kind is parameter.VAR_POSITIONAL:
                raise ConfigurationError(f"job {name!r} parameter", f"*{parameter.name}", "parameters with names")
        self._checks: dict[str, Check] | None = None
        # Most jobs have plain parameters only: those are bound here, in a fifth of the time of Signature.bind.
        self._simple = all(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)
        self._names = tuple(p.name for p in parameters)
        self._required = frozenset(p.name for p in parameters if p.default is p.empty)
        self._var_keyword = next((p.name for p in parameters if p.kind is p.VAR_KEYWORD), None)

    def dump(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Return the arguments as JSON text; raise InvalidArguments or InvalidPayload naming the argument."""
        checks = self._get_checks()
        given = self._bind_simply(args, kwargs)
        if given is not None:
            found = {name: checks[name].dump(f"{self.job}({name})", value) for name, value in given.items()}
            return encode(found, f"{self.job} arguments")
        bound = self._bind(args, kwargs)
        stored: dict[str, Any] = {}
        for name, value in self._flat(bound):
            if name in stored:  # f(a, /, **more) called with another a
                raise InvalidArguments(f"{self.job}({name})", value, "one value for each name")
            stored[name] = self._check_for(checks, name).dump(f"{self.job}({name})", value)
        return encode(stored, f"{self.job} arguments")

    def load(self, text: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return (args, kwargs) to call the job with; raise InvalidArguments when they do not fit (any more)."""
        stored = decode(text)
        positional = stored.pop(POSITIONAL, ())
        checks = self._get_checks()
        given = self._bind_simply(positional, stored)
        if given is not None:
            loaded = {name: checks[name].load(f"{self.job}({name})", value) for name, value in given.items()}
            return tuple([loaded.pop(name) for name in takewhile(loaded.__contains__, self._names)]), loaded
        bound = self._bind(positional, stored)
        for name, value in self._flat(bound):
            loaded = self._check_for(checks, name).load(f"{self.job}({name})", value)
            if name in bound.arguments and name != self._var_keyword:
                bound.arguments[name] = loaded
            else:
                bound.arguments[self._var_keyword][name] = loaded  # type: ignore[index]
        return bound.args, bound.kwargs

    def _bind_simply(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the arguments by name; None when it takes more than this, or when they do not fit."""
        if not self._simple or len(args) > len(self._names):
            return None
        given = dict(zip(self._names, args, strict=False))
        before = len(given)
        given.update(kwargs)
        fits = len(given) == before + len(kwargs) and given.keys() >= self._required
        return given if fits and given.keys() <= self._checks.keys() else None  # type: ignore[union-attr]

    def _bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        named = dict(kwargs)
        try:
            # Stored names of positional-only parameters come back as keywords: put them in their places.
            only = [p.name for p in self.signature.parameters.values() if p.kind is p.POSITIONAL_ONLY]
            args = [*args, *(named.pop(name) for name in takewhile(named.__contains__, only[len(args) :]))]
            return self.signature.bind(*args, **named)
        except TypeError as error:
            raise InvalidArguments(f"{self.job} arguments", str(error), f"{self.job}{self.signature}") from None

    def _flat(self, bound: inspect.BoundArguments) -> list[tuple[str, Any]]:
        pairs: list[tuple[str, Any]] = []
        for name, value in bound.arguments.items():
            pairs.extend(value.items() if name == self._var_keyword else [(name, value)])
        return pairs

    def _check_for(self, checks: dict[str, Check], name: str) -> Check:
        return checks.get(name) or checks.get(self._var_keyword or "") or Check(Any)

    def _get_checks(self) -> dict[str, Check]:
        """Resolve annotations on first use: a module's later names exist by then."""
        if self._checks is None:
            self._checks = {p.name: Check(self._resolve(p)) for p in self.signature.parameters.values()}
        return self._checks

    def _resolve(self, parameter: inspect.Parameter) -> Any:
        """Return the annotation of one parameter; unlike get_type_hints, not stumbling over the others'."""
        if parameter.annotation is parameter.empty:
            return Any
        namespace = getattr(inspect.unwrap(self._function), "__globals__", {})
        alone = types.SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
        try:
            return typing.get_type_hints(alone, namespace, include_extras=True)[parameter.name]
        except NameError as error:
            raise ConfigurationError(
                f"job {self.job!r} parameter {parameter.name}",
                parameter.annotation,
                f"an annotation with names of the job's module at run time, not only TYPE_CHECKING ({error})",
            ) from None


class Check:
    """One annotation: checks a Python value on the way out, rebuilds it on the way in."""

    def __init__(self, annotation: Any) -> None:
        """Choose the plain check, or pydantic's for everything richer."""
        self._any = annotation is Any or annotation is inspect.Parameter.empty
        self._plain = _plain_types(annotation)
        self._annotation = annotation
        self._adapter: Any = None
        self._doubtful = False
        """Whether what it dumps may not be what it loads, so that each value is tried."""

    def dump(self, place: str, value: Any) -> Any:
        """Return ``value`` as JSON-ready data; raise InvalidArguments when the annotation refuses it."""
        if self._any:
            return value
        if self._plain is not None:
            return self._plainly(place, value)
        adapter = self._pydantic(place)
        try:
            valid = adapter.validate_python(value, strict=True)
            data = adapter.dump_python(valid, mode="json", by_alias=True, round_trip=True)
            if self._doubtful and not self._comes_back(valid, data):
                data = adapter.dump_python(valid, mode="json", by_alias=False, round_trip=True)
                if not self._comes_back(valid, data):
                    raise InvalidArguments(place, value, self._lossless())
        except InvalidArguments:
            raise
        except ValueError as error:  # ValidationError, PydanticSerializationError, bytes that are no text
            raise InvalidArguments(place, value, _reasons(error)) from None
        return data

    def _comes_back(self, valid: Any, data: Any) -> bool:
        """Whether the worker will load what was given; values that cannot be compared are compared by their fields."""
        adapter = self._adapter
        try:
            loaded = adapter.validate_json(json.dumps(data))
        except ValueError:
            return False
        same = type(loaded) is type(valid)
        return bool(loaded == valid or (same and adapter.dump_python(loaded) == adapter.dump_python(valid)))

    def _lossless(self) -> str:
        """Say what is allowed where a value would not come back."""
        told = "a value that comes back from its own JSON (look at its aliases, serializers and unions)"
        if any("Secret" in kind.__name__ for kind in _classes(self._adapter.core_schema)):
            told += "; a secret hides itself in JSON: pass a reference to it, such as a name or an id"
        return told

    def load(self, place: str, value: Any) -> Any:
        """Return stored data as the annotation's type; raise InvalidArguments when it does not fit."""
        if self._any:
            return value
        if self._plain is not None:
            return self._plainly(place, value)
        adapter = self._pydantic(place)
        try:
            return adapter.validate_json(json.dumps(value))
        except ValueError as error:
            raise InvalidArguments(place, value, _reasons(error)) from None

    def _plainly(self, place: str, value: Any) -> Any:
        assert self._plain is not None
        if type(value) in self._plain:
            return value
        # Subclasses (StrEnum, IntEnum) are what a type checker takes for their base, and are stored as such.
        if isinstance(value, str) and str in self._plain:
            return str.__str__(value)
        if isinstance(value, int) and not isinstance(value, bool) and int in self._plain:
            return int.__index__(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and float in self._plain:
            with suppress(OverflowError):
                return float(value)
        allowed = " or ".join(sorted("None" if t is type(None) else t.__name__ for t in self._plain))
        raise InvalidArguments(place, value, allowed)

    def _pydantic(self, place: str) -> Any:
        if self._adapter is None:
            from pydantic import PydanticUserError, TypeAdapter

            try:
                self._adapter = TypeAdapter(self._annotation)
            except PydanticUserError as error:
                reason = str(error).partition("\n")[0]
                told = f"a type with JSON: a plain one, a dataclass, a pydantic model ... ({reason})"
                raise ConfigurationError(f"{place} annotation", self._annotation, told) from None
            self._doubtful = any(map(_is_doubtful, _parts(self._adapter.core_schema)))
        return self._adapter


class Result:
    """A job's return annotation: turns what it returned into JSON text, and back for the waiting caller."""

    def __init__(self, function: Callable[..., Any]) -> None:
        """Read the return annotation of ``function``."""
        self._function = function
        self._adapter: Any = None

    def dump(self, value: Any) -> str | None:
        """Return ``value`` as JSON text, None for None; raise InvalidPayload when it has no JSON."""
        if value is None:
            return None
        if type(value) in PLAIN or type(value) in (dict, list):
            try:
                return encode(value, "result")
            except ValueError:
                if type(value) in PLAIN:
                    raise
        from pydantic_core import to_jsonable_python

        return encode(to_jsonable_python(value), "result")

    def load(self, text: str | None) -> Any:
        """Return the result as the annotated type, or as plain JSON when there is no annotation."""
        value = decode(text)
        if value is None or self._adapter is False:
            return value
        if self._adapter is None:
            self._adapter = self._resolve()
        return self._adapter.validate_json(text) if self._adapter else value

    def _resolve(self) -> Any:
        try:
            annotation = typing.get_type_hints(self._function, include_extras=True).get("return", Any)
        except NameError:
            return False
        if annotation is Any or _plain_types(annotation) is not None:
            return False
        from pydantic import PydanticUserError, TypeAdapter

        try:
            return TypeAdapter(annotation)
        except PydanticUserError:  # a type without JSON: what it became is shown as it is
            return False


def _parts(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Yield all parts of a schema of pydantic's."""
    if isinstance(schema, Mapping):
        yield schema
        schema = list(schema.values())
    if isinstance(schema, list | tuple):
        for part in schema:
            yield from _parts(part)


def _is_doubtful(part: Mapping[str, Any]) -> bool:
    """Whether code of somebody's, another name or a choice stands between a value and its JSON."""
    kind = str(part.get("type"))
    return kind == "union" or kind.startswith("function-") or not DOUBTFUL.isdisjoint(part)


def _classes(schema: Any) -> list[type]:
    return [part["cls"] for part in _parts(schema) if isinstance(part.get("cls"), type)]


def _plain_types(annotation: Any) -> frozenset[type] | None:
    """Return the JSON scalars that ``annotation`` allows, or None when it is anything richer."""
    options = typing.get_args(annotation) if _is_union(annotation) else (annotation,)
    kinds = [type(None) if one is None else one for one in options]
    return frozenset(kinds) if _all_plain(kinds) else None


def _all_plain(kinds: list[Any]) -> bool:
    return all(isinstance(kind, type) and kind in PLAIN for kind in kinds)


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _reasons(error: Any) -> str:
    if not hasattr(error, "errors"):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, e['loc']))} {e['msg']}".strip() for e in error.errors()[:3])
