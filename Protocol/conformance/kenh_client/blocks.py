"""Blocks: header, outside, compression, signature (README sections 1 and 8; block-format.md)."""

from dataclasses import dataclass

import zstandard
from google.protobuf.message import DecodeError

from . import body as bodies
from .keys import BLOCK, BLOCK_DEVICE, BODY, ZERO_HASH, SigningKey, tagged_hash
from .kenh_pb2 import Block, BlockHeader
from .problems import Refused, require

FORMAT = 1
GROUP_FIRST, GROUP_LAST = 1, 2
MAX_HEADER_BYTES = 4_096
MAX_CHANGES = 65_536
MAX_BODY_BYTES = 64 * 2**20
MAX_WINDOW_BYTES = 2**23
# A few bytes of a frame can stand for much: a reader looks at the size between slices.
_SLICE_BYTES = 1_024


def block_hash(header: bytes) -> bytes:
    """Names a block."""
    return tagged_hash(BLOCK, header)


def read_header(content: bytes) -> BlockHeader:
    """A header of a format that is known."""
    require(len(content) <= MAX_HEADER_BYTES, "tooLarge", "the header is too long")
    try:
        header = BlockHeader.FromString(content)
    except DecodeError as error:
        raise Refused("malformed", "the header cannot be read") from error
    require(header.format == FORMAT, "unsupportedVersion", "the block has another format")
    return header


def check_outside(block: Block, with_body: bool = True) -> BlockHeader:
    """What needs nothing but the block (section 8, “a block's outside”), or nothing but all of it beside the body."""
    header = read_header(block.header)
    lengths = (len(header.organisation), len(header.replica), len(header.previous), len(header.body_hash))
    require(lengths == (32, 16, 32, 32), "malformed", "an id or hash has another length")
    require(header.group <= 3, "malformed", "the group is out of range")
    require(1 <= len(header.channel.encode()) <= 200 and len(header.officer.encode()) <= 200,
            "malformed", "channel or officer is out of range")
    require(header.first_counter >= 1 and 1 <= header.count <= MAX_CHANGES
            and header.first_counter + header.count <= 2**63 - 1, "malformed", "counters are out of range")
    require((header.previous == ZERO_HASH) == (header.first_counter == 1), "malformed", "the block before is amiss")
    require(header.first_clock <= header.last_clock, "malformed", "clocks are out of order")
    require(header.compressed_size <= MAX_BODY_BYTES and header.plain_size <= MAX_BODY_BYTES,
            "tooLarge", "the body is too large")
    if not with_body:
        require(not block.body and not block.detached, "malformed", "a block comes in part")
        return header
    require(len(block.body) == header.compressed_size, "malformed", "the body has another length")
    require(len(block.detached) <= MAX_BODY_BYTES, "tooLarge", "the detached section is too large")
    officer = len(block.officer_signature)
    require(officer == 0 or (officer == 64 and header.officer != ""), "malformed", "the officer's signature is amiss")
    require(tagged_hash(BODY, block.body) == header.body_hash, "badDigest", "the body has another hash")
    return header


def compress(plain: bytes) -> bytes:
    """One zstd frame that declares its content size."""
    return zstandard.ZstdCompressor(level=3, write_content_size=True).compress(plain)


def _window_bytes(frame: bytes) -> int:
    """What the window descriptor asks for; none where the frame is a single segment (RFC 8878, section 3.1.1.1)."""
    require(len(frame) > 5, "compression", "this is no frame")
    if frame[4] & 1 << 5:
        return 0
    base = 1 << 10 + (frame[5] >> 3)
    return base + base // 8 * (frame[5] & 7)


def decompress(content: bytes, plain_size: int) -> bytes:
    """The content of exactly one frame that declares, and has, exactly this size."""
    try:
        parameters = zstandard.get_frame_parameters(content)
        require(parameters.content_size == plain_size, "compression", "the frame declares another size")
        require(parameters.dict_id == 0, "compression", "the frame uses a dictionary")
        require(_window_bytes(content) <= MAX_WINDOW_BYTES, "compression", "the frame has a larger window")
        # Of a single segment the content is the window.
        stream = zstandard.ZstdDecompressor(max_window_size=MAX_BODY_BYTES).decompressobj()
        plain = bytearray()
        for start in range(0, len(content), _SLICE_BYTES):
            require(not stream.eof, "compression", "bytes follow the frame")
            plain += stream.decompress(content[start:start + _SLICE_BYTES])
            require(len(plain) <= plain_size, "compression", "the frame is longer than it declares")
    except zstandard.ZstdError as error:
        raise Refused("compression", "the frame cannot be read") from error
    require(stream.eof and not stream.unused_data, "compression", "this is not exactly one frame")
    require(len(plain) == plain_size, "compression", "the frame is shorter than it declares")
    return bytes(plain)


def read_body(block: Block, header: BlockHeader) -> bodies.Body:
    """Decompress and read a body."""
    return bodies.decode(decompress(block.body, header.plain_size), header, block.detached)


@dataclass(frozen=True)
class Place:
    """Where a new block stands."""

    organisation: bytes
    channel: str
    replica: bytes
    first_counter: int
    previous: bytes
    group: int
    officer: str = ""
    schema_version: int = 1


def seal(place: Place, body: bodies.Body, key: SigningKey) -> Block:
    """Make a block: body, header, signature. Its header is serialised this once."""
    clocks = [change.clock for change in body.changes]
    plain, detached = bodies.encode(body, min(clocks))
    compressed = compress(plain)
    header = BlockHeader(
        format=FORMAT, organisation=place.organisation, channel=place.channel, replica=place.replica,
        officer=place.officer, first_counter=place.first_counter, count=len(body.changes), previous=place.previous,
        schema_version=place.schema_version, first_clock=min(clocks), last_clock=max(clocks), group=place.group,
        compressed_size=len(compressed), plain_size=len(plain), body_hash=tagged_hash(BODY, compressed))
    return signed(header, compressed, detached, key)


def signed(header: BlockHeader, body: bytes, detached: bytes, key: SigningKey) -> Block:
    """A block with this header."""
    content = header.SerializeToString()
    return Block(header=content, body=body, device_signature=key.sign(BLOCK_DEVICE, content), detached=detached)
