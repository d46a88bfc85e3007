"""The digest of a channel (README section 11)."""

from dataclasses import dataclass
from functools import lru_cache

from .numbers import MASK_64

# Existence is a column of its own, which no name can be confused with.
EXISTENCE = None
Column = str | None


@dataclass(frozen=True)
class Lanes:
    """Two lanes of 64 bits, into which words are mixed."""

    a: int = 0x9E3779B97F4A7C15
    b: int = 0xC2B2AE3D27D4EB4F

    def word(self, value: int) -> "Lanes":
        """Mix in one number of 64 bits."""
        swapped = int.from_bytes(value.to_bytes(8, "little"), "big")
        return Lanes(_mix(self.a ^ value), _mix(self.b + swapped + 0x9E3779B97F4A7C15))

    def bytes(self, content: bytes) -> "Lanes":
        """Mix in bytes: whole words, the rest, the length."""
        lanes = self
        whole = len(content) // 8 * 8
        for place in range(0, whole, 8):
            lanes = lanes.word(int.from_bytes(content[place:place + 8], "little"))
        return lanes.word(int.from_bytes(content[whole:], "big")).word(len(content))

    def __add__(self, other: "Lanes") -> "Lanes":
        return Lanes((self.a + other.a) & MASK_64, (self.b + other.b) & MASK_64)

    def to_bytes(self) -> bytes:
        """As the digest travels."""
        return self.a.to_bytes(8, "big") + self.b.to_bytes(8, "big")


EMPTY = Lanes(0, 0)


def _mix(z: int) -> int:
    z &= MASK_64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK_64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK_64
    return z ^ (z >> 31)


@lru_cache(maxsize=4_096)
def name_seed(name: str) -> Lanes:
    """The seed of a table or column."""
    return Lanes().bytes(name.encode("utf-8"))


@lru_cache(maxsize=4_096)
def column_seed(column: Column) -> Lanes:
    """The seed of a column, existence included."""
    return Lanes().word(MASK_64) if column is EXISTENCE else name_seed(column)


def row_seed(table: str, row_id: str | bytes) -> Lanes:
    """The seed of a row."""
    return name_seed(table).bytes(row_id.encode("utf-8") if isinstance(row_id, str) else row_id)


def item(row: Lanes, block_hash: bytes, index: int, removed: bool, clock: int, column: Column) -> Lanes:
    """What one write adds to the digest for one column in which it counts."""
    seed = column_seed(column)
    lanes = row.word(int.from_bytes(block_hash[:8], "big")).word(int.from_bytes(block_hash[8:16], "big"))
    return lanes.word(index << 1 | removed).word(clock).word(seed.a).word(seed.b)
