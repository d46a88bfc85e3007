"""Makes a snapshot of what this node holds of a channel (snapshot-format.md)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .body import INSERT
from .digest import EXISTENCE
from .keys import SNAPSHOT, SNAPSHOT_CHUNK, tagged_hash
from .log import BLOCK_ENTRY, RULING_ENTRY
from .merge import Write
from .numbers import string, varint, zigzag
from .store import Store, StoredBlock
from .values import Plain, tagged_value

CHUNK_BYTES = 2**20
REMOVED, ADDITION, INSERTED, HERE = 1, 2, 4, 8

# The sequence of the entry that brought the block, and the place in the block.
Place = tuple[int, int]


@dataclass
class Manifest:
    """What it is of, and its chunks: plain bytes, and the place of the first item."""

    organisation: bytes
    channel: str
    sequence: int
    log_hash: bytes
    blocks: int
    waiting: list[int]
    rows: int
    digest: bytes
    chunks: list[tuple[bytes, Place]] = field(default_factory=list)

    def written(self) -> bytes:
        """As it is hashed."""
        parts = [
            varint(1), self.organisation, string(self.channel.encode("utf-8")), varint(self.sequence), self.log_hash,
            varint(self.blocks), varint(len(self.waiting)), *map(varint, self.waiting), varint(self.rows), self.digest,
            varint(len(self.chunks))]
        for chunk, (sequence, index) in self.chunks:
            parts += [chunk_hash(chunk), varint(len(chunk)), varint(sequence), varint(index)]
        return b"".join(parts)

    @property
    def hash(self) -> bytes:
        """By which the log names it."""
        return tagged_hash(SNAPSHOT, self.written())


def chunk_hash(chunk: bytes) -> bytes:
    """By which a chunk is fetched."""
    return tagged_hash(SNAPSHOT_CHUNK, chunk)


class ChunkWriter:
    """Writes one chunk, item by item."""

    def __init__(self) -> None:
        self.first: Place | None = None
        self.items = bytearray()
        self._tables: dict[str, tuple[int, int, dict[str, int]]] = {}
        self._count = 0
        self._last: Place = (0, 0)
        self._last_ms = 0

    def _add(self, place: Place, form: int, content: bytes) -> None:
        self.first = self.first or place
        gap = place[0] - self._last[0]
        self.items += varint(gap) + varint(place[1] - (0 if gap else self._last[1])) + bytes([form]) + content
        self._last = place
        self._count += 1

    def row(self, place: Place, table: str, row_id: str | bytes, writes: Iterable[tuple[Place, Write]]) -> None:
        """A row, or where it is inserted again."""
        is_blob = isinstance(row_id, bytes)
        number, _, columns = self._tables.setdefault(table, (len(self._tables), int(is_blob), {}))
        written = [self._write(place, dot, write, columns) for dot, write in writes]
        name = row_id if is_blob else row_id.encode("utf-8")
        self._add(place, 0, varint(number) + string(name) + varint(len(written)) + b"".join(written))

    def named(self, place: Place, dots: Sequence[Place]) -> None:
        """What a struck change named."""
        self._add(place, 1, varint(len(dots)) + b"".join(varint(s) + varint(i) for s, i in dots))

    def _write(self, place: Place, dot: Place, write: Write, columns: dict[str, int]) -> bytes:
        flags = REMOVED * write.removed | ADDITION * write.is_delta | INSERTED * (EXISTENCE in write.columns)
        here = dot == place
        named = sorted((c for c in write.columns if c is not EXISTENCE), key=lambda c: c.encode("utf-8"))
        values: dict[int, Plain] = {}
        for column in named:
            values[columns.setdefault(column, len(columns))] = write.values[column]
        milliseconds, tick = write.clock >> 16, write.clock & 0xFFFF
        step = milliseconds - self._last_ms
        self._last_ms = milliseconds
        return b"".join((
            bytes([flags | HERE * here]), b"" if here else varint(dot[0]) + varint(dot[1]), varint(zigzag(step)),
            varint(tick), varint(sum(1 << number for number in values)),
            *(tagged_value(values[number]) for number in sorted(values))))

    def written(self) -> bytes:
        """As it is hashed."""
        parts = [bytes([1]), varint(len(self._tables))]
        for name, (_, id_type, columns) in self._tables.items():
            parts += [string(name.encode("utf-8")), bytes([id_type]), varint(len(columns))]
            parts += [string(column.encode("utf-8")) for column in columns]
        return b"".join((*parts, varint(self._count), bytes(self.items)))


def make(store: Store, channel: str) -> Manifest:
    """Of all that was followed of a channel: nothing else may be held of it."""
    follower = store.followers[channel]
    brought: dict[bytes, int] = {}
    for proof in follower.proofs:
        if proof.kind in (BLOCK_ENTRY, RULING_ENTRY):
            brought.setdefault(proof.object_hash, proof.sequence)
    blocks = sorted((b for b in store.blocks.values() if b.header.channel == channel), key=lambda b: brought[b.hash])
    places = {id(block.origin): brought[block.hash] for block in blocks}
    manifest = Manifest(
        store.organisation, channel, follower.sequence, follower.log_hash, len(blocks),
        [brought[block.hash] for block in blocks if not block.is_applied], 0, store.digest(channel))
    chunk, seen = ChunkWriter(), set()
    for block in blocks:
        for index, change in enumerate(block.changes or ()):
            place = brought[block.hash], index
            if index in block.struck:
                chunk.named(place, sorted(_named_places(store, block, index, brought)))
            key = change.table, change.id, channel
            row = store.rows.get(key)
            if key not in seen and row is not None and row.writes:
                seen.add(key)
                writes = [((places[id(w.dot.origin)], w.dot.index), w) for w in row.writes.values()]
                chunk.row(place, change.table, change.id, sorted(writes, key=lambda pair: pair[0]))
            elif change.kind == INSERT:
                chunk.row(place, change.table, change.id, ())
            if len(chunk.items) >= CHUNK_BYTES:
                manifest.chunks.append((chunk.written(), chunk.first))
                chunk = ChunkWriter()
    if chunk.first:
        manifest.chunks.append((chunk.written(), chunk.first))
    manifest.rows = len(seen)
    return manifest


def _named_places(store: Store, block: StoredBlock, index: int, brought: dict[bytes, int]) -> list[Place]:
    return [(brought[found.hash], place) for found, place in store.directly_named(block, index)]
