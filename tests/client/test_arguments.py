"""A job's own arguments: checked by its annotations where they are given, rebuilt where it runs."""

from __future__ import annotations

import dataclasses
import enum
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pydantic
import pytest
from typing_extensions import TypedDict

from lodger import ConfigurationError, InvalidInput, Lodger, Run
from lodger.errors import InvalidArguments, InvalidPayload
from lodger.model.arguments import Check, Result

if TYPE_CHECKING:
    from fractions import Fraction

lodger = Lodger(url="sqlite:////nowhere/at/all.db")
SOME = UUID("01990000-0000-7000-8000-000000000000")


class Colour(enum.Enum):
    RED = "red"


class Word(enum.StrEnum):
    ONE = "one"


class Number(enum.IntEnum):
    TWO = 2


class Address(pydantic.BaseModel):
    city: str
    since: date | None = None


class Aliased(pydantic.BaseModel):
    city: str = pydantic.Field(alias="town")


class ReadElsewhere(pydantic.BaseModel):
    code: str = pydantic.Field("", validation_alias="zip")


class Shown(pydantic.BaseModel):
    city: str = pydantic.Field(serialization_alias="shownAs")

    @pydantic.computed_field
    def size(self) -> int:
        return len(self.city)


class Login(pydantic.BaseModel):
    name: str
    password: pydantic.SecretStr


class Told(Login):
    @pydantic.field_serializer("password", when_used="json")
    def tell(self, value: pydantic.SecretStr) -> str:
        return value.get_secret_value()


class Wrapped(pydantic.BaseModel):
    size: int

    @pydantic.model_serializer
    def wrap(self) -> dict[str, Any]:
        return {"wrapped": {"size": self.size}}


@dataclasses.dataclass
class Size:
    width: int
    height: float = 1.0


class Pair(NamedTuple):
    left: int
    right: str


class Options(TypedDict, total=False):
    fast: bool


def job_of(annotation: Any) -> Any:
    """A job with one argument of this type."""

    def job(value: Any) -> None: ...

    job.__annotations__["value"] = annotation
    return Lodger(url="sqlite:////nowhere/at/all.db").job(name="job")(job)


def there_and_back(job: Any, *args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What the job is called with in the worker."""
    loaded: tuple[tuple[Any, ...], dict[str, Any]] = job._spec.arguments.load(job.call(*args, **kwargs).run.args)
    return loaded


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (str, "Zoë 日本 👩‍👩‍👧"),
        (int, -(2**63)),
        (int, 2**63 - 1),
        (float, 0.1),
        (float, -0.0),
        (bool, True),
        (None, None),
        (str | None, None),
        (int | str, "x"),
        (list[int], [1, 2]),
        (dict[str, list[float]], {"a": [0.5]}),
        (tuple[int, str], (1, "a")),
        (set[str], {"a"}),
        (UUID, SOME),
        (datetime, datetime(2031, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)),
        (date, date(2031, 1, 2)),
        (timedelta, timedelta(days=1, microseconds=1)),
        (Decimal, Decimal("0.10")),
        (Path, Path("/a/b")),
        (bytes, b"abc"),
        (Colour, Colour.RED),
        (Literal["a", 3], 3),
        (Address, Address(city="Kiel", since=date(2030, 1, 1))),
        (list[Address], [Address(city="Kiel")]),
        (Aliased, Aliased(town="Kiel")),
        (Shown, Shown(city="Kiel")),
        (Told, Told(name="a", password=pydantic.SecretStr("b"))),
        (UUID | int, SOME),
        (Size, Size(1, 2.5)),
        (Pair, Pair(1, "a")),
        (Options, {"fast": True}),
        (Annotated[int, pydantic.Field(ge=0)], 0),
        (UUID | None, SOME),
        (Any, {"a": [1, None, {"b": True}]}),
        (dict, {"a": 1}),
    ],
    ids=repr,
)
def test_a_right_value_arrives_as_it_was(annotation: Any, value: object) -> None:
    (arrived,), _ = there_and_back(job_of(annotation), value)
    assert arrived == value
    assert type(arrived) is type(value)


@pytest.mark.parametrize("annotation", [UUID, datetime, list[int], Address, Size, Pair, Colour, UUID | None], ids=repr)
def test_the_usual_types_are_not_tried_at_each_enqueue(annotation: Any) -> None:
    """That would double the time. Fails when all types are doubtful."""
    check = Check(annotation)
    check._pydantic("job(value)")
    assert not check._doubtful


@pytest.mark.parametrize(
    ("annotation", "value", "arrived"),
    [
        (float, 3, 3.0),
        (str, Word.ONE, "one"),
        (int, Number.TWO, 2),
        (Word, Word.ONE, Word.ONE),
        (bool | int, True, True),
    ],
    ids=repr,
)
def test_what_a_type_checker_takes_is_taken(annotation: Any, value: object, arrived: object) -> None:
    (got,), _ = there_and_back(job_of(annotation), value)
    assert (got, type(got)) == (arrived, type(arrived))


@pytest.mark.parametrize(
    ("annotation", "value", "allowed"),
    [
        (str, 5, "str"),
        (str, None, "str"),
        (str, b"x", "str"),
        (int, "5", "int"),
        (int, 5.0, "int"),
        (int, True, "int"),
        (float, "0.5", "float"),
        (float, True, "float"),
        (float, 10**400, "float"),
        (bool, 1, "bool"),
        (None, 0, "None"),
        (int | None, "x", "None or int"),
        (UUID, str(SOME), "UUID"),
        (UUID, "no uuid", "UUID"),
        (datetime, "2031-01-02", "datetime"),
        (list[int], [1, "2"], "1 Input should be a valid integer"),
        (dict[str, int], {"a": "b"}, "a Input should be a valid integer"),
        (Literal["a"], "b", "'a'"),
        (Colour, "red", "Colour"),
        (Address, {"city": 5}, "city Input should be a valid string"),
        (Annotated[int, pydantic.Field(ge=0)], -1, "greater than or equal to 0"),
        (bytes, b"\xff", "utf-8"),
        (Wrapped, Wrapped(size=1), "comes back from its own JSON"),
        (ReadElsewhere, ReadElsewhere.model_validate({"zip": "24103"}), "comes back from its own JSON"),
        (UUID | str, str(SOME), "comes back from its own JSON"),
        (pydantic.SecretStr, pydantic.SecretStr("b"), "pass a reference to it"),
        (Login, Login(name="a", password=pydantic.SecretStr("b")), "pass a reference to it"),
    ],
    ids=repr,
)
def test_a_wrong_value_is_refused_by_argument_value_and_what_is_allowed(
    annotation: Any, value: object, allowed: str
) -> None:
    with pytest.raises(InvalidArguments) as refused:
        job_of(annotation).call(value)
    assert refused.value.field == "job(value)"
    assert str(refused.value).startswith(f"job(value): {repr(value)[:200]}")
    assert allowed in str(refused.value).partition("allowed: ")[2]


@pytest.mark.parametrize(
    ("annotation", "value", "place"),
    [
        (Any, {1, 2}, "job arguments.value: {1, 2}"),
        (Any, Address(city="Kiel"), "job arguments.value: Address"),
        (Any, [{"a": object}], "job arguments.value[0].a: <class 'object'>"),
        (Any, {1: 2}, "job arguments.value key: 1"),
        (Any, 2**63, "job arguments.value: 'an integer over 64 bits'"),
        (int, 2**63, "job arguments.value: 'an integer over 64 bits'"),
        (float, float("nan"), "job arguments.value: nan"),
        (float, float("-inf"), "job arguments.value: -inf"),
        (list[float], [float("inf")], "job arguments.value[0]"),
        (str, "a\x00b", r"job arguments.value: 'a\x00b'"),
        (str, "\udc80", "job arguments.value: "),
        (Address, Address(city="\x00"), "job arguments.value.city"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_value_without_json_is_refused_by_its_place(annotation: Any, value: object, place: str) -> None:
    with pytest.raises(InvalidPayload) as refused:
        job_of(annotation).call(value)
    assert str(refused.value).startswith(place)


@lodger.job()
async def many(
    run: Run[None], first: int, /, second: str = "s", *, third: bool = False, **more: UUID
) -> tuple[Any, ...]:
    return first, second, third, more


@pytest.mark.parametrize(
    ("args", "kwargs", "stored"),
    [
        ((1,), {}, '{"first":1}'),
        ((1, "x"), {"third": True}, '{"first":1,"second":"x","third":true}'),
        ((1,), {"second": "x", "id": SOME}, f'{{"first":1,"second":"x","id":"{SOME}"}}'),
    ],
)
def test_arguments_are_stored_by_name_without_the_run(args: Any, kwargs: Any, stored: str) -> None:
    assert many.call(*args, **kwargs).run.args == stored
    got_args, got_kwargs = there_and_back(many, *args, **kwargs)
    bound = many._spec.arguments.signature.bind(*got_args, **got_kwargs)
    assert bound == many._spec.arguments.signature.bind(*args, **kwargs)


@pytest.mark.parametrize(
    ("args", "kwargs", "reason"),
    [
        ((), {}, "missing a required argument: 'first'"),
        ((1, "x", True), {}, "too many positional arguments"),
        ((1, "x"), {"second": "y"}, "multiple values for argument 'second'"),
        ((1,), {"second": "y", "id": "no uuid"}, "id"),
    ],
)
def test_a_call_that_does_not_fit_shows_the_signature(args: Any, kwargs: Any, reason: str) -> None:
    with pytest.raises(InvalidArguments, match="many") as refused:
        many.call(*args, **kwargs)
    assert reason in str(refused.value)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InvalidArguments, match=r"got an unexpected keyword argument 'size'.*allowed: job\(value"):
        job_of(int).call(value=1, size=2)


def test_an_argument_named_like_an_option_or_like_enqueues_own_is_just_an_argument() -> None:
    own = Lodger(url="sqlite:////nowhere/at/all.db")

    @own.job()
    def mail(delay: int, queue: str, tx: str, self: int) -> None: ...

    call = mail.call(delay=5, queue="q", tx="t", self=1)
    assert call.run.args == '{"delay":5,"queue":"q","tx":"t","self":1}'
    assert (call.run.queue, call.run.delay_seconds) == ("default", 0.0)


# Signatures that cannot be jobs


def test_star_args_are_refused_where_the_job_is_declared() -> None:
    def job(*paths: str) -> None: ...

    with pytest.raises(ConfigurationError, match=r"job 'job' parameter: '\*paths' .*parameters with names"):
        lodger.job()(job)


def test_the_wrong_kind_of_run_is_refused_where_the_job_is_declared() -> None:
    def plain(run: Run[None]) -> None: ...

    with pytest.raises(InvalidInput, match=r"plain parameter run: 'Run' .*SyncRun"):
        lodger.job()(plain)


def test_an_annotation_that_does_not_exist_at_run_time_is_told() -> None:
    def job(part: Fraction) -> None: ...

    with pytest.raises(ConfigurationError, match=r"job 'job' parameter part: 'Fraction'.*not only TYPE_CHECKING"):
        lodger.job()(job).call("x")  # type: ignore[arg-type]


def test_an_annotation_without_json_is_told() -> None:
    class Connection: ...

    with pytest.raises(ConfigurationError, match=r"job\(value\) annotation: .*Connection.* a type with JSON"):
        job_of(Connection).call(Connection())


def test_a_return_annotation_without_json_does_not_hide_the_result() -> None:
    class Connection: ...

    def job() -> Any: ...

    job.__annotations__["return"] = Connection
    assert Result(job).load('{"host":"h"}') == {"host": "h"}


def test_two_functions_under_one_name_are_refused() -> None:
    own = Lodger(url="sqlite:////nowhere/at/all.db")
    own.job(name="same")(test_unknown_names_are_refused)
    own.job(name="same")(test_unknown_names_are_refused)  # the same one again: a module that is reloaded
    with pytest.raises(ConfigurationError, match=r"job name: 'same' .*another name"):
        own.job(name="same")(test_star_args_are_refused_where_the_job_is_declared)
