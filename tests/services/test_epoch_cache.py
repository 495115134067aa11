"""Facts kept for one epoch: never older than the epoch that they are handed out under."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from app.services import accounts, epoch_cache, policies, products
from app.services.administration import Invalid
from app.services.epoch_cache import EpochCache
from app.services.products import ProductFile
from app.storage.database import StoreUnavailable
from tests.support.lifecycle import PATIENCE, in_parallel, until
from tests.support.world import allow, build_world


def never() -> Any:
    raise AssertionError("this is kept: nothing may be loaded")


def test_a_value_is_loaded_once_in_an_epoch() -> None:
    cache = EpochCache()

    assert cache.get(1, "key", lambda: "value") == "value"
    assert cache.get(1, "key", never) == "value"


def test_a_new_epoch_forgets_everything() -> None:
    cache = EpochCache()
    for key in ("a", "b"):
        cache.get(1, key, lambda: "old")

    assert cache.get(2, "a", lambda: "new") == "new"
    assert cache.get(2, "b", lambda: "new") == "new"
    assert cache.get(2, "a", never) == "new"


def test_an_old_view_reads_for_itself_and_leaves_nothing_behind() -> None:
    cache = EpochCache()
    cache.get(2, "key", lambda: "new")

    assert cache.get(1, "key", lambda: "old") == "old"
    assert cache.get(2, "key", never) == "new"


def test_keys_are_kept_apart() -> None:
    cache = EpochCache()
    cache.get(1, ("client", "x"), lambda: "client")

    assert cache.get(1, ("principal", "x"), lambda: "principal") == "principal"
    assert cache.get(1, ("client", "x"), never) == "client"


def test_a_load_that_fails_keeps_nothing() -> None:
    cache = EpochCache()
    with pytest.raises(LookupError):
        cache.get(1, "key", lambda: {}["missing"])

    assert cache.get(1, "key", lambda: "value") == "value"


def test_what_is_not_there_is_looked_for_again() -> None:
    """Otherwise made-up client ids, as long as a form lets them be, would fill the memory."""
    cache = EpochCache()

    assert cache.get(1, "key", lambda: None) is None
    assert cache.get(1, "key", lambda: "value") == "value"


def test_what_is_false_or_empty_is_kept() -> None:
    cache = EpochCache()
    cache.get(1, "none attached", tuple)

    assert cache.get(1, "none attached", never) == ()


def test_no_more_is_kept_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epoch_cache, "MAX_ENTRIES", 3)
    cache = EpochCache()
    loads: list[int] = []

    def load(number: int) -> Callable[[], int]:
        return lambda: loads.append(number) or number

    for number in (1, 2, 3, 4):
        assert cache.get(1, number, load(number)) == number
    assert [cache.get(1, number, load(number)) for number in (4, 1)] == [4, 1]
    assert loads == [1, 2, 3, 4, 1]


def test_a_value_whose_load_began_before_a_new_epoch_does_not_enter_it() -> None:
    cache = EpochCache()
    loading, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        loading.set()
        assert go_on.wait(PATIENCE)
        return "old"

    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(cache.get(1, "key", slow)))
    thread.start()
    assert loading.wait(PATIENCE)
    assert cache.get(2, "other", lambda: "new") == "new"
    go_on.set()
    thread.join(PATIENCE)

    assert answers == ["old"]
    assert cache.get(2, "key", lambda: "new") == "new"


class Watched(EpochCache):
    """Calls back in the middle of a change of epoch: between one attribute and the next."""

    between: Callable[[], None] | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if self.between is not None and not name.startswith("__"):
            call, self.__dict__["between"] = self.between, None
            call()


def test_a_reader_in_the_middle_of_a_change_is_not_handed_the_old_value() -> None:
    cache = Watched()
    cache.get(1, "right", lambda: "granted")
    seen: list[str] = []
    # Another thread asks in the new epoch just as the first one is bringing it in.
    cache.__dict__["between"] = lambda: seen.append(cache.get(2, "right", lambda: "taken away"))

    assert cache.get(2, "other", lambda: "x") == "x"

    assert seen == ["taken away"]


class Elusive:
    """A key that others push out of the cache whenever it is looked up a second time."""

    def __init__(self, push: Callable[[], Any]) -> None:
        self.push, self.looks = push, -2  # the first two keep the value

    def __hash__(self) -> int:
        self.looks += 1
        if self.looks == 2:
            self.push()
        return 1


def test_a_value_that_is_forgotten_while_it_is_looked_up_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(epoch_cache, "MAX_ENTRIES", 1)
    cache = EpochCache()
    key = Elusive(lambda: cache.get(1, "another", lambda: "pushes it out"))
    cache.get(1, key, lambda: "value")

    assert [cache.get(1, key, lambda: "value") for _ in range(2)] == ["value", "value"]


def test_threads_that_ask_while_epochs_pass_never_see_an_older_value() -> None:
    cache = EpochCache()
    world = {"epoch": 0}
    behind: list[tuple[int, int]] = []

    def ask(number: int) -> None:
        for _ in range(300):
            if number == 0:
                world["epoch"] += 1
            now = world["epoch"]
            value = cache.get(now, "key", lambda: world["epoch"])
            if value < now:
                behind.append((now, value))

    in_parallel(8, ask)

    assert behind == []


DNS = ProductFile.model_validate(
    {
        "name": "dns",
        "display_name": "dns",
        "identifier": "https://dns.example",
        "actions": [{"name": "ListZones", "label": "List"}],
    }
)


def test_what_was_never_committed_is_never_remembered(tmp_path: Path) -> None:
    """A policy is written in one transaction with the product it names, and the disk is full."""
    world = build_world(tmp_path)
    runtime = world.runtime
    working, go_on = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        working.set()
        assert go_on.wait(PATIENCE)

    def refused(call: Callable[[], Any]) -> None:
        with pytest.raises((StoreUnavailable, Invalid)):
            call()

    def use(call: Callable[[], Any]) -> threading.Thread:
        thread = threading.Thread(target=refused, args=(call,))
        thread.start()
        return thread

    @contextmanager
    def on_a_full_disk() -> Iterator[Connection]:
        with begin() as connection:
            yield connection
            raise StoreUnavailable("disk full")

    group = runtime.database._group
    begin, group._begin = group._begin, on_a_full_disk
    threads = [use(lambda: runtime.database.write(hold))]
    assert working.wait(PATIENCE)
    for number, call in enumerate(
        (
            lambda: products.register(runtime, DNS),
            lambda: policies.create(runtime, "53461", "dns", allow("dns:*")),
        ),
        1,
    ):
        threads.append(use(call))
        until(lambda number=number: len(group._waiting) == number or not threads[-1].is_alive())  # type: ignore[misc]
    go_on.set()
    for thread in threads:
        thread.join(PATIENCE)
    group._begin = begin

    accounts.create_user(runtime, "53461", "Somebody", "Somebody-password")  # the next epoch
    with pytest.raises(Invalid, match="dns"):
        policies.create(runtime, "53461", "dns", allow("dns:*"))
    world.close()
