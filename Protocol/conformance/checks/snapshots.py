"""Snapshots of the real centre, made again by the other client (README section 7, and snapshot-format.md)."""

from kenh_client import snapshots

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
