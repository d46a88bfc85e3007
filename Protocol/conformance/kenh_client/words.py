"""What the centre says of many changes at once: erasures and final deletions (README section 5)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from .kenh_pb2 import ChangeRange
from .kenh_pb2 import Erasure as ErasureMessage
from .kenh_pb2 import Finality as FinalityMessage
from .keys import ERASURE, FINALITY, tagged_hash
from .problems import Refused, require

MAX_BYTES = 2**20
MAX_CHANGE = 65_535
MAX_REASON_BYTES = 200
_NAME_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


@dataclass(frozen=True)
class Erasure:
    """Values that nobody may keep: by block the places and columns."""

    names: dict[bytes, frozenset[tuple[int, str]]]
    reason: str

    @staticmethod
    def read(content: bytes) -> "Erasure":
        """Refuses what is written in another way than the one."""
        message = _parsed(ErasureMessage, content)
        reason = message.reason.encode("utf-8")
        require(1 <= len(reason) <= MAX_REASON_BYTES and all(byte >= 0x20 and byte != 0x7F for byte in reason),
                "malformed", "the reason is no line")
        _check_blocks(block.hash for block in message.blocks)
        names = {}
        for block in message.blocks:
            _check_rising([change.change for change in block.changes])
            for change in block.changes:
                columns = [column.encode("utf-8") for column in change.columns]
                _check_rising(columns)
                require(all(1 <= len(c) <= 64 and _NAME_BYTES.issuperset(c) for c in columns),
                        "malformed", "a column is no name")
            require(block.changes[-1].change <= MAX_CHANGE, "malformed", "no block has such a change")
            names[block.hash] = frozenset((c.change, column) for c in block.changes for column in c.columns)
        return Erasure(names, message.reason)


@dataclass(frozen=True)
class Finality:
    """Writes of rows that are deleted for good: by block the places."""

    names: dict[bytes, frozenset[int]]

    @staticmethod
    def read(content: bytes) -> "Finality":
        """Refuses what is written in another way than the one."""
        message = _parsed(FinalityMessage, content)
        _check_blocks(block.hash for block in message.blocks)
        return Finality({block.hash: frozenset(_places(block.changes)) for block in message.blocks})


def erasure_hash(content: bytes) -> bytes:
    """The object hash of an erasure's entry."""
    return tagged_hash(ERASURE, content)


def finality_hash(content: bytes) -> bytes:
    """The object hash of a finality's entry."""
    return tagged_hash(FINALITY, content)


def _parsed(kind: type, content: bytes):  # noqa: ANN202 (a message of the kind)
    require(len(content) <= MAX_BYTES, "malformed", "it is larger than 1 MiB")
    try:
        return kind.FromString(content)
    except DecodeError as error:
        raise Refused("malformed", "it is no message") from error


def _check_blocks(hashes: Iterable[bytes]) -> None:
    found = list(hashes)
    require(all(len(block_hash) == 32 for block_hash in found), "malformed", "a hash has 32 bytes")
    _check_rising(found)


def _check_rising(found: list) -> None:
    require(found and all(one < other for one, other in zip(found, found[1:])), "malformed",
            "nothing is named, or not in order")


def _places(ranges: Iterable[ChangeRange]) -> Iterator[int]:
    end = -1
    for part in ranges:
        require(part.count > 0 and part.first > end and part.first + part.count <= MAX_CHANGE + 1,
                "malformed", "ranges are empty, adjacent, not in order or too high")
        yield from range(part.first, part.first + part.count)
        end = part.first + part.count
    require(end >= 0, "malformed", "a block without a change")
