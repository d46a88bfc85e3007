"""Values of columns (README section 9, “Values”; block-format.md, “Erasable columns”)."""

import math
import struct
from dataclasses import dataclass

from .keys import ERASABLE, tagged_hash
from .numbers import Reader, string, unzigzag, varint, zigzag
from .problems import Refused, require

Plain = None | int | float | str | bytes

NULL, INTEGER, REAL, TEXT, BLOB, COMMITMENT = range(6)
MAX_VALUE_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Commitment:
    """A value of an erasable column. Without a salt it was erased, and reads as NULL."""

    digest: bytes
    salt: bytes | None
    value: Plain

    @staticmethod
    def make(salt: bytes, value: Plain) -> "Commitment":
        """The commitment to a value."""
        return Commitment(tagged_hash(ERASABLE, salt + tagged_value(value)), salt, value)


Value = Plain | Commitment


def tag_of(value: Value) -> int:
    """The tag of a value in a stream."""
    if value is None:
        return NULL
    return {int: INTEGER, float: REAL, str: TEXT, bytes: BLOB, Commitment: COMMITMENT}[type(value)]


def plain(value: Value) -> Plain:
    """What a value reads as."""
    return value.value if isinstance(value, Commitment) else value


def kept(value: Value) -> Plain:
    """What a row's state keeps of a value: −0.0 travels as it was written, and is kept as 0.0."""
    read = plain(value)
    return 0.0 if isinstance(read, float) and read == 0 else read


def real_bits(value: float) -> bytes:
    """IEEE 754 bits, little-endian."""
    return struct.pack("<d", value)


def are_equal(one: Plain, other: Plain) -> bool:
    """Equal where type and bytes are: 1 and 1.0 differ."""
    if type(one) is not type(other):
        return False
    return real_bits(one) == real_bits(other) if isinstance(one, float) else one == other


def text_from(content: bytes) -> str:
    """UTF-8 without NUL, within the limit."""
    require(len(content) <= MAX_VALUE_BYTES and b"\0" not in content, "malformed", "a text is not allowed")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("malformed", "a text is not UTF-8") from error


def real_from(content: bytes) -> float:
    """A finite real."""
    value = struct.unpack("<d", content)[0]
    require(math.isfinite(value), "malformed", "a real is not finite")
    return value


def tagged_value(value: Plain) -> bytes:
    """A value as commitments and the detached section have it."""
    tag = tag_of(value)
    content = {
        NULL: lambda: b"",
        INTEGER: lambda: varint(zigzag(value)),
        REAL: lambda: real_bits(value),
        TEXT: lambda: string(value.encode("utf-8")),
        BLOB: lambda: string(value),
    }[tag]()
    return bytes([tag]) + content


def read_tagged_value(reader: Reader) -> Plain:
    """The inverse of `tagged_value`."""
    tag = reader.byte()
    if tag == NULL:
        return None
    if tag == INTEGER:
        return unzigzag(reader.varint())
    if tag == REAL:
        return real_from(reader.take(8))
    require(tag in (TEXT, BLOB), "malformed", "the tag of a value is not known")
    content = reader.string(MAX_VALUE_BYTES, "a value")
    return text_from(content) if tag == TEXT else content
