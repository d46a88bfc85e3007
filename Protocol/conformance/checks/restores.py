"""A centre that was put back from an older copy (README section 7, “Reconcile”)."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from kenh_client.kenh_pb2 import (
    VERDICT_ACCEPTED, VERDICT_ALREADY_HAD, CellAdded, ChannelPlaces, EntryProof, HandedBack, ReconcileRequest, ReconcileResponse,
    RegistryStatement, SignedStatement)
from kenh_client.keys import LOG_ENTRY, REGISTRY_STATEMENT
from kenh_client.log import BLOCK_ENTRY, REGISTRY_CHANNEL, VERDICT_ENTRY, proof_hash

from .organisation import OtherCell, insert, update
from .results import expect, expect_equal, expect_problem
from .world import World

ORG = "org"
DAY_MS = 86_400_000


def run(world: World) -> None:
    """Each check puts the centre back once."""
    for name, check in (
        ("a restored centre gets its blocks back, with their times", _handed_back),
        ("a restored centre learns a device again that it forgot", _forgotten_device),
        ("forged proofs open no new life of the log, and give no time", _forged),
        ("a block that is handed back without a proof is taken as a new one", _without_proof),
        ("of two acceptances the earliest counts on every node", _verdict),
    ):
        with world.results.check(name):
            check(world)


@contextmanager
def restored(world: World) -> Iterator[None]:
    """What is done meanwhile is lost at the centre."""
    older = world.centre.home.parent / "older"
    world.centre.stop()
    shutil.copytree(world.centre.home, older)
    world.centre.start()
    try:
        yield
    finally:
        world.centre.stop()
        shutil.rmtree(world.centre.home)
        older.rename(world.centre.home)
        world.centre.start()


def _handed_back(world: World) -> None:
    epoch = world.other.store.epoch
    with restored(world):
        (block,) = world.other.seal(ORG, insert("unit", "H1", name="from tomorrow"), later_ms=DAY_MS)
        world.other.sync()
        world.real.sql("UPDATE unit SET name = 'of the real' WHERE id = 'H1'; INSERT INTO unit(id) VALUES('H2')")
        world.third.sync()
        world.real.sync()
        # A receipt alone: its entry never came down.
        (unseen,) = world.third.seal(ORG, insert("unit", "H3"))
        (receipt,) = world.third.upload(unseen).receipts
        world.third.store.acknowledge(unseen.hash, receipt.proof)
    accepted = block.origin.accepted_at_ms
    report = world.other.sync()
    expect(report.handed_back > 0, "nothing was handed back")
    expect(world.other.store.epoch != epoch, "the log goes on under the old epoch")
    expect_equal(block.acknowledged.accepted_at_ms, accepted, "time of acceptance")
    expect(world.third.sync().handed_back > 0, "the third handed nothing back")
    expect_equal(unseen.acknowledged.accepted_at_ms, receipt.accepted_at_ms, "time of acceptance")
    world.settle()
    expect("H1" in world.centre.rows("unit") and "H3" in world.centre.rows("unit"), "a row is lost")
    # What was lost came back, though not to its place: the log has forgotten what it had shown, and both say so.
    expect(world.other.store.forgotten, "the log forgot what it had shown, and nobody was told")
    notices = world.real.json("status")["notices"]
    expect(any("no longer begins with" in notice for notice in notices), f"the real cell tells {notices}")


def _forgotten_device(world: World) -> None:
    late = OtherCell(world.centre.port, world.schema)
    with restored(world):
        late.join(world.centre.code("CB3"))
        late.sync()
        late.seal(ORG, insert("unit", "L1", name="of a late one"))
        late.sync()
    expect_problem("a device that was forgotten", late.heads, 403, "unknownDevice")
    late.sync()
    world.settle(late)
    expect("L1" in world.real.rows("unit"), "the row is lost")


def _forged(world: World) -> None:
    cell = world.other
    cell.sync()
    epoch = cell.store.epoch
    (block,) = cell.seal(ORG, insert("unit", "J1"))
    forged = EntryProof(
        epoch=epoch, kind=BLOCK_ENTRY, channel=ORG, sequence=9_999, object_hash=block.hash, accepted_at_ms=5,
        previous=bytes(32))
    forged.signature = cell.client.key.sign(LOG_ENTRY, epoch + proof_hash(forged))

    def ask(**fields: object) -> ReconcileResponse:
        request = ReconcileRequest(protocol=1, replica=cell.store.replica, **fields)
        return cell.client.post("/v1/reconcile", request, ReconcileResponse)

    response = ask(places=[ChannelPlaces(channel=ORG, newest=[forged])])
    expect_equal((response.epoch, response.common[0].sequence), (epoch, 0), "epoch and common place")
    expect_equal(list(ask(handed_back=[HandedBack(proof=forged)]).wanted), [block.hash], "wanted blocks")
    (receipt,) = ask(handed_back=[HandedBack(proof=forged, block=block.message)]).receipts
    expect_equal(receipt.verdict, VERDICT_ACCEPTED, "verdict")
    expect(receipt.accepted_at_ms > 5, "the forged time was taken")
    # Nor is a statement taken that the centre did not make.
    registry = {head.channel: head.sequence for head in cell.heads()}[REGISTRY_CHANNEL]
    statement = RegistryStatement(organisation=cell.store.organisation, cell_added=CellAdded(code="CB9"))
    content = statement.SerializeToString()
    signed = SignedStatement(statement=content, signature=cell.client.key.sign(REGISTRY_STATEMENT, content))
    expect_problem("a statement that the centre did not sign", lambda: ask(handed_back=[HandedBack(registry=signed)]),
                   401, "badSignature")
    expect_equal({head.channel: head.sequence for head in cell.heads()}[REGISTRY_CHANNEL], registry, "registry")
    world.settle()
    expect_equal(cell.store.epoch, epoch, "epoch")


def _without_proof(world: World) -> None:
    cell = world.other
    cell.sync()
    (block,) = cell.seal(ORG, insert("unit", "W1"))

    def hand_back(*items: HandedBack) -> ReconcileResponse:
        request = ReconcileRequest(protocol=1, replica=cell.store.replica, handed_back=items)
        return cell.client.post("/v1/reconcile", request, ReconcileResponse)

    expect_problem("what has neither a block nor a proof, and names nothing,", lambda: hand_back(HandedBack()),
                   400, "malformed")
    try:
        receipts = hand_back(*[HandedBack(block=block.message)] * 2).receipts
        expect_equal([receipt.verdict for receipt in receipts], [VERDICT_ACCEPTED, VERDICT_ALREADY_HAD], "verdicts")
    finally:
        world.settle()


def _verdict(world: World) -> None:
    with restored(world):
        (block,) = world.other.seal(ORG, insert("unit", "E1", name="early"), later_ms=DAY_MS)
        world.other.sync()
    first = block.acknowledged.accepted_at_ms
    # Whoever got the block by hand sends it first: the log takes it as new.
    world.third.store.take(block.message)
    world.third.store.merge()
    world.third.sync()
    carried = world.third.store.blocks[block.hash]
    expect(carried.acknowledged.accepted_at_ms > first, "the block has not been accepted anew")
    anew = carried.acknowledged
    expect(world.other.sync().equal, "no channel is equal")
    world.settle()
    expect_equal(carried.origin.accepted_at_ms, first, "the acceptance that counts")
    world.third.store.acknowledge(block.hash, anew, in_log=False)
    expect_equal(carried.origin.accepted_at_ms, first, "the acceptance that counts, whatever comes later")
    kinds = [proof.kind for proof in world.third.store.followers[ORG].proofs if proof.object_hash == block.hash]
    expect(VERDICT_ENTRY in kinds, f"kinds of its entries: {kinds}")
    expect_equal(world.third.store.digest(ORG), world.other.store.digest(ORG), "digests")
    world.other.seal(ORG, update("unit", "E1", name="late"))
    world.settle()
