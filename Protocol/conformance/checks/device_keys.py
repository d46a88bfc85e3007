"""A device's next key (README section 4)."""

import secrets
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from types import MappingProxyType

from kenh_client.enrolment import countersignature, enrolment_message, replacement
from kenh_client.kenh_pb2 import (
    VERDICT_QUARANTINED, Cursor, EnrollResponse, ProofRequest, ProofResponse, ReconcileRequest, RegistryStatement,
    SyncRequest)
from kenh_client.keys import DEVICE_REPLACEMENT, ENROLMENT, SigningKey, check_signature
from kenh_client.log import REGISTRY_CHANNEL

from .organisation import HOST, OtherCell, RealCell, insert
from .refused_requests import SmallOrderKey, unchanged
from .requests import Draft
from .restores import restored
from .results import expect, expect_equal, expect_problem
from .world import World

CHANNEL = "device keys"
ORG = "org"
CELL = "CB2"


def run(world: World) -> None:
    """By a device of its own, and by the real cell."""
    device = OtherCell(world.centre.port, world.schema)
    device.join(world.centre.code(CELL))
    device.sync()
    with world.results.check("refused: keys that are to take the place of another, in the order of the checks"):
        with unchanged(world):
            _refused(world, device)
    for name, check in (
        ("a device takes a new key, and its old one ends", _replaced),
        ("a key that was replaced is shown nothing by any route", _ended),
        ("a centre that forgot it learns it again", _forgotten),
    ):
        with world.results.check(f"device keys: {name}"):
            check(world, device)
    with world.results.check("device keys: the real cell takes a new key"):
        _of_real(world)


def _statements(cell: OtherCell) -> list[RegistryStatement]:
    """The registry, in the log's order."""
    proofs = cell.store.followers[REGISTRY_CHANNEL].proofs
    return [RegistryStatement.FromString(cell.store.statements[proof.object_hash].statement) for proof in proofs]


def _draft(device: OtherCell, key: SigningKey, replica: bytes, signer: SigningKey | None = None,
           changes: Mapping[str, object] = MappingProxyType({})) -> Draft:
    """A request that puts a key in the place of the device's, with fields changed."""
    client = copy(device.client)
    client.key = key
    message = client.replacement(device.client.key, replica, "another name")
    for name, value in changes.items():
        setattr(message, name, value)
    return Draft(device, "/v1/enroll", message.SerializeToString(), key=signer or key)


def _refused(world: World, device: OtherCell) -> None:
    world.other.sync()
    organisation, old = device.client.organisation, device.client.key
    key, replica = SigningKey(), secrets.token_bytes(16)
    third = world.third

    def draft(signer: SigningKey | None = None, **changes: object) -> Draft:
        return _draft(device, key, replica, signer, changes)

    # The key of the centre's own device, which is no cell's.
    centre = next(key for key, cell in world.other.store.devices.items() if cell == "")
    wrong = []
    for what, status, code, made in (
        ("signed by the old key", 401, "badSignature", draft(signer=old)),
        ("a short replica", 400, "malformed", draft(replica=replica[:15])),
        ("a key that is none", 400, "badKey", _draft(device, SmallOrderKey(), replica)),
        ("in the place of nobody", 403, "unknownDevice", draft(replaces=SigningKey().public)),
        # Section 2 goes before section 4.
        ("in the place of a key that is none", 400, "badKey", draft(replaces=bytes(31))),
        ("in the place of the centre's own device", 403, "unknownDevice", draft(replaces=centre)),
        ("without the old key's signature", 401, "badSignature", draft(replacement=b"")),
        ("with the new key's in its place", 401, "badSignature",
         draft(replacement=replacement(key, organisation, key.public, replica))),
        ("with the old key's over another replica", 401, "badSignature",
         draft(replacement=replacement(old, organisation, key.public, bytes(16)))),
        ("with the old key's over another new key", 401, "badSignature",
         draft(replacement=replacement(old, organisation, old.public, replica))),
        ("with the old key's for another organisation", 401, "badSignature",
         draft(replacement=replacement(old, bytes(32), key.public, replica))),
        ("with the old key's of another domain", 401, "badSignature",
         draft(replacement=old.sign(ENROLMENT, organisation + old.public + key.public + replica))),
        ("without the new key's signature", 401, "badSignature", draft(countersignature=b"")),
        ("with the new key's over another replica", 401, "badSignature",
         draft(countersignature=countersignature(key, organisation, bytes(16)))),
        ("with the old key's in its place", 401, "badSignature",
         draft(countersignature=old.sign(ENROLMENT, enrolment_message(organisation, key.public, replica)))),
        ("a key that is another device's", 403, "forbidden", _draft(device, third.client.key, replica)),
        ("the very same key", 403, "forbidden", _draft(device, old, replica)),
        ("a replica that is another device's", 403, "forbidden", _draft(device, key, third.store.replica)),
        ("a replica that is the old key's", 403, "forbidden", _draft(device, key, device.store.replica)),
        # In this order.
        ("nobody's, by nobody", 403, "unknownDevice",
         draft(replaces=SigningKey().public, replacement=b"", countersignature=b"")),
        ("another device's key, without the old one's signature", 401, "badSignature",
         _draft(device, third.client.key, replica, changes={"replacement": b""})),
    ):
        try:
            made.expect_problem(status, code)
        except AssertionError as error:
            wrong.append(f"{what}: {error}")
    expect_equal(wrong, [], "what is answered otherwise")
    replace(draft(), organisation="00" * 32).expect_problem(403, "wrongOrganisation")


def _replaced(world: World, device: OtherCell) -> None:
    (first,) = device.seal(CHANNEL, insert("review", "by the old key"))
    device.sync()
    before = device.copy()
    (late,) = before.seal(CHANNEL, insert("review", "by the old key, too late"))
    old, old_replica = device.client.key, device.store.replica
    new, replica = SigningKey(), secrets.token_bytes(16)
    draft = _draft(device, new, replica)
    enrolment = device.replace_key(new, replica)
    expect_equal((enrolment.cell, enrolment.cell_name), (CELL, CELL), "cell")
    expect_equal(enrolment.organisation, before.client.organisation, "organisation")
    # The old one goes on until the new one is used, whatever else the new one asks.
    device.client.post("/v1/proof", ProofRequest(protocol=1, object_hash=first.hash), ProofResponse)
    before.heads()
    again = _answer(draft)
    expect_equal((again.cell, again.cell_name), (CELL, CELL), "the second answer")
    (block,) = device.seal(CHANNEL, insert("review", "by the new key"))
    expect_equal(block.header.replica, replica, "replica of the new key")
    device.sync()
    _expect_revoked(before)
    expect_equal(_answer(draft).cell, CELL, "the answer once the old key has ended")
    # Nor does another key take its place any more.
    problem = _draft(before, SigningKey(), secrets.token_bytes(16)).expect_problem(403, "revoked")
    expect_equal(problem.recovery, "askAPerson", "recovery")
    (receipt,) = world.third.upload(late).receipts
    expect_equal((receipt.verdict, receipt.code), (VERDICT_QUARANTINED, "revoked"), "a block by the old key")
    world.settle(device)
    expect({"by the old key", "by the new key"} <= set(world.real.rows("review")), "rows are lost")
    expect("by the old key, too late" not in world.real.rows("review"), "a block by the old key was merged")
    _expect_stated(world.other, old.public, new.public, replica, "the other client")
    expect_equal(world.other.store.replicas[old_replica], old.public, "the old replica's key")
    # What it wrote under the old key is its own still, and goes on from there.
    device.seal(CHANNEL, insert("review", "once more"))
    world.settle(device)


def _answer(draft: Draft) -> EnrollResponse:
    return EnrollResponse.FromString(draft.expect_success().body)


def _expect_stated(cell: OtherCell, old: bytes, new: bytes, replica: bytes, name: str) -> None:
    """The log has both signatures, the replica, and the end of the old key, in this order."""
    statements = _statements(cell)
    added = next(s.device_added for s in statements if s.HasField("device_added") and s.device_added.key == new)
    organisation = cell.store.organisation
    expect_equal((added.replaces, added.cell, added.name), (old, cell.store.devices[old], name), "what is stated")
    check_signature(old, DEVICE_REPLACEMENT, organisation + old + new + replica, added.replacement)
    check_signature(new, ENROLMENT, organisation + new + replica, added.countersignature)
    expect_equal(cell.store.replicas[replica], new, "the new replica's key")
    told = [
        what for s in statements for what, is_told in (
            ("device", s.HasField("device_added") and s.device_added.key == new),
            ("replica", s.HasField("replica_added") and s.replica_added.replica == replica),
            ("end", s.HasField("device_revoked") and s.device_revoked.key == old))
        if is_told]
    expect_equal(told, ["device", "replica", "end"], "what is told of both keys, in the log's order")


def _expect_revoked(cell: OtherCell) -> None:
    """It is neither shown nor given anything."""
    replica = cell.store.replica
    for path, message in (
        ("/v1/sync", SyncRequest(protocol=1, replica=replica)),
        ("/v1/sync", SyncRequest(protocol=1)),
        ("/v1/reconcile", ReconcileRequest(protocol=1, replica=replica)),
    ):
        Draft(cell, path, message.SerializeToString()).expect_problem(403, "revoked")


def _ended(world: World, device: OtherCell) -> None:
    """A device that was replaced since it joined."""
    twin = OtherCell(world.centre.port, world.schema)
    twin.join(world.centre.code(CELL))
    twin.sync()
    before = twin.copy()
    twin.replace_key(SigningKey(), secrets.token_bytes(16))
    twin.sync()
    _expect_revoked(before)
    (block,) = device.seal(CHANNEL, insert("review", "not for a key that has ended"))
    device.sync()
    wrong = []
    for what, message in (
        ("a block", ProofRequest(protocol=1, object_hash=block.hash)),
        ("an entry", ProofRequest(protocol=1, entry=Cursor(channel=REGISTRY_CHANNEL, sequence=1))),
        ("nothing that there is", ProofRequest(protocol=1, object_hash=bytes(32))),
    ):
        answer = Draft(before, "/v1/proof", message.SerializeToString()).send()[0]
        if answer.status != 403:
            wrong.append(f"{answer.status} for {what}")
    expect_equal(wrong, [], "what /v1/proof says to a key that has ended")


def _forgotten(world: World, device: OtherCell) -> None:
    before = device.copy()
    with restored(world):
        device.replace_key(SigningKey(), secrets.token_bytes(16))
        (block,) = device.seal(CHANNEL, insert("review", "by a key that is forgotten"))
        device.sync()
        _expect_revoked(before)
    expect_problem("a key that was forgotten", device.heads, 403, "unknownDevice")
    device.sync()
    world.settle(device)
    expect("by a key that is forgotten" in world.real.rows("review"), "the row is lost")
    expect_equal(world.other.store.replicas[block.header.replica], device.client.key.public, "the replica's key")
    _expect_revoked(before)


def _of_real(world: World) -> None:
    """Not the one that the other checks need."""
    cell = RealCell(world.centre.binary, world.centre.home.parent / "new-key")
    cell.join(f"http://{HOST}:{world.centre.port}", world.centre.code("CB1"))
    cell.sql("INSERT INTO unit(id, name) VALUES('DK1', 'by the old key')")
    cell.sync()
    cell.sql("INSERT INTO unit(id, name) VALUES('DK2', 'unsent, by the old key')")
    world.other.sync()
    known = set(world.other.store.devices)
    cell.run("key", "rotate")
    world.settle()
    expect({"DK1", "DK2"} <= set(world.other.store.shown("unit")), "rows are lost")
    (new,) = set(world.other.store.devices) - known
    added = next(s.device_added for s in _statements(world.other) if s.HasField("device_added")
                 and s.device_added.key == new)
    (replica,) = [replica for replica, key in world.other.store.replicas.items() if key == new]
    _expect_stated(world.other, added.replaces, new, replica, added.name)
    # In a channel where the old key wrote.
    cell.sql("INSERT INTO unit(id, name) VALUES('DK3', 'by the new key')")
    cell.sync()
    world.settle()
    expect("DK3" in world.other.store.shown("unit"), "the new key's row did not come")
    cell.run("verify")
