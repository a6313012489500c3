"""What a service costs is told by its record: when it ran, at what price."""

import time

import msgspec
import pytest

from orchestrator.cli.service_view import warn_of_unused
from orchestrator.jobs.spending import report
from orchestrator.services.record import ServiceRecord, Share, claim_service, record_key, uses_of
from orchestrator.services.shape import Shape
from orchestrator.services.spending import price_of
from orchestrator.services.state import ServiceState, ServiceView, of_answer
from orchestrator.specs.prices import Price
from orchestrator.store import open_store
from orchestrator.store.records import find, write

SHARE = Share(model="digits", number=1, weight=100, engine="plain-1")
DAY = 86400


@pytest.fixture
def prices(home):
    def write_prices(text):
        home.mkdir(exist_ok=True)
        (home / "prices.yaml").write_text(text)

    write_prices("{currency: EUR, cpu: 1, memory: 0.5, gpus: {any: 10}}")
    return write_prices


@pytest.fixture
def clock(monkeypatch):
    """Give what sets the time, in hours."""

    def at(hours):
        monkeypatch.setattr(time, "time", lambda: hours * 3600.0)

    at(100)
    return at


def service(**shape):
    return ServiceRecord(name="digits", backend="kubernetes", shape=Shape(**shape))


def changed(record, what, **fields):
    return record.changed(what, "me@here", msgspec.structs.replace(record, **fields))


def spans(record):
    return [(span.started / 3600, span.finished / 3600, span.price.per_hour) for span in record.spans]


def test_the_price_of_a_shape(prices):
    assert price_of(Shape(), "kubernetes", engines=1) == Price(2.0, "EUR")
    assert price_of(Shape(cpus=2, memory="4Gi", gpus=1, replicas=3), "kubernetes", engines=2) == Price(84.0, "EUR")
    assert price_of(Shape(), "local", engines=1) is None
    prices("cpu: 1")
    assert price_of(Shape(gpus=1), "kubernetes", engines=1) is None


def test_a_service_costs_from_its_deploy_to_its_stop(prices, clock):
    record = changed(service(), "deploy", shares=[SHARE])
    assert spans(record) == [(100, 0, 2)]
    clock(101)
    record = changed(record, "traffic")  # which changes nothing of its size
    record = changed(record, "scale", shape=Shape(replicas=3))
    clock(102)
    record = changed(record, "stop")
    clock(105)
    record = changed(record, "token")
    assert spans(record) == [(100, 101, 2), (101, 102, 6)]
    record = changed(record, "start")
    assert spans(record)[2:] == [(105, 0, 6)]


def test_a_second_engine_costs_as_much_again(prices, clock):
    record = changed(service(), "deploy", shares=[SHARE])
    clock(101)
    second = msgspec.structs.replace(SHARE, number=2, engine="plain-2", weight=0, shadow=True)
    assert spans(changed(record, "deploy", shares=[SHARE, second])) == [(100, 101, 2), (101, 0, 4)]


def test_without_a_price_nothing_is_told(clock):
    assert changed(service(), "deploy", shares=[SHARE]).spans == []


def test_what_was_spent_stays_when_a_service_is_deleted_and_made_again(prices, clock, tmp_path):
    store = open_store((tmp_path / "store").as_uri())
    record = changed(service(), "deploy", shares=[SHARE])
    clock(103)
    record = changed(record, "stop")
    write(store, record_key("digits"), ServiceRecord(name="digits", deleted=1.0, spans=record.spans))
    assert report(uses_of(store), by="job").total.cost == {"EUR": 6}
    claim_service(store, service())
    again = changed(find(store, record_key("digits"), ServiceRecord), "deploy", shares=[SHARE])
    write(store, record_key("digits"), again)
    clock(104)
    found = report(uses_of(store), by="job")
    assert [(row.name, row.runs, row.cost) for row in found.rows] == [("service digits", 2, {"EUR": 8})]


def test_only_what_was_not_asked_for_a_day_is_warned_of(clock, capsys):
    record = service()
    views = [of_answer(record, {"used": 100 * 3600 - seconds}, 0) for seconds in (DAY - 60, DAY + 60)]
    views += [of_answer(record, {}, 0), ServiceView(record, ServiceState.STOPPED)]
    warn_of_unused(views)
    assert capsys.readouterr().err == ("warning: nobody has used service digits for 1d 0h: mlctl service stop digits\n")
    warn_of_unused([of_answer(service(server="tfserving"), {"used": 100 * 3600 - 2 * DAY}, 0)])
    assert "for 2d 0h (TensorFlow Serving's own ports do not count): mlctl" in capsys.readouterr().err
