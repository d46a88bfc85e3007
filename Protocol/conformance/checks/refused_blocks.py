"""Blocks that the centre has to refuse or hold back, by their receipts (README section 8; block-format.md)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import zstandard

from kenh_client import blocks, body as bodies
from kenh_client.body import ADD, INSERT, UPDATE, Body, Change, Pin, Reference
from kenh_client.client import wall_clock
from kenh_client.clocks import clock_at
from kenh_client.keys import BODY, SigningKey, tagged_hash
from kenh_client.kenh_pb2 import (
    VERDICT_ACCEPTED, VERDICT_HELD_BACK, VERDICT_INVALID, Block, BlockHeader, Receipt, SyncRequest, SyncResponse)
from kenh_client.store import StoredBlock
from kenh_client.values import Commitment

from .organisation import insert
from .refused_requests import unchanged
from .results import expect, expect_equal
from .world import World

CHANNEL = "refusals"
MIB = 2**20


@dataclass
class Draft:
    """A good block, and what is to be changed of it before it is signed."""

    before: StoredBlock
    key: SigningKey
    changes: list[Change]
    pins: tuple[Pin, ...] = ()
    # Of the plain body, the frame, fields of the header, the header's bytes, the message.
    plain: Callable[[bytes], bytes] = lambda content: content
    frame: Callable[[bytes, bytes], bytes] = lambda frame, plain: frame
    fields: dict[str, object] | None = None
    header: Callable[[bytes], bytes] = lambda content: content
    message: Callable[[Block], None] = lambda block: None

    def block(self) -> Block:
        """Make it."""
        clocks = [change.clock for change in self.changes]
        encoded, detached = bodies.encode(Body(list(self.pins), self.changes), min(clocks))
        plain = self.plain(encoded)
        frame = self.frame(blocks.compress(plain), plain)
        header = BlockHeader()
        header.CopyFrom(self.before.header)
        header.first_counter = self.before.last_counter + 1
        header.count = len(self.changes)
        header.previous = self.before.hash
        header.first_clock, header.last_clock = min(clocks), max(clocks)
        header.compressed_size, header.plain_size = len(frame), len(plain)
        header.body_hash = tagged_hash(BODY, frame)
        for name, value in (self.fields or {}).items():
            setattr(header, name, value)
        block = blocks.signed(header, frame, detached, self.key)
        content = self.header(block.header)
        if content != block.header:
            block.header = content
            block.device_signature = self.key.sign("kenh-v1 block device", content)
        self.message(block)
        return block


Drafts = Callable[[], dict[str, Draft]]


def run(world: World) -> None:
    """All refusals; each leaves the log as it was."""
    cases = _Cases(world, CHANNEL)
    _refuse(cases, (
        ("a block of another organisation", "wrongOrganisation", cases.organisation),
        ("a block of a format that is not known", "unsupportedVersion", cases.formats),
        ("blocks whose outside is wrong", "malformed", cases.outsides),
        ("blocks that are too large", "tooLarge", cases.sizes),
        ("a body with another hash", "badDigest", cases.hashes),
        ("channels that are none for rows", "malformed", cases.channels),
        ("a writer whom nobody entered", "unknownDevice", cases.replicas),
        ("blocks that their writer's device did not sign", "badSignature", cases.signatures),
        ("counters that jump, and other broken links", "brokenLink", cases.links),
        ("frames that are cut, doubled or of another size", "compression", cases.frames),
        ("bodies that do not follow the format", "malformed", cases.bodies),
    ))
    with world.results.check("held back: blocks that build on what is not here"), unchanged(world):
        for what, draft in cases.missing().items():
            receipt = cases.receipt(draft.block())
            expect_equal((receipt.verdict, receipt.code), (VERDICT_HELD_BACK, "missing"), what)
    with world.results.check("a bad block does not fail the good ones beside it"):
        cases.beside()
    with world.results.check("taken: what nobody has to write and everybody has to read"):
        cases.taken()


def run_last(world: World) -> None:
    """Refusals of what nobody could ever merge: if it was taken, nothing after it could be compared."""
    cases = _Cases(world, "refusals/last")
    _refuse(cases, (
        ("detached values of a body without commitments", "malformed", cases.detached),
        ("frames with a larger window", "compression", cases.windows),
        ("groups that do not begin where the one before ended", "brokenLink", cases.groups),
    ))
    with world.results.check("taken: groups of a fork, each branch in itself"):
        cases.forked_groups()


def _refuse(cases: "_Cases", refused: tuple[tuple[str, str, Drafts], ...]) -> None:
    for name, wanted, drafts in refused:
        with cases.world.results.check(f"refused: {name}"), unchanged(cases.world):
            for what, draft in drafts().items():
                receipt = cases.receipt(draft.block())
                expect_equal((receipt.verdict, receipt.code), (VERDICT_INVALID, wanted), f"{what} ({receipt.message})")
                expect(receipt.message and not receipt.HasField("proof"), f"{what}: a refusal with a proof")


def _replaced(plain: bytes, old: bytes, new: bytes) -> bytes:
    expect(plain.count(old) == 1, "the body is not as expected")
    return plain.replace(old, new)


def _frame(plain: bytes, window: int) -> bytes:
    """One frame of one raw block, with this window descriptor and a content size of four bytes."""
    return b"".join((bytes.fromhex("28b52ffd80"), bytes([window]), len(plain).to_bytes(4, "little"),
                     (len(plain) << 3 | 1).to_bytes(3, "little"), plain))


class _Cases:
    """Drafts by what is wrong with them."""

    def __init__(self, world: World, channel: str) -> None:
        self.world = world
        self.cell = world.other
        (self.before,) = self.cell.seal(channel, insert("work_item", "X1", title="good"))
        (self.elsewhere,) = self.cell.seal(f"{channel}/2", insert("work_item", "X2"))
        (self.of_third,) = world.third.seal(channel, insert("work_item", "X3"))
        self.opening, closing = self.cell.seal(
            f"{channel}/groups", insert("work_item", "X6"), insert("work_item", "X7"), changes_per_block=1)
        self.cell.upload(self.before, self.elsewhere, self.opening, closing)
        world.third.upload(self.of_third)
        self.clock = clock_at(wall_clock())
        self.pin = Pin(self.of_third.header.replica, 1, self.of_third.hash[:16])

    def receipt(self, block: Block) -> Receipt:
        """The centre's receipt for the block alone."""
        request = SyncRequest(protocol=1, replica=self.cell.store.replica, down_limit_bytes=1, blocks=[block])
        (receipt,) = self.cell.client.post("/v1/sync", request, SyncResponse).receipts
        expect(receipt.block_hash in (b"", blocks.block_hash(block.header)), "the hash of another block")
        return receipt

    def draft(self, *changes: Change, **options: object) -> Draft:
        """A good block, but for the options."""
        good = self.change(UPDATE, values={"title": "not taken"}, predecessors=[Reference(0, 1)])
        return Draft(self.before, self.cell.client.key, list(changes) or [good], **options)

    def change(self, kind: int, table: str = "work_item", row_id: str | bytes = "X1", **options: object) -> Change:
        """A change of the draft."""
        return Change(kind, table, isinstance(row_id, str), row_id, self.clock, **options)

    def with_field(self, **fields: object) -> Draft:
        """Other fields in the header."""
        return self.draft(fields=fields)

    def organisation(self) -> dict[str, Draft]:
        return {"organisation": self.with_field(organisation=bytes(32))}

    def formats(self) -> dict[str, Draft]:
        return {"format 2": self.with_field(format=2), "format 0": self.with_field(format=0)}

    def outsides(self) -> dict[str, Draft]:
        def officer_signature(length: int) -> Callable[[Block], None]:
            return lambda block: setattr(block, "officer_signature", bytes(length))

        named = {
            "group": 4, "count": 0, "first_counter": 0, "previous": bytes(32), "replica": bytes(15),
            "body_hash": bytes(31), "channel": "", "officer": "x" * 201, "first_clock": 2**64 - 1,
            "compressed_size": 5}
        return {
            **{f"{name} {value!r}": self.with_field(**{name: value}) for name, value in named.items()},
            "too many changes": self.with_field(count=65_537),
            "the first with a block before": self.with_field(first_counter=1),
            "a channel of 201 bytes": self.with_field(channel="x" * 201),
            "garbage": self.draft(header=lambda content: b"\xff\xff"),
            "an officer's signature without an officer": self.draft(message=officer_signature(64)),
            "an officer's signature of 63 bytes": self.draft(
                fields={"officer": "x"}, message=officer_signature(63)),
        }

    def sizes(self) -> dict[str, Draft]:
        return {
            "plain": self.with_field(plain_size=64 * MIB + 1),
            "compressed": self.with_field(compressed_size=64 * MIB + 1),
            # An unknown field, 2047, of 4,200 bytes.
            "header": self.draft(header=lambda content: content + b"\xfa\x7f\xe8\x20" + bytes(4_200)),
        }

    def hashes(self) -> dict[str, Draft]:
        return {"hash": self.with_field(body_hash=bytes(32))}

    def channels(self) -> dict[str, Draft]:
        return {name: self.with_field(channel=name) for name in ("kenh/registry", "kenh/x", "é", "tab\t")}

    def replicas(self) -> dict[str, Draft]:
        return {"replica": self.with_field(replica=bytes(16))}

    def signatures(self) -> dict[str, Draft]:
        def wrong(block: Block) -> None:
            block.device_signature = bytes(64)

        other_key = self.draft()
        other_key.key = SigningKey()
        return {
            "another key": other_key, "no signature": self.draft(message=wrong),
            "another device's replica": self.with_field(replica=self.of_third.header.replica)}

    def links(self) -> dict[str, Draft]:
        return {
            "a counter that jumps": self.with_field(first_counter=7),
            "the end of the range": self.with_field(first_counter=2**63 - 2),
            "a block of another replica": self.with_field(previous=self.of_third.hash),
            "a block of another channel": self.with_field(previous=self.elsewhere.hash),
        }

    def frames(self) -> dict[str, Draft]:
        skippable = bytes.fromhex("502a4d1800000000")
        undeclared = zstandard.ZstdCompressor(write_content_size=False)
        checked = zstandard.ZstdCompressor(write_checksum=True)
        return {
            "cut": self.draft(frame=lambda frame, plain: frame[:-3]),
            "cut to nothing": self.draft(frame=lambda frame, plain: b""),
            "with a byte more": self.draft(frame=lambda frame, plain: frame + b"\0"),
            "two": self.draft(frame=lambda frame, plain: frame + frame),
            "with another after it": self.draft(frame=lambda frame, plain: frame + skippable),
            "with another before it": self.draft(frame=lambda frame, plain: skippable + frame),
            "no frame": self.draft(frame=lambda frame, plain: plain),
            "of no declared size": self.draft(frame=lambda frame, plain: undeclared.compress(plain)),
            "of another size": self.with_field(plain_size=5),
            "with a wrong checksum": self.draft(frame=lambda frame, plain: checked.compress(plain)[:-1] + b"\0"),
        }

    def bodies(self) -> dict[str, Draft]:
        title = {"title": "x"}
        return {
            "a byte more": self.draft(plain=lambda plain: plain + b"\0"),
            "a byte less": self.draft(plain=lambda plain: plain[:-1]),
            "another version": self.draft(plain=lambda plain: b"\2" + plain[1:]),
            "clocks": self.with_field(last_clock=2**64 - 1),
            "a count": self.with_field(count=2),
            "pins out of order": self.draft(pins=(self.pin, self.pin)),
            "an update of nothing": self.draft(self.change(UPDATE)),
            "an addition of a real": self.draft(self.change(ADD, values={"weight": 1.5})),
            "an addition that names another": self.draft(
                self.change(ADD, values={"weight": 1}, predecessors=[Reference(0, 1)])),
            "a predecessor to come": self.draft(self.change(UPDATE, values=title, predecessors=[Reference(0, 2)])),
            "a predecessor beyond its pin": self.draft(
                self.change(UPDATE, values=title, predecessors=[Reference(1, 2)]), pins=(self.pin,)),
            "a birth to come": self.draft(self.change(UPDATE, values=title, birth=Reference(1, 2))),
            "a name": self.draft(self.change(INSERT, "no-name")),
            "64 columns": self.draft(self.change(INSERT, values={f"c{n}": n for n in range(64)})),
            "NUL in an id": self.draft(self.change(INSERT, row_id="a\0")),
            "NUL in a text": self.draft(self.change(INSERT, values={"title": "a\0"})),
            "an empty id": self.draft(self.change(INSERT, row_id="")),
            "a text that is too long": self.draft(self.change(INSERT, values={"title": "x" * (16 * MIB + 1)})),
            "texts that are too long when written out": self.draft(*(
                self.change(INSERT, row_id=f"X{n}", values={"title": "x" * (14 * MIB) + str(n)}) for n in range(10))),
            "an infinite real": self.draft(self.change(INSERT, values={"weight": float("inf")})),
        }

    def detached(self) -> dict[str, Draft]:
        def with_detached(content: bytes) -> Draft:
            return self.draft(message=lambda block: setattr(block, "detached", content))

        return {"of no items": with_detached(b"\0"), "of one": with_detached(b"\1\0"), "garbage": with_detached(b"x")}

    def windows(self) -> dict[str, Draft]:
        return {
            f"window {byte:02x}": self.draft(frame=lambda frame, plain, byte=byte: _frame(plain, byte))
            for byte in (0x69, 0x70, 0x78, 0xFF)}

    def groups(self) -> dict[str, Draft]:
        after_open = replace(self.draft(), before=self.opening)
        fresh = {"first_counter": 1, "previous": bytes(32), "channel": "refusals/fresh"}
        drafts = {}
        for group in (0, 2):
            drafts[f"{group} after an end"] = self.with_field(group=group)
            drafts[f"{group} at first"] = self.draft(self.change(INSERT, row_id="X8"), fields=fresh | {"group": group})
        for group in (1, 3):
            drafts[f"{group} within a group"] = replace(after_open, fields={"group": group})
        return drafts

    def forked_groups(self) -> None:
        opening, *_ = self.cell.seal(
            "refusals/forked", *(insert("work_item", f"X{n}") for n in (9, 10)), changes_per_block=1)
        self.cell.sync()
        branch = replace(self.draft(), before=opening, fields={"group": 2})
        receipt = self.receipt(branch.block())
        expect_equal(receipt.verdict, VERDICT_ACCEPTED, f"the other end of the group ({receipt.message})")
        self.world.settle()

    def missing(self) -> dict[str, Draft]:
        replica = self.of_third.header.replica
        return {
            "a block before": self.with_field(previous=bytes([7]) * 32),
            "a pin": self.draft(pins=(Pin(replica, 1, bytes(16)),)),
            "a pin's counter": self.draft(pins=(Pin(replica, 2, self.pin.hash_prefix),)),
            "a pin's replica": self.draft(pins=(Pin(self.before.header.replica, 1, self.pin.hash_prefix),)),
            "a pin's channel": self.draft(pins=(Pin(self.elsewhere.header.replica, 1, self.elsewhere.hash[:16]),)),
            "a value that no erasure names": self.draft(self.change(
                UPDATE, values={"title": Commitment(bytes(range(32)), None, None)}, predecessors=[Reference(0, 1)])),
        }

    def beside(self) -> None:
        good = self.cell.seal("beside", insert("work_item", "X4"), insert("work_item", "X5"), changes_per_block=1)
        bad = self.frames()["cut"].block()
        request = SyncRequest(protocol=1, replica=self.cell.store.replica, down_limit_bytes=1)
        request.blocks.extend([good[0].message, bad, good[1].message])
        receipts = self.cell.client.post("/v1/sync", request, SyncResponse).receipts
        expect_equal([r.verdict for r in receipts], [VERDICT_ACCEPTED, VERDICT_INVALID, VERDICT_ACCEPTED], "verdicts")
        self.world.settle()

    def taken(self) -> None:
        digits = b"0123456789abcdef" * 2

        def with_unused_table(plain: bytes) -> bytes:
            table = b"\x09work_item\0\1\5title"
            return _replaced(plain, b"\1\1" + table, b"\1\2" + table + b"\3zzz\0\0")

        checked = zstandard.ZstdCompressor(write_checksum=True)
        single = zstandard.ZstdCompressor(
            compression_params=zstandard.ZstdCompressionParameters(window_log=24, write_content_size=True))
        for what, draft in {
            # Field 2047, three bytes.
            "an unknown field": self.draft(header=lambda content: content + b"\xfa\x7f\x03abc"),
            "a checksum": self.draft(frame=lambda frame, plain: checked.compress(plain)),
            "a table that no change names": self.draft(plain=with_unused_table),
            "a pin of its own line": self.draft(
                pins=(Pin(self.before.header.replica, self.before.last_counter, self.before.hash[:16]),)),
            "a predecessor twice": self.draft(
                self.change(UPDATE, values={"title": "twice"}, predecessors=[Reference(0, 1)] * 2)),
            "a commitment to NULL": self.draft(
                self.change(INSERT, row_id="XN", values={"title": Commitment.make(bytes(16), None)})),
            "columns named as the row's own": self.draft(
                self.change(INSERT, row_id="XC", values={"id": "y", "channel": "z", "title": "columns"})),
            "blobs of hex digits, packed": self.draft(
                self.change(INSERT, "picture", digits, values={"content": b"1"}),
                plain=lambda plain: _replaced(plain, b"\0\0\x20" + digits, b"\1" + bytes.fromhex(digits.decode()))),
            "births alone, and no id spelled out": self.draft(
                self.change(UPDATE, values={"title": "by birth"}, birth=Reference(1, 1))),
            "a window of 8 MiB": self.draft(frame=lambda frame, plain: _frame(plain, 0x68)),
            "a single segment of 9 MiB": self.draft(
                self.change(INSERT, row_id="X0", values={"title": "x" * (9 * MIB)}),
                frame=lambda frame, plain: single.compress(plain)),
        }.items():
            receipt = self.receipt(draft.block())
            expect_equal(receipt.verdict, VERDICT_ACCEPTED, f"{what} ({receipt.message})")
        # Branches after one block, by one device: all kept, and merged as concurrent.
        self.world.settle()
