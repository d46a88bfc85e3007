"""Begins a channel with a snapshot: fetched, checked, and taken over (README section 7, “Snapshots”)."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from google.protobuf.message import DecodeError

from . import blocks, digest
from .client import CentreClient, CentreProblem
from .digest import EXISTENCE
from .http_signing import CONTENT_TYPE, Request, check_answer
from .kenh_pb2 import EntryProof, Problem, SnapshotResponse
from .keys import ZERO_HASH
from .log import BLOCK_ENTRY, RULING_ENTRY, SNAPSHOT_ENTRY, check_proof, proof_hash
from .merge import Dot, Row, Write
from .problems import Refused, require
from .snapshot_reading import Announced, Item, SnapshotNamed, SnapshotRow, read_chunk
from .snapshots import Place, chunk_hash
from .store import RowKey, Store, StoredBlock

PATH = "/v1/snapshots"
CHUNK_TYPE = "application/octet-stream"
# Of a snapshot whose chunks are gone before they were fetched there may be a newer one.
MAX_TRIES = 2


@dataclass
class Beginning:
    """A snapshot with which a channel begins: to be followed to the entry of its proof, then taken over."""

    announced: Announced
    proof: EntryProof
    # Until it is taken over.
    chunks: list[bytes]
    # From when it was checked: rows as they are taken over, the blocks without bodies, and the inserts that it shows.
    rows: dict[RowKey, Row] = field(default_factory=dict)
    blocks: list[StoredBlock] = field(default_factory=list)
    inserts: list[tuple[StoredBlock, int, str, str | bytes]] = field(default_factory=list)
    is_taken: bool = False

    def covers(self, sequence: int) -> bool:
        """Whether the block of this entry comes without its body."""
        return sequence <= self.announced.sequence and sequence not in self.announced.waiting


# ---------------------------------------------------------------- fetching


class Snapshots:
    """Fetches snapshots with one device's key."""

    def __init__(self, client: CentreClient) -> None:
        self.client = client

    def newest(self, channel: str) -> SnapshotResponse:
        """What the centre has of a channel, unchecked."""
        body = self._get(PATH, channel, CONTENT_TYPE)
        try:
            return SnapshotResponse.FromString(body)
        except DecodeError as error:
            raise Refused("malformed", "the answer cannot be read") from error

    def chunk(self, channel: str, chunk: bytes, size: int) -> bytes:
        """The chunk of this hash and size."""
        frame = self._get(f"{PATH}/{chunk.hex()}", channel, CHUNK_TYPE)
        content = blocks.decompress(frame, size)
        require(chunk_hash(content) == chunk, "badDigest", "the chunk has another hash")
        return content

    def _get(self, path: str, channel: str, content_type: str) -> bytes:
        client = self.client
        request = Request(
            "GET", path, client.organisation.hex(), b"", secrets.token_bytes(16), client.clock() // 1000,
            f"?channel={quote(channel, safe='')}")
        answer = client.send(request)
        check_answer(answer, request, client.serving_key)
        if answer.status != 200:
            raise CentreProblem(answer.status, Problem.FromString(answer.body))
        require(answer.field("content-type") == content_type, "malformed", "the answer has another type")
        return answer.body


def fetch(store: Store, client: CentreClient, channel: str) -> Beginning | None:
    """A snapshot of the channel, of which everything was checked that can be without its log; none where it is gone.

    Chunks that came are kept in the store, so that what was cut goes on.
    """
    snapshots = Snapshots(client)
    for _ in range(MAX_TRIES):
        try:
            offered = snapshots.newest(channel)
            announced = check_offer(store, client, channel, offered)
            if holds_covered(store, announced):
                return None
            before = store.chunks.pop(channel, {})
            kept = store.chunks[channel] = {c.hash: before[c.hash] for c in announced.chunks if c.hash in before}
            for chunk in announced.chunks:
                if chunk.hash not in kept:
                    kept[chunk.hash] = snapshots.chunk(channel, chunk.hash, chunk.size)
        except CentreProblem as problem:
            if problem.code != "notFound":
                raise
            continue
        del store.chunks[channel]
        return Beginning(announced, offered.proof, [kept[chunk.hash] for chunk in announced.chunks])
    store.chunks.pop(channel, None)
    return None


def check_offer(store: Store, client: CentreClient, channel: str, offered: SnapshotResponse) -> Announced:
    """The manifest that an entry of the log names, as the proof of it shows."""
    proof = offered.proof
    check_proof(proof, client.keys)
    announced = Announced.read(offered.manifest)
    require(proof.kind == SNAPSHOT_ENTRY and proof.channel == channel and proof.object_hash == announced.hash
            and proof.sequence > announced.sequence, "brokenLink", "the proof is of something else")
    require(announced.channel == channel and announced.organisation == store.organisation,
            "brokenLink", "the snapshot is of something else")
    return announced


def holds_covered(store: Store, announced: Announced) -> bool:
    """Whether a block is here already that the snapshot covers, as far as that is known."""
    entries = [
        block.acknowledged for block in store.blocks.values()
        if block.header.channel == announced.channel and block.acknowledged]
    return any(entry.sequence <= announced.sequence for entry in entries)


# ---------------------------------------------------------------- checking, once the log was followed


def check(store: Store, beginning: Beginning) -> None:
    """Compare the snapshot with the log, and make its rows; refuse one that does not fit."""
    announced, proofs = beginning.announced, store.followers[beginning.announced.channel].proofs
    named = proofs[beginning.proof.sequence - 1]
    require(named.kind == SNAPSHOT_ENTRY and named.object_hash == announced.hash,
            "brokenLink", "the log does not name the snapshot there")
    require(proof_hash(proofs[announced.sequence - 1]) == announced.log_hash,
            "brokenLink", "the snapshot is of another log")
    brought = _brought(store, beginning)
    beginning.rows, beginning.blocks, beginning.inserts = {}, list(brought.values()), []
    _check_lanes(store, beginning.blocks)
    reading = _Reading(store, beginning, brought)
    reading.read()
    total, rows = digest.EMPTY, 0
    for (table, row_id, _), row in beginning.rows.items():
        total += row.digest(digest.row_seed(table, row_id))
        rows += 1
    require(rows == announced.rows and total.to_bytes() == announced.digest,
            "badDigest", "the rows are not those that the snapshot says")


def _brought(store: Store, beginning: Beginning) -> dict[int, StoredBlock]:
    """The blocks that came without their bodies, by the entries that brought them."""
    announced, found, waiting = beginning.announced, {}, []
    seen = set()
    for proof in store.followers[announced.channel].proofs[:announced.sequence]:
        if proof.kind in (BLOCK_ENTRY, RULING_ENTRY) and proof.object_hash not in seen:
            seen.add(proof.object_hash)
            block = store.blocks[proof.object_hash]
            if block.has_body:
                waiting.append(proof.sequence)
            else:
                found[proof.sequence] = block
    require(len(seen) == announced.blocks and tuple(waiting) == announced.waiting,
            "malformed", "the blocks are not those that the snapshot says")
    return found


def _check_lanes(store: Store, bodiless: list[StoredBlock]) -> None:
    """Each goes on from one of them: no group ends in a block that waits, and goes on in one that does not."""
    here = {block.hash for block in bodiless}
    for block in bodiless:
        header = block.header
        if header.previous == ZERO_HASH:
            continue
        before = store.blocks.get(header.previous)
        require(before is not None and before.hash in here and before.header.replica == header.replica
                and before.last_counter + 1 == header.first_counter, "brokenLink", "there is a gap in the lane")


class _Reading:
    """Makes rows of the items of all chunks."""

    def __init__(self, store: Store, beginning: Beginning, brought: dict[int, StoredBlock]) -> None:
        self.store, self.beginning, self.brought = store, beginning, brought
        self._written: set[Place] = set()
        self._named: set[Place] = set()

    def read(self) -> None:
        """All of them."""
        last: tuple[Place, bool] | None = None
        for item in self._items():
            place = item.place, isinstance(item, SnapshotRow)
            require(last is None or last < place, "malformed", "items are not in order")
            last = place
            if isinstance(item, SnapshotNamed):
                self._take_named(item)
            else:
                self._take_row(item)
        struck = {(sequence, place) for sequence, block in self.brought.items() for place in block.struck}
        require(self._named == struck, "malformed", "what is struck in the log is not what is in the snapshot")

    def _items(self) -> Iterator[Item]:
        chunks = self.beginning.announced.chunks
        for number, (chunk, content) in enumerate(zip(chunks, self.beginning.chunks)):
            items = read_chunk(content, number == len(chunks) - 1)
            require(items[0].place == chunk.first, "malformed", "a chunk begins elsewhere")
            yield from items

    def _block(self, place: Place) -> StoredBlock:
        block = self.brought.get(place[0])
        require(block is not None and place[1] < block.header.count, "malformed", "there is no such change")
        return block

    def _take_named(self, item: SnapshotNamed) -> None:
        named = [(self._block(dot), dot[1]) for dot in item.dots]
        self._block(item.place).named_at[item.place[1]] = named
        self._named.add(item.place)

    def _take_row(self, item: SnapshotRow) -> None:
        store, block, place = self.store, self._block(item.place), item.place[1]
        known = store.schema.has_text_ids(item.table)
        require(known in (None, isinstance(item.id, str)), "malformed", "the table has another type of id here")
        block.row_at[place] = item.table, item.id
        key = item.table, item.id, self.beginning.announced.channel
        row = Row()
        for dot, write in item.writes:
            require(dot not in self._written, "malformed", "a change has two writes")
            self._written.add(dot)
            origin, of = self._block(dot).origin, self._block(dot).header
            name = Dot(origin, dot[1])
            row.writes[name] = Write(
                name, of.first_counter + dot[1], write.clock, set(write.columns), write.values, write.is_delta,
                write.removed)
        if row.writes:
            require(key not in self.beginning.rows, "malformed", "a row stands twice")
            self.beginning.rows[key] = row
        # Where a row stands for the first time, its change may be another than an insert.
        if not row.writes or any(dot == item.place and EXISTENCE in write.columns for dot, write in item.writes):
            self.beginning.inserts.append((block, place, *key[:2]))
