"""Audit files: the whole log in one file, checked without the centre (README section 13)."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from . import blocks
from .body import Change
from .checkpoints import Checkpoint
from .enrolment import check_certificate
from .kenh_pb2 import (
    AuditRecord, AuditSeal, BlockHeader, LogEntry, RegistryStatement, SignedStatement)
from .keys import (
    AUDIT_SEAL, BLOCK_DEVICE, REGISTRY_STATEMENT, ZERO_HASH, check_public_key, check_signature, fingerprint)
from .log import (
    ARCHIVE_ENTRY, BLOCK_ENTRY, ERASURE_ENTRY, FINALITY_ENTRY, REGISTRY_CHANNEL, REGISTRY_ENTRY, RULING_ENTRY,
    SNAPSHOT_ENTRY, VERDICT_ENTRY, check_proof, is_row_channel, proof_hash, proof_of, statement_hash)
from .numbers import Reader
from .problems import Refused, require
from .rights import Rights, Ruling
from .serving_keys import ServingKeys
from .tree import Tree
from .values import Commitment
from .words import Erasure, Finality, erasure_hash, finality_hash

MAGIC = b"Kenh audit 1\n"
MAX_RECORD_BYTES = 129 * 2**20


@dataclass
class Report:
    """What a file shows."""

    organisation: bytes = b""
    entries: int = 0
    blocks: int = 0
    changes: int = 0
    struck: int = 0
    # No faults: the log was restored, and once had more.
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Logged:
    replica: bytes
    channel: str
    last_counter: int
    count: int


def verify(content: bytes, notes: Iterable[str] = (), organisation: bytes | None = None) -> Report:
    """Check a file, also against checkpoints that somebody kept; refuse it at its first fault."""
    audit = _Audit(organisation)
    audit.notes += notes
    for place, record in _records(content):
        audit.take(record, hashlib.sha256(content[:place]).digest() if record.HasField("seal") else b"")
    return audit.finish()


def split_notes(text: str) -> list[str]:
    """The notes of a text in which one follows another."""
    notes: list[str] = []
    lines: list[str] = []
    for line in text.split("\n") + [""]:
        if lines and lines[-1].startswith("\u2014 ") and not line.startswith("\u2014 "):
            notes.append("\n".join(lines) + "\n")
            lines = []
        if line or lines:
            lines.append(line)
    return notes


def _records(content: bytes) -> Iterator[tuple[int, AuditRecord]]:
    """Each record with the place where its length begins."""
    require(content.startswith(MAGIC), "malformed", "this is no audit file")
    reader = Reader(content)
    reader.place = len(MAGIC)
    while reader.place < len(content):
        place = reader.place
        encoded = reader.string(MAX_RECORD_BYTES, "a record")
        try:
            record = AuditRecord.FromString(encoded)
        except DecodeError as error:
            raise Refused("malformed", "a record cannot be read") from error
        record.DiscardUnknownFields()
        is_plain = record.SerializeToString(deterministic=True) == encoded
        require(is_plain and record.WhichOneof("what") is not None, "malformed", "a record is not plain")
        yield place, record


class _Audit:
    """The state of a check, record by record."""

    def __init__(self, organisation: bytes | None) -> None:
        self.report = Report()
        self.notes: list[str] = []
        self._wanted = organisation
        self._keys: ServingKeys | None = None
        # The key that signed the entry before.
        self._signer = b""
        self._checkpoints: list[Checkpoint] = []
        self._roots: dict[int, bytes] = {0: Tree().root}
        self._tree = Tree()
        self._chains: dict[str, tuple[int, bytes]] = {}
        self._blocks: dict[bytes, _Logged] = {}
        self._pinnable: set[tuple[str, bytes, int, bytes]] = set()
        self._replicas: dict[bytes, bytes] = {}
        # Cells of the devices.
        self._cells: dict[bytes, str] = {}
        self._rights = Rights()
        # When each life of the log but the first began.
        self._opened: dict[bytes, int] = {}
        # How large the log was when each of its lives ended.
        self._ends: dict[bytes, int] = {}
        self._epoch = b""
        self._is_sealed = False
        # Erasable values of blocks, by block, place and column, and whether each is there; and what was erased.
        self._values: dict[tuple[bytes, int, str], bool] = {}
        self._erased: set[tuple[bytes, int, str]] = set()

    def take(self, record: AuditRecord, hash_before: bytes) -> None:
        """One record, in order."""
        require(not self._is_sealed, "malformed", "something follows the seal")
        what = record.WhichOneof("what")
        if what == "organisation":
            require(self._keys is None, "malformed", "the file says twice whose log it is")
            key = record.organisation.root_key
            check_public_key(key)
            self.report.organisation = fingerprint(key)
            require(self._wanted in (None, self.report.organisation), "wrongOrganisation", "another organisation")
            certificates = record.organisation.serving_certificate, *record.organisation.earlier_certificates
            self._keys = ServingKeys.in_order(key, certificates)
        elif what == "checkpoint":
            self.notes.append(record.checkpoint)
        elif what == "entry":
            self._take_entry(record.entry)
        elif what == "seal":
            self._take_seal(record.seal, hash_before)

    @property
    def _known(self) -> ServingKeys:
        require(self._keys is not None, "malformed", "the file does not say whose log it is")
        return self._keys

    def _take_entry(self, entry: LogEntry) -> None:
        require(entry.position == self._tree.size + 1, "brokenLink", "the entry is not the next one")
        sequence, previous = self._chains.get(entry.channel, (0, ZERO_HASH))
        require(entry.sequence == sequence + 1, "brokenLink", "the entry is not the next one of its channel")
        require(len(entry.object_hash) == 32, "malformed", "a hash has 32 bytes")
        proof = proof_of(entry, entry.epoch, previous)
        self._check_signer(check_proof(proof, self._known))
        self._chains[entry.channel] = entry.sequence, proof_hash(proof)
        self._epoch = entry.epoch
        is_ruling = entry.kind == RULING_ENTRY
        if entry.kind == BLOCK_ENTRY or (is_ruling and entry.HasField("block")):
            self._take_block(entry)
        elif entry.kind == REGISTRY_ENTRY:
            self._take_statement(entry)
        elif entry.kind in (SNAPSHOT_ENTRY, ARCHIVE_ENTRY):
            is_bare = not entry.HasField("block") and not entry.HasField("registry")
            require(is_bare, "malformed", "the entry of a file brings something")
        elif entry.kind in (ERASURE_ENTRY, FINALITY_ENTRY):
            self._take_words(entry)
        else:
            require(is_ruling or entry.kind == VERDICT_ENTRY, "unsupportedVersion", "a kind of entry is not known")
            logged = self._blocks.get(entry.object_hash)
            require(logged is not None and logged.channel == entry.channel,
                    "brokenLink", "a verdict or ruling on a block that is not in the log")
            if is_ruling:
                self._take_ruling(entry, logged)
        self._tree.append(proof_hash(proof))
        self._roots[self._tree.size] = self._tree.root
        self.report.entries += 1

    def _take_words(self, entry: LogEntry) -> None:
        require(is_row_channel(entry.channel), "malformed", "values or rows of the registry")
        is_erasure = entry.kind == ERASURE_ENTRY
        found = erasure_hash(entry.erasure) if is_erasure else finality_hash(entry.finality)
        require(found == entry.object_hash, "brokenLink", "it is not what the entry names")
        names = Erasure.read(entry.erasure).names if is_erasure else Finality.read(entry.finality).names
        if entry.accepted_at_ms >= self._opened.get(entry.epoch, entry.accepted_at_ms):
            known = (self._blocks.get(block_hash) for block_hash in names)
            require(all(block is not None and block.channel == entry.channel for block in known),
                    "brokenLink", "it names a block that is not in its channel before it")
        if is_erasure:
            self._erased |= {(block_hash, *name) for block_hash, found in names.items() for name in found}

    def _check_signer(self, key: bytes) -> None:
        """No entry is signed by a key older than that of the entry before."""
        keys = self._known.keys
        is_older = self._signer != b"" and keys.index(key) > keys.index(self._signer)
        require(not is_older, "badSignature", "a key signed that was replaced")
        self._signer = key

    def _take_block(self, entry: LogEntry) -> None:
        header = blocks.check_outside(entry.block)
        require(blocks.block_hash(entry.block.header) == entry.object_hash and header.channel == entry.channel
                and header.organisation == self.report.organisation, "brokenLink", "the block is not the entry's")
        require(header.replica in self._replicas, "unknownDevice", "nobody entered the replica")
        check_signature(
            self._replicas[header.replica], BLOCK_DEVICE, entry.block.header, entry.block.device_signature)
        if header.previous != ZERO_HASH:
            before = self._blocks.get(header.previous)
            wanted = header.replica, header.channel, header.first_counter - 1
            require(before is not None and (before.replica, before.channel, before.last_counter) == wanted,
                    "brokenLink", "there is a gap in the lane")
        body = blocks.read_body(entry.block, header)
        for pin in body.pins:
            require((header.channel, pin.replica, pin.last_counter, pin.hash_prefix) in self._pinnable,
                    "brokenLink", "what the block builds on is not before it")
        for place, change in enumerate(body.changes):
            for column, value in change.values.items():
                if isinstance(value, Commitment):
                    self._values[entry.object_hash, place, column] = value.salt is not None
        last_counter = header.first_counter + header.count - 1
        logged = _Logged(header.replica, header.channel, last_counter, header.count)
        self._blocks[entry.object_hash] = logged
        struck = self._take_ruling(entry, logged) if entry.kind == RULING_ENTRY else frozenset()
        self._judge(entry, header, body.changes, struck)
        self._pinnable.add((header.channel, header.replica, last_counter, entry.object_hash[:16]))
        self.report.blocks += 1
        self.report.changes += header.count

    def _take_ruling(self, entry: LogEntry, logged: _Logged) -> frozenset[int]:
        ruling = Ruling.read(entry.ruling)
        require(ruling.fits(logged.count), "malformed", "the ruling strikes more than the block has")
        self.report.struck += len(ruling.struck)
        return ruling.struck

    def _judge(self, entry: LogEntry, header: BlockHeader, changes: Sequence[Change], struck: frozenset[int]) -> None:
        """Struck is what the writer's cell was not allowed to make, by the statements until here."""
        if entry.accepted_at_ms < self._opened.get(entry.epoch, entry.accepted_at_ms):
            # It came back from a forgotten life, and was judged there.
            return
        role = self._rights.role(self._cells[self._replicas[header.replica]], header.channel)
        require(struck == role.struck(changes), "forbidden", "struck is not what the writer's rights leave out")

    def _take_statement(self, entry: LogEntry) -> None:
        signed = entry.registry
        require(entry.channel == REGISTRY_CHANNEL and statement_hash(signed.statement) == entry.object_hash,
                "brokenLink", "the statement is not the entry's")
        self._known.signer(REGISTRY_STATEMENT, signed.statement, signed.signature)
        statement = RegistryStatement.FromString(signed.statement)
        if statement.HasField("serving_key_added"):
            check_certificate(self._known.root_key, statement.serving_key_added.certificate, b"")
        if statement.HasField("replica_added"):
            self._replicas.setdefault(statement.replica_added.replica, statement.replica_added.device_key)
        if statement.HasField("device_added"):
            self._cells[statement.device_added.key] = statement.device_added.cell
        self._rights.take(statement, entry.accepted_at_ms)
        if statement.HasField("epoch_opened"):
            opened = statement.epoch_opened
            if opened.epoch == entry.epoch:
                self._opened[opened.epoch] = entry.accepted_at_ms
                require((opened.tree_size, opened.tree_root) == (self._tree.size, self._tree.root),
                        "brokenLink", "the log that was restored is not the one that it says")
                self._ends[opened.before] = opened.tree_size
            else:
                # It came back from a life that was forgotten, and speaks of a tree that is no more.
                self._ends[opened.epoch] = min(self._ends.get(opened.before, opened.tree_size), opened.tree_size)

    def _take_seal(self, seal: SignedStatement, hash_before: bytes) -> None:
        check_signature(self._known.newest, AUDIT_SEAL, seal.statement, seal.signature)
        require(AuditSeal.FromString(seal.statement).hash == hash_before, "badDigest", "the seal is of other bytes")
        self._is_sealed = True

    def finish(self) -> Report:
        """What can be said once all is read."""
        require(self._is_sealed, "malformed", "the seal is missing")
        covers = False
        for note in self.notes:
            checkpoint = Checkpoint.read(note, *self._known.keys)
            epoch = bytes.fromhex(checkpoint.origin.rpartition("/")[2])
            covers |= checkpoint.size == self._tree.size and epoch == self._epoch
            if self._roots.get(checkpoint.size) == checkpoint.root:
                continue
            end = self._ends.get(epoch)
            require(end is not None and end < checkpoint.size, "brokenLink",
                    f"the checkpoint over {checkpoint.size} entries is not of this log")
            self.report.remarks.append(f"the log once had {checkpoint.size} entries, and went on from {end} of them")
        require(covers, "brokenLink", "no checkpoint covers the whole of the log")
        for name, is_there in self._values.items():
            require(is_there != (name in self._erased), "brokenLink", "a value is erased and not named, or the reverse")
        return self.report
