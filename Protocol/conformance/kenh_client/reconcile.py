"""Comparing logs after a restore, and handing back what the centre lost (README section 7, “Reconcile”)."""

from collections.abc import Sequence

from .client import PROTOCOL, CentreClient
from .keys import ZERO_HASH
from .kenh_pb2 import (
    VERDICT_ACCEPTED, VERDICT_ALREADY_HAD, ChannelPlaces, CommonPlace, EntryProof, HandedBack, LogPlace, Receipt,
    ReconcileRequest, ReconcileResponse, RegistryStatement, SignedStatement)
from .log import BLOCK_ENTRY, REGISTRY_CHANNEL, REGISTRY_ENTRY, RULING_ENTRY, Follower, check_proof
from .store import Store


class _BeginAnew(Exception):
    """The log began another life on the way."""


class Reconciliation:
    """Compare, offer, hand back, adopt."""

    def __init__(self, store: Store, client: CentreClient) -> None:
        self.store = store
        self.client = client
        self._epoch = b""
        self._receipts: dict[bytes, Receipt] = {}

    def run(self) -> int:
        """Returns the number of blocks that were handed back."""
        for _ in range(4):
            try:
                return self._once()
            except _BeginAnew:
                continue
        raise _BeginAnew("the log began ever new lives")

    def _once(self) -> int:
        self._epoch = b""
        self._receipts = {}
        checkpoint = self.store.checkpoint.note if self.store.checkpoint else ""
        compared = self._ask(
            self._places(), self._own_statements(), checkpoint=checkpoint, certificates=self._certificates())
        common = {place.channel: place for place in compared.common}
        held = self._held_above(common)
        offers = [h if _is_whole(h) else HandedBack(proof=h.proof) for h in held]
        wanted = set(self._ask([], offers).wanted) if offers else set()
        handed = [h for h in held if h.proof.object_hash in wanted and not _is_whole(h)]
        if handed:
            self._ask([], handed)
        self._adopt(common)
        return len(handed)

    def _certificates(self) -> Sequence[SignedStatement]:
        """Of a centre with more than one key, that it may learn again of those that it forgot."""
        certificates = self.client.keys.certificates
        return certificates if len(certificates) > 1 else ()

    def _ask(self, places: list[ChannelPlaces], handed_back: list[HandedBack], **more: object) -> ReconcileResponse:
        request = ReconcileRequest(
            protocol=PROTOCOL, replica=self.store.replica, places=places, handed_back=handed_back, **more)
        response = self.client.post("/v1/reconcile", request, ReconcileResponse)
        if self._epoch not in (b"", response.epoch):
            raise _BeginAnew
        self._epoch = response.epoch
        for receipt in response.receipts:
            if receipt.verdict in (VERDICT_ACCEPTED, VERDICT_ALREADY_HAD):
                check_proof(receipt.proof, self.client.keys)
                self._receipts[receipt.block_hash] = receipt
        return response

    def _places(self) -> list[ChannelPlaces]:
        """Where the log of each channel stood, and the newest that can be proved."""
        places = []
        for channel in sorted(set(self.store.followers) | self.store.channels()):
            follower = self.store.followers.get(channel)
            newest = [follower.proofs[-1]] if follower and follower.proofs else []
            acknowledged = self._acknowledged_above(channel)
            newest += acknowledged[-1:]
            stood = follower.places() if follower else []
            if stood or newest:
                places.append(ChannelPlaces(
                    channel=channel, newest=newest,
                    places=[LogPlace(sequence=sequence, log_hash=log_hash) for sequence, log_hash in stood]))
        return places

    def _acknowledged_above(self, channel: str) -> list[EntryProof]:
        """Proofs of acknowledged blocks above the cursor, by sequence."""
        follower = self.store.followers.get(channel)
        cursor = follower.sequence if follower else 0
        proofs = [block.acknowledged for block in self.store.blocks.values() if block.acknowledged is not None]
        return sorted((p for p in proofs if p.channel == channel and p.sequence > cursor), key=lambda p: p.sequence)

    def _own_statements(self) -> list[HandedBack]:
        """The registry's statements about this device, its cell and its replicas."""
        key = self.client.key.public
        cell = self.store.devices.get(key, "")

        def is_own(statement: RegistryStatement) -> bool:
            return ((statement.HasField("cell_added") and statement.cell_added.code == cell)
                    or (statement.HasField("device_added") and statement.device_added.key == key)
                    or (statement.HasField("replica_added") and statement.replica_added.device_key == key))

        return [handed for handed in self._statements_above(0)
                if is_own(RegistryStatement.FromString(handed.registry.statement))]

    def _statements_above(self, sequence: int) -> list[HandedBack]:
        follower = self.store.followers.get(REGISTRY_CHANNEL)
        return [HandedBack(proof=proof, registry=self.store.statements[proof.object_hash])
                for proof in (follower.proofs if follower else ())
                if proof.sequence > sequence and proof.kind == REGISTRY_ENTRY]

    def _held_above(self, common: dict[str, CommonPlace]) -> list[HandedBack]:
        """All that this device holds of the log above the common places, in the log's order by channel."""
        found = self._statements_above(common[REGISTRY_CHANNEL].sequence if REGISTRY_CHANNEL in common else 0)
        for channel in sorted(self.store.channels()):
            base = common[channel].sequence if channel in common else 0
            found += [HandedBack(proof=proof, erasure=content) for proof, content in self.store.erasures.values()
                      if proof.channel == channel and proof.sequence > base]
            found += [HandedBack(proof=proof, finality=content) for proof, content in self.store.finalities.values()
                      if proof.channel == channel and proof.sequence > base]
        for channel in sorted(self.store.channels()):
            follower = self.store.followers.get(channel)
            base = common[channel].sequence if channel in common else 0
            entries = [p for p in (follower.proofs if follower else ())
                       if p.kind in (BLOCK_ENTRY, RULING_ENTRY) and p.sequence > base]
            # Of a block there may be two: it, and a ruling on it.
            hashes = dict.fromkeys(entry.object_hash for entry in entries + self._acknowledged_above(channel))
            for block in (self.store.blocks[block_hash] for block_hash in hashes):
                # Without its body it is no block for anybody else.
                if not block.has_body:
                    continue
                found += [HandedBack(proof=proof, block=block.message) for proof in block.telling_proofs()]
        return found

    def _adopt(self, common: dict[str, CommonPlace]) -> None:
        """Cursors go to the common places, in the new life; what is above them has a receipt or is unsent."""
        followers = {}
        for channel, follower in self.store.followers.items():
            sequence = common[channel].sequence if channel in common else 0
            log_hash = common[channel].log_hash if sequence else ZERO_HASH
            followers[channel] = Follower(channel, self._epoch, sequence, log_hash, follower.proofs[:sequence])
        for block in self.store.blocks.values():
            entry = block.acknowledged
            follower = followers.get(block.header.channel)
            if entry is not None and (follower is None or entry.sequence > follower.sequence):
                block.acknowledged = None
            if block.hash in self._receipts:
                self.store.acknowledge(block.hash, self._receipts[block.hash].proof)
        self.store.followers = followers
        self.store.epoch = self._epoch
        for channel, beginning in self.store.beginnings.items():
            if channel in followers and followers[channel].sequence < beginning.announced.sequence:
                self.store.overtaken[channel] = "the log has forgotten what its snapshot covers"


def _is_whole(item: HandedBack) -> bool:
    """What is offered whole: all but blocks."""
    return item.HasField("registry") or bool(item.erasure or item.finality)
