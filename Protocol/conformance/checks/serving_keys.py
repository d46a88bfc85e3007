"""The centre's keys, one after another (README sections 2, “Serving keys”, 3 and 7)."""

import base64
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import quote

from kenh_client.checkpoints import Checkpoint
from kenh_client.client import joined_keys, wall_clock
from kenh_client.enrolment import check_certificate
from kenh_client.http_signing import base64_text, check_answer
from kenh_client.kenh_pb2 import (
    KeysResponse, ReconcileRequest, RegistryStatement, ServingCertificate, SignedStatement, TimeResponse)
from kenh_client.keys import SERVING_CERTIFICATE, SigningKey, fingerprint
from kenh_client.log import REGISTRY_ENTRY, check_proof
from kenh_client.serving_keys import MAX_CERTIFICATES, ServingKeys

from .liars import Liar
from .organisation import HOST, OtherCell, RealCell, insert
from .requests import Draft
from .restores import restored
from .results import expect, expect_equal, refusal
from .trees import ask_proof, whole_log
from .world import World

CHANNEL = "keys"
ORG = "org"
PATHS = ("/v1/keys", "/v1/time")


def run(world: World) -> None:
    """The log has entries of several keys afterwards."""
    absent = OtherCell(world.centre.port, world.schema)
    absent.join(world.centre.code("CB3"))
    absent.sync()
    for name, check in (
        ("anybody is told them, and the time: signed, with a nonce and without", _questions),
        ("nonces that cannot be read count as none", _nonces),
        ("which of several certificates is the newest, and which are refused", _order),
        ("a new one while the centre serves: both clients take it up, and go on", _rotation),
    ):
        with world.results.check(f"serving keys: {name}"):
            check(world)
    with world.results.check("serving keys: who was away while two were replaced"):
        _absent(world, absent)
    for name, check in (
        ("who joins afterwards checks the whole log", _late),
        ("device refuses: keys of another root, and answers by a replaced key", _lies),
        ("a centre that was put back with a key that was replaced, and how it goes on", _put_back),
    ):
        with world.results.check(f"serving keys: {name}"):
            check(world)


def certificate(root: SigningKey, key: bytes, not_before_ms: int, organisation: bytes | None = None) -> SignedStatement:
    """A certificate by a root key."""
    statement = ServingCertificate(
        organisation=organisation or fingerprint(root.public), serving_key=key, not_before_ms=not_before_ms,
        not_after_ms=not_before_ms + 1, name="made by hand").SerializeToString()
    return SignedStatement(statement=statement, signature=root.sign(SERVING_CERTIFICATE, statement))


def _questions(world: World) -> None:
    client = world.other.client
    for path in PATHS:
        for nonce in (secrets.token_bytes(16), b""):
            request = client.question(path, nonce)
            answer = client.send(request, {})
            check_answer(answer, request, client.serving_key)
            expect_equal((answer.status, answer.field("cache-control")), (200, "no-store"), path)
            wrong = replace(request, nonce=secrets.token_bytes(16))
            expect_equal(refusal("another nonce", lambda: check_answer(answer, wrong, client.serving_key)),
                         "badSignature", "another nonce")
            kind = KeysResponse if path == "/v1/keys" else TimeResponse
            expect(abs(kind.FromString(answer.body).time_ms - wall_clock()) < 60_000, f"time of {path}")
    request = client.question("/v1/keys", secrets.token_bytes(16))
    response = KeysResponse.FromString(client.send(request, {}).body)
    expect_equal(response.root_key, world.other.enrolment.root_key, "root key")
    expect_equal(ServingKeys.in_order(response.root_key, response.certificates).keys, client.keys.keys, "keys")
    expect(abs(client.time() - wall_clock()) < 60_000, "time")


def _nonces(world: World) -> None:
    client = world.other.client
    good = secrets.token_bytes(16)
    for text in (
        "%%%", "abc", base64_text(bytes(15)), base64_text(bytes(17)), "AAAAAAAAAAAAAAAAAAAAAB==",
        base64.urlsafe_b64encode(b"\xff" * 16).decode("ascii"), base64_text(good).rstrip("="), good.hex(),
    ):
        for path in PATHS:
            request = replace(client.question(path, b""), query=f"?nonce={quote(text, safe='')}")
            check_answer(client.send(request, {}), request, client.serving_key)
    # What it does not know beside it is passed over.
    request = replace(client.question("/v1/time", good), query=f"?x=1&nonce={quote(base64_text(good), safe='')}")
    check_answer(client.send(request, {}), request, client.serving_key)


def _order(world: World) -> None:
    root, other = SigningKey(), SigningKey()
    low, high, late = sorted((SigningKey().public for _ in range(2))) + [SigningKey().public]
    made = [certificate(root, high, 5), certificate(root, late, 7), certificate(root, low, 5)]
    keys = ServingKeys(root.public, made)
    expect_equal(keys.keys, (late, high, low), "the newest first, and of two with one time the greater key")
    expect_equal(ServingKeys.in_order(root.public, keys.certificates).keys, keys.keys, "in their order")
    expect_equal(ServingKeys(root.public, made[:1]).joined(keys).keys, keys.keys, "joined")
    for what, code, listed in (
        ("none", "malformed", []),
        ("another order", "malformed", made),
        ("one twice", "malformed", [made[1], made[1]]),
        ("one of another root", "badSignature", [made[1], certificate(other, low, 5)]),
        ("one for another organisation", "wrongOrganisation", [certificate(root, low, 5, bytes(32))]),
        ("one of a key that is none", "badKey", [certificate(root, bytes([1]) + bytes(31), 5)]),
        ("too many", "malformed", [certificate(root, low, n) for n in range(MAX_CERTIFICATES, -1, -1)]),
    ):
        expect_equal(refusal(what, lambda: ServingKeys.in_order(root.public, listed)), code, what)
    ServingKeys.in_order(root.public, [certificate(root, low, n) for n in range(MAX_CERTIFICATES, 0, -1)])


def _signers(cell: OtherCell) -> list[tuple[bytes, RegistryStatement | None]]:
    """Of each entry of the log, by position: which key signed it, and what it states."""
    proofs = {
        (channel, proof.sequence): proof
        for channel, follower in cell.store.followers.items() for proof in follower.proofs}
    found = []
    for entry in sorted(whole_log(cell).entries, key=lambda entry: entry.position):
        statement = RegistryStatement.FromString(entry.registry.statement) if entry.kind == REGISTRY_ENTRY else None
        found.append((check_proof(proofs[entry.channel, entry.sequence], cell.client.keys), statement))
    return found


def _expect_added(cell: OtherCell) -> None:
    """Each key but the first begins with the statement that brings it, and none comes back."""
    signers = _signers(cell)
    begun: list[bytes] = []
    for key, statement in signers:
        if key in begun:
            expect_equal(key, begun[-1], "a key that came back")
            continue
        if begun:
            is_added = statement is not None and statement.HasField("serving_key_added")
            expect(is_added, "a key begins with something else")
            added = check_certificate(cell.client.keys.root_key, statement.serving_key_added.certificate, b"")
            expect_equal(added.serving_key, key, "the key that is added")
        begun.append(key)
    expect_equal(begun[-1], cell.client.serving_key, "the key that signs now")


def _sync_paths(cell: OtherCell) -> list[str]:
    cell.client.sent.clear()
    cell.sync()
    return [request.path for request in cell.client.sent]


def _rotation(world: World) -> None:
    cell = world.other
    (before,) = cell.seal(CHANNEL, insert("review", "before the new key"))
    world.settle()
    known = ServingKeys(cell.client.keys.root_key, cell.client.keys.certificates)
    kept = cell.store.checkpoint
    world.centre.rotate()
    request = cell.client.question("/v1/keys", secrets.token_bytes(16))
    answer = cell.client.send(request, {})
    fresh = joined_keys(known, answer, request)
    expect_equal(fresh.keys, (world.centre.serving_key().public, known.newest), "keys at once")
    (after,) = cell.seal(CHANNEL, insert("review", "after the new key"))
    world.real.sql("INSERT INTO unit(id, name) VALUES('K1', 'after the new key')")
    paths = _sync_paths(cell)
    expect_equal(paths[:3], ["/v1/sync", "/v1/keys", "/v1/sync"], "what it asked")
    expect_equal(paths.count("/v1/keys"), 1, "questions for keys")
    expect_equal(cell.client.keys.certificates, fresh.certificates, "certificates")
    expect_equal(check_proof(before.acknowledged, known), known.newest, "who signed the entry before")
    expect_equal(check_proof(after.acknowledged, fresh), fresh.newest, "who signed the entry after")
    expect_equal(refusal("an entry by the new key", lambda: check_proof(after.acknowledged, known)),
                 "badSignature", "an entry by a key that is not known")
    expect("/v1/keys" not in _sync_paths(cell), "it asked again")
    # What was shown before is shown still, signed as it was.
    proof = ask_proof(cell, object_hash=before.hash, tree_size=kept.size)
    expect_equal(proof.proof, before.acknowledged, "the proof of an old entry")
    world.settle()
    expect("K1" in cell.store.shown("unit"), "the real cell's row did not come")
    cell.seal(ORG, insert("unit", "K2"))
    world.real.sql("UPDATE unit SET name = 'and more' WHERE id = 'K1'")
    world.settle()
    expect_equal(cell.store.forgotten, [], "forgotten checkpoints")
    _expect_added(cell)


def _absent(world: World, absent: OtherCell) -> None:
    (block,) = absent.seal(CHANNEL, insert("review", "written while away"))
    world.centre.stop()
    try:
        world.centre.rotate()
    finally:
        world.centre.start()
    paths = _sync_paths(absent)
    expect_equal(paths.count("/v1/keys"), 1, "questions for keys")
    expect_equal(len(absent.client.keys.keys), 3, "keys")
    expect_equal(check_proof(block.acknowledged, absent.client.keys), world.centre.serving_key().public, "signer")
    world.settle(absent)
    _expect_added(absent)


def _late(world: World) -> None:
    late = OtherCell(world.centre.port, world.schema)
    late.join(world.centre.code("CB3"))
    expect_equal(late.client.keys.keys, (world.centre.serving_key().public,), "keys after the enrolment")
    paths = _sync_paths(late)
    expect_equal(paths.count("/v1/keys"), 1, "questions for keys")
    expect_equal(late.client.keys.keys, world.other.client.keys.keys, "keys")
    late.seal(CHANNEL, insert("review", "of a late one"))
    world.settle(late)
    _expect_added(late)
    real = RealCell(world.centre.binary, world.centre.home.parent / "late-cell")
    real.join(f"http://{HOST}:{world.centre.port}", world.centre.code("CB1"))
    real.sync()
    expect_equal(set(real.rows("review")), set(world.real.rows("review")), "rows of a real cell that joined late")
    real.run("verify")


@contextmanager
def _lied_to(world: World, cell: OtherCell) -> Iterator[Liar]:
    liar = Liar(world.centre.port, world.centre.serving_key())
    cell.client.port = liar.port
    try:
        yield liar
    finally:
        liar.close()
        cell.client.port = world.centre.port


def _expect_nothing_taken(cell: OtherCell, code: str, what: str) -> None:
    store, newest = cell.store, cell.client.serving_key
    held = len(store.blocks), store.checkpoint, {name: f.sequence for name, f in store.followers.items()}
    expect_equal(refusal(what, cell.sync), code, what)
    found = len(store.blocks), store.checkpoint, {name: f.sequence for name, f in store.followers.items()}
    expect_equal(found, held, f"what it holds after {what}")
    expect_equal(cell.client.serving_key, newest, f"the newest key after {what}")


def _lies(world: World) -> None:
    """The client knows all of the centre's keys but the newest."""
    cell = world.third.copy()
    root, newest = world.centre.root_key(), world.centre.serving_key()
    certificates = cell.client.keys.certificates
    cell.client.keys = ServingKeys(root.public, certificates[1:])
    stranger, strange_root = SigningKey(), SigningKey()
    old = world.centre.keys[cell.client.serving_key]
    world.other.seal(CHANNEL, insert("review", "what is not told"))
    world.other.sync()
    now = wall_clock()
    of_stranger = certificate(strange_root, stranger.public, now)
    for what, code, key, listed in (
        ("a key that the old root did not sign", "badSignature", stranger, [of_stranger]),
        ("a key of another root before the known ones", "badSignature", stranger, [of_stranger, *certificates[1:]]),
        ("one more of another root behind all others", "badSignature", newest, [*certificates, of_stranger]),
        ("a key for another organisation", "wrongOrganisation", stranger,
         [certificate(root, stranger.public, now, bytes(32))]),
        ("an answer by another than the newest that it brings", "badSignature", stranger, [*certificates]),
        ("an answer by an older one that it brings", "badSignature", old, [*certificates]),
        ("certificates in another order", "malformed", newest, [*reversed(certificates)]),
        ("no certificates", "malformed", newest, []),
        ("too many", "malformed", newest,
         [*certificates, *(certificate(root, old.public, n) for n in range(MAX_CERTIFICATES, 0, -1))]),
    ):
        with _lied_to(world, cell) as liar:
            liar.key, liar.certificates = key, listed
            _expect_nothing_taken(cell, code, what)
    # It was told of the newest, and then an older one answers.
    cell.sync()
    expect_equal(cell.client.keys.certificates, certificates, "keys")
    world.other.seal(CHANNEL, insert("review", "what is not told either"))
    world.other.sync()
    cell_of_newest = cell.copy()
    cell_of_newest.client.keys = ServingKeys(root.public, certificates[:1])
    for one, known in ((cell, "and the device knows both"), (cell_of_newest, "and the device knows the newest alone")):
        with _lied_to(world, one) as liar:
            liar.key, liar.certificates = old, certificates[1:]
            _expect_nothing_taken(one, "keyReplaced", f"an answer by a key that was replaced, {known}")
            liar.certificates = certificates
            _expect_nothing_taken(one, "badSignature", f"the same with all certificates, {known}")
            # The checkpoint alone.
            liar.key, liar.certificates = newest, certificates
            liar.lie = lambda request, response: setattr(
                response, "checkpoint", Checkpoint.read(response.checkpoint, newest.public).signed(old))
            _expect_nothing_taken(one, "badSignature", f"a checkpoint by a key that was replaced, {known}")
        one.sync()
    expect("what is not told either" in cell.store.shown("review"), "the truth did not come")


def _put_back(world: World) -> None:
    cell, absent = world.other, world.third.copy()
    world.settle()
    before = cell.client.keys
    with restored(world):
        world.centre.rotate()
        forgotten = world.centre.serving_key()
        (block,) = cell.seal(ORG, insert("unit", "P1"))
        world.settle()
    expect_equal(check_proof(block.acknowledged, cell.client.keys), forgotten.public, "who signed what is forgotten")
    expect_equal(world.centre.serving_key().public, before.newest, "the key of the centre that was put back")
    accepted, epoch = block.acknowledged.accepted_at_ms, cell.store.epoch
    _expect_nothing_taken(cell, "keyReplaced", "the answer of a centre that was put back")
    expect(not _is_synced(world.real), "the real cell takes what a replaced key signs")
    # Somebody who knows of the newer key tells the centre.
    twin = cell.copy()
    certificates, twin.client.keys = cell.client.keys.certificates, before
    message = ReconcileRequest(protocol=1, replica=twin.store.replica, certificates=certificates)
    draft = Draft(twin, "/v1/reconcile", message.SerializeToString())
    draft.expect_problem(503, "keyReplaced")
    # It enters nothing that its root key did not sign.
    stranger = certificate(SigningKey(), SigningKey().public, 1)
    message = ReconcileRequest(protocol=1, replica=twin.store.replica, certificates=[*before.certificates, stranger])
    replace(draft, body=message.SerializeToString()).expect_success()
    world.centre.rotate()
    expect(cell.sync().handed_back > 0, "nothing was handed back")
    expect(cell.store.epoch != epoch, "the log goes on in the old life")
    expect_equal(block.acknowledged.accepted_at_ms, accepted, "time of acceptance")
    expect_equal(check_proof(block.acknowledged, cell.client.keys), cell.client.serving_key, "who signed it anew")
    expect(forgotten.public in cell.client.keys.keys, "this device forgot a key")
    world.settle(absent)
    # The centre has learnt of it: it says so to everybody, who joins now, too.
    late = OtherCell(world.centre.port, world.schema)
    late.join(world.centre.code("CB3"))
    late.sync()
    expect_equal(late.client.keys.keys, cell.client.keys.keys, "keys of who joins now")
    cell.sync()
    added = [
        check_certificate(before.root_key, statement.serving_key_added.certificate, b"").serving_key
        for _, statement in _signers(cell) if statement is not None and statement.HasField("serving_key_added")]
    expect_equal(sorted(added), sorted(cell.client.keys.keys[:-1]), "keys that the log has")


def _is_synced(cell: RealCell) -> bool:
    try:
        cell.sync()
    except AssertionError:
        return False
    return True
