"""The tree over the log, as the real centre shows it (README section 6): in each answer, and by /v1/proof."""

import secrets
from collections.abc import Callable
from dataclasses import replace

from kenh_client import tree
from kenh_client.checkpoints import Checkpoint, Contradiction, TreeCheck, origin
from kenh_client.kenh_pb2 import (
    ChannelHead, Cursor, EpochOpened, ProofRequest, ProofResponse, ReconcileRequest, ReconcileResponse,
    RegistryStatement, SyncRequest, SyncResponse)
from kenh_client.log import REGISTRY_CHANNEL, check_proof, proof_hash
from kenh_client.problems import Refused
from kenh_client.sync import EntryCheck, Sync

from .organisation import OtherCell, insert
from .results import expect, expect_equal, expect_problem
from .world import World

CHANNEL = "tree"


def run(world: World) -> None:
    """All but what begins a new life of the log."""
    for name, check in (
        ("each checkpoint goes on from the one before, over many syncs", _many_syncs),
        ("every entry of the log stands in the tree where it says", _all_entries),
        ("proofs of entries, by object and by place", _proofs),
        ("device refuses: checkpoints and proofs with one thing changed", _tampered),
    ):
        with world.results.check(f"tree: {name}"):
            check(world)


def run_lives(world: World) -> None:
    """What begins a new life of the log."""
    for name, check in (
        ("a device finds two checkpoints of one life that contradict each other", _contradiction),
        ("a checkpoint that the log does not hold begins a new life, once", _lost_checkpoints),
        ("a new life says how the one before ended, and old checkpoints can be checked", _epoch_opened),
    ):
        with world.results.check(f"tree: {name}"):
            check(world)


def _tree_check(cell: OtherCell, known: Checkpoint | None = None) -> TreeCheck:
    return TreeCheck(cell.store.organisation, cell.client.serving_key, known)


def whole_log(cell: OtherCell, tree_size: int = 0) -> SyncResponse:
    """The log from its beginning; it fits into one answer."""
    request = SyncRequest(protocol=1, replica=cell.store.replica, with_own_blocks=True, tree_size=tree_size)
    response = cell.client.post("/v1/sync", request, SyncResponse)
    expect(not response.more, "the log does not fit into one answer")
    return response


def _reached(cell: OtherCell, response: SyncResponse) -> Callable[[str], tuple[int, bytes]]:
    store = cell.copy().store
    store.followers = {}
    plan = EntryCheck(store, cell.client.keys, response.epoch)
    for entry in response.entries:
        plan.check(entry)
    return plan.reached


def _many_syncs(world: World) -> None:
    cell = world.other
    cell.sync()
    first = cell.store.checkpoint
    kept = [first]
    for number in range(9):
        for _ in range(number % 3 + 1):
            cell.seal(f"{CHANNEL}/{number % 2}", insert("review", secrets.token_hex(8)))
        if number % 2:
            world.real.sync()
        cell.sync()
        expect(cell.store.checkpoint.size > kept[-1].size, "the log did not grow")
        kept.append(cell.store.checkpoint)
    expect_equal(cell.store.forgotten, [], "forgotten checkpoints")
    # From each of them to the newest, by size alone.
    for earlier in kept:
        response = whole_log(cell, earlier.size)
        shown, is_known = _tree_check(cell, earlier).goes_on(
            response.checkpoint, response.epoch, response.consistency)
        expect(is_known, f"{shown.size} entries do not go on from {earlier.size}")
    for size in (0, kept[-1].size, kept[-1].size + 1, 2**64 - 1):
        expect_equal(list(whole_log(cell, size).consistency), [], f"consistency from {size}")
    # A device that has followed nothing is shown all heads, one that stands at a head and was shown it is not.
    heads = {head.channel: head for head in cell.heads()}
    expect(all(head.position > 0 for head in heads.values()), "a head without a position")
    request = Sync(cell.store, cell.client).request()
    for head in cell.client.post("/v1/sync", request, SyncResponse).heads:
        expect_equal((head.position, len(head.inclusion)), (0, 0), f"position and path of {head.channel}")


def in_order(cell: OtherCell, response: SyncResponse) -> list[bytes]:
    """The hashes of all entries, by their positions, as the cell computed them when it followed the log."""
    followed = {
        (channel, proof.sequence): proof_hash(proof)
        for channel, follower in cell.store.followers.items() for proof in follower.proofs}
    entries = sorted(response.entries, key=lambda entry: entry.position)
    expect_equal([entry.position for entry in entries], list(range(1, len(entries) + 1)), "positions")
    return [followed[entry.channel, entry.sequence] for entry in entries]


def _all_entries(world: World) -> None:
    response = whole_log(world.other)
    checkpoint = Checkpoint.read(response.checkpoint, world.other.client.serving_key)
    hashes = in_order(world.other, response)
    expect_equal(len(hashes), checkpoint.size, "entries")
    expect_equal(tree.root(hashes), checkpoint.root, "root over all entries")
    for head in response.heads:
        expect_equal(list(head.inclusion), tree.inclusion(hashes, head.position - 1), f"path of {head.channel}")


def ask_proof(cell: OtherCell, **fields: object) -> ProofResponse:
    request = ProofRequest(**{"protocol": 1, **fields})
    return cell.client.post("/v1/proof", request, ProofResponse)


def _proofs(world: World) -> None:
    cell = world.other
    (block,) = cell.seal(CHANNEL, insert("review", secrets.token_hex(8)))
    cell.sync()
    known = cell.store.checkpoint
    world.third.seal(CHANNEL, insert("review", secrets.token_hex(8)))
    world.third.sync()
    statement = next(iter(cell.store.statements))
    first = cell.store.followers[REGISTRY_CHANNEL].proofs[0]
    for what, wanted, fields in (
        ("a block", block.acknowledged, {"object_hash": block.hash}),
        ("a statement", None, {"object_hash": statement}),
        ("a place", first, {"entry": Cursor(channel=REGISTRY_CHANNEL, sequence=1)}),
    ):
        response = ask_proof(cell, tree_size=known.size, **fields)
        check_proof(response.proof, cell.client.keys)
        if wanted is not None:
            expect_equal(response.proof, wanted, what)
        shown, is_known = _tree_check(cell, known).goes_on(
            response.checkpoint, cell.store.epoch, response.consistency)
        expect(is_known and shown.size > known.size, f"{what}: the checkpoint does not go on from the known one")
        path = list(response.inclusion)
        expect(shown.has(proof_hash(response.proof), response.position, path), f"{what}: not in the tree")
        expect(not shown.has(proof_hash(response.proof), response.position + 1, path), f"{what}: at two places")
        expect(not shown.has(block.hash, response.position, path), f"{what}: another entry is there, too")
        expect(response.time_ms > 0, "there is no time")
    expect_equal(list(ask_proof(cell, object_hash=block.hash).consistency), [], "consistency from nothing")
    for status, code, fields in (
        (404, "notFound", {"object_hash": bytes(32)}),
        (404, "notFound", {"entry": Cursor(channel=CHANNEL, sequence=99_999)}),
        (404, "notFound", {"entry": Cursor(channel=CHANNEL)}),
        (404, "notFound", {"entry": Cursor(channel="nobody's", sequence=1)}),
        (404, "notFound", {"entry": Cursor(channel=CHANNEL, sequence=2**64 - 1)}),
        (400, "malformed", {"object_hash": bytes(31)}),
        (400, "malformed", {}),
        (426, "unsupportedVersion", {"object_hash": block.hash, "protocol": 2}),
    ):
        problem = expect_problem(f"{fields}", lambda: ask_proof(cell, **fields), status, code)
        expect_equal(problem.recovery, "stop", f"recovery of {fields}")
    world.settle()


def _tampered(world: World) -> None:
    cell = world.other
    cell.sync()
    known = cell.store.checkpoint
    world.third.seal(CHANNEL, insert("review", secrets.token_hex(8)))
    world.third.sync()
    response = whole_log(cell, known.size)
    reached = _reached(cell, response)
    expect(response.consistency, "there is nothing to change")

    def read(change: Callable[[SyncResponse], object]) -> None:
        changed = SyncResponse.FromString(response.SerializeToString())
        change(changed)
        _tree_check(cell, known).check(changed, {}, reached)

    def note(change: Callable[[str], str]) -> Callable[[SyncResponse], None]:
        return lambda changed: setattr(changed, "checkpoint", change(changed.checkpoint))

    def head(change: Callable[[ChannelHead], object]) -> Callable[[SyncResponse], object]:
        return lambda changed: change(next(h for h in changed.heads if h.channel == CHANNEL))

    def flip(hashes: list[bytes]) -> None:
        hashes[0] = bytes([hashes[0][0] ^ 1]) + hashes[0][1:]

    def without_head(changed: SyncResponse) -> None:
        kept = [h for h in changed.heads if h.channel != CHANNEL]
        del changed.heads[:]
        changed.heads.extend(kept)

    shown = Checkpoint.read(response.checkpoint, cell.client.serving_key)
    of_device = replace(shown).signed(cell.client.key)
    read(lambda changed: None)
    for what, code, change in (
        ("no checkpoint", "malformed", note(lambda text: "")),
        ("no signature", "malformed", note(lambda text: text.partition("\n\n")[0] + "\n\n")),
        ("another size", "badSignature", note(lambda text: text.replace(f"\n{shown.size}\n", f"\n{shown.size + 1}\n"))),
        ("a size with a zero before it", "malformed", note(lambda text: text.replace(f"\n{shown.size}\n", "\n07\n"))),
        ("another line", "badSignature", note(lambda text: text.replace("\n\n", "\nmore\n\n"))),
        ("another signer", "badSignature", note(lambda text: of_device)),
        ("another name of the signer", "badSignature", note(lambda text: text.replace("\u2014 k", "\u2014 q"))),
        ("a long note", "tooLarge", note(lambda text: "x" * 16_384 + text)),
        ("another epoch", "brokenLink", lambda changed: setattr(changed, "epoch", bytes(16))),
        ("another consistency", None, lambda changed: flip(changed.consistency)),
        ("no consistency", None, lambda changed: changed.consistency.pop()),
        ("more of it", None, lambda changed: changed.consistency.append(bytes(32))),
        ("short hashes", "malformed", lambda changed: changed.consistency.append(bytes(31))),
        ("ever more hashes", "malformed", lambda changed: changed.consistency.extend([bytes(32)] * 65)),
        ("another position", "brokenLink", head(lambda h: setattr(h, "position", h.position - 1))),
        ("no position", "brokenLink", head(lambda h: setattr(h, "position", 0))),
        ("another path", "brokenLink", head(lambda h: flip(h.inclusion))),
        ("a shorter path", "brokenLink", head(lambda h: h.inclusion.pop())),
        ("another entry", "brokenLink", head(lambda h: setattr(h, "log_hash", bytes(32)))),
        ("a head below its entries", "brokenLink", head(lambda h: setattr(h, "sequence", h.sequence - 1))),
        ("a channel that moved and has no head", "brokenLink", without_head),
    ):
        try:
            read(change)
        except Refused as refused:
            expect_equal(refused.code, code, what)
        except Contradiction:
            expect_equal(None, code, what)
        else:
            raise AssertionError(f"{what} was taken")


def _contradiction(world: World) -> None:
    cell = world.other.copy()
    cell.sync()
    true = cell.store.checkpoint
    key = world.centre.serving_key()
    expect_equal(key.public, cell.client.serving_key, "serving key")
    # The centre said of this very size, in this very life, that its log was another. It reconciles once; whoever
    # signed both wrote its log anew, so a new life is opened.
    lie = replace(true, root=bytes(32))
    cell.store.checkpoint = replace(lie, note=lie.signed(key))
    epoch = cell.store.epoch
    cell.sync()
    expect(cell.store.epoch != epoch, "the log goes on in the life that it contradicted")
    expect_equal(cell.store.forgotten[-1].note, lie.signed(key), "what is kept of it")
    world.settle(cell)
    # Whoever shows a contradiction again is found out again.
    store = cell.store
    store.checkpoint = replace(store.checkpoint, root=bytes(32))
    response = whole_log(cell)
    try:
        _tree_check(cell, store.checkpoint).goes_on(response.checkpoint, response.epoch, response.consistency)
    except Contradiction as found:
        store.keep_contradiction(found.known, found.shown)
    expect_equal(len(store.contradictions), 1, "contradictions")
    cell.sync()


def _reconcile(cell: OtherCell, checkpoint: str) -> bytes:
    request = ReconcileRequest(protocol=1, replica=cell.store.replica, checkpoint=checkpoint)
    return cell.client.post("/v1/reconcile", request, ReconcileResponse).epoch


def _lost_checkpoints(world: World) -> None:
    cell = world.other
    cell.sync()
    key, true, epoch = world.centre.serving_key(), cell.store.checkpoint, cell.store.epoch
    unknown = secrets.token_bytes(16)
    for what, note in (
        ("none", ""),
        ("garbage", "garbage\n"),
        ("the true one", true.note),
        ("one that another key signed", replace(true, root=bytes(32)).signed(cell.client.key)),
        ("one of another organisation", Checkpoint(origin(bytes(32), epoch), 10**6, bytes(32)).signed(key)),
        ("one of an origin without an epoch", Checkpoint("kenh", 10**6, bytes(32)).signed(key)),
    ):
        expect_equal(_reconcile(cell, note), epoch, f"epoch after {what}")
    for what, lost in (
        ("more than the log has", replace(true, size=true.size + 1_000)),
        ("another root", replace(true, root=bytes(32))),
        ("a life that the log does not know", Checkpoint(origin(cell.store.organisation, unknown), 7, bytes(32))),
    ):
        lost = replace(lost, origin=origin(cell.store.organisation, epoch)) if lost.origin == true.origin else lost
        opened = _reconcile(cell, lost.signed(key))
        expect(opened != epoch, f"no new life after {what}")
        expect_equal(_reconcile(cell, lost.signed(key)), opened, f"epoch after {what} again")
        epoch = opened
    world.settle()


def _epoch_opened(world: World) -> None:
    cell = world.other
    world.settle()
    response = whole_log(cell)
    checkpoint = Checkpoint.read(response.checkpoint, cell.client.serving_key)
    by_position = sorted(response.entries, key=lambda entry: entry.position)
    ordered = in_order(cell, response)
    expect_equal(tree.root(ordered), checkpoint.root, "root over all entries")
    lives: list[EpochOpened] = []
    before = by_position[0].epoch
    for entry in by_position:
        epoch = entry.epoch or response.epoch
        if epoch == before:
            continue
        # The first entry of a life says how the one before ended.
        statement = RegistryStatement.FromString(entry.registry.statement)
        expect(statement.HasField("epoch_opened"), "a life begins with something else")
        opened = statement.epoch_opened
        expect_equal((opened.epoch, opened.before), (epoch, before), "lives")
        expect_equal(opened.tree_size, entry.position - 1, "size of the tree until then")
        expect_equal(opened.tree_root, tree.root(ordered[:opened.tree_size]), "root of the tree until then")
        lives.append(opened)
        before = epoch
    expect(lives, "there was no other life")
    expect_equal(before, response.epoch, "the life of the last entry")
    # One tree over all lives: a checkpoint of an earlier one is checked as any other.
    for opened in lives:
        old = Checkpoint(origin(cell.store.organisation, opened.before), opened.tree_size, opened.tree_root)
        answer = whole_log(cell, old.size)
        _, is_known = _tree_check(cell, old).goes_on(answer.checkpoint, answer.epoch, answer.consistency)
        expect(is_known, f"the log does not go on from the {old.size} entries of an earlier life")
