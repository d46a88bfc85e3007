"""Rows and how changes merge into them (README section 9). Pure: nothing is read or written elsewhere."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from . import digest
from .body import ADD, DELETE, INSERT
from .clocks import effective
from .digest import EXISTENCE, Column, Lanes
from .values import Plain, are_equal


@dataclass(eq=False)
class Origin:
    """The block that changes came in. Its hash is set once it is sealed, the acceptance once it is known."""

    replica: bytes
    block_hash: bytes = b""
    accepted_at_ms: int | None = None


@dataclass(frozen=True)
class Dot:
    """The name of a change on this node: its block, and its place there."""

    origin: Origin
    index: int


@dataclass(eq=False)
class Write:
    """What is left of a change in the state of its row."""

    dot: Dot
    counter: int
    claim: int
    # Those in which it still counts.
    columns: set[Column]
    values: Mapping[str, Plain]
    is_delta: bool = False
    removed: bool = False

    @property
    def clock(self) -> int:
        """The effective clock."""
        return effective(self.claim, self.dot.origin.accepted_at_ms)

    @property
    def order(self) -> tuple[int, bytes, int, bytes]:
        """The highest write is shown."""
        return self.clock, self.dot.origin.replica, self.counter, self.dot.origin.block_hash


@dataclass(frozen=True)
class ColumnRule:
    """What a node's schema says of a column: its local type, its default, how it is written."""

    type: str = "ANY"
    default: Plain = None
    is_counter: bool = False
    is_erasable: bool = False

    def fits(self, value: Plain) -> bool:
        """Whether a value has the column's type."""
        types = {"INTEGER": int, "REAL": float, "TEXT": str, "BLOB": bytes}
        return value is None or self.type not in types or type(value) is types[self.type]


@dataclass
class Row:
    """The state of one row: a set of writes."""

    writes: dict[Dot, Write] = field(default_factory=dict)

    def copy(self) -> "Row":
        """Another row with the same writes, which changes by itself."""
        return Row({dot: replace(write, columns=set(write.columns)) for dot, write in self.writes.items()})

    def apply(self, kind: int, dot: Dot, counter: int, claim: int, values: Mapping[str, Plain],
              named: Iterable[Dot]) -> None:
        """Apply one change, after everything that it names."""
        # What is named and not here was superseded already.
        seen = [self.writes[name] for name in named if name in self.writes]
        if kind == DELETE:
            for write in seen:
                write.removed = True
            return
        columns: set[Column] = set(values)
        if kind == INSERT:
            columns.add(EXISTENCE)
        if kind != ADD:
            for write in seen:
                write.columns -= columns
                if not write.columns:
                    del self.writes[write.dot]
        self.writes[dot] = Write(dot, counter, claim, columns, values, is_delta=kind == ADD)

    def named(self, kind: int, columns: Iterable[str]) -> list[Write]:
        """What a writer has to name (“Naming”)."""
        if kind == ADD:
            return []
        if kind == DELETE:
            return list(self.writes.values())
        written: set[Column] = set(columns) | ({EXISTENCE} if kind == INSERT else set())
        return [write for write in self.writes.values() if write.columns & written]

    def inserts(self) -> list[Write]:
        """The writes that count in existence."""
        return self._counting(EXISTENCE)

    @property
    def is_shown(self) -> bool:
        """Shown while any write is unremoved and some write counts in existence."""
        return bool(self.inserts()) and any(not write.removed for write in self.writes.values())

    def value(self, column: str, rule: ColumnRule) -> Plain:
        """The value that a column shows."""
        counting = self._counting(column)
        deltas = [write for write in counting if write.is_delta]
        others = [write for write in counting if not write.is_delta]
        standing = [write for write in others if not write.removed] or others
        value = max(standing, key=lambda write: write.order).values[column] if standing else rule.default
        if deltas:
            base = value if type(value) is int else 0
            total = base + sum(write.values[column] for write in deltas)
            value = (total + 2**63) % 2**64 - 2**63
        return value if rule.fits(value) else None

    def conflicts(self) -> set[Column]:
        """The columns in which somebody has to choose; existence where the row was deleted and edited."""
        if not self.is_shown:
            return set()
        found = {column for write in self.writes.values() for column in write.columns if self._differs(column)}
        if all(write.removed for write in self.inserts()):
            found.add(EXISTENCE)
        return found

    def digest(self, seed: Lanes) -> Lanes:
        """What the row adds to its channel's digest."""
        total = digest.EMPTY
        for write in self.writes.values():
            for column in write.columns:
                total += digest.item(
                    seed, write.dot.origin.block_hash, write.dot.index, write.removed, write.clock, column)
        return total

    def _counting(self, column: Column) -> list[Write]:
        return [write for write in self.writes.values() if column in write.columns]

    def _differs(self, column: Column) -> bool:
        if column is EXISTENCE:
            return False
        values = [w.values[column] for w in self._counting(column) if not w.removed and not w.is_delta]
        return any(not are_equal(values[0], value) for value in values[1:])
