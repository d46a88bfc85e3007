"""Attachments of both clients, and what the centre refuses of them (README section 7, “Attachments”)."""

import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kenh_client.blobs import PIECE_BYTES, Blobs
from kenh_client.client import CentreProblem

from .organisation import insert
from .results import expect, expect_equal
from .world import World

CHANNEL = "plan/BLOB"
PNG = "image/png"
PDF_BEGINNING = b"%PDF-1.7\n"


def run(world: World) -> None:
    """All checks."""
    for name, check in (
        ("given by the other client in pieces, fetched by both", _given_by_other),
        ("attached in the real cell, fetched by the other client", _given_by_real),
        ("cut and resumed, with pieces that come again or at a wrong place", _resumed),
        ("of wrong bytes, thrown away whole", _wrong_bytes),
        ("refused: sizes, types, queries and names", _refused),
        ("by who may not write or read in the channel, or gave it in another", _rights),
        ("too many begun and not ended", _quota),
    ):
        with world.results.check(f"attachments: {name}"):
            check(world)


def _content(size: int, seed: int) -> bytes:
    return PDF_BEGINNING + random.Random(seed).randbytes(size - len(PDF_BEGINNING))


@contextmanager
def refused(status: int, code: str, recovery: str) -> Iterator[None]:
    """The request within gets this problem."""
    try:
        yield
    except CentreProblem as problem:
        expect_equal((problem.status, problem.code, problem.recovery), (status, code, recovery), "problem")
    else:
        raise AssertionError(f"it was taken, wanted {code}")


def _given_by_other(world: World) -> None:
    content = _content(2 * PIECE_BYTES + 77, 1)
    name = Blobs(world.other.client).give(content, CHANNEL, "application/pdf")
    status = Blobs(world.third.client).status(name, CHANNEL)
    expect_equal((status.size, status.have, status.type), (len(content), len(content), "application/pdf"), "status")
    expect(Blobs(world.third.client).fetch(name, CHANNEL) == content, "the other client fetched other bytes")
    world.other.seal(CHANNEL, insert("work_item", "B1", title="with an attachment"), insert(
        "attachment", "AT1", subject_table="work_item", subject_id="B1", name="of the other.pdf",
        type="application/pdf", size=len(content), sha256=name, added_at="2026-01-01T00:00:00Z"))
    world.other.sync()
    world.real.sync()
    target = world.real.home.parent / "fetched.pdf"
    world.real.run("attachment", "get", "AT1", "--out", str(target))
    expect(target.read_bytes() == content, "the real cell fetched other bytes")
    target.unlink()
    world.settle()


def _given_by_real(world: World) -> None:
    source = world.real.home.parent / "of the real.pdf"
    source.write_bytes(_content(PIECE_BYTES + 5, 2))
    attached = world.real.json("attach", str(source), "--to", "work_item:B1")
    world.real.sync()
    expect(Blobs(world.other.client).fetch(attached["sha256"], CHANNEL) == source.read_bytes(), "other bytes came")
    source.unlink()
    world.settle()


def _resumed(world: World) -> None:
    blobs = Blobs(world.other.client)
    content = _content(1000, 3)
    name = hashlib.sha256(content).hexdigest()
    query = {"channel": CHANNEL, "size": len(content), "type": PNG}
    expect_equal(blobs.put(content[:400], name, offset=0, **query).have, 400, "after the first piece")
    expect_equal(blobs.put(content[:400], name, **query).have, 400, "after the same again")
    expect_equal(blobs.put(content[100:200], name, offset=100, **query).have, 400, "after a part of it")
    for offset in (401, 300):
        try:
            blobs.put(content[offset:offset + 200], name, offset=offset, **query)
        except CentreProblem as problem:
            expect_equal((problem.status, problem.code, problem.recovery), (409, "blobOffset", "retry"), "problem")
            expect_equal((problem.blob.have, problem.blob.size), (400, 1000), "what the centre has")
        else:
            raise AssertionError(f"a piece at {offset} was taken")
    with refused(404, "notFound", "retry"):
        Blobs(world.third.client).status(name, CHANNEL)
    with refused(404, "notFound", "retry"):
        blobs.piece(name, CHANNEL)
    expect_equal(blobs.give(content, CHANNEL, PNG, 77), name, "name")
    expect_equal(blobs.put(b"x", name, offset=5, **query).have, 1000, "of what is whole")
    expect_equal(blobs.piece(name, CHANNEL, 990, limit=4), content[990:994], "a piece within a limit")
    expect_equal(blobs.piece(name, CHANNEL, 1000), b"", "the piece at the end")
    with refused(409, "blobOffset", "retry"):
        blobs.piece(name, CHANNEL, 1001)


def _wrong_bytes(world: World) -> None:
    blobs = Blobs(world.other.client)
    content = _content(1000, 4)
    name = hashlib.sha256(content).hexdigest()
    query = {"channel": CHANNEL, "size": len(content), "type": PNG}
    blobs.put(bytes(999), name, **query)
    with refused(400, "badDigest", "retry"):
        blobs.put(content[999:], name, offset=999, **query)
    with refused(404, "notFound", "retry"):
        blobs.status(name, CHANNEL)
    blobs.put(content[:10], name, **query)
    expect_equal(blobs.put(content[:20], name, **{**query, "type": "image/jpeg"}).have, 20, "of another type, begun anew")
    blobs.give(content, CHANNEL, "image/jpeg")
    expect(Blobs(world.third.client).fetch(name, CHANNEL) == content, "other bytes came")


def _refused(world: World) -> None:
    blobs = Blobs(world.other.client)
    name = hashlib.sha256(b"nothing").hexdigest()
    good = {"channel": CHANNEL, "size": 10, "type": PNG}
    cases: list[tuple[int, str, str, Callable[[], object]]] = [
        (413, "tooLarge", "askAPerson", lambda: blobs.put(b"x", name, **{**good, "size": 2**40})),
        (413, "tooLarge", "stop", lambda: blobs.put(bytes(PIECE_BYTES + 1), name, **{**good, "size": 2 * PIECE_BYTES})),
        (415, "typeNotAllowed", "askAPerson", lambda: blobs.put(b"x", name, **{**good, "type": "text/html"})),
        (400, "malformed", "stop", lambda: blobs.put(b"", name, **good)),
        (400, "malformed", "stop", lambda: blobs.put(bytes(11), name, **good)),
        (400, "malformed", "stop", lambda: blobs.put(b"x", name, **{**good, "size": 0})),
        (400, "malformed", "stop", lambda: blobs.put(b"x", name, **{**good, "size": "010"})),
        (400, "malformed", "stop", lambda: blobs.put(b"x", name, **{**good, "channel": "kenh/registry"})),
        (400, "malformed", "stop", lambda: blobs.put(b"x", name, channel=CHANNEL)),
        (400, "malformed", "stop", lambda: blobs.put(b"x", name.upper(), **good)),
        (400, "malformed", "stop", lambda: blobs.piece(name, CHANNEL, limit=2**20 + 1)),
        (400, "malformed", "stop", lambda: blobs.send(blobs.request("PUT", name, b"x", **good))),
        (404, "notFound", "retry", lambda: blobs.piece(name, CHANNEL)),
    ]
    for status, code, recovery, send in cases:
        with refused(status, code, recovery):
            send()
    changed = blobs.request("GET", name, channel=CHANNEL)
    fields = changed.headers(world.other.client.key)
    typed = world.other.client.send(changed, fields | {"Content-Type": "application/x-protobuf"})
    expect_equal(typed.status, 400, "status of a request by GET with a content type")
    answer = world.other.client.send(blobs.request("GET", name, channel="org"), fields)
    expect_equal(answer.status, 401, "status of a query that was not signed")


def _rights(world: World) -> None:
    content = _content(50, 5)
    name = Blobs(world.other.client).give(content, CHANNEL, PNG)
    third = Blobs(world.third.client)
    with refused(404, "notFound", "retry"):
        third.status(name, "plan/ELSEWHERE")
    with refused(404, "notFound", "retry"):
        third.piece(name, "plan/ELSEWHERE")
    world.centre.run("central", "grant", "CB3", CHANNEL, "--role", "reader")
    try:
        expect(third.fetch(name, CHANNEL) == content, "a reader does not get it")
        with refused(403, "forbidden", "askAPerson"):
            third.give(_content(50, 6), CHANNEL, PNG)
        world.centre.run("central", "grant", "CB3", CHANNEL, "--role", "none")
        with refused(404, "notFound", "retry"):
            third.piece(name, CHANNEL)
    finally:
        world.centre.run("central", "grant", "CB3", CHANNEL, "--role", "writer")


def _quota(world: World) -> None:
    third = Blobs(world.third.client)
    contents = [_content(50, 100 + number) for number in range(17)]
    for content in contents[:16]:
        third.put(content[:9], hashlib.sha256(content).hexdigest(), channel=CHANNEL, size=50, type=PNG)
    with refused(507, "uploadQuota", "retry"):
        third.give(contents[16], CHANNEL, PNG)
    for content in contents:
        third.give(content, CHANNEL, PNG)
