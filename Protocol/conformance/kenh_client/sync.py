"""A sync: blocks up, entries down, digests compared (README sections 6, 7 and 8)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from . import beginnings, blocks
from .checkpoints import Checkpoint, Contradiction, TreeCheck
from .client import PROTOCOL, CentreClient, CentreProblem, wall_clock
from .clocks import offset
from .enrolment import check_certificate
from .kenh_pb2 import (
    VERDICT_ACCEPTED, VERDICT_ALREADY_HAD, VERDICT_HELD_BACK, VERDICT_INVALID, BlockHeader, ChannelHead, Cursor,
    EntryProof, LogEntry, ProofRequest, ProofResponse, Receipt, RegistryStatement, SyncRequest, SyncResponse)
from .keys import BLOCK_DEVICE, REGISTRY_STATEMENT, check_signature
from .log import (
    ARCHIVE_ENTRY, BLOCK_ENTRY, ERASURE_ENTRY, FINALITY_ENTRY, REGISTRY_CHANNEL, REGISTRY_ENTRY, RULING_ENTRY,
    SNAPSHOT_ENTRY, VERDICT_ENTRY, Follower, check_proof, is_row_channel, proof_hash, statement_hash)
from .problems import Refused, UnknownKey, require
from .reconcile import Reconciliation
from .rights import Ruling
from .serving_keys import ServingKeys
from .store import Store, StoredBlock
from .words import Erasure, Finality, erasure_hash, finality_hash

MAX_BLOCKS = 4_096
# Below the request's limit of 96 MiB, with room for cursors.
MAX_UPLOAD_BYTES = 64 * 2**20


_Result = TypeVar("_Result")


class MustReconcile(Exception):
    """The centre seems to be restored from an older copy."""


class LacksOwnBlocks(Exception):
    """This device seems to be restored from an older copy."""


@dataclass
class Report:
    """What a sync did."""

    sent: int = 0
    merged: int = 0
    handed_back: int = 0
    refusals: list[Receipt] = field(default_factory=list)
    held_back: list[Receipt] = field(default_factory=list)
    equal: list[str] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)
    # Channels that were removed, since the cell may not read them any more.
    left: list[str] = field(default_factory=list)
    erased: int = 0
    # Channels that began with a snapshot, and those that had to begin anew without one.
    begun: list[str] = field(default_factory=list)
    begun_anew: list[str] = field(default_factory=list)


class Sync:
    """Brings a store and the centre to the same."""

    def __init__(self, store: Store, client: CentreClient, down_limit_bytes: int = 0,
                 takes_snapshots: bool = False) -> None:
        self.store = store
        self.client = client
        self.down_limit_bytes = down_limit_bytes
        self.takes_snapshots = takes_snapshots
        self.report = Report()
        self.offset_ms = 0
        self._with_own_blocks = False
        self._has_asked_keys = False
        self._refused: set[bytes] = set()
        self._confirmed = 0
        self._begun_anew = 0
        self._has_reconciled = False

    def run(self) -> Report:
        """As many round trips as it takes."""
        while True:
            try:
                response = self._with_keys(self._round)
            except LacksOwnBlocks:
                self._with_own_blocks = True
                continue
            except (MustReconcile, Contradiction, CentreProblem) as error:
                if self._has_reconciled and isinstance(error, Contradiction):
                    self.store.keep_contradiction(error.known, error.shown)
                if self._has_reconciled or not _may_be_restored(error):
                    raise
                self.report.handed_back = self._with_keys(Reconciliation(self.store, self.client).run)
                self._has_reconciled = True
                self._refused.clear()
                continue
            # Once more, so that the cursor confirms what was erased.
            confirms = self.report.erased > self._confirmed
            self._confirmed = self.report.erased
            offered = self._with_keys(lambda: self._fetch_snapshots(response))
            begins_anew = len(self.report.begun_anew) > self._begun_anew
            self._begun_anew = len(self.report.begun_anew)
            if not (response.more or self._uploads() or confirms or offered or begins_anew):
                self._compare_digests(response)
                return self.report

    def _with_keys(self, action: Callable[[], _Result]) -> _Result:
        """What is signed by a key that is not known makes this device ask for the centre's keys, once."""
        try:
            return action()
        except UnknownKey:
            if self._has_asked_keys:
                raise
            self._has_asked_keys = True
            self.client.learn_keys()
            return action()

    def request(self) -> SyncRequest:
        """What the next round trip asks."""
        request = SyncRequest(
            protocol=PROTOCOL, replica=self.store.replica, with_own_blocks=self._with_own_blocks,
            down_limit_bytes=self.down_limit_bytes, sent_at_ms=wall_clock(), schema_version=1,
            tree_size=self.store.checkpoint.size if self.store.checkpoint else 0)
        request.cursors.extend(f.cursor() for f in self.store.followers.values() if f.sequence > 0)
        request.receipts.extend(self._newest_receipts())
        uploads = self._uploads()
        request.blocks.extend(block.message for block in uploads)
        request.all_sent = len(uploads) == len(self.store.unsent())
        request.takes_snapshots = self.takes_snapshots
        for channel, beginning in self.store.beginnings.items():
            request.bases.add(channel=channel, sequence=beginning.announced.sequence)
        for channel in sorted(self.store.without_snapshot - set(self.store.followers)):
            request.bases.add(channel=channel, sequence=0)
        return request

    def _fetch_snapshots(self, response: SyncResponse) -> bool:
        """Fetch what is offered of channels that begin; whether anything was."""
        store, offered = self.store, False
        for head in response.heads:
            if head.snapshot and head.channel not in {*store.followers, *store.beginnings, *store.without_snapshot}:
                offered = True
                beginning = beginnings.fetch(store, self.client, head.channel)
                if beginning is None:
                    store.without_snapshot.add(head.channel)
                else:
                    store.beginnings[head.channel] = beginning
        return offered

    def _begin(self) -> None:
        """Take over the snapshots to whose entries the log was followed, and begin anew where one does not fit."""
        store = self.store
        for channel, beginning in list(store.beginnings.items()):
            follower = store.followers.get(channel)
            if (follower and follower.sequence >= beginning.proof.sequence and not beginning.is_taken
                    and channel not in store.overtaken):
                try:
                    beginnings.check(store, beginning)
                except Refused as error:
                    store.overtaken[channel] = str(error)
                    continue
                store.begin(beginning)
                self.report.begun.append(channel)
        for channel, why in list(store.overtaken.items()):
            store.reports.append(f"{channel} was taken from its first entry: {why}")
            store.begin_anew(channel)
            self.report.begun_anew.append(channel)

    def _uploads(self) -> list:
        chosen = []
        size = 0
        for block in self.store.unsent():
            size += block.message.ByteSize()
            if len(chosen) == MAX_BLOCKS or (chosen and size > MAX_UPLOAD_BYTES):
                break
            if block.hash not in self._refused:
                chosen.append(block)
        return chosen

    def _newest_receipts(self) -> list[Cursor]:
        newest: dict[str, EntryProof] = {}
        for block in self.store.blocks.values():
            proof = block.acknowledged
            if proof is None:
                continue
            follower = self.store.followers.get(proof.channel)
            known = max(follower.sequence if follower else 0,
                        newest[proof.channel].sequence if proof.channel in newest else 0)
            if proof.sequence > known:
                newest[proof.channel] = proof
        return [
            Cursor(channel=proof.channel, epoch=self.store.epoch, sequence=proof.sequence, log_hash=proof_hash(proof))
            for proof in newest.values()]

    def _round(self) -> SyncResponse:
        request = self.request()
        uploads = self._uploads()
        sent_ms = wall_clock()
        response = self.client.post("/v1/sync", request, SyncResponse)
        self.offset_ms = offset(response.time_ms, sent_ms, wall_clock())
        plan = EntryCheck(self.store, self.client.keys, response.epoch)
        for entry in response.entries:
            plan.check(entry)
        plan.check_newest()
        shown, is_known = self._check_tree(request, response, plan)
        self._cover(request, response, plan, shown, is_known)
        require(len(response.receipts) == len(uploads), "malformed", "there is not one receipt for each block")
        for block, receipt in zip(uploads, response.receipts):
            # Of a block whose outside is wrong the centre does not make a hash.
            empty = receipt.verdict == VERDICT_INVALID and receipt.block_hash == b""
            require(empty or receipt.block_hash == block.hash, "malformed", "a receipt is for another block")
            self._take_receipt(block, receipt)
        refused = any(receipt.verdict == VERDICT_INVALID for receipt in response.receipts)
        held_back = any(receipt.verdict == VERDICT_HELD_BACK for receipt in response.receipts)
        # Where it is so still, somebody else has what these build on.
        if held_back and not refused and not self._has_reconciled:
            raise MustReconcile
        self._take_entries(response, plan)
        self.store.keep_checkpoint(shown, is_known)
        self._begin()
        self.report.merged += self.store.merge()
        self.report.left += self.store.leave_channels()
        return response

    def _check_tree(
        self, request: SyncRequest, response: SyncResponse, plan: "EntryCheck"
    ) -> tuple[Checkpoint, bool]:
        check = TreeCheck(self.store.organisation, self.client.serving_key, self.store.checkpoint)
        return check.check(response, {c.channel: c.sequence for c in request.cursors if c.covered}, plan.reached)

    def _cover(self, request: SyncRequest, response: SyncResponse, plan: "EntryCheck", shown: Checkpoint,
               is_known: bool) -> None:
        """Note where the tree covers each channel, and ask where only an earlier tree did."""
        covered = {cursor.channel: cursor.sequence for cursor in request.cursors if cursor.covered}
        for head in response.heads:
            follower = plan.followers.get(head.channel) or self.store.followers.get(head.channel)
            if follower is None or follower.sequence < head.sequence:
                continue
            if not is_known and covered.get(head.channel) == head.sequence:
                self._ask_proof(head, shown)
            follower.covered = head.sequence

    def _ask_proof(self, head: ChannelHead, shown: Checkpoint) -> None:
        """That the entry at which a cursor stands is in the tree: no path to it or beyond it was ever checked."""
        place = Cursor(channel=head.channel, sequence=head.sequence)
        request = ProofRequest(protocol=PROTOCOL, entry=place, tree_size=shown.size)
        response = self.client.post("/v1/proof", request, ProofResponse)
        check = TreeCheck(self.store.organisation, self.client.serving_key, shown)
        found, goes_on = check.goes_on(response.checkpoint, bytes.fromhex(shown.origin[-32:]), response.consistency)
        require(goes_on and proof_hash(response.proof) == head.log_hash
                and found.has(head.log_hash, response.position, response.inclusion),
                "brokenLink", f"the newest entry of {head.channel} is not in the tree")

    def _take_receipt(self, block: StoredBlock, receipt: Receipt) -> None:
        if receipt.verdict in (VERDICT_ACCEPTED, VERDICT_ALREADY_HAD):
            check_receipt(receipt, self.client.keys, block.header.count)
            self.store.acknowledge(block.hash, receipt.proof)
            self.report.sent += 1
            return
        kept = self.report.refusals if receipt.verdict == VERDICT_INVALID else self.report.held_back
        kept.append(receipt)
        self._refused.add(block.hash)

    def _take_entries(self, response: SyncResponse, plan: "EntryCheck") -> None:
        """Keep the entries, all of which were checked."""
        store = self.store
        lacking = any(object_hash not in store.blocks for object_hash in plan.without_block)
        if lacking and not self._with_own_blocks:
            raise LacksOwnBlocks
        require(not lacking, "brokenLink", "the centre keeps back a block that is not here")
        own_come_back = False
        finalities: list[tuple[EntryProof, bytes]] = []
        for entry, proof in plan.checked:
            if entry.kind == REGISTRY_ENTRY:
                store.register(entry.registry)
                continue
            if entry.kind == ERASURE_ENTRY:
                store.erase(proof, entry.erasure)
                self.report.erased += 1
                continue
            if entry.kind == FINALITY_ENTRY:
                finalities.append((proof, entry.finality))
                continue
            if entry.kind in (SNAPSHOT_ENTRY, ARCHIVE_ENTRY):
                continue
            if entry.HasField("block"):
                is_new = entry.object_hash not in store.blocks
                block = store.take(entry.block)
                own_come_back |= is_new and block.header.replica == store.replica
            store.acknowledge(entry.object_hash, proof, in_log=entry.kind == BLOCK_ENTRY)
        for proof, content in finalities:
            store.finish(proof, content)
        store.followers.update(plan.followers)
        store.epoch = response.epoch
        if own_come_back:
            store.renew_replica()

    def _compare_digests(self, response: SyncResponse) -> None:
        busy = {block.header.channel for block in (*self.store.unsent(), *self.store.held())}
        for head in response.heads:
            follower = self.store.followers.get(head.channel)
            stands = follower is not None and follower.sequence == head.sequence
            if head.digest and stands and head.channel not in busy:
                equal = self.store.digest(head.channel) == head.digest
                (self.report.equal if equal else self.report.unequal).append(head.channel)


def _may_be_restored(error: Exception) -> bool:
    return not isinstance(error, CentreProblem) or error.code in ("logMismatch", "unknownDevice")


def check_receipt(receipt: Receipt, keys: ServingKeys, count: int) -> None:
    """Refuse a receipt whose proof is not good, or is for something else than it says; `count` is the block's."""
    proof = receipt.proof
    require(proof.object_hash == receipt.block_hash and proof.sequence == receipt.sequence
            and proof.accepted_at_ms == receipt.accepted_at_ms, "brokenLink", "a receipt differs from its proof")
    check_proof(proof, keys)
    if proof.kind == RULING_ENTRY:
        require(Ruling.read(proof.ruling).fits(count), "malformed", "the ruling strikes more than the block has")


class EntryCheck:
    """Checks the entries of one response (section 8, “Cell, the entries of a response”)."""

    def __init__(self, store: Store, keys: ServingKeys, epoch: bytes) -> None:
        self.followers: dict[str, Follower] = {}
        self.checked: list[tuple[LogEntry, EntryProof]] = []
        self.without_block: list[bytes] = []
        self._store = store
        self._keys = keys
        self._epoch = epoch
        self._replicas = dict(store.replicas)
        # Headers of the blocks of this response.
        self._come: dict[bytes, BlockHeader] = {}

    def check(self, entry: LogEntry) -> None:
        """One entry, in order."""
        known = self._store.followers.get(entry.channel)
        if entry.channel not in self.followers:
            self.followers[entry.channel] = (
                replace(known)
                if known and known.sequence > 0 else Follower(entry.channel, self._epoch))
        try:
            proof = self.followers[entry.channel].follow(entry, self._epoch)
        except Refused as error:
            if known and known.sequence > 0:
                raise MustReconcile from error
            raise
        if entry.kind == REGISTRY_ENTRY:
            self._check_registry(entry)
        elif entry.kind in (SNAPSHOT_ENTRY, ARCHIVE_ENTRY):
            require(not entry.HasField("block"), "malformed", "the entry of a file brings a block")
        elif entry.kind == ERASURE_ENTRY:
            Erasure.read(entry.erasure)
            require(is_row_channel(entry.channel), "malformed", "an erasure in the registry")
            require(erasure_hash(entry.erasure) == entry.object_hash, "brokenLink", "another erasure than is named")
        elif entry.kind == FINALITY_ENTRY:
            Finality.read(entry.finality)
            require(is_row_channel(entry.channel), "malformed", "a finality in the registry")
            require(finality_hash(entry.finality) == entry.object_hash, "brokenLink", "another finality than is named")
        elif entry.kind in (BLOCK_ENTRY, RULING_ENTRY) and entry.HasField("block"):
            self._check_block(entry)
        else:
            is_known = entry.kind in (BLOCK_ENTRY, VERDICT_ENTRY, RULING_ENTRY)
            require(is_known, "unsupportedVersion", "a kind of entry is not known")
            if entry.object_hash not in self._come:
                self.without_block.append(entry.object_hash)
        require(entry.kind == ERASURE_ENTRY or not entry.erasure, "malformed", "an entry with another's erasure")
        require(entry.kind == FINALITY_ENTRY or not entry.finality, "malformed", "an entry with another's finality")
        if entry.kind == RULING_ENTRY:
            self._check_ruling(entry)
        self.checked.append((entry, proof))

    def check_newest(self) -> None:
        """The newest entry of each channel is signed; its hash covers the others."""
        for follower in self.followers.values():
            check_proof(follower.proofs[-1], self._keys)

    def reached(self, channel: str) -> tuple[int, bytes]:
        """Where the channel was followed to, with these entries."""
        follower = self.followers.get(channel) or self._store.followers.get(channel)
        return (follower.sequence, follower.log_hash) if follower else (0, b"")

    def _check_registry(self, entry: LogEntry) -> None:
        signed = entry.registry
        require(entry.channel == REGISTRY_CHANNEL, "brokenLink", "a statement is in another channel")
        require(statement_hash(signed.statement) == entry.object_hash, "brokenLink", "a statement has another hash")
        self._keys.signer(REGISTRY_STATEMENT, signed.statement, signed.signature)
        statement = RegistryStatement.FromString(signed.statement)
        require(statement.organisation == self._store.organisation, "wrongOrganisation", "another organisation")
        if statement.WhichOneof("what") == "replica_added":
            self._replicas.setdefault(statement.replica_added.replica, statement.replica_added.device_key)
        if statement.WhichOneof("what") == "serving_key_added":
            check_certificate(self._keys.root_key, statement.serving_key_added.certificate, b"")

    def _check_block(self, entry: LogEntry) -> None:
        beginning = self._store.beginnings.get(entry.channel)
        with_body = beginning is None or not beginning.covers(entry.sequence) or bool(entry.block.body)
        header = blocks.check_outside(entry.block, with_body)
        require(blocks.block_hash(entry.block.header) == entry.object_hash and header.channel == entry.channel
                and header.organisation == self._store.organisation, "brokenLink", "the block is not the entry's")
        key = self._replicas.get(header.replica)
        if key is None:
            raise Refused("unknownDevice", "nobody entered the replica")
        check_signature(key, BLOCK_DEVICE, entry.block.header, entry.block.device_signature)
        self._come[entry.object_hash] = header

    def _check_ruling(self, entry: LogEntry) -> None:
        ruling = Ruling.read(entry.ruling)
        header = self._come.get(entry.object_hash)
        if header is None and entry.object_hash in self._store.blocks:
            header = self._store.blocks[entry.object_hash].header
        # Where nobody has the block it is asked for.
        if header is not None:
            require(header.channel == entry.channel, "brokenLink", "the ruling is on a block of another channel")
            require(ruling.fits(header.count), "malformed", "the ruling strikes more than the block has")
