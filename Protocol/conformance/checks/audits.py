"""Audit files of the real centre, checked by the other client's own reader (README section 13)."""

import hashlib
import os
import random
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kenh_client import blocks
from kenh_client.audit import MAGIC, split_notes, verify
from kenh_client.checkpoints import Checkpoint
from kenh_client.enrolment import check_certificate
from kenh_client.kenh_pb2 import AuditOrganisation, AuditRecord, AuditSeal, ServingCertificate, SignedStatement
from kenh_client.keys import AUDIT_SEAL, LOG_ENTRY, SERVING_CERTIFICATE, SigningKey, fingerprint
from kenh_client.log import entry_hash
from kenh_client.numbers import Reader, string
from kenh_client.problems import Refused
from kenh_client.values import Commitment

from .organisation import insert
from .results import expect, expect_equal, refusal
from .world import World

COPIES = 20


def run(world: World, seed: int) -> None:
    """Export once, then look at copies."""
    path = world.centre.home.parent / "whole.audit"
    with world.results.check("audit file: the real export is good, and holds the whole log"):
        _good(world, path)
    with world.results.check(f"audit file: {COPIES} copies with one byte changed are found out (seed {seed})"):
        _changed(world, path.read_bytes(), seed)
    with world.results.check("audit file: cut, doubled and reordered copies are found out"):
        _cut(path.read_bytes())
    with world.results.check("audit file: what a centre may have sealed that is not its log"):
        _sealed(world, path.read_bytes())
    with world.results.check("audit file: of a centre whose key was replaced, with one certificate or signer changed"):
        _rotated(world, path.read_bytes())
    with world.results.check("audit file: checkpoints of cells, and a log that contradicts them"):
        _checkpoints(world, path.read_bytes())
    with world.results.check("audit file: erased values that nobody names, and named ones that are there"):
        _erased(world)


def _good(world: World, path: Path) -> None:
    world.settle()
    world.centre.run("audit", "export", str(path))
    report = verify(path.read_bytes(), organisation=world.other.store.organisation)
    expect_equal(report.entries, world.other.store.checkpoint.size, "entries")
    expect_equal(report.blocks, len(world.other.store.blocks), "blocks")
    changes = sum(block.header.count for block in world.other.store.blocks.values())
    expect_equal(report.changes, changes, "changes")
    expect(program_takes(world, path), "the program refuses its own export")
    world.results.note(f"{path.stat().st_size} bytes, {report.entries} entries")


def _is_good_with(content: bytes, note: str) -> bool:
    try:
        verify(content, (note,))
    except Refused:
        return False
    return True


@contextmanager
def without_stderr() -> Iterator[None]:
    """The parser of messages says there, too, what it refuses."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def program_takes(world: World, path: Path, *options: str) -> bool:
    """What the program itself says of a file."""
    command = [str(world.centre.binary), "audit", "verify", str(path), *options]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def _expect_refused(what: str, content: bytes, notes: tuple[str, ...] = ()) -> None:
    with without_stderr():
        refusal(what, lambda: verify(content, notes))


def _changed(world: World, content: bytes, seed: int) -> None:
    dice = random.Random(seed)
    copy = world.centre.home.parent / "copy.audit"
    for _ in range(COPIES):
        place = dice.randrange(len(content))
        changed = bytearray(content)
        changed[place] ^= dice.randrange(1, 256)
        what = f"byte {place}, {content[place]:02x} to {changed[place]:02x},"
        _expect_refused(what, bytes(changed))
        copy.write_bytes(changed)
        expect(not program_takes(world, copy), f"{what} was taken by the program")


def _cut(content: bytes) -> None:
    records = split_records(content)
    for what, changed in (
        ("a file without its last byte", content[:-1]),
        ("a file with a byte more", content + b"\0"),
        ("a file without a seal", MAGIC + b"".join(records[:-1])),
        ("a file with two seals", content + records[-1]),
        ("a file without its organisation", MAGIC + b"".join(records[:1] + records[2:])),
        ("a file without an entry", MAGIC + b"".join(records[:-2] + records[-1:])),
        ("a file with an entry twice", MAGIC + b"".join(records[:-1] + records[-2:])),
        ("a file with two entries in another order",
         MAGIC + b"".join(records[:-3] + [records[-2], records[-3], records[-1]])),
        ("a file without its index", MAGIC + b"".join(records[1:])),
        ("a file of nothing", MAGIC),
        ("another first line", b"Kenh audit 2\n" + content[len(MAGIC):]),
    ):
        _expect_refused(what, changed)


def _sealed(world: World, content: bytes) -> None:
    """Everything is signed as it should be, by the centre or by somebody else."""
    key, other = world.centre.serving_key(), SigningKey()
    records = split_records(content)[:-1]
    first = next(place for place, record in enumerate(records) if read_record(record).HasField("entry"))
    head, entries = records[:first], records[first:]
    newest = Checkpoint.read(read_record(head[-1]).checkpoint, key.public)
    lie = make_record(checkpoint=replace(newest, root=bytes(32)).signed(key))
    own = check_certificate(*_organisation(head), b"")
    certificate = ServingCertificate(
        organisation=fingerprint(other.public), serving_key=other.public, name=own.name).SerializeToString()
    # Whoever makes such a file writes the index that fits.
    index = read_record(head[0]).index.replace(own.organisation.hex(), fingerprint(other.public).hex())
    stranger = make_record(organisation=AuditOrganisation(root_key=other.public, serving_certificate=SignedStatement(
        statement=certificate, signature=other.sign(SERVING_CERTIFICATE, certificate))))
    copy = world.centre.home.parent / "copy.audit"
    wrong = []
    for what, is_good, content_records, sealer in (
        ("the file as it is", True, records, key),
        ("a seal by another", False, records, other),
        ("no checkpoint over the whole", False, head[:-1] + entries, key),
        ("a checkpoint that contradicts", False, [*head, lie, *entries], key),
        ("a checkpoint that contradicts, behind the entries", False, [*records, lie], key),
        ("a contradicting checkpoint alone, behind the entries", False, [*head[:-1], *entries, lie], key),
        ("a missing entry at the end", False, records[:-1], key),
        ("another organisation half-way", False, [make_record(index=index), *records[1:], stranger], other),
    ):
        made = sealed(content_records, sealer)
        copy.write_bytes(made)
        if is_good:
            verify(made)
        else:
            _expect_refused(what, made)
        if program_takes(world, copy) != is_good:
            wrong.append(what)
    expect_equal(wrong, [], "where the program says otherwise")


def _rotated(world: World, content: bytes) -> None:
    """Everything else is as it was: no hash covers who signed an entry, nor the certificates."""
    key = world.centre.serving_key()
    records = split_records(content)[:-1]
    place = next(place for place, record in enumerate(records) if read_record(record).HasField("organisation"))
    organisation = read_record(records[place]).organisation
    earlier = list(organisation.earlier_certificates)
    expect(len(earlier) >= 2, f"{len(earlier)} earlier certificates")
    newest = organisation.serving_certificate
    before = world.centre.keys[ServingCertificate.FromString(earlier[0].statement).serving_key]
    statement = ServingCertificate.FromString(newest.statement)
    of_stranger = _certified(SigningKey(), statement)

    def with_certificates(first: SignedStatement, *others: SignedStatement) -> list[bytes]:
        made = AuditOrganisation(
            root_key=organisation.root_key, serving_certificate=first, earlier_certificates=others)
        return [*records[:place], make_record(organisation=made), *records[place + 1:]]

    def signed_by(signer: SigningKey, number: int) -> list[bytes]:
        """An entry of the file, counted from its beginning or end, signed by another."""
        entries = [at for at, record in enumerate(records) if read_record(record).HasField("entry")]
        chains: dict[str, bytes] = {}
        for at in entries[:entries[number] - entries[0] + 1]:
            entry = read_record(records[at]).entry
            chains[entry.channel] = found = entry_hash(
                chains.get(entry.channel, bytes(32)), entry.kind, entry.channel, entry.sequence, entry.object_hash,
                entry.accepted_at_ms, entry.ruling)
        entry.signature = signer.sign(LOG_ENTRY, entry.epoch + found)
        return [*records[:entries[number]], make_record(entry=entry), *records[entries[number] + 1:]]

    copy = world.centre.home.parent / "copy.audit"
    wrong = []
    for what, is_good, made in (
        ("the newest entry signed by the same key", True, sealed(signed_by(key, -1), key)),
        ("the newest entry signed by the key before", False, sealed(signed_by(before, -1), key)),
        ("the one before it, too", False, sealed(signed_by(before, -2), key)),
        ("the first entry signed by a newer key", False, sealed(signed_by(before, 0), key)),
        ("the newest entry signed by nobody's", False, sealed(signed_by(SigningKey(), -1), key)),
        ("without the earlier certificates", False, sealed(with_certificates(newest), key)),
        ("without the oldest", False, sealed(with_certificates(newest, *earlier[:-1]), key)),
        ("the earlier ones in another order", False, sealed(with_certificates(newest, *reversed(earlier)), key)),
        ("an earlier one as the newest", False, sealed(with_certificates(earlier[0], newest, *earlier[1:]), before)),
        ("the newest twice", False, sealed(with_certificates(newest, newest, *earlier), key)),
        ("one more, of another root", False, sealed(with_certificates(newest, *earlier, of_stranger), key)),
        ("an earlier one that is not signed", False,
         sealed(with_certificates(newest, *earlier[:-1], SignedStatement(statement=earlier[-1].statement)), key)),
        ("a seal by the key before", False, sealed(records, before)),
    ):
        copy.write_bytes(made)
        if _is_good(made) != is_good:
            wrong.append(f"{what}: here")
        if program_takes(world, copy) != is_good:
            wrong.append(f"{what}: there")
    expect_equal(wrong, [], "where somebody says otherwise")


def _erased(world: World) -> None:
    """No hash covers the detached section: the erasures of the log alone say what has to be missing."""
    channel, key = "audits/erased", world.centre.serving_key()
    values = {row: Commitment.make(secrets.token_bytes(16), f"of {row}") for row in ("AE1", "AE2")}
    (block,) = world.other.seal(channel, *(insert("work_item", row, contact=value) for row, value in values.items()))
    world.settle()
    whole = block.message.detached
    world.centre.run("central", "erase", "work_item:AE1", "--reason", "asked", "--yes")
    world.settle()
    path, copy = world.centre.home.parent / "erased.audit", world.centre.home.parent / "copy.audit"
    world.centre.run("audit", "export", str(path))
    records = split_records(path.read_bytes())[:-1]
    place = next(
        at for at, record in enumerate(records) if read_record(record).entry.object_hash == block.hash
        and read_record(record).entry.HasField("block"))
    entry = read_record(records[place]).entry
    read = blocks.read_body(entry.block, block.header)
    expect_equal([change.values["contact"].salt is None for change in read.changes], [True, False], "what is erased")
    expect(b"of AE1" not in path.read_bytes() and b"of AE2" in path.read_bytes(), "what the file holds")

    def with_detached(content: bytes) -> bytes:
        entry.block.detached = content
        return sealed([*records[:place], make_record(entry=entry), *records[place + 1:]], key)

    wrong = []
    for what, is_good, made in (
        ("as it is", True, with_detached(entry.block.detached)),
        ("with the erased value", False, with_detached(whole)),
        ("without the other value", False, with_detached(bytes([2, 0, 0]))),
        ("without both items", False, with_detached(b"")),
    ):
        copy.write_bytes(made)
        if _is_good(made) != is_good:
            wrong.append(f"{what}: here")
        if program_takes(world, copy) != is_good:
            wrong.append(f"{what}: there")
    expect_equal(wrong, [], "where somebody says otherwise")


def _certified(root: SigningKey, statement: ServingCertificate) -> SignedStatement:
    """The same by another root key."""
    content = statement.SerializeToString()
    return SignedStatement(statement=content, signature=root.sign(SERVING_CERTIFICATE, content))


def _is_good(content: bytes) -> bool:
    try:
        verify(content)
    except Refused:
        return False
    return True


def _organisation(records: list[bytes]) -> tuple[bytes, SignedStatement]:
    """Root key and certificate."""
    found = next(read_record(record).organisation for record in records if read_record(record).HasField("organisation"))
    return found.root_key, found.serving_certificate


def read_record(record: bytes) -> AuditRecord:
    reader = Reader(record)
    return AuditRecord.FromString(reader.string(len(record), "a record"))


def make_record(**what: object) -> bytes:
    return string(AuditRecord(**what).SerializeToString(deterministic=True))


def sealed(records: list[bytes], key: SigningKey) -> bytes:
    content = MAGIC + b"".join(records)
    seal = AuditSeal(hash=hashlib.sha256(content).digest()).SerializeToString()
    return content + make_record(seal=SignedStatement(statement=seal, signature=key.sign(AUDIT_SEAL, seal)))


def split_records(content: bytes) -> list[bytes]:
    """The records, each with its length."""
    records = []
    reader = Reader(content)
    reader.place = len(MAGIC)
    while reader.place < len(content):
        records.append(string(reader.string(len(content), "a record")))
    return records


def _checkpoints(world: World, content: bytes) -> None:
    path, notes_path = world.centre.home.parent / "whole.audit", world.centre.home.parent / "kept.notes"
    key, keys = world.centre.serving_key(), world.other.client.keys.keys
    notes = split_notes(world.real.run("audit", "checkpoints"))
    expect(notes, "the real cell keeps no checkpoint")
    # Of those that cells keep some are of lives that were forgotten: both say the same of each.
    own = [kept.note for cell in (world.other, world.third) for kept in (*cell.store.forgotten, cell.store.checkpoint)]
    verdicts = set()
    for note in {*notes, *own}:
        notes_path.write_text(note, "utf-8")
        checkpoint = Checkpoint.read(note, *keys)
        verdicts.add(is_good := _is_good_with(content, note))
        expect_equal(program_takes(world, path, "--checkpoints", str(notes_path)), is_good,
                     f"what the program says of a checkpoint over {checkpoint.size} entries")
    expect(True in verdicts, "no checkpoint of a cell is of the file's log")
    newest = Checkpoint.read(notes[-1], *keys)
    expect(_is_good_with(content, newest.note), "the newest checkpoint of the real cell is not of the file's log")
    # What was signed, and is not in the file: in the life that goes on nothing excuses it.
    for what, lie in (
        ("another root", replace(newest, root=bytes(32))),
        ("more entries", replace(newest, size=newest.size + 1_000)),
        ("a checkpoint of nobody's", replace(newest, root=newest.root)),
    ):
        signer = world.other.client.key if "nobody" in what else key
        _expect_refused(what, content, (lie.signed(signer),))
    # The file is older than what comes now: the rest is missing, and the checkpoint says so.
    world.other.seal("org", insert("unit", "after the export"))
    world.settle()
    _expect_refused("an older file", content, (world.other.store.checkpoint.note,))
