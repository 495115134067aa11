"""What the bodies of the API have in common: camelCase, nothing unknown, nothing converted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Item = TypeVar("Item", bound=BaseModel)

#: One page is at most this long.
LARGEST_PAGE = 100


def _is_printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("expected characters that print, all on one line")
    return text


class Model(BaseModel):
    """A JSON object of the API."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, strict=True
    )


class Query(Model):
    """Query parameters: text, which is read as what it has to be."""

    model_config = ConfigDict(strict=False)


class PageQuery(Query):
    """A page of a list. `name` keeps those whose name has it in it, whatever the case."""

    page_number: int = Field(0, ge=0, le=1_000_000)
    page_size: int = Field(20, ge=1, le=LARGEST_PAGE)
    name: Annotated[str, AfterValidator(_is_printable)] | None = Field(
        None, min_length=1, max_length=50
    )


class Page(Model, Generic[Item]):
    """One page, and how many there are."""

    data: list[Item]
    page_number: int = Field(ge=0)
    page_size: int = Field(ge=1, le=LARGEST_PAGE)
    total_items: int = Field(ge=0)
    total_pages: int = Field(ge=0)


def page_of(model: type[Item], items: list[Item], query: PageQuery, total: int) -> Page[Item]:
    return Page[model](  # type: ignore[valid-type]
        data=items,
        page_number=query.page_number,
        page_size=query.page_size,
        total_items=total,
        total_pages=-(-total // query.page_size),
    )


class Empty(Model):
    """No body."""


Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=50,
        pattern=r"^[A-Za-z0-9._-]([A-Za-z0-9._ -]*[A-Za-z0-9._-])?$",
        description="1 to 50 of A-Z a-z 0-9 . _ - and space, no space at either end.",
    ),
]
Description = Annotated[str, Field(max_length=256), AfterValidator(_is_printable)]
AccountId = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,19}$", examples=["53461"])]
Timestamp = Annotated[
    str, Field(description="RFC 3339, in UTC.", examples=["2027-01-15T08:00:00Z"])
]


def timestamp(seconds: float) -> str:
    """Epoch seconds as RFC 3339 text in UTC."""
    moment = datetime.fromtimestamp(int(seconds), UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def dump(model: BaseModel) -> dict[str, Any]:
    """The JSON object of a model; members that are None are left out."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
