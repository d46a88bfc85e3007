"""Snapshots of the real centre, made again by the other client (README section 7, and snapshot-format.md)."""

from kenh_client import archives, snapshots
from kenh_client.log import ARCHIVE_ENTRY

from .organisation import HOST, OtherCell, RealCell
from .results import expect, expect_equal
from .world import World


def run(world: World) -> None:
    """Of all channels, with whatever the checks before have done to them."""
    whole = OtherCell(world.centre.port, world.schema)
    whole.join(world.centre.code("CB3"))
    whole.sync()
    made = {}
    for channel in sorted(whole.store.channels()):
        with world.results.check(f"snapshot of {channel}: the same bytes by both"):
            mine = snapshots.make(whole.store, channel)
            theirs = world.centre.json("central", "snapshot", "make", channel)
            expect_equal((theirs["entries"], theirs["rows"]), (mine.sequence, mine.rows), "entries and rows")
            expect_equal(theirs["bytes"], sum(len(chunk) for chunk, _ in mine.chunks), "bytes of all chunks")
            expect_equal(theirs["hash"], mine.hash.hex(), "hash")
            made[channel] = mine
    with world.results.check("a real cell begins with the snapshots, and has what all have"):
        expect(made, "there is no snapshot")
        whole.sync()
        cell = RealCell(world.real.binary, world.real.home.parent / "beginner")
        cell.join(f"http://{HOST}:{world.centre.port}", world.centre.code("CB3"))
        begun = cell.sync()
        expect_equal(begun["unequalChannels"], [], "unequal channels")
        expect(set(begun["snapshots"]) >= set(made), f"it began with {begun['snapshots']}, not with {sorted(made)}")
        for table in world.schema.tables:
            expect_equal(cell.rows(table), world.centre.rows(table), f"rows of {table}")
    _archives(world, whole, sorted(made))


def _archives(world: World, whole: OtherCell, channels: list[str]) -> None:
    """What the snapshots cover moves into files, and nobody notices."""
    with world.results.check("archive files have the blocks of the log, and the log names them"):
        listed = world.centre.json("central", "archive", "make", "--age", "0", "--no-shrink", *channels)
        expect({entry["channel"] for entry in listed} == set(channels), "not every channel has one")
        whole.sync()
        for entry in listed:
            content = (world.centre.home / "archives" / entry["file"]).read_bytes()
            head, found = archives.read(content)
            expect_equal((head.channel, head.organisation), (entry["channel"], whole.store.organisation), "whose it is")
            proofs = whole.store.followers[head.channel].proofs
            for sequence, block_hash, block in found:
                expect_equal(proofs[sequence - 1].object_hash, block_hash, "the entry's block")
                expect_equal(whole.store.blocks[block_hash].message.body, block.body, "its body")
            named = {proof.object_hash for proof in proofs if proof.kind == ARCHIVE_ENTRY}
            expect(archives.file_hash(content) in named, "the log does not name the file")
    with world.results.check("a device that joins afterwards gets the archived blocks"):
        late = OtherCell(world.centre.port, world.schema)
        late.join(world.centre.code("CB3"))
        late.sync()
        for channel in channels:
            expect_equal(late.store.digest(channel), whole.store.digest(channel), f"digest of {channel}")
