"""Reads a snapshot of a channel (snapshot-format.md): whatever is not as said there is `malformed`."""

from dataclasses import dataclass

from .body import MAX_ID_BYTES, read_name
from .digest import EXISTENCE, Column
from .keys import SNAPSHOT, tagged_hash
from .log import is_row_channel
from .numbers import Reader, unzigzag
from .problems import Refused, require
from .snapshots import ADDITION, CHUNK_BYTES, HERE, INSERTED, REMOVED, ChunkWriter, Place
from .values import Plain, read_tagged_value, real_bits, text_from

VERSION = 1
MAX_CHUNKS = 131_072
MAX_CHUNK_BYTES = 128 * 2**20
MAX_NUMBER = 2**64 - 1


@dataclass(frozen=True)
class AnnouncedChunk:
    """What the manifest says of a chunk: its hash, how long it is, and where it begins."""

    hash: bytes
    size: int
    first: Place


@dataclass(frozen=True)
class Announced:
    """A manifest as it was read, and by which hash the log names it."""

    hash: bytes
    organisation: bytes
    channel: str
    sequence: int
    log_hash: bytes
    blocks: int
    waiting: tuple[int, ...]
    rows: int
    digest: bytes
    chunks: tuple[AnnouncedChunk, ...]

    @staticmethod
    def read(content: bytes) -> "Announced":
        """Refuse what is no manifest."""
        reader = Reader(content)
        require(reader.varint() == VERSION, "malformed", "the version of the snapshot is not known")
        organisation, channel = reader.take(32), _text(reader.string(200, "a channel"))
        require(is_row_channel(channel), "malformed", "the channel is none for rows")
        sequence, log_hash = reader.number(1, MAX_NUMBER, "the sequence"), reader.take(32)
        blocks = reader.varint()
        count = _count(reader, reader.varint())
        waiting = tuple(reader.number(1, sequence, "an entry that waits") for _ in range(count))
        _check_rising(waiting, "entries that wait")
        rows, digest = reader.varint(), reader.take(16)
        chunks = tuple(_announced_chunk(reader) for _ in range(reader.number(0, MAX_CHUNKS, "chunks")))
        _check_rising(tuple(chunk.first for chunk in chunks), "chunks")
        reader.end()
        return Announced(tagged_hash(SNAPSHOT, content), organisation, channel, sequence, log_hash, blocks, waiting,
                         rows, digest, chunks)


@dataclass(frozen=True)
class SnapshotWrite:
    """A write of a row's state."""

    clock: int
    columns: set[Column]
    values: dict[str, Plain]
    removed: bool
    is_delta: bool


@dataclass
class SnapshotRow:
    """A row, with the writes of its state; none where it is inserted again."""

    place: Place
    table: str
    id: str | bytes
    writes: list[tuple[Place, SnapshotWrite]]


@dataclass
class SnapshotNamed:
    """What a struck change named."""

    place: Place
    dots: list[Place]


Item = SnapshotRow | SnapshotNamed


def read_chunk(content: bytes, is_last: bool) -> list[Item]:
    """The items of one chunk, which could have been written in no other way."""
    items = _ChunkReader(content).read()
    writer, sizes = ChunkWriter(), [0]
    for item in items:
        if isinstance(item, SnapshotNamed):
            writer.named(item.place, item.dots)
        else:
            writer.row(item.place, item.table, item.id, item.writes)
        sizes.append(len(writer.items))
    require(writer.written() == content, "malformed", "the chunk is not in its one form")
    require(sizes[-2] < CHUNK_BYTES and (is_last or sizes[-1] >= CHUNK_BYTES), "malformed", "it is cut elsewhere")
    return items


class _ChunkReader:
    def __init__(self, content: bytes) -> None:
        require(len(content) <= MAX_CHUNK_BYTES, "tooLarge", "the chunk is too large")
        self._reader = Reader(content)
        self._tables: list[tuple[str, bool, list[str]]] = []
        self._place: Place = (0, 0)
        # Whether at the last place there may be a row still.
        self._is_open = False
        self._milliseconds = 0

    def read(self) -> list[Item]:
        reader = self._reader
        require(reader.byte() == VERSION, "malformed", "the version of the chunk is not known")
        for _ in range(_count(reader, reader.varint())):
            name, kind = read_name(reader), reader.byte()
            require(kind in (0, 1), "malformed", "the type of ids is not known")
            self._tables.append((name, kind == 1, [read_name(reader) for _ in range(_count(reader, reader.varint()))]))
        items = [self._item() for _ in range(_count(reader, reader.number(1, MAX_NUMBER, "items")))]
        reader.end()
        return items

    def _item(self) -> Item:
        gap, index = self._reader.varint(), self._reader.varint()
        place = (self._place[0] + gap, index if gap else self._place[1] + index)
        form = self._reader.byte()
        require(form in (0, 1), "malformed", "the form of an item is not known")
        is_same = gap == 0 and index == 0
        require(place[0] > 0 and (not is_same or (self._is_open and form == 0)), "malformed", "a place is named twice")
        self._place, self._is_open = place, form == 1
        return self._row(place) if form == 0 else self._named(place)

    def _named(self, place: Place) -> SnapshotNamed:
        dots = [self._dot() for _ in range(_count(self._reader, self._reader.varint()))]
            # One that was named twice stands twice.
        require(dots == sorted(dots), "malformed", "what a change named is not in order")
        return SnapshotNamed(place, dots)

    def _dot(self) -> Place:
        return self._reader.number(1, MAX_NUMBER, "a sequence"), self._reader.varint()

    def _row(self, place: Place) -> SnapshotRow:
        reader = self._reader
        table, is_blob, columns = self._tables[reader.number(0, len(self._tables) - 1, "a table")]
        content = reader.string(MAX_ID_BYTES, "an id")
        require(content != b"", "malformed", "an id is empty")
        writes = [self._write(place, columns) for _ in range(_count(reader, reader.varint()))]
        _check_rising(tuple(dot for dot, _ in writes), "writes of a row")
        return SnapshotRow(place, table, content if is_blob else text_from(content), writes)

    def _write(self, place: Place, columns: list[str]) -> tuple[Place, SnapshotWrite]:
        reader = self._reader
        flags = reader.byte()
        require(flags < 16, "malformed", "flags are not known")
        dot = place if flags & HERE else self._dot()
        self._milliseconds += unzigzag(reader.varint())
        tick, mask = reader.number(0, 0xFFFF, "a tick"), reader.varint()
        require(0 <= self._milliseconds < 2**48, "malformed", "a clock is out of range")
        require(mask >> len(columns) == 0, "malformed", "a mask has more bits than the table columns")
        values = {c: _value(reader) for number, c in enumerate(columns) if mask >> number & 1}
        is_delta, is_insert = bool(flags & ADDITION), bool(flags & INSERTED)
        require(values or is_insert, "malformed", "a write writes nothing")
        require(not is_delta or (not is_insert and all(type(value) is int for value in values.values())),
                "malformed", "an addition inserts, or has what is no integer")
        written: set[Column] = set(values) | ({EXISTENCE} if is_insert else set())
        return dot, SnapshotWrite(self._milliseconds << 16 | tick, written, values, bool(flags & REMOVED), is_delta)


def _announced_chunk(reader: Reader) -> AnnouncedChunk:
    return AnnouncedChunk(
        reader.take(32), reader.number(1, MAX_CHUNK_BYTES, "the size of a chunk"),
        (reader.number(1, MAX_NUMBER, "a sequence"), reader.varint()))


def _count(reader: Reader, count: int) -> int:
    """Each takes a byte at least: no list is made that the content cannot fill."""
    require(count <= len(reader.content) - reader.place, "malformed", "the bytes end early")
    return count


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("malformed", "a text is not UTF-8") from error


def _value(reader: Reader) -> Plain:
    value = read_tagged_value(reader)
    require(type(value) is not float or real_bits(value) != real_bits(-0.0), "malformed", "−0.0 is written as 0.0")
    return value


def _check_rising(found: tuple, what: str) -> None:
    require(all(one < other for one, other in zip(found, found[1:])), "malformed", f"{what} are not in order")
