"""Erasures and final deletions of the real centre, followed by the other client (README section 5)."""

import secrets

from kenh_client.kenh_pb2 import Erasure as ErasureMessage
from kenh_client.kenh_pb2 import Finality as FinalityMessage
from kenh_client.values import Commitment
from kenh_client.words import Erasure, Finality

from .organisation import OtherCell, insert, update
from .results import expect, expect_equal, refusal
from .world import World

CHANNEL = "plan/words"
SECRET = "0912-345-678 Nguyễn"


def run(world: World) -> None:
    """Both, from the centre's word to the last device."""
    _forms(world)
    _erasing(world)
    _deleting(world)


def _forms(world: World) -> None:
    """What is written in another way than the one is refused."""
    one, two = bytes([1]) * 32, bytes([2]) * 32
    for name, blocks in {
        "nothing": [], "not in order": [(two, [(0, 1)]), (one, [(0, 1)])], "twice": [(one, [(0, 1)]), (one, [(1, 1)])],
        "a short hash": [(one[:31], [(0, 1)])], "no change": [(one, [])], "an empty range": [(one, [(0, 0)])],
        "ranges side by side": [(one, [(0, 1), (1, 1)])], "too high": [(one, [(65_535, 2)])],
    }.items():
        with world.results.check(f"a finality with {name} is refused"):
            message = FinalityMessage()
            for block_hash, ranges in blocks:
                block = message.blocks.add(hash=block_hash)
                for first, count in ranges:
                    block.changes.add(first=first, count=count)
            _expect_refused(Finality, message.SerializeToString())
    for name, change in {
        "no reason": lambda m: m.ClearField("reason"), "two lines of reason": lambda m: setattr(m, "reason", "a\nb"),
        "a column that is no name": lambda m: m.blocks[0].changes[0].columns.append("z z"),
        "columns not in order": lambda m: m.blocks[0].changes[0].columns.append("a"),
        "no column": lambda m: m.blocks[0].changes[0].ClearField("columns"),
        "changes not in order": lambda m: m.blocks[0].changes.add(change=0, columns=["contact"]),
    }.items():
        with world.results.check(f"an erasure with {name} is refused"):
            message = ErasureMessage(reason="asked")
            message.blocks.add(hash=one).changes.add(change=0, columns=["contact"])
            expect_equal(Erasure.read(message.SerializeToString()).reason, "asked", "reason of a good one")
            change(message)
            _expect_refused(Erasure, message.SerializeToString())


def _expect_refused(kind: type, content: bytes) -> None:
    expect_equal(refusal("it", lambda: kind.read(content)), "malformed", "code")


def _erasing(world: World) -> None:
    cells = [world.other, world.third]
    waited: list[dict[str, str]] = []
    with world.results.check("an erased value is nowhere in this client, and everybody's digests stay equal"):
        world.other.seal(CHANNEL, insert(
            "work_item", "E1", title="kept", contact=Commitment.make(secrets.token_bytes(16), SECRET)))
        world.settle()
        expect(holds(world.third, SECRET), "the value never came")
        before = {cell: cell.store.digest(CHANNEL) for cell in cells}
        world.centre.run("central", "erase", "work_item:E1", "--reason", "asked on 3 May", "--yes")
        waited = _not_confirmed(world)
        for cell in cells:
            report = cell.sync()
            expect_equal(report.erased, 1, "erasures")
            expect(not holds(cell, SECRET), "the value is still there")
            expect_equal(cell.store.digest(CHANNEL), before[cell], "digest")
            expect_equal(cell.store.shown("work_item")["E1"][1]["contact"], None, "what is shown")
        world.settle()
    with world.results.check("the centre keeps who has confirmed an erasure"):
        expect_equal(len(waited), len(_not_confirmed(world)) + 3, "devices of this run that have not confirmed")
    with world.results.check("a device that joins later gets the block without the value, and the same digest"):
        late = OtherCell(world.centre.port, world.schema)
        late.join(world.centre.code("CB2"))
        late.sync()
        expect(not holds(late, SECRET), "the value came")
        expect_equal(late.store.digest(CHANNEL), world.other.store.digest(CHANNEL), "digest")


def _not_confirmed(world: World) -> list[dict[str, str]]:
    return world.centre.json("central", "erasure", "list")[-1]["waiting"]


def holds(cell: OtherCell, text: str) -> bool:
    """Whether a text is anywhere in what a device keeps."""
    store, content = cell.store, text.encode("utf-8")
    kept = [chunk for chunks in store.chunks.values() for chunk in chunks.values()]
    kept += [chunk for beginning in store.beginnings.values() for chunk in beginning.chunks]
    kept += [block.message.SerializeToString() for block in store.blocks.values()]
    rows = [*store.rows.values(), *(row for b in store.beginnings.values() for row in b.rows.values())]
    values = [value for row in rows for write in row.writes.values() for value in write.values.values()]
    changes = [change for block in store.blocks.values() for change in block.changes or ()]
    changes += [rejected.change for rejected in store.rejected.values()]
    return any(content in part for part in kept) or text in values or any(text in repr(change) for change in changes)


def _deleting(world: World) -> None:
    cells = [world.other, world.third]
    away = None
    with world.results.check("a deleted row leaves this client's states once the centre says that it is final"):
        world.real.sql(f"INSERT INTO work_item(id, channel, title) VALUES('D1', '{CHANNEL}', 'gone')")
        world.real.sql(f"INSERT INTO work_item(id, channel, title) VALUES('D2', '{CHANNEL}', 'stays')")
        world.settle()
        away = OtherCell(world.centre.port, world.schema)
        away.join(world.centre.code("CB2"))
        away.sync()
        away.seal(CHANNEL, update("work_item", "D1", title="edited far away"))
        world.real.sql("DELETE FROM work_item WHERE id = 'D1'")
        world.settle()
        world.centre.run("central", "deletion", "settle")
        waited = _waiting(world)
        world.settle()
        expect(len(_waiting(world)) < len(waited), "nobody's word was counted")
        world.centre.run("central", "deletion", "settle", "--patience", "0")
        world.settle()
        for cell in cells:
            expect(("work_item", "D1", CHANNEL) not in {k for k, row in cell.store.rows.items() if row.writes},
                   "the row has a state")
            expect(cell.store.finalities, "no finality was followed")
            expect("D2" in cell.store.shown("work_item"), "another row is gone, too")
        final = world.centre.json("central", "deletion", "list")["final"]
        expect(any(entry["channel"] == CHANNEL for entry in final), "it is not in the list")
    with world.results.check("an edit of somebody who was away is kept for whoever made it, and all agree"):
        away.sync()
        expect("D1" not in away.store.shown("work_item"), "the row is still shown")
        expect_equal([r.code for r in away.store.rejected.values()], ["rowDeleted"], "rejected")
        world.settle(away)
    with world.results.check("a device that joins later drops what is final as it is merged"):
        late = OtherCell(world.centre.port, world.schema)
        late.join(world.centre.code("CB2"))
        late.sync()
        for channel in late.store.channels():
            expect_equal(late.store.digest(channel), world.other.store.digest(channel), f"digest of {channel}")


def _waiting(world: World) -> list[dict[str, str]]:
    waiting = world.centre.json("central", "deletion", "list")["waiting"]
    return [device for entry in waiting if entry["channel"] == CHANNEL for device in entry["devices"]]
