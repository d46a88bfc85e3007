"""Archive files (README section 5, “Archives”)."""

from collections.abc import Iterator

from . import blocks
from .kenh_pb2 import ArchivedBlock, ArchiveHead, Block
from .keys import ARCHIVE, tagged_hash
from .numbers import Reader
from .problems import require

MAGIC = b"Kenh archive 1\n"
MAX_RECORD_BYTES = 129 * 2**20


def file_hash(content: bytes) -> bytes:
    """By which the log names the file."""
    return tagged_hash(ARCHIVE, content)


def read(content: bytes) -> tuple[ArchiveHead, list[tuple[int, bytes, Block]]]:
    """Its head, and each block with its sequence and hash."""
    require(content.startswith(MAGIC), "malformed", "this is no archive file")
    records = _records(content)
    head = ArchiveHead.FromString(next(records, b""))
    found = []
    for record in records:
        archived = ArchivedBlock.FromString(record)
        header = blocks.check_outside(archived.block)
        require(header.channel == head.channel and header.organisation == head.organisation and archived.block.detached == b"",
                "malformed", "a block of another channel, or with its detached section")
        require(not found or found[-1][0] < archived.sequence, "malformed", "blocks are not in order")
        found.append((archived.sequence, blocks.block_hash(archived.block.header), archived.block))
    require(len(found) == head.blocks and [head.first, head.last] == [found[0][0], found[-1][0]],
            "malformed", "the head is of other blocks")
    return head, found


def _records(content: bytes) -> Iterator[bytes]:
    reader = Reader(content)
    reader.place = len(MAGIC)
    while reader.place < len(content):
        yield reader.string(MAX_RECORD_BYTES, "a record")
