"""The centre's log: hashes of entries, proofs, and how a cursor follows it (README sections 5 and 8)."""

from dataclasses import dataclass

from .keys import ENTRY, LOG_ENTRY, REGISTRY, ZERO_HASH, tagged_hash
from .kenh_pb2 import Cursor, EntryProof, LogEntry
from .numbers import string, varint, zigzag
from .problems import require
from .serving_keys import ServingKeys

BLOCK_ENTRY, REGISTRY_ENTRY, VERDICT_ENTRY, RULING_ENTRY, SNAPSHOT_ENTRY = 1, 2, 3, 4, 5
ERASURE_ENTRY, FINALITY_ENTRY, ARCHIVE_ENTRY = 6, 7, 8
REGISTRY_CHANNEL = "kenh/registry"
MAX_PLACES = 64


def entry_hash(
    previous: bytes, kind: int, channel: str, sequence: int, object_hash: bytes, accepted_at_ms: int,
    ruling: bytes = b""
) -> bytes:
    """The hash of an entry, which covers all before it in its channel; of a ruling also what it says."""
    return tagged_hash(ENTRY, b"".join((
        previous, bytes([kind]), string(channel.encode("utf-8")), varint(sequence), object_hash,
        varint(zigzag(accepted_at_ms)), string(ruling) if kind == RULING_ENTRY else b"")))


def proof_hash(proof: EntryProof) -> bytes:
    """The hash of the entry that a proof is of."""
    return entry_hash(
        proof.previous, proof.kind, proof.channel, proof.sequence, proof.object_hash, proof.accepted_at_ms,
        proof.ruling)


def check_proof(proof: EntryProof, keys: ServingKeys) -> bytes:
    """Refuse a proof that the centre did not sign; returns the key that did."""
    require(len(proof.epoch) == 16, "malformed", "an epoch has 16 bytes")
    return keys.signer(LOG_ENTRY, proof.epoch + proof_hash(proof), proof.signature)


def proof_of(entry: LogEntry, epoch: bytes, previous: bytes) -> EntryProof:
    """The proof of an entry that stands behind the one with the hash `previous`."""
    return EntryProof(
        epoch=entry.epoch or epoch, kind=entry.kind, channel=entry.channel, sequence=entry.sequence,
        object_hash=entry.object_hash, accepted_at_ms=entry.accepted_at_ms, previous=previous,
        signature=entry.signature, ruling=entry.ruling if entry.kind == RULING_ENTRY else b"")


def statement_hash(statement: bytes) -> bytes:
    """The object hash of a registry statement."""
    return tagged_hash(REGISTRY, statement)


def is_row_channel(channel: str) -> bool:
    """Whether rows may belong to the channel (section 1)."""
    return (1 <= len(channel) <= 200 and all(0x20 <= ord(c) <= 0x7E for c in channel)
            and not channel.startswith("kenh/"))


@dataclass
class Follower:
    """How far one channel's log was followed, and its places on the way there."""

    channel: str
    epoch: bytes
    sequence: int = 0
    log_hash: bytes = ZERO_HASH
    proofs: tuple[EntryProof, ...] = ()
    # Up to where a checked path of the tree covers the entries (section 6).
    covered: int = 0

    def cursor(self) -> Cursor:
        """As it travels."""
        return Cursor(channel=self.channel, epoch=self.epoch, sequence=self.sequence, log_hash=self.log_hash,
                      covered=self.covered == self.sequence)

    def follow(self, entry: LogEntry, epoch: bytes) -> EntryProof:
        """Go on by one entry and return its proof; refuse an entry that does not continue the cursor."""
        require(entry.channel == REGISTRY_CHANNEL or is_row_channel(entry.channel), "malformed", "a strange channel")
        require(entry.sequence == self.sequence + 1, "brokenLink", "the entry does not continue the cursor")
        require(epoch == self.epoch, "brokenLink", "the log has another life than the cursor")
        require(len(entry.object_hash) == 32, "malformed", "a hash has 32 bytes")
        proof = proof_of(entry, epoch, self.log_hash)
        self.sequence = entry.sequence
        self.log_hash = proof_hash(proof)
        self.proofs += (proof,)
        return proof

    def places(self) -> list[tuple[int, bytes]]:
        """The cursor first, then ever further back, twice as far each time."""
        places = []
        back = 0
        while back < self.sequence and len(places) < MAX_PLACES:
            proof = self.proofs[-1 - back]
            places.append((proof.sequence, proof_hash(proof)))
            back = 2 * back + 1
        return places
