"""Both clients write at the same time, and come to the same (README sections 5 to 11)."""

import json

from kenh_client.body import UPDATE
from kenh_client.client import wall_clock
from kenh_client.clocks import clock_at
from kenh_client.digest import EXISTENCE
from kenh_client.kenh_pb2 import VERDICT_ACCEPTED, VERDICT_ALREADY_HAD, VERDICT_HELD_BACK
from kenh_client.values import Commitment

from .organisation import OtherCell, add, delete, insert, update
from .results import expect, expect_equal
from .world import World

ORG, PLAN = "org", "plan/P1"
DAY_MS = 86_400_000


def run(world: World) -> None:
    """All of it, in order: each builds on what those before wrote."""
    for name, check in (
        ("inserts by both", _inserts),
        ("updates by both, rows named by births", _updates),
        ("a concurrent edit of one column: a conflict, the loser kept", _conflict),
        ("the other client settles the conflict", _resolution),
        ("the real cell settles a conflict", _real_resolution),
        ("a deletion concurrent with an edit keeps the row", _deletion),
        ("deleted and inserted again", _insertion_again),
        ("additions are summed up, also by who has no counter", _counters),
        ("unknown tables and columns are kept and forwarded", _unknown),
        ("values of every type, erasable ones, and one of another type", _values),
        ("one id in two channels", _two_channels),
        ("a table of one channel shows no row of another", _strange_channel),
        ("a clock far ahead is bounded by the acceptance", _clocks),
        ("equal clocks: the order of replica, counter and hash", _ties),
        ("blocks out of order are held back", _out_of_order),
        ("a pinned block that is not here holds back", _pins),
        ("a group is applied whole", _groups),
        ("blocks sent again are already had", _duplicates),
        ("a copied installation: a fork, and a new replica", _fork),
        ("a restored cell gets its own blocks back", _restored_cell),
        ("a long history comes in pages", _paging),
    ):
        with world.results.check(name):
            check(world)


def _inserts(world: World) -> None:
    world.other.seal(
        ORG, insert("unit", "U1", code="U1", name="Tổ 1"), insert("sub_plan", "S1", title="Plan", breakthrough=10),
        insert("target", "T1", baseline=0.1, goal=-2.5e300, priority=3))
    world.other.seal(
        PLAN, *(insert("work_item", f"P{n}", title=f"Of the other {n}", weight=n / 4) for n in range(20)),
        officer="bình")
    rows = ", ".join(f"('R{n}', '{PLAN}', 'Of the real {n}', {n / 10})" for n in range(40))
    world.real.sql(f"INSERT INTO work_item(id, channel, title, weight) VALUES {rows}")
    world.real.sql("INSERT INTO unit(code, name) VALUES('U2', 'no id of its own')")
    world.settle()
    expect_equal(len(world.other.store.shown("work_item")), 60, "work items")


def _updates(world: World) -> None:
    other = world.other
    world.real.sql("UPDATE work_item SET description = 'seen', weight = weight * 3 WHERE id LIKE 'R%'")
    world.real.sql("UPDATE work_item SET title = title || '!' WHERE id LIKE 'P%'")
    world.settle()
    births = sum(change.birth is not None for block in other.store.blocks.values() for change in block.changes)
    expect(births >= 40, f"the real cell named {births} rows by their births")
    # A birth on a pinned line and one on the own line.
    other.seal(
        PLAN, update("work_item", "R15", title="after all"), update("work_item", "P3", title="own"),
        delete("work_item", "R16"), add("work_item", "P4", weight=1), with_births=True)
    world.settle()
    expect_equal(world.real.rows("work_item")["R15"]["title"], "after all", "title")
    expect("R16" not in world.real.rows("work_item"), "the row is still there")


def _conflict(world: World) -> None:
    world.real.sql("UPDATE work_item SET accountable = 'An', title = 'alike' WHERE id = 'P1'")
    world.real.sql("UPDATE work_item SET accountable = 'An' WHERE id = 'P2'")
    world.other.seal(PLAN, update("work_item", "P1", accountable="Bình", title="alike"), later_ms=50)
    world.other.seal(PLAN, update("work_item", "P2", accountable="Bình"), later_ms=-DAY_MS)
    world.settle()
    conflicts = world.other.store.conflicts()
    expect_equal(
        conflicts, {("work_item", "P1", PLAN): {"accountable"}, ("work_item", "P2", PLAN): {"accountable"}},
        "conflicts")
    rows = world.real.rows("work_item")
    expect_equal((rows["P1"]["accountable"], rows["P2"]["accountable"]), ("Bình", "An"), "the later ones are shown")
    listed = json.dumps(world.real.json("conflicts"), ensure_ascii=False)
    expect(all(word in listed for word in ("P1", "P2", "An", "Bình")), f"the real cell lists {listed}")
    row = world.other.store.row("work_item", "P1", PLAN)
    kept = {write.values["accountable"] for write in row.writes.values() if "accountable" in write.columns}
    expect_equal(kept, {"An", "Bình"}, "both are kept")


def _resolution(world: World) -> None:
    named = world.other.store.row("work_item", "P1", PLAN).named(UPDATE, ["accountable"])
    expect_equal(len(named), 2, "writes that count")
    (block,) = world.other.seal(PLAN, update("work_item", "P1", accountable="Chi"))
    expect_equal(len(block.changes[0].predecessors), 2, "predecessors of the settling update")
    world.settle()
    expect(("work_item", "P1", PLAN) not in world.other.store.conflicts(), "the conflict is still there here")
    listed = [conflict["id"] for conflict in world.real.json("conflicts")]
    expect_equal(listed, ["P2"], "conflicts of the real cell")
    expect_equal(world.real.rows("work_item")["P1"]["accountable"], "Chi", "accountable")


def _real_resolution(world: World) -> None:
    world.real.run("conflicts", "resolve", "work_item", "P2", "accountable", "--value", "Dung")
    world.settle()
    expect_equal(world.other.store.conflicts(), {}, "conflicts")
    expect_equal(world.other.store.shown("work_item")["P2"][1]["accountable"], "Dung", "accountable")


def _deletion(world: World) -> None:
    # Deleted by one, edited by the other, in both directions.
    world.real.sql("DELETE FROM work_item WHERE id = 'P5'; UPDATE work_item SET due = '2022-07' WHERE id = 'P6'")
    world.other.seal(PLAN, update("work_item", "P5", due="2022-06"), delete("work_item", "P6"))
    # Deleted by both, and by one alone.
    world.real.sql("DELETE FROM work_item WHERE id IN ('P7', 'P8')")
    world.other.seal(PLAN, delete("work_item", "P7"))
    world.settle()
    rows = world.real.rows("work_item")
    expect_equal(
        [rows[row]["title"] for row in ("P5", "P6")], ["Of the other 5!", "Of the other 6!"], "rows, kept whole")
    expect("P7" not in rows and "P8" not in rows, "a row is there that nobody edited")
    expect_equal(
        world.other.store.conflicts(), {("work_item", row, PLAN): {EXISTENCE} for row in ("P5", "P6")}, "conflicts")
    # Both settle: one deletes again, the other keeps.
    world.other.seal(PLAN, delete("work_item", "P5"))
    world.real.run("conflicts", "resolve", "work_item", "P6")
    world.settle()
    expect_equal(world.other.store.conflicts(), {}, "conflicts")
    expect("P5" not in world.real.rows("work_item"), "the row is still there")


def _insertion_again(world: World) -> None:
    world.real.sql(f"INSERT INTO work_item(id, channel, title) VALUES('P8', '{PLAN}', 'again')")
    world.other.seal(PLAN, insert("work_item", "P7", title="anew"))
    world.settle()
    rows = world.real.rows("work_item")
    expect_equal([rows[row]["title"] for row in ("P7", "P8")], ["anew", "again"], "titles")
    expect_equal(rows["P8"]["weight"], None, "a value of before")
    # One inserts again while the other, who never saw the deletion's end, does so, too.
    world.other.seal(PLAN, delete("work_item", "P8"), insert("work_item", "P8", title="here"))
    world.real.sql(f"DELETE FROM work_item WHERE id = 'P8'; INSERT INTO work_item(id, channel, title) "
                   f"VALUES('P8', '{PLAN}', 'there')")
    world.settle()
    expect("title" in world.other.store.conflicts()[("work_item", "P8", PLAN)], "both titles count")
    world.other.seal(PLAN, insert("work_item", "P8", title="settled"))
    world.settle()
    expect_equal(world.other.store.conflicts(), {}, "conflicts")


def _counters(world: World) -> None:
    world.other.seal(ORG, add("sub_plan", "S1", breakthrough=5))
    world.third.seal(ORG, add("sub_plan", "S1", breakthrough=-2), insert("sub_plan", "S2"))
    world.settle()
    expect_equal(world.real.rows("sub_plan")["S1"]["breakthrough"], 13, "10 + 5 − 2")
    # Onto the default, which nobody wrote; over the end of the range; onto a value of another type.
    world.other.seal(ORG, add("sub_plan", "S2", breakthrough=7))
    world.other.seal(ORG, insert("sub_plan", "S3", breakthrough=2**63 - 1), add("sub_plan", "S3", breakthrough=2))
    world.other.seal(ORG, insert("sub_plan", "S4", breakthrough="text"), add("sub_plan", "S4", breakthrough=4))
    # The real cell's column is a register: it sets the number, and names the additions that it saw.
    world.real.sql("UPDATE sub_plan SET breakthrough = 100 WHERE id = 'S1'")
    world.third.seal(ORG, add("sub_plan", "S1", breakthrough=1))
    world.settle()
    rows = world.real.rows("sub_plan")
    found = [rows[row]["breakthrough"] for row in ("S1", "S2", "S3", "S4")]
    expect_equal(found, [101, 7, -2**63 + 1, 4], "sums")
    expect_equal(world.other.store.conflicts(), {}, "conflicts")


def _unknown(world: World) -> None:
    world.other.seal(
        ORG, update("unit", "U1", colour="red", name="Tổ một"), insert("future", "F1", what="a thing"),
        insert("picture", b"\0\1\2", content=b"\xff\0"), update("future", "F1", what="another"),
        insert("future", "F2"), delete("future", "F2"))
    world.settle()
    expect_equal(world.real.rows("unit")["U1"]["name"], "Tổ một", "the column beside it")
    # Somebody who comes later gets all of it from the centre.
    late = OtherCell(world.centre.port, world.schema)
    late.join(world.centre.code("CB3"))
    late.sync()
    row = late.store.row("future", "F1", ORG)
    expect_equal([write.values["what"] for write in row.writes.values() if "what" in write.columns], ["another"],
                 "what")
    expect_equal(len(late.store.row("picture", b"\0\1\2", ORG).writes), 1, "writes of the picture")
    expect(any("colour" in write.columns for write in late.store.row("unit", "U1", ORG).writes.values()), "colour")
    # The real cell names them where it writes the row anew, or not: either way all come to the same.
    world.real.sql("DELETE FROM unit WHERE id = 'U1'")
    world.settle(late)
    expect("U1" not in late.store.shown("unit"), "the unit is still there")


def _values(world: World) -> None:
    world.other.seal(
        "values",
        insert("review", "V1", items_planned=2**63 - 1, items_done=-2**63, results="e\u0301 stays as it is",
               kind="\u00e9", shortcomings="", next_steps="🌊" * 1000),
        insert("review", "V2", items_planned=1.5, items_done="12", kind=7, results=b"blob", next_steps=None),
        insert("progress_entry", "V3", value=-0.0, numerator=5e-324, denominator=1.7976931348623157e308, note=None),
        insert("progress_entry", "V4", value=1, numerator=0.30000000000000004, denominator=123456.789),
        insert("review", "V5", results=Commitment.make(bytes(range(16)), "to be taken out"),
               items_done=Commitment.make(bytes(16), 5), kind=Commitment.make(bytes(range(16, 32)), None)))
    world.real.sql(
        "INSERT INTO review(id, channel, items_planned, items_done, results) "
        "VALUES('V6', 'values', 9223372036854775807, -9223372036854775807 - 1, 'Đảng');"
        "INSERT INTO progress_entry(id, channel, value, numerator, denominator) "
        "VALUES('V7', 'values', -0.0, 5e-324, 1.7976931348623157e308), ('V8', 'values', 0.1, 1e22, 3.0)")
    world.settle()
    rows = world.real.rows("review")
    expect_equal(rows["V2"], dict.fromkeys(rows["V2"]) | {"channel": "values"}, "values of other types")
    expect_equal((rows["V5"]["results"], rows["V5"]["items_done"], rows["V5"]["kind"]), ("to be taken out", 5, None),
                 "erasable values")


def _two_channels(world: World) -> None:
    world.real.sql("INSERT INTO work_item(id, channel, title) VALUES('twice', 'plan/P2', 'of the real')")
    world.other.seal(PLAN, insert("work_item", "twice", title="of the other"))
    world.settle()
    expect_equal(world.real.rows("work_item")["twice"]["channel"], PLAN, "the lower channel")
    world.other.seal(PLAN, delete("work_item", "twice"))
    world.settle()
    expect_equal(world.real.rows("work_item")["twice"]["channel"], "plan/P2", "what is left")


def _strange_channel(world: World) -> None:
    expect_equal(world.schema.tables["unit"].channel, ORG, "the channel of all units")
    # One of the channels comes before the table's own.
    strange = ("before/org", PLAN)
    try:
        for channel in strange:
            world.other.seal(channel, insert("unit", "strange", name="elsewhere"))
        # Kept, forwarded and in the digests, which are compared here, and in no table.
        world.settle()
        world.other.seal(ORG, insert("unit", "strange", name="here"))
        world.settle()
        expect_equal(world.real.rows("unit")["strange"]["name"], "here", "name")
        for channel in strange:
            expect_equal(len(world.third.store.row("unit", "strange", channel).writes), 1, f"writes in {channel}")
    finally:
        for channel in (*strange, ORG):
            if world.other.store.row("unit", "strange", channel).is_shown:
                world.other.seal(channel, delete("unit", "strange"))
    world.settle()


def _clocks(world: World) -> None:
    world.other.seal(PLAN, update("work_item", "P10", title="of tomorrow"), later_ms=DAY_MS)
    world.third.seal(PLAN, update("work_item", "P10", title="of now"))
    world.other.sync()
    world.third.sync()
    world.settle()
    # It is later than what was written now, and less than the tolerance.
    expect_equal(world.real.rows("work_item")["P10"]["title"], "of tomorrow", "title")
    row = world.other.store.row("work_item", "P10", PLAN)
    shown = max((w for w in row.writes.values() if "title" in w.columns), key=lambda write: write.order)
    expect(shown.claim - shown.clock > (DAY_MS - 600_000) << 16, "the claim was believed")
    # What names it comes after it all the same, and as little as can be.
    world.real.sql("UPDATE work_item SET title = 'after it' WHERE id = 'P10'")
    world.settle()
    expect_equal(world.real.rows("work_item")["P10"]["title"], "after it", "title")
    (after,) = [write for write in row.writes.values() if write.values.get("title") == "after it"]
    expect_equal(after.claim, shown.clock + 1, "what the real cell claims")
    # One's own writes are no floor: a clock that was put right is right at once.
    world.other.seal(PLAN, update("work_item", "P11", title="of tomorrow"), later_ms=DAY_MS)
    (late,) = world.other.seal(PLAN, update("work_item", "P11", title="of today"))
    expect(late.header.first_clock <= clock_at(wall_clock()), "an own write was taken for a floor")
    world.settle()
    expect_equal(world.real.rows("work_item")["P11"]["title"], "of today", "title")


def _ties(world: World) -> None:
    higher, lower = sorted(
        (world.other, world.third), key=lambda cell: cell.store.replica, reverse=True)
    # By replica first, though the other's counter is higher; then by counter; then by block hash.
    lower.seal("ties", *(insert("work_item", f"Y{n}") for n in range(3)))
    world.settle()
    twin = higher.copy()
    wall_ms = wall_clock()
    for cell, row, title in ((higher, "Y0", "of the higher"), (lower, "Y0", "of the lower"), (twin, "Y2", "three"),
                             (higher, "Y1", "one"), (twin, "Y1", "two"), (higher, "Y2", "four")):
        cell.store.seal("ties", [update("work_item", row, title=title)], wall_ms)
    world.settle(twin)
    rows = world.real.rows("work_item")
    expect_equal([rows[row]["title"] for row in ("Y0", "Y2")], ["of the higher", "four"], "titles")
    expect_equal(len(world.other.store.conflicts()), 3, "conflicts")
    lower.seal("ties", *(update("work_item", row, title="settled") for row in ("Y0", "Y1", "Y2")))
    world.settle(twin)
    expect_equal(world.other.store.conflicts(), {}, "conflicts")


def _out_of_order(world: World) -> None:
    (first,) = world.other.seal("order", insert("work_item", "O1", title="first"))
    (second,) = world.other.seal("order", update("work_item", "O1", title="second"))
    (receipt,) = world.other.upload(second).receipts
    expect_equal((receipt.verdict, receipt.code), (VERDICT_HELD_BACK, "missing"), "verdict of the second alone")
    expect("order" not in [head.channel for head in world.other.heads()], "the log has the channel already")
    receipts = world.other.upload(second, first, second).receipts
    expect_equal([r.verdict for r in receipts], [VERDICT_HELD_BACK, VERDICT_ACCEPTED, VERDICT_ACCEPTED], "verdicts")
    world.settle()
    expect_equal(world.real.rows("work_item")["O1"]["title"], "second", "title")
    # On this side, too: a block whose predecessor is not here waits, and goes on once that comes.
    late = world.third.copy()
    (one,) = world.other.seal("order", insert("work_item", "O2", title="one"))
    (two,) = world.other.seal("order", update("work_item", "O2", title="two"))
    late.store.take(two.message)
    expect_equal((late.store.merge(), len(late.store.held())), (0, 1), "merged and held")
    late.store.take(one.message)
    expect_equal((late.store.merge(), len(late.store.held())), (2, 0), "merged and held")
    world.settle()


def _pins(world: World) -> None:
    (carried,) = world.other.seal("pins", insert("work_item", "N1", title="carried by hand"))
    world.third.store.take(carried.message)
    world.third.store.merge()
    (pinning,) = world.third.seal("pins", add("work_item", "N1", weight=4))
    (receipt,) = world.third.upload(pinning).receipts
    expect_equal((receipt.verdict, receipt.code), (VERDICT_HELD_BACK, "missing"), "verdict of the pinning block")
    # The sender need not be the writer.
    receipts = world.third.upload(carried, pinning).receipts
    expect_equal([r.verdict for r in receipts], [VERDICT_ACCEPTED] * 2, "verdicts")
    world.settle()


def _groups(world: World) -> None:
    group = world.other.seal(
        "groups", *(insert("work_item", f"G{n}", title="of a group") for n in range(6)), changes_per_block=2)
    expect_equal([block.header.group for block in group], [1, 0, 2], "marks of the group")
    world.other.upload(*group[:2])
    world.real.sync()
    world.third.sync()
    expect("G0" not in world.real.rows("work_item"), "half a group is shown")
    expect("G0" not in world.third.store.shown("work_item"), "half a group is shown here")
    world.settle()
    expect("G5" in world.real.rows("work_item"), "the group is not shown")


def _duplicates(world: World) -> None:
    (block,) = world.other.seal(ORG, insert("unit", "D1"))
    first, second = world.other.upload(block, block).receipts
    (third,) = world.other.upload(block).receipts
    expect_equal([r.verdict for r in (first, second, third)],
                 [VERDICT_ACCEPTED, VERDICT_ALREADY_HAD, VERDICT_ALREADY_HAD], "verdicts")
    for again in (second, third):
        expect_equal((again.sequence, again.accepted_at_ms, again.proof),
                     (first.sequence, first.accepted_at_ms, first.proof), "the first acceptance")
    world.settle()


def _fork(world: World) -> None:
    world.other.seal("fork", insert("work_item", "K1", title="before"))
    world.other.sync()
    twin = world.other.copy()
    replica = twin.store.replica
    (one,) = world.other.seal("fork", update("work_item", "K1", title="one"), insert("work_item", "K2"))
    (two,) = twin.seal("fork", update("work_item", "K1", title="two"), insert("work_item", "K3"))
    expect_equal((one.header.previous, one.header.first_counter), (two.header.previous, two.header.first_counter),
                 "where both go on")
    world.other.sync()
    twin.sync()
    expect(twin.store.replica != replica, "the copy goes on under the old replica")
    world.settle(twin)
    expect("title" in world.other.store.conflicts()[("work_item", "K1", "fork")], "both branches count")
    # Each may write on, and pin the other's branch.
    (settling,) = twin.seal("fork", update("work_item", "K1", title="settled"))
    expect_equal(settling.header.first_counter, 1, "first counter of the new replica")
    world.other.seal("fork", update("work_item", "K3", title="seen"))
    world.real.sql("UPDATE work_item SET title = 'seen, too' WHERE id = 'K2'")
    world.settle(twin)
    expect_equal(world.other.store.conflicts(), {}, "conflicts")


def _restored_cell(world: World) -> None:
    old = world.other.copy()
    world.other.seal(ORG, insert("unit", "B1", name="lost and found"))
    world.other.sync()
    replica = old.store.replica
    old.seal(ORG, insert("unit", "B2"))
    old.sync()
    expect("B1" in old.store.shown("unit"), "the block did not come back")
    expect(old.store.replica != replica, "the replica is the old one")
    world.settle(old)


def _paging(world: World) -> None:
    late = OtherCell(world.centre.port, world.schema)
    late.join(world.centre.code("CB3"))
    before = len(late.client.sent)
    late.sync(down_limit_bytes=1_000)
    expect(len(late.client.sent) - before > 10, "all came in a few pages")
    world.settle(late)
