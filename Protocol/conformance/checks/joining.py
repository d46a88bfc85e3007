"""Devices of the other client that begin with the centre's snapshots (README section 7, “Snapshots”)."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from kenh_client import beginnings, blocks
from kenh_client.beginnings import PATH, Beginning, Snapshots
from kenh_client.body import UPDATE, Change, Reference
from kenh_client.client import Failed, wall_clock
from kenh_client.clocks import clock_at
from kenh_client.http_signing import Answer, Request
from kenh_client.kenh_pb2 import EntryProof, Problem, SnapshotResponse, SyncRequest, SyncResponse
from kenh_client.log import BLOCK_ENTRY, FINALITY_ENTRY, RULING_ENTRY, VERDICT_ENTRY
from kenh_client.rights import Ruling
from kenh_client.snapshot_reading import Announced, SnapshotNamed, SnapshotRow, read_chunk
from kenh_client.snapshots import ChunkWriter, Manifest, chunk_hash, make
from kenh_client.store import StoredBlock
from kenh_client.values import Commitment

from .liars import Liar
from .organisation import HOST, OtherCell, RealCell, delete, insert, update
from .refused_blocks import Draft
from .restores import restored
from .results import expect, expect_equal, expect_problem, refusal
from .rights import OTHER, granted
from .words import holds
from .world import World

# Of several chunks, with what is struck, forks, and waits.
CHANNEL = "join/all"
OTHER_CHANNEL = "join/other"
SECRET = "0987-654-321 Trần"
ROWS = 330
TEXT = "một dòng dài " * 512


def run(world: World) -> None:
    """From the offer to the last reason to begin anew."""
    parts = None
    with world.results.check("joining: a channel with what is struck, forks, waits and takes several chunks"):
        parts = _prepare(world)
    for name, check in (
        ("begins with the snapshot of every channel, and has what all have", _every_channel),
        ("goes on with what others write afterwards, and writes itself", _goes_on),
        ("what it wrote before it began stands beside the snapshot", _wrote_before),
        ("a fetch that is cut goes on where it was", _cut),
        ("a chunk with another byte is refused, by both clients", _changed_chunk),
        ("a chunk that is gone: another snapshot is asked for, then all blocks", _gone),
        ("refused: chunks, manifests and offers that are none, or do not fit the log", _unfit),
        ("what is not there, or not for whom asks, is not found", _not_found),
        ("the centre counts who made the same", _confirmed),
    ):
        with world.results.check(f"joining: {name}"):
            check(world, parts)
    with world.results.check("joining: writes that became final after the snapshot"):
        _finality(world)
    with world.results.check("joining: an earlier acceptance that the snapshot does not know"):
        _verdict(world)
    with world.results.check("joining: a log that forgot what the snapshot covers"):
        _forgotten(world)
    with world.results.check("joining: an erasure ends what began with it, and older snapshots are gone"):
        _erasure(world)


@dataclass
class _Parts:
    """What the first check made."""

    # The last of a group whose first block waits.
    last: StoredBlock
    chunks: int
    hash: bytes


def joiner(world: World, cell: str = "CB3") -> OtherCell:
    """A new device that takes snapshots; it has not synced yet."""
    device = OtherCell(world.centre.port, world.schema)
    device.join(world.centre.code(cell))
    device.takes_snapshots = True
    return device


def _whole(world: World) -> OtherCell:
    device = joiner(world)
    device.takes_snapshots = False
    device.sync()
    return device


def _begun_with(world: World, channel: str) -> OtherCell:
    """A device that has begun with a snapshot of what the channel has now."""
    _make(world, channel)
    device = joiner(world)
    expect(channel in device.sync().begun, "it did not begin with the snapshot")
    return device


def _make(world: World, channel: str) -> dict[str, object]:
    return world.centre.json("central", "snapshot", "make", channel)


def _prepare(world: World) -> _Parts:
    other, third = world.other, world.third
    other.seal(CHANNEL, *(insert("work_item", f"J{n}", title=f"{n} {TEXT}") for n in range(ROWS)), changes_per_block=50)
    other.seal(CHANNEL, insert("work_item", "gone", title="x"), insert("work_item", "counted", title="y"))
    world.settle()
    twin = other.copy()
    other.seal(CHANNEL, update("work_item", "J1", title="of one"), delete("work_item", "gone"))
    twin.seal(CHANNEL, update("work_item", "J1", title="of its copy"), update("work_item", "gone", title="kept"))
    other.sync()
    twin.sync()
    world.settle()
    with granted(world, (OTHER, CHANNEL, "reader")):
        other.seal(CHANNEL, insert("work_item", "struck", title="no"), update("work_item", "J2", title="no"))
        other.sync()
        _upload_twice_named(other)
        other.sync()
        world.settle()
        third.seal(CHANNEL, update("work_item", "J2", title="yes"), with_births=True)
        third.sync()
    third.seal(OTHER_CHANNEL, insert("work_item", "elsewhere", title="e"))
    world.settle()
    _make(world, OTHER_CHANNEL)
    first, last = third.seal(
        CHANNEL, insert("work_item", "waits 1"), insert("work_item", "waits 2"), changes_per_block=1)
    (receipt,) = third.upload(first).receipts
    third.store.acknowledge(first.hash, receipt.proof)
    whole = _whole(world)
    mine = make(whole.store, CHANNEL)
    expect_equal(_make(world, CHANNEL)["hash"], mine.hash.hex(), "hash")
    expect_equal(mine.waiting, [receipt.sequence], "what waits")
    expect(len(mine.chunks) >= 3, f"{len(mine.chunks)} chunks")
    _expect_rich(whole, mine)
    return _Parts(last, len(mine.chunks), mine.hash)


def _upload_twice_named(cell: OtherCell) -> None:
    """A struck change that names one change twice."""
    before = cell.store.blocks[cell.store.own_tips[CHANNEL]]
    change = Change(UPDATE, "work_item", True, "struck", clock_at(wall_clock()), {"title": "no"},
                    [Reference(0, before.header.first_counter)] * 2)
    message = Draft(before, cell.client.key, [change], fields={"group": 3}).block()
    block = cell.store.take(message)
    cell.store.merge()
    cell.store.own_tips[CHANNEL] = block.hash


def _expect_rich(whole: OtherCell, made: Manifest) -> None:
    items = [item for number, (content, _) in enumerate(made.chunks)
             for item in read_chunk(content, number == len(made.chunks) - 1)]
    named = [item for item in items if isinstance(item, SnapshotNamed)]
    expect(any(len(item.dots) == 2 and len(set(item.dots)) == 1 for item in named), "nothing is named twice")
    rows = [item for item in items if isinstance(item, SnapshotRow)]
    expect(any(write.removed for row in rows for _, write in row.writes), "nothing is removed")
    forks = Counter(b.header.previous for b in whole.store.blocks.values() if b.header.channel == CHANNEL)
    expect(any(count > 1 and before != bytes(32) for before, count in forks.items()), "no lane forks")


def _snapshots(world: World) -> set[str]:
    return {listed["channel"] for listed in world.centre.json("central", "snapshot", "list")}


def _every_channel(world: World, parts: _Parts) -> None:
    for channel in world.other.store.channels() - _snapshots(world):
        _make(world, channel)
    device, whole = joiner(world), _whole(world)
    report = device.sync()
    channels = whole.store.channels()
    expect_equal((set(report.begun), report.begun_anew, report.unequal), (channels, [], []), "channels that began")
    for channel in channels:
        expect_equal(device.store.digest(channel), whole.store.digest(channel), f"digest of {channel}")
        bodies = [b for b in device.store.blocks.values() if b.header.channel == channel and b.has_body]
        expect_equal(len(bodies), 1 if channel == CHANNEL else len(bodies), f"bodies of {channel}")
    expect(sum(not b.has_body for b in device.store.blocks.values()) > len(device.store.blocks) // 2, "bodies came")
    expect_equal(len(device.store.blocks), len(whole.store.blocks), "blocks")
    expect(not device.store.chunks, "it keeps chunks")
    world.compare([device], real_reads=False)
    world.results.note(f"{len(channels)} channels began, {parts.chunks} chunks of one")


def _goes_on(world: World, parts: _Parts) -> None:
    with granted(world, (OTHER, CHANNEL, "reader")):
        # The second names the first, which is struck and covered, and is sent when its writer may write again.
        (first,) = world.other.seal(CHANNEL, update("work_item", "J11", title="no"))
        world.other.seal(CHANNEL, update("work_item", "J11", title="of who saw what is struck"))
        world.other.upload(first)
        device = _begun_with(world, CHANNEL)
    world.settle(device)
    row = device.store.row("work_item", "J11", CHANNEL)
    shown = [write.values["title"] for write in row.writes.values() if "title" in write.columns]
    expect_equal(shown, ["of who saw what is struck"], "what counts where a struck change was named")
    world.other.seal(
        CHANNEL, update("work_item", "J3", title="by a birth"), delete("work_item", "J4"), with_births=True)
    world.other.sync()
    expect_equal(world.third.upload(parts.last).receipts[0].code, "", "the rest of the group")
    world.third.sync()
    device.sync()
    expect({"waits 1", "waits 2"} <= set(device.store.shown("work_item")), "what waited does not come")
    expect_equal(device.store.shown("work_item")["J3"][1]["title"], "by a birth", "a row named by its birth")
    device.seal(CHANNEL, update("work_item", "J5", title="by who began"), delete("work_item", "J1"),
                insert("work_item", "new", title="n"), insert("work_item", "J6", title="anew"), with_births=True)
    device.seal(CHANNEL, update("work_item", "J3", title="by who began"), with_births=True)
    world.settle(device)
    # And what names what that one wrote.
    world.third.seal(CHANNEL, update("work_item", "J5", title="after it"), delete("work_item", "new"))
    world.settle(device)
    # What is struck later is taken out of the rows of the snapshot.
    with granted(world, (OTHER, CHANNEL, "reader")):
        world.other.seal(CHANNEL, update("work_item", "J7", title="no"), delete("work_item", "J8"))
        world.other.sync()
        world.third.seal(CHANNEL, update("work_item", "J7", title="again"))
        world.settle(device)
    expect(any(b.struck and b.has_body for b in device.store.blocks.values()), "nothing was struck")
    _restruck(world, device)


def _restruck(world: World, device: OtherCell) -> None:
    """A ruling that comes after its block was merged: the row is made anew from the snapshot's."""
    twin = device.copy()
    (block,) = world.third.seal(
        CHANNEL, update("work_item", "J9", title="struck afterwards"), delete("work_item", "J10"))
    world.third.sync()
    before = {row: twin.store.shown("work_item")[row] for row in ("J9", "J10")}
    twin.sync()
    expect_equal(twin.store.shown("work_item")["J9"][1]["title"], "struck afterwards", "before the ruling")
    twin.store.acknowledge(block.hash, EntryProof(
        kind=RULING_ENTRY, channel=CHANNEL, object_hash=block.hash, accepted_at_ms=block.acknowledged.accepted_at_ms,
        ruling=Ruling(frozenset({0, 1}), "notGranted", "no").written()), in_log=False)
    expect_equal({row: twin.store.shown("work_item")[row] for row in ("J9", "J10")}, before, "after the ruling")
    world.settle()


def _wrote_before(world: World, parts: _Parts) -> None:
    device = joiner(world)
    device.seal(
        CHANNEL, insert("work_item", "J20", title="of who did not know it"), insert("work_item", "own", title="o"))
    report = device.sync()
    expect(CHANNEL in report.begun, "the channel did not begin with the snapshot")
    expect_equal(report.begun_anew, [], "channels that began anew")
    expect("own" in device.store.shown("work_item"), "its own row is not shown")
    world.settle(device)
    row = device.store.row("work_item", "J20", CHANNEL)
    expect_equal(len(row.inserts()), 2, "inserts that count")
    device.seal(CHANNEL, update("work_item", "J20", title="settled"))
    world.settle(device)


# ---------------------------------------------------------------- fetching


@contextmanager
def _lied_to(world: World, device: OtherCell | None = None) -> Iterator[Liar]:
    liar = Liar(world.centre.port, world.centre.serving_key())
    try:
        if device:
            device.client.port = liar.port
        yield liar
    finally:
        liar.close()
        if device:
            device.client.port = world.centre.port


def _chunk_paths(device: OtherCell, channel: str = CHANNEL) -> list[str]:
    query = f"?channel={channel.replace('/', '%2F')}"
    return [r.path for r in device.client.sent if r.path.startswith(PATH + "/") and r.query == query]


def _cut(world: World, parts: _Parts) -> None:
    made = _make(world, CHANNEL)
    device = joiner(world)
    honest = device.client.send

    def cut(request: Request, fields: dict[str, str] | None = None) -> Answer:
        if len(_chunk_paths(device)) == 2:
            raise Failed("the line is cut")
        return honest(request, fields)

    device.client.send = cut
    try:
        device.sync()
    except Failed:
        pass
    else:
        raise AssertionError("the sync did not fail")
    expect_equal(len(device.store.chunks[CHANNEL]), 2, "chunks that it keeps")
    expect("J1" not in device.store.shown("work_item"), "rows are shown before all chunks are there")
    first = _chunk_paths(device)
    # What it writes meanwhile waits for nobody.
    device.seal(CHANNEL, insert("work_item", "meanwhile", title="m"))
    device.client.send = honest
    device.client.sent.clear()
    expect(CHANNEL in device.sync().begun, "it did not begin")
    second = _chunk_paths(device)
    expect_equal((len(first), len(first) + len(second), len({*first, *second})), (2, parts.chunks, parts.chunks),
                 f"chunks fetched of {made['hash']}")
    world.settle(device)


def _changed_chunk(world: World, parts: _Parts) -> None:
    device = joiner(world)
    changed: list[str] = []

    def change(path: str, status: int, body: bytes) -> tuple[int, bytes]:
        if not path.startswith(PATH + "/") or status != 200 or "join%2Fall" not in path or changed:
            return status, body
        changed.append(path)
        plain = bytearray(blocks.decompress(body, blocks.zstandard.frame_content_size(body)))
        plain[len(plain) // 2] ^= 1
        return status, blocks.compress(bytes(plain))

    with _lied_to(world, device) as liar:
        liar.of_snapshots = change
        expect_equal(refusal("the chunk", device.sync), "badDigest", "code")
        expect(changed and CHANNEL not in device.store.beginnings, "the channel began with it")
        expect(not device.store.chunks.get(CHANNEL), "the chunk is kept")
        expect("J1" not in device.store.shown("work_item"), "its rows are shown")
    expect(CHANNEL in device.sync().begun, "the true one was not taken afterwards")
    world.settle(device)
    with _lied_to(world) as liar:
        changed.clear()
        cell = RealCell(world.centre.binary, world.centre.home.parent / "changed-chunk")
        cell.join(f"http://{HOST}:{liar.port}", world.centre.code("CB3"))
        liar.of_snapshots = change
        try:
            cell.sync()
            taken = True
        except AssertionError:
            taken = False
        expect(changed and not taken, "the real cell took it")
        expect("J1" not in cell.rows("work_item"), "the real cell shows its rows")
        liar.of_snapshots = None
        expect(CHANNEL in cell.sync()["snapshots"], "the true one was not taken by the real cell")
        expect_equal(cell.rows("work_item"), world.centre.rows("work_item"), "the real cell's rows")


def _gone(world: World, parts: _Parts) -> None:
    missing = Problem(code="notFound", message="there is none", recovery="stop").SerializeToString()
    asked: Counter[str] = Counter()
    for times in (1, 2):
        device = joiner(world)
        asked.clear()

        def gone(path: str, status: int, body: bytes) -> tuple[int, bytes]:
            if "join%2Fall" not in path:
                return status, body
            asked["chunk" if path.startswith(PATH + "/") else "manifest"] += 1
            return (404, missing) if path.startswith(PATH + "/") and asked["chunk"] <= times else (status, body)

        with _lied_to(world, device) as liar:
            liar.of_snapshots = gone
            report = device.sync()
        expect_equal(asked["manifest"], 2, "manifests that were asked for")
        expect_equal(CHANNEL in report.begun, times == 1, "whether it began with one")
        bodies = [b for b in device.store.blocks.values() if b.header.channel == CHANNEL and b.has_body]
        expect(times == 1 or len(bodies) > 10, "the bodies did not come")
        expect_equal(report.unequal, [], "unequal channels")
        world.settle(device)


def _not_found(world: World, parts: _Parts) -> None:
    snapshots = Snapshots(world.third.client)
    cases: list[tuple[str, Callable[[], object]]] = [
        ("a hash that is none's", lambda: snapshots.chunk(CHANNEL, secrets.token_bytes(32), 1)),
        ("the manifest's hash", lambda: snapshots.chunk(CHANNEL, parts.hash, 1)),
        ("a channel that is none", lambda: snapshots.newest("no/such")),
    ]
    expect_problem("the registry", lambda: snapshots.newest("kenh/registry"), 400, "malformed")
    expect_problem("no name of a channel", lambda: snapshots.newest(""), 400, "malformed")
    chunk = Announced.read(snapshots.newest(CHANNEL).manifest).chunks[0]
    cases.append(("a chunk of another channel", lambda: snapshots.chunk(OTHER_CHANNEL, chunk.hash, chunk.size)))
    for what, ask in cases:
        expect_equal(expect_problem(what, ask, 404, "notFound").recovery, "stop", f"recovery of {what}")
    with granted(world, (OTHER, CHANNEL, "none")):
        denied = Snapshots(world.other.client)
        expect_problem("a snapshot of who may not read", lambda: denied.newest(CHANNEL), 404, "notFound")
        expect_problem("its chunk", lambda: denied.chunk(CHANNEL, chunk.hash, chunk.size), 404, "notFound")


def _confirmed(world: World, parts: _Parts) -> None:
    whole = _whole(world)
    mine = make(whole.store, CHANNEL)
    expect_equal(_make(world, CHANNEL)["hash"], mine.hash.hex(), "hash")
    snapshots = Snapshots(whole.client)
    before = snapshots.newest(CHANNEL).confirmed
    for _ in range(2):
        request = SyncRequest(protocol=1, replica=whole.store.replica, down_limit_bytes=1, confirmed=[mine.hash])
        whole.client.post("/v1/sync", request, SyncResponse)
        expect_equal(snapshots.newest(CHANNEL).confirmed, before + 1, "cells that made the same")


# ---------------------------------------------------------------- what is refused


def _unfit(world: World, parts: _Parts) -> None:
    device = joiner(world)
    offered = Snapshots(device.client).newest(CHANNEL)
    _offers(world, device, offered)
    announced = Announced.read(offered.manifest)
    _forms(device, announced, offered.manifest)
    # Followed to the entry, and not taken over yet.
    device.store.begin = lambda beginning: None
    device.sync()
    del device.store.begin
    good = device.store.beginnings[CHANNEL]
    beginnings.check(device.store, good)
    _unlike_the_log(device, good)


def _offers(world: World, device: OtherCell, offered: SnapshotResponse) -> None:
    elsewhere = Snapshots(device.client).newest(OTHER_CHANNEL)

    def changed(change: Callable[[SnapshotResponse], object]) -> SnapshotResponse:
        copied = SnapshotResponse()
        copied.CopyFrom(offered)
        change(copied)
        return copied

    for what, code, response in (
        ("a proof of another snapshot", "brokenLink", changed(lambda r: r.proof.CopyFrom(elsewhere.proof))),
        ("another manifest", "brokenLink", changed(lambda r: setattr(r, "manifest", elsewhere.manifest))),
        ("a snapshot of another channel", "brokenLink", elsewhere),
        ("a proof that nobody signed", "badSignature", changed(lambda r: setattr(r.proof, "signature", bytes(64)))),
        ("a proof of a block", "brokenLink", changed(lambda r: r.proof.CopyFrom(
            next(p for p in world.third.store.followers[CHANNEL].proofs if p.kind == BLOCK_ENTRY)))),
        ("a manifest that is cut", "malformed", changed(lambda r: setattr(r, "manifest", r.manifest[:-1]))),
    ):
        found = refusal(what, lambda: beginnings.check_offer(device.store, device.client, CHANNEL, response))
        expect_equal(found, code, what)


def _forms(device: OtherCell, announced: Announced, manifest: bytes) -> None:
    for length in (*range(0, 200), len(manifest) - 1):
        expect_equal(refusal(f"a manifest of {length} bytes", lambda: Announced.read(manifest[:length])), "malformed",
                     "a short manifest")
    expect_equal(refusal("a longer manifest", lambda: Announced.read(manifest + b"\0")), "malformed", "a longer one")
    last = announced.chunks[-1]
    content = Snapshots(device.client).chunk(CHANNEL, last.hash, last.size)
    items = read_chunk(content, True)
    expect(items, "the last chunk is empty")
    for place in range(0, len(content), 97):
        for length in (place, None):
            changed = content[:length] if length is not None else content + b"\0"
            refusal(f"a chunk of {len(changed)} bytes", lambda: read_chunk(changed, True))
    small = [item for item in items if isinstance(item, SnapshotRow) and item.writes][-1]
    for what, made in (
        ("a place twice", [small, small]),
        ("writes in another order", [replace(small, writes=[*reversed(small.writes * 2)])]),
        ("a write that writes nothing", [replace(small, writes=[
            (small.place, replace(small.writes[0][1], columns=set(), values={}))])]),
        ("−0.0", [replace(small, writes=[
            (small.place, replace(small.writes[0][1], columns={"x"}, values={"x": -0.0}))])]),
        ("an addition of a text", [replace(small, writes=[
            (small.place, replace(small.writes[0][1], columns={"x"}, values={"x": "1"}, is_delta=True))])]),
        ("an empty id", [replace(small, id="")]),
        ("a text with NUL", [replace(small, id="a\0")]),
    ):
        expect_equal(refusal(what, lambda: read_chunk(_chunk_of(made), True)), "malformed", what)
    read_chunk(_chunk_of([small]), True)
    expect_equal(refusal("a chunk that goes on", lambda: read_chunk(_chunk_of([small]), False)), "malformed", "a cut")


def _chunk_of(items: list[SnapshotRow | SnapshotNamed]) -> bytes:
    writer = ChunkWriter()
    for item in items:
        if isinstance(item, SnapshotNamed):
            writer.named(item.place, item.dots)
        else:
            writer.row(item.place, item.table, item.id, item.writes)
    return writer.written()


def _unlike_the_log(device: OtherCell, good: Beginning) -> None:
    """Everything is as the log names it, but for what is changed."""
    announced = good.announced
    items = read_chunk(good.chunks[-1], True)
    rows = [item for item in items if isinstance(item, SnapshotRow) and item.writes]
    place = items.index(rows[-1])

    def last(change: Callable[[list], object], **fields: object) -> Beginning:
        copied = list(items)
        change(copied)
        content = _chunk_of(copied)
        chunk = replace(announced.chunks[-1], hash=chunk_hash(content), size=len(content))
        return Beginning(replace(announced, chunks=(*announced.chunks[:-1], chunk), **fields), good.proof,
                         [*good.chunks[:-1], content])

    def put(item: SnapshotRow) -> Callable[[list], object]:
        return lambda copied: copied.__setitem__(place, item)

    def with_write(**fields: object) -> SnapshotRow:
        (dot, write), *others = rows[-1].writes
        return replace(rows[-1], writes=[(dot, replace(write, **fields)), *others])

    def of(**fields: object) -> Beginning:
        return Beginning(replace(announced, **fields), good.proof, good.chunks)

    removed = not rows[-1].writes[0][1].removed
    tail = rows[-1].place[0], 65_535
    for what, code, beginning in (
        ("another entry that names it", "brokenLink", of(hash=bytes(32))),
        ("another hash of the last entry", "brokenLink", of(log_hash=bytes(32))),
        ("one block more", "malformed", of(blocks=announced.blocks + 1)),
        ("nothing that waits", "malformed", of(waiting=(1,))),
        ("one row more", "badDigest", of(rows=announced.rows + 1)),
        ("another digest", "badDigest", of(digest=bytes(16))),
        ("a row left out", "badDigest", last(lambda copied: copied.pop(place))),
        ("a write that is removed, or is not", "badDigest", last(put(with_write(removed=removed)))),
        ("another clock", "badDigest", last(put(with_write(clock=rows[-1].writes[0][1].clock + 1)))),
        ("another id", "badDigest", last(put(replace(rows[-1], id="another")))),
        ("ids of another type", "malformed", last(lambda copied: copied.__setitem__(
            slice(None), [replace(i, id=i.id.encode()) if isinstance(i, SnapshotRow) else i for i in copied]))),
        ("a change that is not there", "malformed", last(lambda copied: copied.append(
            replace(rows[-1], id="beyond", place=tail, writes=[])))),
        ("an entry that is not there", "malformed", last(lambda copied: copied.append(
            replace(rows[-1], id="beyond", place=(announced.sequence + 1, 0), writes=[])))),
        ("a row that stands twice", "malformed", last(lambda copied: copied.__setitem__(
            place, replace(rows[-1], id=rows[0].id)))),
        ("a struck change that is none in the log", "malformed", last(lambda copied: copied.insert(
            place, SnapshotNamed(rows[-1].place, [])))),
        ("chunks in another order", "malformed", Beginning(announced, good.proof, [*reversed(good.chunks)])),
    ):
        expect_equal(refusal(what, lambda: beginnings.check(device.copy().store, beginning)), code, what)
    beginnings.check(device.store, Beginning(announced, good.proof, good.chunks))


# ---------------------------------------------------------------- what the log says afterwards


def _finality(world: World) -> None:
    channel = "join/final"
    world.other.seal(channel, *(insert("work_item", f"F{n}", title=str(n)) for n in range(4)))
    world.settle()
    world.other.seal(channel, delete("work_item", "F0"), delete("work_item", "F1"))
    world.settle()
    early = _begun_with(world, channel)
    early.seal(channel, update("work_item", "F1", title="far away"))
    expect(("work_item", "F0", channel) in {k for k, row in early.store.rows.items() if row.writes}, "no state to drop")
    for patience in ((), ("--patience", "0")):
        world.centre.run("central", "deletion", "settle", *patience)
        world.settle()
    late = joiner(world)
    expect(channel in late.sync().begun, "it did not begin with the snapshot that is older than the finality")
    kinds = [proof.kind for proof in late.store.followers[channel].proofs]
    expect(FINALITY_ENTRY in kinds, f"kinds of entries: {kinds}")
    expect(late.store.beginnings[channel].announced.sequence <= kinds.index(FINALITY_ENTRY), "the snapshot is newer")
    early.sync()
    for device in (early, late):
        expect(not device.store.row("work_item", "F0", channel).writes, "the row has a state")
    expect_equal([r.code for r in early.store.rejected.values()], ["rowDeleted"], "rejected")
    world.settle(early, late)


def _verdict(world: World) -> None:
    """A block is accepted, forgotten, taken anew, covered by a snapshot, and then its first acceptance comes back."""
    channel = "join/verdict"
    keeper = world.other
    with restored(world):
        (block,) = keeper.seal(channel, insert("work_item", "V1", title="early"), later_ms=86_400_000)
        keeper.sync()
    first = block.acknowledged.accepted_at_ms
    world.third.store.take(block.message)
    world.third.store.merge()
    world.third.sync()
    device = _begun_with(world, channel)
    (own,) = device.seal(channel, insert("work_item", "V2", title="of who began"))
    device.sync()
    replica = device.store.replica
    keeper.sync()
    world.settle()
    report = device.sync()
    expect_equal(report.begun_anew, [channel], "channels that began anew")
    kinds = [proof.kind for proof in device.store.followers[channel].proofs]
    expect(VERDICT_ENTRY in kinds, f"kinds of entries: {kinds}")
    found = device.store.blocks[block.hash]
    expect(found.has_body and found.origin.accepted_at_ms == first, "the first acceptance does not count")
    expect(device.store.replica != replica and own.hash in device.store.blocks, "its writing life, or its block")
    device.seal(channel, update("work_item", "V2", title="in another life"))
    world.settle(device)


def _forgotten(world: World) -> None:
    """The centre is put back to before what the snapshot covers; others hand it back, in another order."""
    channel = "join/forgotten"
    with restored(world):
        world.other.seal(channel, insert("work_item", "X1", title="a"))
        world.other.sync()
        world.third.seal(channel, insert("work_item", "X2", title="b"))
        world.third.sync()
        # Of somebody who never comes back: it is in the snapshot, and nobody has it to hand back.
        lost = joiner(world)
        (lost_block,) = lost.seal(channel, insert("work_item", "lost", title="c"))
        lost.sync()
        _make(world, channel)
        device = joiner(world, "CB2")
        expect(channel in device.sync().begun, "it did not begin")
        device.seal(channel, update("work_item", "X1", title="of who began"))
        device.sync()
        real = RealCell(world.centre.binary, world.centre.home.parent / "forgotten")
        real.join(f"http://{HOST}:{world.centre.port}", world.centre.code("CB3"))
        expect(channel in real.sync()["snapshots"], "the real cell did not begin")
        real.sql("UPDATE work_item SET title = 'of a real cell' WHERE id = 'X2'")
        real.sync()
    # Nobody has handed back yet what its block builds on: it waits, and nothing else does.
    device.seal("org", insert("unit", "not held up"))
    expect(device.sync().held_back, "nothing was held back")
    world.heads()
    expect("not held up" in world.centre.rows("unit"), "another block was held up")
    expect(channel not in device.store.beginnings, "it goes on with a snapshot of what is forgotten")
    expect(lost_block.hash not in device.store.blocks and "lost" not in device.store.shown("work_item"), "what is lost")
    expect(all(block.has_body for block in device.store.blocks.values() if block.header.channel == channel),
           "a block without its body is left")
    world.settle(device)
    expect_equal(device.store.shown("work_item")["X1"][1]["title"], "of who began", "what it wrote")
    real.sync()
    world.settle(device)
    expect_equal(device.store.shown("work_item")["X2"][1]["title"], "of a real cell", "what the real cell wrote")
    # The program's cells do not take such a channel anew yet, and keep the row of which nobody has the block.
    expect_equal({row: values for row, values in real.rows("work_item").items() if row != "lost"},
                 world.centre.rows("work_item"), "the real cell's rows")


def _erasure(world: World) -> None:
    channel = "join/erased"
    for row, secret in (("E1", SECRET), ("E2", "0900-000-000")):
        world.other.seal(channel, insert(
            "work_item", row, title="kept", contact=Commitment.make(secrets.token_bytes(16), secret)))
    world.settle()
    device = _begun_with(world, channel)
    expect(holds(device, SECRET), "the value never came")
    old = device.store.beginnings[channel].announced
    device.seal(channel, update("work_item", "E1", title="by who began"))
    device.sync()
    # One that was cut before it began, and holds chunks.
    halfway = joiner(world)
    with _stopped_after_chunks(halfway, channel):
        halfway.sync()
    expect(holds(halfway, SECRET), "the chunk is not kept")
    replica = device.store.replica
    world.centre.run("central", "erase", f"work_item:E1", "--reason", "asked", "--yes")
    snapshots = Snapshots(world.third.client)
    expect_problem("the snapshot from before", lambda: snapshots.newest(channel), 404, "notFound")
    for chunk in old.chunks:
        expect_problem("its chunk", lambda: snapshots.chunk(channel, chunk.hash, chunk.size), 404, "notFound")
    newcomer = joiner(world)
    expect(channel not in newcomer.sync().begun, "the snapshot from before was offered")
    report = device.sync()
    expect_equal(report.begun_anew, [channel], "channels that began anew")
    expect(device.store.replica != replica, "it goes on in the old life")
    halfway.sync()
    for one in (device, newcomer, halfway):
        expect(not holds(one, SECRET), "the value is still there")
        expect(holds(one, "0900-000-000"), "another value is gone, too")
    world.settle(device, newcomer, halfway)
    made = _make(world, channel)
    late = joiner(world)
    expect(channel in late.sync().begun, "it did not begin with the snapshot that was made afterwards")
    expect(made["hash"] == late.store.beginnings[channel].announced.hash.hex(), "another snapshot")
    expect(not holds(late, SECRET) and holds(late, "0900-000-000"), "what the new snapshot holds")
    world.settle(late)
    # A second erasure, of what the new snapshot covers, and of who never saw the value.
    world.centre.run("central", "erase", "work_item:E2", "--reason", "asked, too", "--yes")
    expect_equal(late.sync().begun_anew, [channel], "channels that began anew")
    expect(not holds(late, "0900-000-000"), "the second value is still there")
    world.settle(late)


@contextmanager
def _stopped_after_chunks(device: OtherCell, channel: str) -> Iterator[None]:
    """The line is cut once there is a chunk of the channel."""
    honest = device.client.send

    def cut(request: Request, fields: dict[str, str] | None = None) -> Answer:
        if _chunk_paths(device, channel):
            raise Failed("the line is cut")
        return honest(request, fields)

    device.client.send = cut
    try:
        yield
    except Failed:
        pass
    else:
        raise AssertionError("the line was not cut")
    finally:
        device.client.send = honest
