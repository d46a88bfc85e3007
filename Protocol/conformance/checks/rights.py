"""Roles in channels, and what is struck of those who write all the same (README sections 5, 7, 8, 9 and 13)."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from kenh_client import tree
from kenh_client.audit import verify
from kenh_client.body import ADD, DELETE, INSERT, UPDATE
from kenh_client.checkpoints import Checkpoint
from kenh_client.client import CentreProblem
from kenh_client.kenh_pb2 import (
    VERDICT_ACCEPTED, VERDICT_ALREADY_HAD, ChangeRange, Cursor, EntryProof, LogEntry, ProofRequest, ProofResponse,
    SyncRequest, SyncResponse)
from kenh_client.kenh_pb2 import Ruling as RulingMessage
from kenh_client.keys import LOG_ENTRY, SigningKey
from kenh_client.log import BLOCK_ENTRY, RULING_ENTRY, check_proof, entry_hash, proof_hash
from kenh_client.merge import Write
from kenh_client.problems import Refused
from kenh_client.rights import Ruling
from kenh_client.store import Edit, StoredBlock

from .audits import make_record, program_takes, read_record, sealed, split_records, without_stderr
from .liars import Lie, Liar
from .organisation import HOST, OtherCell, RealCell, add, delete, insert, update
from .restores import restored
from .results import expect, expect_equal, refusal
from .trees import in_order, whole_log
from .world import World

REAL, OTHER, THIRD, EVERY = "CB1", "CB2", "CB3", "*"
# Operations by table of the roles that are tried, built-in ones and others.
ROLES: dict[str, dict[str, tuple[int, ...]]] = {
    "none": {},
    "reader": {},
    "writer": {"*": (INSERT, UPDATE, ADD, DELETE)},
    "editors": {"review": (INSERT, UPDATE, ADD)},
    "others": {"*": (INSERT, UPDATE, ADD, DELETE), "review": (DELETE,)},
    "nothing": {"*": ()},
}
DEFINED = {
    "editors": ("review:insert,update",), "others": ("*", "review:delete"), "updaters": ("review:update",),
    "nothing": ()}


def run(world: World) -> None:
    """Whatever a check took from a cell it gives back."""
    for name, arguments in DEFINED.items():
        allowed = [word for table in arguments for word in ("--allow", table)]
        world.centre.run("central", "role", "set", name, *allowed)
    for role in ROLES:
        with world.results.check(f"rights: the role {role}, written by the other client"):
            _role_of_other(world, role)
        with world.results.check(f"rights: the role {role}, written by the real cell"):
            _role_of_real(world, role)
    for name, check in (
        ("who names a struck change names what it named, transitively", _transitive),
        ("a birth in a struck insert names its row", _births),
        ("a change that names a struck one of another row", _across_rows),
        ("a ruling that comes late makes the rows anew", _late),
        ("the closest grant counts, on both sides", _precedence),
        ("a defined role that changes counts from there on", _redefined),
        ("who may not read gets neither entries nor heads, and all once added", _reading),
        ("proofs of a channel that may not be read", _proofs),
        ("the other client leaves a channel and comes back", _leaving_other),
        ("the real cell leaves a channel and comes back", _leaving_real),
        ("a restored centre gets rulings back as they were", _restored),
    ):
        with world.results.check(f"rights: {name}"):
            check(world)
    _run_lies(world)
    with world.results.check("rights: audit files with rulings, and with one that was changed"):
        _audit(world)


def run_last(world: World) -> None:
    """What the program's own check of audit files does not take yet."""
    with world.results.check("rights: a ruling without a block, after a merge that knew of none"):
        _without_block(world)


# ---------------------------------------------------------------- helpers


def _grant(world: World, cell: str, channel: str, role: str) -> None:
    world.centre.run("central", "grant", cell, channel, "--role", role)


@contextmanager
def granted(world: World, *grants: tuple[str, str, str]) -> Iterator[None]:
    """Cell, channel and role; afterwards all of them are writers again, and have come to the same."""
    try:
        for grant in grants:
            _grant(world, *grant)
        yield
    finally:
        for cell, channel in {(cell, channel) for cell, channel, _ in grants}:
            _grant(world, cell, channel, "writer")
    world.settle()


def _struck(block: StoredBlock) -> set[int]:
    """What the newest entry of a block says."""
    proof = block.acknowledged
    return set(Ruling.read(proof.ruling).struck) if proof.kind == RULING_ENTRY else set()


def _shown(cell: OtherCell, row: str, column: str = "items_done") -> object:
    shown = cell.store.shown("review")
    return shown[row][1][column] if row in shown else None


def _kinds(cell: OtherCell, channel: str, block: StoredBlock) -> list[int]:
    return [proof.kind for proof in cell.store.followers[channel].proofs if proof.object_hash == block.hash]


def _sync_all(world: World) -> None:
    for _ in range(2):
        world.real.sync()
        world.other.sync()
        world.third.sync()


def _settle_without(world: World, cell: str) -> None:
    """As `World.settle`, where one cell does not read all channels."""
    _sync_all(world)
    others = {OTHER: world.other, THIRD: world.third}
    world.compare([other for code, other in others.items() if code != cell], real_reads=cell != REAL)


def _wanted(role: str, changes: list[tuple[int, str]]) -> set[int]:
    tables = ROLES[role]
    return {place for place, (kind, table) in enumerate(changes)
            if kind not in tables.get(table, tables.get("*", ()))}


def _code(role: str) -> str:
    return "notGranted" if not any(ROLES[role].values()) else "tableNotGranted"


# ---------------------------------------------------------------- each role


def _prepare(world: World, channel: str) -> None:
    world.third.seal(
        channel, *(insert("review", f"{channel} {row}", items_done=1, results=row) for row in "ABC"),
        insert("work_item", f"{channel} W", title="W", weight=1.0))
    world.settle()


def _role_of_other(world: World, role: str) -> None:
    channel = f"rights/{role}/other"
    _prepare(world, channel)
    other = world.other
    with granted(world, (OTHER, channel, role)):
        (block,) = other.seal(
            channel, insert("review", f"{channel} D", items_done=4), update("review", f"{channel} A", items_done=5),
            delete("review", f"{channel} B"), add("review", f"{channel} C", items_done=7),
            insert("work_item", f"{channel} X", title="X"), update("work_item", f"{channel} W", title="other"),
            insert("nobodys", f"{channel} N", some="thing"), update("review", f"{channel} A", results="again"))
        wanted = _wanted(role, [(change.kind, change.table) for change in block.changes])
        first, second = other.upload(block, block).receipts
        expect_equal([first.verdict, second.verdict], [VERDICT_ACCEPTED, VERDICT_ALREADY_HAD], "verdicts")
        expect_equal(second.proof, first.proof, "proof of the second receipt")
        expect_equal(first.proof.kind, RULING_ENTRY if wanted else BLOCK_ENTRY, "kind of the entry")
        if wanted:
            ruling = Ruling.read(first.proof.ruling)
            expect_equal(ruling.struck, wanted, "struck changes")
            expect_equal(ruling.code, _code(role), "code")
            expect(ruling.message, "there is no sentence for people")
            expect_equal(first.proof.ruling, ruling.written(), "the ruling's bytes")
            for receipt in (first, second):
                expect_equal((receipt.code, receipt.message), (ruling.code, ruling.message), "code and message")
        own = {place for block_hash, place in other.store.rejected if block_hash == block.hash}
        expect_equal(own, set(), "what is rejected before anybody said so")
        if role == "none":
            _settle_without(world, OTHER)
            expect_equal(other.store.left[-1:], [channel], "channels that were left")
        else:
            world.settle()
        own = {place for block_hash, place in other.store.rejected if block_hash == block.hash}
        expect_equal(own, wanted, "what is rejected")
        for place in wanted:
            kept = other.store.rejected[block.hash, place]
            expect_equal((kept.channel, kept.change, kept.code), (channel, block.changes[place], _code(role)), "kept")
        expect_equal(_shown(world.third, f"{channel} A"), 1 if 1 in wanted else 5, "items_done of A")
        expect_equal(_shown(world.third, f"{channel} B"), 1 if 2 in wanted else None, "items_done of B")
        expect_equal(_shown(world.third, f"{channel} C"), 1 if 3 in wanted else 8, "items_done of C")
        expect_equal(_shown(world.third, f"{channel} D"), None if 0 in wanted else 4, "items_done of D")
        expect_equal(_shown(world.third, f"{channel} A", "results"), "A" if 7 in wanted else "again", "results of A")


def _role_of_real(world: World, role: str) -> None:
    channel = f"rights/{role}/real"
    _prepare(world, channel)
    real = world.real
    with granted(world, (REAL, channel, role)):
        real.run("rejected", "--forget")
        real.sql(f"INSERT INTO review(id, channel, items_done) VALUES('{channel} D', '{channel}', 4); "
                 f"UPDATE review SET items_done = 5 WHERE id = '{channel} A'; "
                 f"DELETE FROM review WHERE id = '{channel} B'; "
                 f"INSERT INTO work_item(id, channel, title) VALUES('{channel} X', '{channel}', 'X'); "
                 f"UPDATE work_item SET title = 'real' WHERE id = '{channel} W'")
        if role == "none":
            _settle_without(world, REAL)
            rows = real.rows("review")
            expect(not any(str(row).startswith(channel) for row in rows), "rows of the channel are there still")
            expect(channel not in real.json("status")["digests"], "the channel is there still")
        else:
            world.settle()
        kinds = {"insert": INSERT, "update": UPDATE, "delete": DELETE}
        made = {("review", "D", "insert"), ("review", "A", "update"), ("review", "B", "delete"),
                ("work_item", "X", "insert"), ("work_item", "W", "update")}
        wanted = {(table, f"{channel} {row}", kind) for table, row, kind in made
                  if _wanted(role, [(kinds[kind], table)])}
        rejected = real.json("rejected")
        expect_equal({(one["table"], one["id"], one["kind"]) for one in rejected}, wanted, "what is rejected")
        expect({(one["code"], one["channel"]) for one in rejected} <= {(_code(role), channel)}, f"{rejected}")
        expect(all(one["reason"] for one in rejected), "there is no sentence for people")
        values = {one["id"]: one["values"].get("items_done") for one in rejected if one["kind"] == "update"}
        if f"{channel} A" in values:
            expect_equal(values[f"{channel} A"], "5", "the value that was kept")
        told = {row: _shown(world.third, f"{channel} {row}") for row in "ABD"}
        has = ROLES[role].get("review", ROLES[role].get("*", ()))
        expect_equal(told, {"A": 5 if UPDATE in has else 1, "B": None if DELETE in has else 1,
                            "D": 4 if INSERT in has else None}, "items_done")


# ---------------------------------------------------------------- merging


def _transitive(world: World) -> None:
    channel = "rights/transitive"
    world.third.seal(channel, insert("review", "T", items_done=1, results="first"))
    world.settle()
    other = world.other
    with granted(world, (OTHER, channel, "updaters")):
        # Within a block: two struck ones in a row, and one that names the second alone.
        (block,) = other.seal(
            channel, insert("review", "T", items_done=2, results="struck"), insert("review", "T", items_done=3),
            update("review", "T", items_done=4))
        expect_equal([len(change.predecessors) for change in block.changes], [1, 1, 1], "predecessors")
        # Concurrent with it; the deletion takes what it names.
        world.real.sql("UPDATE review SET results = 'real' WHERE id = 'T'")
        world.settle()
        expect_equal(_struck(block), {0, 1}, "struck changes")
        expect_equal((_shown(world.third, "T"), _shown(world.third, "T", "results")), (4, "real"), "row")
        expect_equal(world.other.store.conflicts().get(("review", "T", channel)), None, "conflicts")
        named = world.third.store.row("review", "T", channel).writes
        expect(not any(dot.index in (0, 1) and dot.origin.block_hash == block.hash for dot in named), "struck is there")
    # Over several blocks, all but the last struck, and nobody told the writer meanwhile; by a deletion at the end.
    with granted(world, (OTHER, channel, "reader")):
        sealed_blocks = [other.seal(channel, update("review", "T", results=f"v{n}"))[0] for n in range(3)]
        other.upload(*sealed_blocks)
        _grant(world, OTHER, channel, "writer")
        (last,) = other.seal(channel, update("review", "T", results="last"), delete("review", "T"))
        world.settle()
        expect_equal([_struck(one) for one in (*sealed_blocks, last)], [{0}, {0}, {0}, set()], "struck changes")
        expect_equal(_shown(world.third, "T"), None, "the row")


def _births(world: World) -> None:
    channel = "rights/births"
    other, third = world.other, world.third
    with granted(world, (OTHER, channel, "updaters")):
        (block,) = other.seal(channel, insert("review", "BS", items_done=1))
        # By its birth, which is struck.
        (naming,) = other.seal(channel, update("review", "BS", items_done=2), with_births=True)
        expect(naming.changes[0].birth is not None, "the row is not named by a birth")
        world.settle()
        expect_equal((_struck(block), _struck(naming)), ({0}, set()), "struck changes")
        expect_equal(_shown(third, "BS"), None, "a row without an insert")
        third.seal(channel, insert("review", "BS", results="there"))
        world.settle()
        expect_equal((_shown(third, "BS"), _shown(third, "BS", "results")), (2, "there"), "the row")


def _across_rows(world: World) -> None:
    """No honest writer names a change of another row; what it means is the same all the same."""
    channel = "rights/across"
    other = world.other
    world.third.seal(channel, insert("review", "Y1", items_done=1), insert("review", "Y2", items_done=1))
    world.settle()
    late = world.third.copy()
    with granted(world, (OTHER, channel, "updaters")):
        foreign = list(other.store.row("review", "Y1", channel).writes.values())
        own_row = other.store.row("review", "Y2", channel)
        # A struck insert of Y2 that names the write of Y1, too; then an update of Y1 that names it alone.
        (struck,) = _seal_naming(
            other, channel, insert("review", "Y2", items_done=2), [*own_row.writes.values(), *foreign])
        strange = [write for write in other.store.row("review", "Y2", channel).writes.values()
                   if write.dot.origin.block_hash == struck.hash]
        (after,) = _seal_naming(other, channel, update("review", "Y1", items_done=3), strange)
        for block in (struck, after):
            late.store.take(block.message)
        late.store.merge()
        expect_equal(len(late.store.row("review", "Y1", channel).writes), 2, "writes of Y1 before the ruling")
        world.settle()
        expect_equal((_struck(struck), _struck(after)), ({0}, set()), "struck changes")
        late.sync()
        world.compare([late])
        counting = [write for write in late.store.row("review", "Y1", channel).writes.values()
                    if "items_done" in write.columns]
        expect_equal(len(counting), 1, "writes of Y1 that count in items_done")


def _seal_naming(cell: OtherCell, channel: str, edit: Edit, named: list[Write]) -> list[StoredBlock]:
    """Seal an edit that names what it is told to."""
    row = cell.store.rows[edit.table, edit.id, channel]
    row.named = lambda kind, columns: named
    try:
        return cell.seal(channel, edit)
    finally:
        del row.named


def _late(world: World) -> None:
    channel = "rights/late"
    other, third = world.other, world.third
    third.seal(channel, insert("review", "L1", items_done=1), insert("review", "L2", items_done=1))
    world.settle()
    late = third.copy()
    late.store.renew_replica()
    with granted(world, (OTHER, channel, "updaters")):
        (block,) = other.seal(
            channel, insert("review", "L1", items_done=2), insert("review", "L3", items_done=2),
            delete("review", "L2"))
        # By hand, before anybody judged it; and built upon.
        late.store.take(block.message)
        expect_equal(late.store.merge(), 3, "merged changes")
        expect_equal((_shown(late, "L1"), _shown(late, "L3")), (2, 2), "what is shown meanwhile")
        late.seal(channel, update("review", "L1", results="on top", items_done=5), update("review", "L3", results="x"))
        late.sync()
        expect_equal(_struck(late.store.blocks[block.hash]), {0, 1, 2}, "struck changes")
        _sync_all(world)
        late.sync()
        world.compare([other, third, late])
        expect_equal((_shown(late, "L1"), _shown(late, "L2"), _shown(late, "L3")), (5, 1, None), "what is shown")
        expect_equal(late.store.rejected, {}, "what is rejected of others")


def _without_block(world: World) -> None:
    channel = "rights/without"
    other, third = world.other, world.third
    third.seal(channel, insert("review", "without 1", items_done=1))
    world.settle()
    with restored(world):
        _grant(world, OTHER, channel, "updaters")
        (block,) = other.seal(
            channel, insert("review", "without 1", items_done=2), update("review", "without 1", results="seen"),
            insert("review", "without 2", items_done=2))
        other.sync()
        expect_equal(_struck(block), {0, 2}, "struck changes")
    before = block.acknowledged
    # Whoever got the block by hand sends it first, and nothing forbids it at that place of the log.
    third.store.take(block.message)
    third.store.merge()
    third.sync()
    carried = third.store.blocks[block.hash]
    expect_equal(_struck(carried), set(), "struck changes of the log as it is")
    world.real.sync()
    expect("without 2" in world.real.rows("review"), "the real cell has not merged the block")
    third.seal(channel, update("review", "without 1", items_done=3), update("review", "without 2", results="on top"))
    third.sync()
    world.real.sync()
    other.sync()
    world.settle()
    for cell in (other, third):
        expect_equal(_kinds(cell, channel, block), [BLOCK_ENTRY, RULING_ENTRY], "kinds of its entries")
        newest = [proof for proof in cell.store.followers[channel].proofs if proof.object_hash == block.hash][-1]
        expect_equal(set(Ruling.read(newest.ruling).struck), {0, 2}, "struck changes of the ruling")
        expect_equal(newest.accepted_at_ms, before.accepted_at_ms, "time of acceptance")
    expect("without 2" not in world.real.rows("review"), "the row is there still")
    (receipt,) = third.upload(block).receipts
    expect_equal((receipt.verdict, receipt.proof), (VERDICT_ALREADY_HAD, newest), "the newest entry of the block")
    _grant(world, OTHER, channel, "writer")
    world.settle()


# ---------------------------------------------------------------- grants


def _precedence(world: World) -> None:
    channel = "rights/order"
    world.other.seal(channel, insert("review", "G1"))
    world.settle()
    steps = (
        (EVERY, "*", "reader"),
        (THIRD, "*", "updaters"),
        (EVERY, "rights/*", "editors"),
        (THIRD, "rights/*", "reader"),
        (EVERY, "rights/ord*", "others"),
        (THIRD, "rights/ordering*", "none"),
        (EVERY, channel, "editors"),
        (THIRD, channel, "others"),
    )
    wanted = ["reader", "updaters", "editors", "reader", "others", "others", "editors", "others"]
    found, listed, written = [], [], []
    try:
        for number, step in enumerate(steps):
            _grant(world, *step)
            world.third.sync()
            found.append(world.third.store.rights().role_name(THIRD, channel))
            roles = {one["channel"]: one["roles"] for one in world.centre.json("central", "channel", "list")}
            listed.append(roles[channel][THIRD])
            (block,) = world.third.seal(channel, insert("review", f"G{number + 2}"))
            world.third.sync()
            written.append(not _struck(block))
        expect_equal(found, wanted, "roles by the other client")
        expect_equal(listed, wanted, "roles by the centre")
        expect_equal(written, [role == "editors" for role in wanted], "what was taken of the inserts")
        for cell in (REAL, OTHER):
            expect_equal(world.third.store.rights().role_name(cell, channel), roles[channel][cell], f"role of {cell}")
    finally:
        for cell, pattern, _ in steps:
            _grant(world, cell, pattern, "writer")
    world.settle()


def _redefined(world: World) -> None:
    channel = "rights/redefined"
    other = world.other
    world.centre.run("central", "role", "set", "changing", "--allow", "review:insert")
    with granted(world, (OTHER, channel, "changing")):
        (first,) = other.seal(channel, insert("review", "C1"), update("review", "C1", items_done=1))
        other.sync()
        world.centre.run("central", "role", "set", "changing", "--allow", "review:update")
        (second,) = other.seal(channel, insert("review", "C2"), update("review", "C1", items_done=2))
        other.sync()
        expect_equal((_struck(first), _struck(second)), ({1}, {0}), "struck changes")
        world.settle()
        expect_equal((_shown(world.third, "C1"), "C2" in world.third.store.shown("review")), (2, False), "rows")


def _reading(world: World) -> None:
    channel = "rights/secret"
    with granted(world, (EVERY, channel, "none"), (OTHER, channel, "writer")):
        (block,) = world.other.seal(channel, insert("review", "S1", items_done=1), insert("review", "S2"))
        world.other.sync()
        for cell in (world.third, _late_cell(world)):
            response = whole_log(cell)
            expect(channel not in {entry.channel for entry in response.entries}, "entries of the channel came")
            expect(channel not in {head.channel for head in response.heads}, "a head of the channel came")
            cell.sync()
            expect(channel not in cell.store.channels() | set(cell.store.followers), "the channel is followed")
        world.real.sync()
        expect("S1" not in world.real.rows("review"), "the real cell has a row")
        # It sends what it has, which is judged.
        (written,) = world.third.seal(channel, insert("review", "S3"))
        world.real.sql(f"INSERT INTO review(id, channel) VALUES('S4', '{channel}')")
        world.third.sync()
        world.real.sync()
        expect_equal(_struck(written), {0}, "struck changes")
        expect(channel not in world.third.store.channels(), "the channel is there still")
        expect("S4" not in world.real.rows("review"), "the row is there still")
        expect("S4" in {one["id"] for one in world.real.json("rejected")}, "the real cell kept nothing")
        _grant(world, THIRD, channel, "reader")
        world.third.sync()
        expect_equal(_shown(world.third, "S1"), 1, "the row of a reader")
        expect_equal(len(world.third.store.followers[channel].proofs), 3, "entries of the channel")
        world.real.sync()
        expect("S1" not in world.real.rows("review"), "the real cell has a row")
        _grant(world, REAL, channel, "reader")
        world.real.sync()
        expect("S1" in world.real.rows("review"), "the real cell lacks the row")
    for cell in (REAL, THIRD):
        _grant(world, cell, channel, "writer")
    world.settle()
    expect(written.hash in world.third.store.blocks, "the own block did not come back")


def _late_cell(world: World) -> OtherCell:
    late = OtherCell(world.centre.port, world.schema)
    late.join(world.centre.code(THIRD))
    return late


def _proofs(world: World) -> None:
    channel = "rights/proofs"
    (theirs,) = world.third.seal(channel, insert("review", "P1"))
    world.third.sync()
    (own,) = world.other.seal(channel, insert("review", "P2"))
    world.other.sync()

    def found(cell: OtherCell, **fields: object) -> EntryProof | None:
        try:
            response = cell.client.post("/v1/proof", ProofRequest(protocol=1, **fields), ProofResponse)
        except CentreProblem as problem:
            expect_equal((problem.status, problem.code), (404, "notFound"), "problem")
            return None
        check_proof(response.proof, cell.client.keys)
        shown = Checkpoint.read(response.checkpoint, cell.client.serving_key)
        expect(shown.has(proof_hash(response.proof), response.position, response.inclusion), "it is not in the tree")
        return response.proof

    places = {block.hash: Cursor(channel=channel, sequence=block.acknowledged.sequence) for block in (theirs, own)}
    with granted(world, (OTHER, channel, "none")):
        (struck,) = world.other.seal(channel, insert("review", "P3"))
        (receipt,) = world.other.upload(struck).receipts
        places[struck.hash] = Cursor(channel=channel, sequence=receipt.sequence)
        for what, cell, block, is_found in (
            ("another's block", world.other, theirs, False), ("the own block", world.other, own, True),
            ("the own block, struck", world.other, struck, True), ("a reader's look at it", world.third, struck, True),
            ("a reader's look at the other", world.third, own, True),
        ):
            by_object = found(cell, object_hash=block.hash)
            expect_equal(by_object is not None, is_found, f"{what}, by its hash")
            expect_equal(found(cell, entry=places[block.hash]), by_object, f"{what}, by its place")
            if block is struck:
                expect_equal(by_object, receipt.proof, f"{what}: the proof of its receipt")
        expect_equal(found(world.other, entry=Cursor(channel=channel, sequence=99)), None, "no such entry")


# ---------------------------------------------------------------- leaving


def _leaving_other(world: World) -> None:
    channel = "rights/left"
    other = world.other
    (own,) = other.seal(channel, insert("review", "E1", items_done=1))
    other.seal("rights/kept", insert("review", "E2"))
    world.settle()
    replica, before = other.store.replica, len(other.store.blocks)
    of_channel = sum(block.header.channel == channel for block in other.store.blocks.values())
    with granted(world, (OTHER, channel, "none")):
        (late,) = other.seal(channel, update("review", "E1", items_done=2))
        report = other.sync()
        expect_equal(report.left, [channel], "channels that were left")
        expect_equal(_struck(late), {0}, "struck changes")
        expect_equal(other.store.rejected[late.hash, 0].change.values, {"items_done": 2}, "values that were kept")
        expect(other.store.replica != replica, "it goes on under the old replica")
        expect_equal(len(other.store.blocks), before - of_channel, "blocks")
        expect("E1" not in other.store.shown("review") and channel not in other.store.followers, "something is left")
        expect_equal(other.sync().left, [], "channels that were left again")
        replica = other.store.replica
        _settle_without(world, OTHER)
    expect(own.hash in other.store.blocks and late.hash in other.store.blocks, "own blocks did not come back")
    expect_equal(other.store.replica, replica, "replica")
    (again,) = other.seal(channel, update("review", "E1", items_done=3))
    expect_equal(again.header.first_counter, 1, "first counter of the new lane")
    world.settle()
    expect_equal((_struck(again), _shown(world.third, "E1")), (set(), 3), "struck changes and value")


def _leaving_real(world: World) -> None:
    channel = "rights/left/real"
    real = world.real
    real.sql(f"INSERT INTO review(id, channel, items_done) VALUES('F1', '{channel}', 1)")
    world.settle()
    first = {block.header.replica for block in world.third.store.blocks.values() if block.header.channel == channel}
    with granted(world, (REAL, channel, "none")):
        real.sync()
        expect("F1" not in real.rows("review") and channel not in real.json("status")["digests"], "something is left")
        world.third.seal(channel, insert("review", "F2"))
        _settle_without(world, REAL)
        expect("F2" not in real.rows("review"), "a row came")
    expect({"F1", "F2"} <= set(real.rows("review")), "the rows did not come back")
    real.sql("UPDATE review SET items_done = 2 WHERE id = 'F1'")
    world.settle()
    expect_equal(_shown(world.third, "F1"), 2, "what the real cell wrote")
    replicas = [block.header for block in world.third.store.blocks.values()
                if block.header.channel == channel and block.header.replica not in first]
    expect(any(header.first_counter == 1 and world.third.store.devices[
        world.third.store.replicas[header.replica]] == REAL for header in replicas), "the lane does not begin anew")


def _restored(world: World) -> None:
    channel = "rights/restored"
    other, third = world.other, world.third
    third.seal(channel, insert("review", "Z1", items_done=1))
    world.settle()
    with restored(world):
        _grant(world, OTHER, channel, "updaters")
        _grant(world, THIRD, channel, "reader")
        (block,) = other.seal(channel, insert("review", "Z1", items_done=2), update("review", "Z1", items_done=3))
        other.sync()
        (theirs,) = third.seal(channel, update("review", "Z1", results="struck"))
        third.sync()
        world.real.sync()
    before = block.acknowledged
    # Stated since: what comes back is older, and does not replace it.
    _grant(world, OTHER, channel, "editors")
    other.sync()
    expect(block.acknowledged.sequence > 0 and block.acknowledged.kind == RULING_ENTRY, "the ruling did not come back")
    for name in ("ruling", "accepted_at_ms", "object_hash"):
        expect_equal(getattr(block.acknowledged, name), getattr(before, name), name)
    expect_equal(world.third.sync().unequal, [], "unequal channels")
    _sync_all(world)
    roles = {one["channel"]: one["roles"] for one in world.centre.json("central", "channel", "list")}
    for cell, role in ((OTHER, "editors"), (THIRD, "reader")):
        expect_equal(roles[channel][cell], role, f"role of {cell} by the centre")
        expect_equal(third.store.rights().role_name(cell, channel), role, f"role of {cell}")
    expect_equal((_struck(block), _struck(theirs)), ({0}, {0}), "struck changes")
    world.settle()
    for cell in (OTHER, THIRD):
        _grant(world, cell, channel, "writer")
    world.settle()


# ---------------------------------------------------------------- lies


def _run_lies(world: World) -> None:
    """Each of them signed by the centre, and in a tree that goes on as it should."""
    liar = Liar(world.centre.port, world.centre.serving_key())
    channel = "rights/lies"
    try:
        cell = RealCell(world.centre.binary, world.centre.home.parent / "lied-to-of-rights")
        cell.join(f"http://{HOST}:{liar.port}", world.centre.code(REAL))
        (block,) = world.third.seal(channel, *(insert("review", f"lie {n}") for n in range(3)))
        world.settle()
        cell.sync()
        expect("lie 0" in cell.rows("review"), "the truth did not come")
        for name, (object_hash, ruling) in _bad_rulings(block.hash).items():
            with world.results.check(f"rights: lie to both: {name}"):
                lie = _appended(world, channel, object_hash, ruling)
                _lie_here(world, liar, lie, "brokenLink" if "nobody has" in name else "malformed")
                _lie_there(liar, cell, lie)
        with world.results.check("rights: lie to the other client: a ruling on a block of another channel"):
            (foreign,) = world.third.seal("rights/lies/else", insert("review", "lie else"))
            lie = _appended(world, channel, foreign.hash, Ruling(frozenset({0}), "notGranted", "no").written())
            _lie_here(world, liar, lie, "brokenLink")
            world.settle()
        with world.results.check("rights: lie to the other client: a receipt with a bad ruling"):
            _bad_receipt(world, liar)
        with world.results.check("rights: what was no lie in its form is taken, and strikes"):
            _good_ruling(world, liar, cell, channel, block.hash)
    finally:
        liar.close()


def _bad_rulings(own: bytes) -> dict[str, tuple[bytes, bytes]]:
    def ruling(*parts: tuple[int, int], message: str = "no") -> bytes:
        struck = [ChangeRange(first=first, count=count) for first, count in parts]
        return RulingMessage(struck=struck, code="notGranted", message=message).SerializeToString()

    return {
        "a ruling of no bytes": (own, b""),
        "a ruling that cannot be read": (own, b"\x0a\x05\x08"),
        "a ruling that is no text": (own, ruling((0, 1)) + b"\x12\x02\xff\xfe"),
        "a ruling that strikes nothing": (own, ruling()),
        "a ruling with an empty range": (own, ruling((0, 0))),
        "a ruling with ranges in another order": (own, ruling((2, 1), (0, 1))),
        "a ruling with adjacent ranges": (own, ruling((0, 1), (1, 1))),
        "a ruling with ranges that overlap": (own, ruling((0, 2), (1, 2))),
        "a ruling beyond all changes": (own, ruling((65_535, 2))),
        "a ruling beyond all numbers": (own, ruling((1, 2**32 - 1))),
        "a ruling beyond the block's changes": (own, ruling((2, 2))),
        "a ruling of more than 1 MiB": (own, ruling((0, 1), message="n" * 2**20)),
        "a ruling on a block that nobody has": (secrets.token_bytes(32), ruling((0, 1))),
    }


def _appended(world: World, channel: str, object_hash: bytes, ruling: bytes) -> Lie:
    """One entry more at the end of the log."""
    key = world.centre.serving_key()

    def append(request: SyncRequest, response: SyncResponse) -> None:
        shown = Checkpoint.read(response.checkpoint, key.public)
        world.other.sync()
        hashes = in_order(world.other, whole_log(world.other))
        head = next(head for head in response.heads if head.channel == channel)
        entry = LogEntry(
            kind=RULING_ENTRY, channel=channel, sequence=head.sequence + 1, position=shown.size + 1,
            object_hash=object_hash, accepted_at_ms=response.time_ms, ruling=ruling)
        hashes.append(entry_hash(head.log_hash, entry.kind, channel, entry.sequence, object_hash,
                                 entry.accepted_at_ms, ruling))
        entry.signature = key.sign(LOG_ENTRY, response.epoch + hashes[-1])
        expect_equal(len(hashes), shown.size + 1, "entries")
        response.entries.append(entry)
        response.checkpoint = replace(shown, size=len(hashes), root=tree.root(hashes)).signed(key)
        del response.consistency[:]
        if request.tree_size > 0:
            response.consistency.extend(tree.consistency(hashes, request.tree_size))
        head.sequence, head.log_hash, head.position, head.digest = entry.sequence, hashes[-1], entry.position, b""
        for one in response.heads:
            if one.position:
                del one.inclusion[:]
                one.inclusion.extend(tree.inclusion(hashes, one.position - 1))

    return append


@contextmanager
def _lied_to(cell: OtherCell, liar: Liar) -> Iterator[None]:
    honest, cell.client.port = cell.client.port, liar.port
    try:
        yield
    finally:
        liar.lie, cell.client.port = None, honest


def _lie_here(world: World, liar: Liar, lie: Lie, code: str) -> None:
    world.third.sync()
    with _lied_to(world.third, liar):
        liar.lie = lie
        with without_stderr():
            expect_equal(refusal("the lie", world.third.sync), code, "refusal")


def _lie_there(liar: Liar, cell: RealCell, lie: Lie) -> None:
    liar.lie = lie
    try:
        cell.sync()
    except AssertionError:
        pass
    else:
        raise AssertionError("the real cell took it")
    finally:
        liar.lie = None
    expect({"lie 0", "lie 1", "lie 2"} <= set(cell.rows("review")), "rows are missing")
    cell.sync()


def _bad_receipt(world: World, liar: Liar) -> None:
    key = world.centre.serving_key()

    def change(request: SyncRequest, response: SyncResponse) -> None:
        for receipt in response.receipts:
            receipt.proof.kind, receipt.proof.ruling = RULING_ENTRY, Ruling(frozenset({3}), "c", "m").written()
            receipt.proof.signature = key.sign(LOG_ENTRY, receipt.proof.epoch + proof_hash(receipt.proof))

    cell = world.third
    (block,) = cell.seal("rights/lies/else", insert("review", "lie up"))
    with _lied_to(cell, liar):
        liar.lie = change
        expect_equal(refusal("the receipt", cell.sync), "malformed", "refusal")
    world.settle()
    expect_equal(_struck(block), set(), "struck changes")


def _good_ruling(world: World, liar: Liar, cell: RealCell, channel: str, block_hash: bytes) -> None:
    lie = _appended(world, channel, block_hash, Ruling(frozenset({1}), "notGranted", "no").written())
    twin = world.third.copy()
    with _lied_to(twin, liar):
        liar.lie = lie
        twin.sync()
    expect("lie 0" in twin.store.shown("review") and "lie 1" not in twin.store.shown("review"), "rows here")
    liar.lie = lie
    cell.sync()
    liar.lie = None
    expect({"lie 0", "lie 2"} <= set(cell.rows("review")) and "lie 1" not in cell.rows("review"), "rows there")


# ---------------------------------------------------------------- audit files


def _audit(world: World) -> None:
    channel = "rights/audited"
    with granted(world, (OTHER, channel, "updaters")):
        (block,) = world.other.seal(
            channel, insert("review", "A1"), update("review", "A1", items_done=1), insert("review", "A2"))
        world.other.sync()
        expect_equal(_struck(block), {0, 2}, "struck changes")
        path = world.centre.home.parent / "rulings.audit"
        world.centre.run("audit", "export", str(path))
    report = verify(path.read_bytes())
    expect(report.struck > 10, f"{report.struck} struck changes")
    expect(program_takes(world, path), "the program refuses its own export")
    copy = world.centre.home.parent / "copy.audit"
    key = world.centre.serving_key()
    wrong = []
    for what, is_good, ruling in (
        ("the file as it is", True, block.acknowledged.ruling),
        ("another sentence", True, Ruling(frozenset({0, 2}), "tableNotGranted", "another").written()),
        ("less struck", False, Ruling(frozenset({0}), "tableNotGranted", "no").written()),
        ("more struck", False, Ruling(frozenset({0, 1, 2}), "tableNotGranted", "no").written()),
        ("other changes struck", False, Ruling(frozenset({1}), "tableNotGranted", "no").written()),
        ("changes struck that there are not", False, Ruling(frozenset({0, 2, 4}), "tableNotGranted", "no").written()),
        ("nothing struck", False, RulingMessage(code="notGranted").SerializeToString()),
        ("no ruling", False, b""),
    ):
        for is_signed in (False, True):
            made = _with_ruling(path.read_bytes(), ruling, key, is_signed)
            copy.write_bytes(made)
            is_taken = is_good and (is_signed or ruling == block.acknowledged.ruling)
            if _takes(made) != is_taken:
                wrong.append(f"{what}, {is_signed=}: here")
            # In its index the program names what was struck; where only the sentence is another, that tells.
            if program_takes(world, copy) != is_taken and not (is_taken and what == "another sentence"):
                wrong.append(f"{what}, {is_signed=}: there")
    expect_equal(wrong, [], "where somebody says otherwise")


def _takes(content: bytes) -> bool:
    try:
        verify(content)
    except Refused:
        return False
    return True


def _with_ruling(content: bytes, ruling: bytes, key: SigningKey, is_signed: bool) -> bytes:
    """The file with another ruling in its last entry; `is_signed`: by the centre, with all that follows from it."""
    records = split_records(content)[:-1]
    last = read_record(records[-1]).entry
    notes = [place for place, record in enumerate(records) if read_record(record).HasField("checkpoint")]
    expect_equal(last.kind, RULING_ENTRY, "kind of the last entry")
    last.ruling = ruling
    if is_signed:
        hashes: list[bytes] = []
        chains: dict[str, bytes] = {}
        for entry in [read_record(record).entry for record in records if read_record(record).HasField("entry")][:-1]:
            hashes.append(_entry_hash(entry, chains))
        hashes.append(_entry_hash(last, chains))
        last.signature = key.sign(LOG_ENTRY, last.epoch + hashes[-1])
        newest = Checkpoint.read(read_record(records[notes[-1]]).checkpoint, key.public)
        records[notes[-1]] = make_record(checkpoint=replace(newest, root=tree.root(hashes)).signed(key))
    return sealed([*records[:-1], make_record(entry=last)], key)


def _entry_hash(entry: LogEntry, chains: dict[str, bytes]) -> bytes:
    chains[entry.channel] = entry_hash(
        chains.get(entry.channel, bytes(32)), entry.kind, entry.channel, entry.sequence, entry.object_hash,
        entry.accepted_at_ms, entry.ruling)
    return chains[entry.channel]
