"""The plain body of a block and its detached section, byte by byte (block-format.md)."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .keys import ERASABLE, tagged_hash
from .kenh_pb2 import BlockHeader
from .numbers import MASK_64, Reader, ints, string, unzigzag, varint, zigzag
from .problems import require
from .values import (
    BLOB, COMMITMENT, INTEGER, MAX_VALUE_BYTES, REAL, TEXT, Commitment, Value, plain, read_tagged_value, real_bits,
    real_from, tag_of, tagged_value, text_from)

INSERT, UPDATE, DELETE, ADD = range(4)
MAX_TABLES = 1_024
MAX_COLUMNS = 63
MAX_PINS = 65_536
MAX_PREDECESSORS = 1_048_576
MAX_ID_BYTES = 65_536
MAX_DECODED_BYTES = 128 * 2**20
_NAME_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
_HEX_DIGITS = frozenset("0123456789abcdef")

RowID = str | bytes


@dataclass(frozen=True)
class Pin:
    """Another branch of the channel, up to a block that was applied there."""

    replica: bytes
    last_counter: int
    hash_prefix: bytes

    @property
    def order(self) -> tuple[bytes, bytes]:
        """Pins are sorted by replica, then by hash."""
        return self.replica, self.hash_prefix


@dataclass(frozen=True)
class Reference:
    """A change, by a line of blocks and its counter there.

    The line of a predecessor is 0 for the block's own and i for the i-th pin; that of a birth is one more.
    """

    line: int
    counter: int


@dataclass
class Change:
    """One row touched by one statement."""

    kind: int
    table: str
    has_text_ids: bool
    # None in a body that was read, where the row is named by its birth.
    id: RowID | None
    clock: int
    values: dict[str, Value] = field(default_factory=dict)
    predecessors: Sequence[Reference] = ()
    birth: Reference | None = None


@dataclass
class Body:
    """What a plain body says."""

    pins: list[Pin]
    changes: list[Change]
    # Of ids and texts, written out.
    decoded_bytes: int = 0


@dataclass
class _Table:
    name: str
    has_text_ids: bool
    columns: list[str]


# ---------------------------------------------------------------- writing


def encode(body: Body, first_clock: int) -> tuple[bytes, bytes]:
    """The plain body and the detached section."""
    changes = body.changes
    tables = _tables_of(changes)
    index = {table.name: place for place, table in enumerate(tables)}
    predecessors = [reference for change in changes for reference in change.predecessors]
    masks = [_mask(change, tables[index[change.table]]) for change in changes if change.kind != DELETE]
    commitments: list[Commitment] = []
    parts = [
        b"\x01",
        varint(len(tables)), *map(_encode_table, tables),
        varint(len(body.pins)),
        *(pin.replica + varint(pin.last_counter) + pin.hash_prefix for pin in body.pins),
        ints([change.kind for change in changes]),
        ints([index[change.table] for change in changes]),
        _encode_ids(changes),
        ints([change.clock - first_clock for change in changes]),
        ints(masks),
        ints([len(change.predecessors) for change in changes]),
        ints([reference.line for reference in predecessors]),
        ints([reference.counter for reference in predecessors]),
    ]
    for table in tables:
        for column in table.columns:
            values = [c.values[column] for c in changes if c.table == table.name and column in c.values]
            parts.append(_encode_stream(values))
            commitments += [value for value in values if isinstance(value, Commitment)]
    return b"".join(parts), _encode_detached(commitments)


def detached(changes: Sequence[Change]) -> bytes:
    """The detached section alone."""
    commitments = []
    for table in _tables_of(changes):
        for column in table.columns:
            values = [c.values[column] for c in changes if c.table == table.name and column in c.values]
            commitments += [value for value in values if isinstance(value, Commitment)]
    return _encode_detached(commitments)


def _tables_of(changes: Iterable[Change]) -> list[_Table]:
    tables: dict[str, _Table] = {}
    for change in changes:
        table = tables.setdefault(change.table, _Table(change.table, change.has_text_ids, []))
        table.columns += [column for column in change.values if column not in table.columns]
    return sorted(tables.values(), key=lambda table: table.name.encode("utf-8"))


def _encode_table(table: _Table) -> bytes:
    columns = b"".join(string(column.encode("utf-8")) for column in table.columns)
    kind = b"\x00" if table.has_text_ids else b"\x01"
    return string(table.name.encode("utf-8")) + kind + varint(len(table.columns)) + columns


def _mask(change: Change, table: _Table) -> int:
    return sum(1 << place for place, column in enumerate(table.columns) if column in change.values)


def _encode_ids(changes: Sequence[Change]) -> bytes:
    births = [change.birth for change in changes if change.birth]
    spelled = _encode_spelled([change.id for change in changes if not change.birth])
    if not births:
        return spelled
    references = [change.birth.line if change.birth else 0 for change in changes]
    return b"\x02" + ints(references) + ints([birth.counter for birth in births]) + spelled


def _encode_spelled(ids: Sequence[RowID]) -> bytes:
    if ids and all(isinstance(i, str) and len(i) == 32 and set(i) <= _HEX_DIGITS for i in ids):
        return b"\x01" + b"".join(map(bytes.fromhex, ids))
    contents = [i.encode("utf-8") if isinstance(i, str) else i for i in ids]
    return b"\x00" + ints([len(content) for content in contents]) + b"".join(contents)


def _encode_stream(values: Sequence[Value]) -> bytes:
    tags = [tag_of(value) for value in values]
    by_tag = {tag: [v for v, t in zip(values, tags) if t == tag] for tag in set(tags)}
    parts = [ints(tags)]
    if INTEGER in by_tag:
        parts.append(ints([zigzag(value) for value in by_tag[INTEGER]]))
    if REAL in by_tag:
        parts.append(_encode_reals(by_tag[REAL]))
    if TEXT in by_tag:
        parts.append(_encode_texts([value.encode("utf-8") for value in by_tag[TEXT]]))
    if BLOB in by_tag:
        parts.append(ints([len(value) for value in by_tag[BLOB]]) + b"".join(by_tag[BLOB]))
    if COMMITMENT in by_tag:
        parts.append(b"".join(value.digest for value in by_tag[COMMITMENT]))
    return b"".join(parts)


def _encode_reals(reals: Sequence[float]) -> bytes:
    for places in range(10):
        power = 10.0**places
        scaled = [round(value * power) if abs(value * power) < 2**53 else None for value in reals]
        if all(s is not None and real_bits(s / power) == real_bits(value) for s, value in zip(scaled, reals)):
            return bytes([1 + places]) + ints([zigzag(number) for number in scaled])
    return b"\x00" + b"".join(map(real_bits, reals))


def _encode_texts(texts: Sequence[bytes]) -> bytes:
    prefix = os.path.commonprefix(list(texts)) if len(texts) > 1 else b""
    rests = [text[len(prefix):] for text in texts]
    return string(prefix) + ints([len(rest) for rest in rests]) + b"".join(rests)


def _encode_detached(commitments: Sequence[Commitment]) -> bytes:
    if not commitments:
        return b""
    items = [b"\x00" if c.salt is None else b"\x01" + c.salt + tagged_value(c.value) for c in commitments]
    return varint(len(items)) + b"".join(items)


# ---------------------------------------------------------------- reading


def decode(content: bytes, header: BlockHeader, detached: bytes) -> Body:
    """Read a plain body to its last byte; births stay unresolved."""
    reader = Reader(content)
    count = header.count
    require(reader.byte() == 1, "malformed", "the version of the body is not known")
    tables = _read_tables(reader)
    pins = _read_pins(reader)
    kinds = _each(reader, count, 0, ADD, "a kind")
    places = _each(reader, count, 0, len(tables) - 1, "a table of a change")
    changes = [
        Change(kind, tables[place].name, tables[place].has_text_ids, None, 0) for kind, place in zip(kinds, places)]
    body = Body(pins, changes, len(content))
    _read_ids(reader, body, header.first_counter)
    _read_clocks(reader, changes, header)
    writing = [(change, tables[place]) for change, place in zip(changes, places) if change.kind != DELETE]
    _read_masks(reader, writing)
    _read_predecessors(reader, body, header.first_counter)
    commitments = _Commitments(detached)
    for table in tables:
        for column in table.columns:
            writers = [change for change in changes if change.table == table.name and column in change.values]
            require(bool(writers), "malformed", f"nobody writes the column {column}")
            for change, value in zip(writers, _read_stream(reader, len(writers), body, commitments)):
                change.values[column] = value
    reader.end()
    commitments.end()
    require(body.decoded_bytes <= MAX_DECODED_BYTES, "malformed", "the body is too large when written out")
    for change in changes:
        if change.kind == ADD:
            fits = not change.predecessors and all(type(value) is int for value in change.values.values())
            require(fits, "malformed", "an addition names a change, or adds what is no integer")
    return body


def _each(reader: Reader, count: int, low: int, high: int, what: str) -> list[int]:
    numbers = reader.ints(count)
    require(all(low <= number <= high for number in numbers), "malformed", f"{what} is out of range")
    return numbers


def read_name(reader: Reader) -> str:
    """A name of a table or column."""
    name = reader.string(64, "a name")
    require(len(name) > 0 and _NAME_BYTES.issuperset(name), "malformed", "a name has other characters")
    return name.decode("ascii")


def _read_tables(reader: Reader) -> list[_Table]:
    tables = []
    for _ in range(reader.number(1, MAX_TABLES, "the number of tables")):
        name = read_name(reader)
        kind = reader.byte()
        require(kind in (0, 1), "malformed", "the type of ids is not known")
        columns = [read_name(reader) for _ in range(reader.number(0, MAX_COLUMNS, "the number of columns"))]
        require(len(set(columns)) == len(columns), "malformed", "a column is listed twice")
        tables.append(_Table(name, kind == 0, columns))
    names = [table.name for table in tables]
    require(all(one < other for one, other in zip(names, names[1:])), "malformed", "tables are not sorted")
    return tables


def _read_pins(reader: Reader) -> list[Pin]:
    pins = []
    for _ in range(reader.number(0, MAX_PINS, "the number of pins")):
        pins.append(Pin(reader.take(16), reader.number(1, MASK_64, "a pin's counter"), reader.take(16)))
    orders = [pin.order for pin in pins]
    require(all(one < other for one, other in zip(orders, orders[1:])), "malformed", "pins are not sorted")
    return pins


def _read_ids(reader: Reader, body: Body, first_counter: int) -> None:
    changes = body.changes
    if reader.content[reader.place:reader.place + 1] == b"\x02":
        reader.byte()
        lines = _each(reader, len(changes), 0, len(body.pins) + 1, "the reference of a birth")
        named = [(change, line) for change, line in zip(changes, lines) if line > 0]
        require(bool(named), "malformed", "no row is named by its birth")
        for (change, line), counter in zip(named, reader.ints(len(named))):
            require(change.kind != INSERT, "malformed", "an insert is named by a birth")
            high = first_counter - 1 if line == 1 else body.pins[line - 2].last_counter
            require(1 <= counter <= high, "malformed", "the counter of a birth is out of range")
            change.birth = Reference(line, counter)
    spelled = [change for change in changes if change.birth is None]
    form = reader.byte()
    require(form in (0, 1), "malformed", "the form of ids is not known")
    if form == 1:
        contents = [reader.take(16).hex().encode("ascii") for _ in spelled]
        body.decoded_bytes += 32 * len(spelled)
    else:
        contents = [reader.take(n) for n in _each(reader, len(spelled), 1, MAX_ID_BYTES, "the length of an id")]
    for change, content in zip(spelled, contents):
        change.id = text_from(content) if change.has_text_ids else content


def _read_clocks(reader: Reader, changes: Sequence[Change], header: BlockHeader) -> None:
    differences = reader.ints(len(changes))
    require(min(differences) == 0 and header.first_clock + max(differences) == header.last_clock,
            "malformed", "clocks are not what the header says")
    for change, difference in zip(changes, differences):
        change.clock = header.first_clock + difference


def _read_masks(reader: Reader, writing: Sequence[tuple[Change, _Table]]) -> None:
    for (change, table), mask in zip(writing, reader.ints(len(writing))):
        require(mask >> len(table.columns) == 0, "malformed", "a mask has more bits than the table columns")
        require(mask != 0 or change.kind == INSERT, "malformed", "a change writes nothing")
        change.values = {column: None for place, column in enumerate(table.columns) if mask >> place & 1}


def _read_predecessors(reader: Reader, body: Body, first_counter: int) -> None:
    counts = reader.ints(len(body.changes))
    total = sum(counts)
    require(total <= MAX_PREDECESSORS, "malformed", "there are too many predecessors")
    lines = _each(reader, total, 0, len(body.pins), "the reference of a predecessor")
    references = [Reference(line, counter) for line, counter in zip(lines, reader.ints(total))]
    place = 0
    for index, (change, count) in enumerate(zip(body.changes, counts)):
        change.predecessors = references[place:place + count]
        place += count
        for reference in change.predecessors:
            own = reference.line == 0
            high = first_counter + index - 1 if own else body.pins[reference.line - 1].last_counter
            require(1 <= reference.counter <= high, "malformed", "the counter of a predecessor is out of range")


def _read_stream(reader: Reader, count: int, body: Body, commitments: "_Commitments") -> list[Value]:
    tags = _each(reader, count, 0, COMMITMENT, "the tag of a value")
    integers = iter([unzigzag(number) for number in reader.ints(tags.count(INTEGER))])
    reals = iter(_read_reals(reader, tags.count(REAL)))
    texts = iter(_read_texts(reader, tags.count(TEXT), body))
    lengths = _each(reader, tags.count(BLOB), 0, MAX_VALUE_BYTES, "the length of a blob")
    blobs = iter([reader.take(length) for length in lengths])
    committed = iter([commitments.next(reader.take(32)) for _ in range(tags.count(COMMITMENT))])
    sources = {INTEGER: integers, REAL: reals, TEXT: texts, BLOB: blobs, COMMITMENT: committed}
    return [next(sources[tag]) if tag in sources else None for tag in tags]


def _read_reals(reader: Reader, count: int) -> list[float]:
    if count == 0:
        return []
    form = reader.byte()
    if form == 0:
        return [real_from(reader.take(8)) for _ in range(count)]
    require(form <= 10, "malformed", "the form of reals is not known")
    power = float(10 ** (form - 1))
    return [float(unzigzag(number)) / power for number in reader.ints(count)]


def _read_texts(reader: Reader, count: int, body: Body) -> list[str]:
    if count == 0:
        return []
    prefix = reader.string(MAX_VALUE_BYTES, "a prefix")
    lengths = _each(reader, count, 0, MAX_VALUE_BYTES, "the length of a text")
    if prefix:
        body.decoded_bytes += sum(lengths) + count * len(prefix)
        # Before anything is written out.
        require(body.decoded_bytes <= MAX_DECODED_BYTES, "malformed", "the body is too large when written out")
    return [text_from(prefix + reader.take(length)) for length in lengths]


class _Commitments:
    """Pairs commitments with the items of the detached section, in order."""

    def __init__(self, detached: bytes) -> None:
        self._reader = Reader(detached)
        self._left = self._reader.varint() if detached else 0
        require(not detached or self._left > 0, "malformed", "the detached section is empty and yet there")

    def next(self, digest: bytes) -> Commitment:
        """The commitment with its item; a present item has to fit."""
        require(self._left > 0, "malformed", "a commitment has no item")
        self._left -= 1
        form = self._reader.byte()
        require(form in (0, 1), "malformed", "the form of an item is not known")
        if form == 0:
            return Commitment(digest, None, None)
        salt = self._reader.take(16)
        value = read_tagged_value(self._reader)
        require(tagged_hash(ERASABLE, salt + tagged_value(value)) == digest, "malformed", "an item does not fit")
        return Commitment(digest, salt, value)

    def end(self) -> None:
        """There is exactly one item for each commitment."""
        require(self._left == 0, "malformed", "an item has no commitment")
        self._reader.end()


def plain_values(change: Change) -> dict[str, Value]:
    """What the columns of a change read as."""
    return {column: plain(value) for column, value in change.values.items()}
