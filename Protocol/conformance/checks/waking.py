"""The stream by which the centre wakes devices (README section 7)."""

import http.client
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from kenh_client.client import wall_clock
from kenh_client.http_signing import CONTENT_TYPE, Answer, Request, check_answer, content_digest
from kenh_client.keys import SigningKey
from kenh_client.kenh_pb2 import Problem
from kenh_client.log import REGISTRY_CHANNEL

from .organisation import HOST, OtherCell, insert
from .results import expect, expect_equal
from .world import World

PATH = "/v1/wake"
CHANNEL = "wake"


def run(world: World) -> None:
    """All of it."""
    for name, check in (
        ("a stream is ready at once, and names what moves", _stream),
        ("a newer stream of a device ends the older", _replaced),
        ("refused: strangers, other times, and what tells of a body", _refused),
    ):
        with world.results.check(f"waking: {name}"):
            check(world)


def _request(cell: OtherCell, created_ms: int | None = None) -> Request:
    created = (wall_clock() if created_ms is None else created_ms) // 1000
    return Request("GET", PATH, cell.client.organisation.hex(), b"", secrets.token_bytes(16), created)


@contextmanager
def _open(cell: OtherCell) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection(HOST, cell.client.port, timeout=20)
    try:
        connection.request("GET", PATH, headers=_request(cell).headers(cell.client.key))
        yield connection.getresponse()
    finally:
        connection.close()


def _events(stream: http.client.HTTPResponse) -> Iterator[tuple[str, str]]:
    """Events with data, by the HTML standard as far as the centre uses it; ends with the stream."""
    kind, data = "", None
    while line := stream.readline():
        expect(line.endswith(b"\n") and b"\r" not in line, f"a line ends otherwise: {line!r}")
        name, _, value = line.decode().rstrip("\n").partition(":")
        value = value.removeprefix(" ")
        if line == b"\n":
            if data is not None:
                yield kind, data
            kind, data = "", None
        elif name == "event":
            kind = value
        elif name == "data":
            data = value


def _stream(world: World) -> None:
    with _open(world.other) as stream:
        expect_equal(stream.status, 200, "status")
        expect_equal(stream.getheader("Content-Type"), "text/event-stream", "type")
        expect_equal(stream.getheader("Cache-Control"), "no-store", "cache control")
        expect_equal(stream.getheader("X-Accel-Buffering"), "no", "buffering")
        events = _events(stream)
        expect_equal(next(events), ("ready", ""), "first event")
        world.third.seal(CHANNEL, insert("review", secrets.token_hex(8)))
        world.third.sync()
        for kind, channel in events:
            expect_equal(kind, "moved", "event")
            if channel == CHANNEL:
                break
            expect_equal(channel, REGISTRY_CHANNEL, "a channel that did not move")


def _replaced(world: World) -> None:
    with _open(world.other) as older:
        events = _events(older)
        expect_equal(next(events), ("ready", ""), "first event")
        with _open(world.other) as newer:
            expect_equal(next(_events(newer)), ("ready", ""), "first event of the newer")
            expect_equal(list(events), [], "what the older says after it")


def _refused(world: World) -> None:
    cell = world.other
    _expect_problem(cell, _request(cell), cell.client.key, {"Content-Type": CONTENT_TYPE}, 400, 401)
    _expect_problem(cell, _request(cell), cell.client.key, {"Content-Digest": content_digest(b"")}, 400, 401)
    _expect_problem(cell, _request(cell), SigningKey(), {}, 403)
    _expect_problem(cell, _request(cell, wall_clock() - 700_000), cell.client.key, {}, 401)


def _expect_problem(cell: OtherCell, request: Request, key: SigningKey, more: dict[str, str], *statuses: int) -> None:
    answer: Answer = cell.client.send(request, request.headers(key) | more)
    expect(answer.status in statuses, f"status {answer.status}, wanted {statuses}")
    check_answer(answer, request, cell.client.serving_key)
    expect(Problem.FromString(answer.body).code, "the problem has no code")
