"""The examples of the normative text: Protocol/vectors, and those that stand in README.md."""

import json
from pathlib import Path
from typing import Any

import make_tree_vectors
from kenh_client import (
    blocks, body, checkpoints, digest, enrolment, keys, log, snapshot_reading, snapshots, tree, values)
from kenh_client.kenh_pb2 import Block, Erasure
from kenh_client.numbers import Reader
from kenh_client.problems import Refused

from .results import Results, expect, expect_equal, refusal

FOLDER = Path(__file__).resolve().parent.parent.parent / "vectors"
KINDS = ("insert", "update", "delete", "add")


def run(results: Results) -> None:
    """All examples."""
    for name in ("block", "block-births"):
        vector = _load(name)
        with results.check(f"vector {name}: header, hash and signature"):
            _check_outside(vector)
        with results.check(f"vector {name}: every change of the body"):
            _check_changes(vector)
        with results.check(f"vector {name}: written again, the same plain body"):
            _check_writing(vector)
        with results.check(f"vector {name}: no shorter body, and none with a byte more, is taken"):
            _check_lengths(vector)
    with results.check("vector commitments"):
        _check_commitments()
    with results.check("vector erasure: its hash, its entry, and the block before and after"):
        _check_erasure()
    with results.check("vector snapshot: a chunk and its manifest, read in no other form"):
        _check_snapshot()
    with results.check("vector enrolment"):
        _check_enrolment()
    with results.check("vector entries"):
        _check_entries()
    with results.check("vector tree: roots and proofs"):
        _check_trees()
    with results.check("vector tree: a signed checkpoint"):
        _check_checkpoint()
    with results.check("vector tree: made anew, the same"):
        expect_equal(make_tree_vectors.vectors(), _load("tree"), "vectors")
    with results.check("examples of README.md: fingerprint, code, entry"):
        _check_examples()
    with results.check("examples of README.md: digest"):
        _check_digest()
    with results.check("keys of small order and signatures with a high S are refused"):
        _check_refused_keys()


def _load(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def _block(vector: dict[str, Any]) -> Block:
    return Block(
        header=bytes.fromhex(vector["headerBytes"]), body=bytes.fromhex(vector["body"]),
        device_signature=bytes.fromhex(vector["deviceSignature"]), detached=bytes.fromhex(vector["detached"]))


def _check_outside(vector: dict[str, Any]) -> None:
    block = _block(vector)
    header = blocks.check_outside(block)
    expect_equal(header.SerializeToString(), block.header, "the header, serialised anew")
    for name, value in vector["header"].items():
        snake = "".join("_" + c.lower() if c.isupper() else c for c in name)
        found = getattr(header, snake)
        expect_equal(found.hex() if isinstance(found, bytes) else found, value, snake)
    expect_equal(blocks.block_hash(block.header).hex(), vector["blockHash"], "block hash")
    key = keys.SigningKey(bytes.fromhex(vector["deviceSeed"]))
    expect_equal(key.public.hex(), vector["devicePublicKey"], "device key")
    expect_equal(key.sign(keys.BLOCK_DEVICE, block.header), block.device_signature, "device signature")
    keys.check_signature(key.public, keys.BLOCK_DEVICE, block.header, block.device_signature)


def _read(vector: dict[str, Any]) -> body.Body:
    block = _block(vector)
    return blocks.read_body(block, blocks.check_outside(block))


def _check_changes(vector: dict[str, Any]) -> None:
    read = _read(vector)
    expect_equal(len(read.changes), len(vector["changes"]), "changes")
    first_counter = vector["header"]["firstCounter"]
    for index, (change, wanted) in enumerate(zip(read.changes, vector["changes"])):
        what = f"change {index}"
        expect_equal(KINDS[change.kind], wanted["kind"], what)
        expect_equal(first_counter + index, wanted["counter"], what)
        expect_equal(change.clock, wanted["clock"], what)
        expect_equal(change.table, wanted["table"], what)
        row_id = _value(wanted["id"])
        if "birth" in wanted:
            expect_equal((change.birth.line, change.birth.counter), (1, wanted["birth"]["counter"]), what)
            expect(change.has_text_ids == isinstance(row_id, str), what)
        else:
            expect_equal(change.id, row_id, what)
        found = [_predecessor(read, reference) for reference in change.predecessors]
        expect_equal(found, wanted["predecessors"], what)
        plain = body.plain_values(change)
        expect_equal(set(plain), set(wanted["values"]), what)
        for column, value in wanted["values"].items():
            expect(values.are_equal(plain[column], _value(value)), f"{what}, {column}: {plain[column]!r}")


def _predecessor(read: body.Body, reference: body.Reference) -> dict[str, Any]:
    if reference.line == 0:
        return {"counter": reference.counter}
    return {"counter": reference.counter, "replica": read.pins[reference.line - 1].replica.hex()}


def _value(spelled: dict[str, Any]) -> values.Plain:
    kind, value = spelled["type"], spelled.get("value")
    if kind == "real":
        return values.real_from(bytes.fromhex(spelled["bits"])[::-1])
    return {"null": lambda: None, "integer": lambda: int(value), "text": lambda: value,
            "blob": lambda: bytes.fromhex(value)}[kind]()


def _check_writing(vector: dict[str, Any]) -> None:
    plain, detached = body.encode(_read(vector), vector["header"]["firstClock"])
    expect_equal(plain.hex(), vector["plainBody"], "plain body")
    expect_equal(detached.hex(), vector["detached"], "detached section")
    expect_equal(blocks.decompress(blocks.compress(plain), len(plain)), plain, "compressed and back")


def _check_lengths(vector: dict[str, Any]) -> None:
    plain = bytes.fromhex(vector["plainBody"])
    block = _block(vector)
    header = blocks.check_outside(block)
    for content in [plain[:length] for length in range(len(plain))] + [plain + b"\0"]:
        what = f"{len(content)} bytes"
        expect_equal(refusal(what, lambda: body.decode(content, header, block.detached)), "malformed", what)


def _check_commitments() -> None:
    for vector in _load("commitments"):
        value = _value(vector["value"])
        made = values.Commitment.make(bytes.fromhex(vector["salt"]), value)
        expect_equal(made.digest.hex(), vector["commitment"], repr(value))
        encoded = bytes.fromhex(vector["encoded"])
        expect_equal(values.tagged_value(value), encoded, repr(value))
        reader = Reader(encoded)
        expect(values.are_equal(values.read_tagged_value(reader), value), repr(value))
        reader.end()


def _check_enrolment() -> None:
    vector = {name: value for name, value in _load("enrolment").items()}
    organisation, replica = bytes.fromhex(vector["organisation"]), bytes.fromhex(vector["replica"])
    key = keys.SigningKey(bytes.fromhex(vector["deviceSeed"]))
    expect_equal(key.public.hex(), vector["devicePublicKey"], "device key")
    expect_equal(keys.fingerprint(bytes.fromhex(vector["rootPublicKey"])), organisation, "fingerprint")
    code = enrolment.EnrolmentCode.read(vector["code"])
    expect_equal(code.text(), vector["code"], "code")
    expect_equal(code.secret.hex(), vector["codeSecret"], "secret")
    expect(organisation.startswith(code.pin), "the pin")
    expect_equal(code.id.hex(), vector["codeID"], "id of the code")
    message = enrolment.enrolment_message(organisation, key.public, replica)
    expect_equal(message.hex(), vector["claim"], "message")
    expect_equal(code.proof(message).hex(), vector["proof"], "proof")
    signature = enrolment.countersignature(key, organisation, replica)
    expect_equal(signature.hex(), vector["countersignature"], "countersignature")


def _check_entries() -> None:
    for vector in _load("entries"):
        found = log.entry_hash(
            bytes.fromhex(vector["previous"]), vector["kind"], vector["channel"], vector["sequence"],
            bytes.fromhex(vector["objectHash"]), vector["acceptedAtMs"], bytes.fromhex(vector.get("ruling", "")))
        expect_equal(found.hex(), vector["entryHash"], f"sequence {vector['sequence']}")


def _check_snapshot() -> None:
    vector = _load("snapshot")
    content, manifest = bytes.fromhex(vector["chunk"]), bytes.fromhex(vector["manifest"])
    announced = snapshot_reading.Announced.read(manifest)
    (chunk,) = announced.chunks
    expect_equal(announced.hash.hex(), vector["snapshot_hash"], "hash of the manifest")
    expect_equal((chunk.hash.hex(), chunk.size), (vector["chunk_hash"], len(content)), "the manifest's chunk")
    expect_equal(snapshots.chunk_hash(content).hex(), vector["chunk_hash"], "hash of the chunk")
    expect_equal((announced.channel, announced.sequence, announced.waiting), ("plan/KH1", 9, (3, 8)), "of what it is")
    # Reading writes it again, and compares.
    items = snapshot_reading.read_chunk(content, True)
    expect_equal([item.place for item in items], [(1, 0), (1, 0), (1, 3), (2, 0)], "places")
    for length in range(len(content)):
        refusal(f"a chunk of {length} bytes", lambda: snapshot_reading.read_chunk(content[:length], True))
    for length in range(len(manifest)):
        refusal(f"a manifest of {length} bytes", lambda: snapshot_reading.Announced.read(manifest[:length]))
    for place in range(len(content) * 8):
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        try:
            found = snapshot_reading.read_chunk(bytes(changed), True)
        except Refused:
            continue
        expect(found != items, f"with bit {place} changed it says the same")


def _check_erasure() -> None:
    vector, block = _load("erasure"), _load("block")
    content = bytes.fromhex(vector["erasure"])
    entry = vector["entry"]
    expect_equal(keys.tagged_hash("kenh-v1 erasure", content).hex(), entry["objectHash"], "object hash")
    found = log.entry_hash(
        bytes.fromhex(entry["previous"]), entry["kind"], entry["channel"], entry["sequence"],
        bytes.fromhex(entry["objectHash"]), entry["acceptedAtMs"], b"")
    expect_equal(found.hex(), entry["entryHash"], "entry hash")
    erasure = Erasure.FromString(content)
    expect_equal([part.hash.hex() for part in erasure.blocks], [vector["block"]], "blocks")
    named = [{"change": change.change, "columns": list(change.columns)} for change in erasure.blocks[0].changes]
    expect_equal((named, erasure.reason), (vector["changes"], vector["reason"]), "what it names, and why")
    header = blocks.check_outside(_block(block))
    plain = bytes.fromhex(block["plainBody"])
    for name in ("detachedBefore", "detachedAfter"):
        read = body.decode(plain, header, bytes.fromhex(vector[name]))
        missing = [
            {"change": place, "columns": sorted(lacking)} for place, change in enumerate(read.changes)
            if (lacking := [column for column, value in change.values.items()
                            if isinstance(value, values.Commitment) and value.salt is None])]
        expect_equal(missing, vector["changes"] if name == "detachedAfter" else [], name)


def _check_trees() -> None:
    growing = tree.Tree()
    trees = _load("tree")["trees"]
    roots = [bytes.fromhex(vector["root"]) for vector in trees]
    for size, vector in enumerate(trees):
        expect_equal(vector["size"], size, "size")
        expect_equal(growing.root, roots[size], f"root of {size}")
        growing.append(bytes([size]) * 32)
        for index, path in enumerate(vector["inclusion"]):
            hashes = [bytes.fromhex(one) for one in path]
            for place in range(size + 1):
                found = tree.is_included(bytes([index]) * 32, place, size, roots[size], hashes)
                expect_equal(found, place == index, f"leaf {index} of {size} at {place}")
        for old, proof in enumerate(vector["consistency"], 1):
            hashes = [bytes.fromhex(one) for one in proof]
            for other in range(size + 1):
                found = tree.goes_on(other, roots[other], size, roots[size], hashes)
                wanted = other == old or (other in (0, size) and not proof and old in (0, size))
                expect_equal(found, wanted, f"{size} from {other}, by the proof from {old}")
            for wrong in _wrong(hashes):
                expect(not tree.goes_on(old, roots[old], size, roots[size], wrong), f"{size} from {old}: a wrong proof")


def _wrong(hashes: list[bytes]) -> list[list[bytes]]:
    """Proofs with one thing changed."""
    changed = [[*hashes[:i], bytes(32), *hashes[i + 1:]] for i in range(len(hashes))]
    return [*changed, hashes + [bytes(32)], *([hashes[:-1], hashes[1:]] if hashes else [])]


def _check_checkpoint() -> None:
    vector = _load("tree")["checkpoint"]
    key = keys.SigningKey(bytes.fromhex(vector["seed"]))
    expect_equal(key.public.hex(), vector["servingKey"], "serving key")
    expect_equal(keys.fingerprint(key.public).hex(), vector["organisation"], "organisation")
    found = checkpoints.Checkpoint.read(vector["note"], key.public)
    expect_equal(found.origin, f"kenh/{vector['organisation']}/{vector['epoch']}", "origin")
    expect_equal(found.size, vector["size"], "size")
    expect_equal(found.text, vector["text"], "text")
    expect_equal(found.root.hex(), _load("tree")["trees"][found.size]["root"], "root")
    expect_equal(checkpoints.key_id(found.origin, key.public).hex(), vector["keyID"], "key id")
    expect_equal(found.signed(key), vector["note"], "the note, signed anew")
    other = keys.SigningKey(bytes(32))
    beside = vector["note"] + found.signed(other).rpartition("\n\n")[2]
    expect_equal(checkpoints.Checkpoint.read(beside, key.public).size, found.size, "with another signature beside")
    for place in range(len(vector["note"])):
        changed = vector["note"][:place] + chr(ord(vector["note"][place]) ^ 1) + vector["note"][place + 1:]
        refusal(f"one with character {place} changed", lambda: checkpoints.Checkpoint.read(changed, key.public))


def _check_examples() -> None:
    root = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    expect_equal(keys.fingerprint(root).hex(), "c54433bfcff7f89b6473a4e70a7892ba6334387b2bab7239c000079213da9e0e",
                 "fingerprint")
    organisation = bytes(range(0x0A, 0x2A))
    code = enrolment.EnrolmentCode(bytes(range(10)), organisation[:10])
    expect_equal(code.text(), "000G4-0R40M-30E20-9185G-R38E1-W8124-GKWY", "code")
    expect_equal(enrolment.EnrolmentCode.read("oooG4 or40m\u201330e20\u22129I85G r38eL w8l24 gkwy"), code, "as typed")
    expect_equal(code.id.hex(), "674befedce6ba1d9", "id of the code")
    proof = code.proof(enrolment.enrolment_message(organisation, root, bytes(range(0x50, 0x60))))
    expect_equal(proof.hex(), "c375a6d7ebcb50452e2a34a606657b474ec480effcd0f53778067f96caa9d194", "proof")
    for typed in ("000G4-0R40M-30E20-9185G-R38E1-W8124-GKWZ", "U00G4-0R40M-30E20-9185G-R38E1-W8124-GKWY", "000G4"):
        refusal(typed, lambda: enrolment.EnrolmentCode.read(typed))
    found = log.entry_hash(keys.ZERO_HASH, log.BLOCK_ENTRY, "org", 1, bytes(range(32)), 1655254800000)
    expect_equal(found.hex(), "7c0360305e1f82eae73def603118b5fe27724658b322c7eca4d43482308e7370", "entry")


def _check_digest() -> None:
    expect_equal(digest.name_seed("note").to_bytes().hex(), "a2e82e1e3645e46b1a7f9283dbeda335", "table")
    expect_equal(digest.name_seed("title").to_bytes().hex(), "9397ce1f57250a8056c10a86a586ce2b", "column")
    expect_equal(digest.column_seed(digest.EXISTENCE).to_bytes().hex(), "de0a564cbcd060c4d854e16c3affd455", "existence")
    row = digest.row_seed("note", "a")
    expect_equal(row.to_bytes().hex(), "eeb339b7b14ca31cc4ee9d0d0982a918", "row")
    items = [digest.item(row, bytes(range(32)), 0, False, 108478778572800000, column)
             for column in ("title", digest.EXISTENCE)]
    expect_equal(items[0].to_bytes().hex(), "8e3e0db2598edbed79789d8aaca4f711", "item of title")
    expect_equal(items[1].to_bytes().hex(), "e1504f36df05fb011d0e34918c1b6662", "item of existence")
    expect_equal((items[0] + items[1]).to_bytes().hex(), "6f8e5ce93894d6ee9686d21c38c05d73", "digest")


def _check_refused_keys() -> None:
    small = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "00",
    ]
    for key in small:
        expect_equal(refusal(key, lambda: keys.check_public_key(bytes.fromhex(key))), "badKey", key)
    key = keys.SigningKey(bytes(32))
    signature = key.sign_untagged(b"text")
    expect(keys.is_good_signature(key.public, b"text", signature), "a good signature")
    high = int.from_bytes(signature[32:], "little") + 2**252 + 27742317777372353535851937790883648493
    expect(not keys.is_good_signature(key.public, b"text", signature[:32] + high.to_bytes(32, "little")), "S + order")
