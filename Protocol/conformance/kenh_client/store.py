"""A node's store, in memory: blocks, rows, registry, and how far each channel's log was followed."""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import blocks, digest
from .body import INSERT, MAX_DECODED_BYTES, Body, Change, Pin, Reference, detached
from .checkpoints import Checkpoint
from .clocks import claim
from .digest import Column
from .keys import ZERO_HASH, SigningKey
from .kenh_pb2 import Block, BlockHeader, EntryProof, RegistryStatement, SignedStatement
from .log import REGISTRY_CHANNEL, REGISTRY_ENTRY, RULING_ENTRY, Follower, statement_hash
from .merge import Dot, Origin, Row, Write
from .problems import HeldBack, Refused
from .rights import Rights, Ruling
from .schema import Schema
from .values import Commitment, Plain, Value, kept
from .words import Erasure, Finality

if TYPE_CHECKING:
    from .beginnings import Beginning

# Of the blocks that hold the births which one body names (block-format.md, “Ids”).
MAX_BIRTH_BYTES = 64 * 2**20
BIRTH_BLOCK_BYTES = 16 * 2**10

RowKey = tuple[str, str | bytes, str]


@dataclass
class StoredBlock:
    """A block that this node has."""

    message: Block
    header: BlockHeader
    hash: bytes
    origin: Origin
    changes: list[Change] | None = None
    # What its pins name, once it is applied.
    pinned: Sequence["StoredBlock"] = ()
    # Its entry in the log as it is now; none while it is unsent.
    acknowledged: EntryProof | None = None
    # All that ever showed its acceptance, also by earlier lives of the log.
    proofs: list[EntryProof] = field(default_factory=list)
    # All that was ever struck of it.
    struck: frozenset[int] = frozenset()
    # Of a block without its body, from the snapshot: rows by the places of changes, and what struck changes named.
    row_at: dict[int, tuple[str, str | bytes]] = field(default_factory=dict)
    named_at: dict[int, list[tuple["StoredBlock", int]]] = field(default_factory=dict)

    @property
    def last_counter(self) -> int:
        """The counter of its last change."""
        return self.header.first_counter + self.header.count - 1

    @property
    def has_body(self) -> bool:
        """False of a block that a snapshot covers, which came without."""
        return self.message.body != b""

    @property
    def is_applied(self) -> bool:
        """Whether its changes are in the rows."""
        return self.changes is not None

    def earliest_proof(self) -> EntryProof | None:
        """The proof that counts; of two with one time the one that strikes more."""
        return min(self.proofs, key=lambda proof: (proof.accepted_at_ms, -len(_struck_by(proof))), default=None)

    def telling_proofs(self) -> list[EntryProof]:
        """The earliest, and what it takes beside it to show all that is struck."""
        earliest = self.earliest_proof()
        if earliest is None:
            return []
        telling, shown = [earliest], set(_struck_by(earliest))
        for proof in self.proofs:
            if not _struck_by(proof) <= shown:
                telling.append(proof)
                shown |= _struck_by(proof)
        return telling


@dataclass(frozen=True)
class Rejected:
    """A change made here that nobody has, because the cell was not allowed to make it."""

    channel: str
    change: Change
    code: str
    message: str


@dataclass
class Edit:
    """What somebody did to a row, before it is sealed."""

    kind: int
    table: str
    id: str | bytes
    values: dict[str, Value] = field(default_factory=dict)


@dataclass
class _Draft:
    """A change of a block that is being sealed, with what it names."""

    edit: Edit
    claim: int
    named: list[Write]
    # Inserts whose lines have to be pinned though nothing there is named.
    pinned: list[Write]


class Store:
    """A device's store."""

    def __init__(self, key: SigningKey, organisation: bytes, replica: bytes, schema: Schema) -> None:
        self.key = key
        self.organisation = organisation
        self.replica = replica
        self.schema = schema
        self.blocks: dict[bytes, StoredBlock] = {}
        self.rows: dict[RowKey, Row] = {}
        self.followers: dict[str, Follower] = {}
        self.epoch = b""
        # The newest that the centre showed, and those that it went back on.
        self.checkpoint: Checkpoint | None = None
        self.forgotten: list[Checkpoint] = []
        self.contradictions: list[tuple[Checkpoint, Checkpoint]] = []
        self.statements: dict[bytes, SignedStatement] = {}
        self.cells: dict[str, str] = {}
        self.devices: dict[bytes, str] = {}
        self.replicas: dict[bytes, bytes] = {}
        # By block hash and place in it.
        self.rejected: dict[tuple[bytes, int], Rejected] = {}
        # Channels that were removed, since the cell may not read them any more.
        self.left: list[str] = []
        # What the centre said of erased values and final writes, by object hash; and what they name, by block.
        self.erasures: dict[bytes, tuple[EntryProof, bytes]] = {}
        self.finalities: dict[bytes, tuple[EntryProof, bytes]] = {}
        self.erased: dict[bytes, set[tuple[int, str]]] = {}
        self.final: dict[bytes, set[int]] = {}
        # The snapshots with which channels began, and channels that do without, by name.
        self.beginnings: dict[str, "Beginning"] = {}
        self.without_snapshot: set[str] = set()
        # Chunks that came before a fetch was cut, by channel and hash.
        self.chunks: dict[str, dict[bytes, bytes]] = {}
        # Channels of which the log says something that no snapshot with which they began can have.
        self.overtaken: dict[str, str] = {}
        # Newest block of each lane that this replica writes.
        self.own_tips: dict[str, bytes] = {}
        # Dots of the inserts of each row, by which it may be named.
        self._births: dict[RowKey, list[tuple[StoredBlock, int]]] = {}
        # All changes of each row, in an order in which each comes after what it names.
        self._changes: dict[RowKey, list[tuple[StoredBlock, int]]] = {}
        self._own_replicas = {replica}
        self.reports: list[str] = []

    # ------------------------------------------------------------ reading

    def digest(self, channel: str) -> bytes:
        """The digest of a channel (section 11)."""
        total = digest.EMPTY
        for (table, row_id, row_channel), row in self.rows.items():
            if row_channel == channel:
                total += row.digest(digest.row_seed(table, row_id))
        return total.to_bytes()

    def channels(self) -> set[str]:
        """The channels of all blocks."""
        return {block.header.channel for block in self.blocks.values()}

    def shown(self, table: str) -> dict[str | bytes, tuple[str, dict[str, Plain]]]:
        """The rows that a declared table shows, by id: channel and values (section 9, “Shown”)."""
        rule = self.schema.tables[table]
        found: dict[str | bytes, tuple[str, dict[str, Plain]]] = {}
        for (name, row_id, channel), row in self.rows.items():
            if name != table or not row.is_shown or not rule.may_show(row_id, channel):
                continue
            # One id in two channels: the lower name has the row.
            if row_id not in found or channel < found[row_id][0]:
                values = {column: row.value(column, column_rule) for column, column_rule in rule.columns.items()}
                found[row_id] = (channel, values)
        return found

    def row(self, table: str, row_id: str | bytes, channel: str) -> Row:
        """A row's state, empty where nothing is known of it."""
        return self.rows.get((table, row_id, channel), Row())

    def conflicts(self) -> dict[RowKey, set[Column]]:
        """Everything that waits for somebody to choose."""
        found = {key: row.conflicts() for key, row in self.rows.items()}
        return {key: columns for key, columns in found.items() if columns}

    def unsent(self) -> list[StoredBlock]:
        """Unacknowledged blocks, in the order in which they were taken."""
        return [block for block in self.blocks.values() if block.acknowledged is None and block.has_body]

    def held(self) -> list[StoredBlock]:
        """Blocks that wait for others."""
        return [block for block in self.blocks.values() if not block.is_applied]

    @property
    def cell(self) -> str | None:
        """The cell of this device; none while the registry was not followed so far."""
        return self.devices.get(self.key.public)

    def rights(self) -> Rights:
        """Who may do what, by the registry as far as it was followed."""
        rights = Rights()
        follower = self.followers.get(REGISTRY_CHANNEL)
        for proof in follower.proofs if follower else ():
            if proof.kind == REGISTRY_ENTRY:
                statement = self.statements[proof.object_hash].statement
                rights.take(RegistryStatement.FromString(statement), proof.accepted_at_ms)
        return rights

    # ------------------------------------------------------------ writing

    def seal(self, channel: str, edits: Sequence[Edit], wall_ms: int, *, officer: str = "",
             changes_per_block: int | None = None, with_births: bool = False) -> list[StoredBlock]:
        """Make one group of blocks out of edits, and apply it."""
        size = changes_per_block or len(edits)
        parts = [edits[start:start + size] for start in range(0, len(edits), size)]
        group = []
        for number, part in enumerate(parts):
            bits = (blocks.GROUP_FIRST if number == 0 else 0) | (blocks.GROUP_LAST if part is parts[-1] else 0)
            group.append(self._seal_block(channel, part, wall_ms, officer, bits, with_births))
        return group

    def _seal_block(self, channel: str, edits: Sequence[Edit], wall_ms: int, officer: str, group: int,
                    with_births: bool) -> StoredBlock:
        before = self.blocks.get(self.own_tips.get(channel, b""))
        first_counter = before.last_counter + 1 if before else 1
        origin = Origin(self.replica)
        # Applied one by one, so that a change names what those before it left.
        drafts = [
            self._apply_edit(channel, edit, wall_ms, Dot(origin, index), first_counter + index)
            for index, edit in enumerate(edits)]
        pinned = self._pinned_blocks(drafts, origin, before)
        pins = [Pin(block.header.replica, block.last_counter, block.hash[:16]) for block in pinned]
        changes = [self._change(channel, draft, origin, before, pinned, with_births) for draft in drafts]
        place = blocks.Place(
            self.organisation, channel, self.replica, first_counter, before.hash if before else ZERO_HASH, group,
            officer)
        message = blocks.seal(place, Body(pins, changes), self.key)
        header = blocks.read_header(message.header)
        origin.block_hash = blocks.block_hash(message.header)
        sealed = StoredBlock(message, header, origin.block_hash, origin, changes, pinned)
        self.blocks[sealed.hash] = sealed
        self.own_tips[channel] = sealed.hash
        self._remember(sealed)
        return sealed

    def _apply_edit(self, channel: str, edit: Edit, wall_ms: int, dot: Dot, counter: int) -> _Draft:
        row = self.rows.setdefault((edit.table, edit.id, channel), Row())
        named = row.named(edit.kind, edit.values)
        pinned = row.inserts() if edit.kind != INSERT and not named else []
        floor = max((write.clock for write in named if write.dot.origin.replica != self.replica), default=None)
        claimed = claim(wall_ms, floor)
        row.apply(edit.kind, dot, counter, claimed, _kept(edit.values), [write.dot for write in named])
        return _Draft(edit, claimed, named, pinned)

    def _pinned_blocks(self, drafts: Sequence[_Draft], origin: Origin,
                       before: StoredBlock | None) -> list[StoredBlock]:
        own = {block.hash for block in self._line(before)}
        pinned: dict[bytes, StoredBlock] = {}
        for write in (write for draft in drafts for write in draft.named + draft.pinned):
            if write.dot.origin is not origin and write.dot.origin.block_hash not in own:
                tip = self._tip_above(self.blocks[write.dot.origin.block_hash])
                pinned[tip.hash] = tip
        return sorted(pinned.values(), key=lambda block: (block.header.replica, block.hash[:16]))

    def _change(self, channel: str, draft: _Draft, origin: Origin, before: StoredBlock | None,
                pinned: Sequence[StoredBlock], with_births: bool) -> Change:
        lines = [list(self._line(block)) for block in (before, *pinned)]
        edit = draft.edit
        predecessors = []
        for write in draft.named:
            own = write.dot.origin is origin
            line = 0 if own else _line_with(lines, write.dot.origin.block_hash)
            predecessors.append(Reference(line, write.counter))
        birth = None
        if with_births and edit.kind != INSERT:
            birth = next((
                Reference(line + 1, block.header.first_counter + index)
                for block, index in self._births.get((edit.table, edit.id, channel), ())
                for line, line_blocks in enumerate(lines) if block in line_blocks), None)
        return Change(edit.kind, edit.table, isinstance(edit.id, str), edit.id, draft.claim, edit.values,
                      predecessors, birth)

    # ------------------------------------------------------------ taking

    def take(self, message: Block) -> StoredBlock:
        """Keep a block whose outside and signature were checked; the same block again is no other one."""
        block_hash = blocks.block_hash(message.header)
        if block_hash not in self.blocks:
            header = blocks.read_header(message.header)
            message = self._stripped(message, header, block_hash)
            self.blocks[block_hash] = StoredBlock(message, header, block_hash, Origin(header.replica, block_hash))
        return self.blocks[block_hash]

    def acknowledge(self, block_hash: bytes, proof: EntryProof, in_log: bool = True) -> None:
        """A receipt, or an entry: the earliest acceptance counts, and corrects the clocks of the block's changes.

        What it strikes is struck for good.
        """
        block = self.blocks[block_hash]
        accepted_at_ms = block.origin.accepted_at_ms
        block.proofs.append(proof)
        block.origin.accepted_at_ms = block.earliest_proof().accepted_at_ms
        if in_log or block.acknowledged is None:
            block.acknowledged = proof
        is_earlier = accepted_at_ms is not None and accepted_at_ms > block.origin.accepted_at_ms
        if is_earlier or not _struck_by(proof) <= block.struck:
            self._overtake(block, proof.sequence)
        if proof.kind == RULING_ENTRY:
            self._strike(block, Ruling.read(proof.ruling))

    def register(self, signed: SignedStatement) -> None:
        """Take a registry statement that was checked; a replica never changes its device."""
        self.statements[statement_hash(signed.statement)] = signed
        statement = RegistryStatement.FromString(signed.statement)
        what = statement.WhichOneof("what")
        if what == "cell_added":
            self.cells[statement.cell_added.code] = statement.cell_added.name
        elif what == "device_added":
            self.devices[statement.device_added.key] = statement.device_added.cell
        elif what == "replica_added":
            self.replicas.setdefault(statement.replica_added.replica, statement.replica_added.device_key)

    def keep_checkpoint(self, shown: Checkpoint, goes_on: bool) -> None:
        """Go on from this one. What another life of the log had shown, and this one does not have, is told."""
        if self.checkpoint and not goes_on:
            self.forgotten.append(self.checkpoint)
            self.reports.append(f"the log forgot {self.checkpoint.size} entries that it had shown")
        self.checkpoint = shown

    def keep_contradiction(self, known: Checkpoint, shown: Checkpoint) -> None:
        """Keep both as proof, tell people, and go on from the last that was shown."""
        self.contradictions.append((known, shown))
        self.reports.append("the log was rewritten: two of its checkpoints contradict each other")
        self.checkpoint = shown

    def renew_replica(self) -> None:
        """Begin a new writing life: this store is an older copy, or there are two of it (section 7)."""
        self.replica = secrets.token_bytes(16)
        self._own_replicas.add(self.replica)
        self.own_tips = {}

    def change_key(self, key: SigningKey, replica: bytes) -> None:
        """Seal with another key from here on, in a writing life of its own; nothing may be unsent (section 4)."""
        self.key = key
        self.replica = replica
        self._own_replicas.add(replica)
        self.own_tips = {}

    def leave_channels(self) -> list[str]:
        """Remove what the cell may not read any more and of which nothing is unsent; returns the channels' names."""
        if self.cell is None:
            return []
        rights = self.rights()
        known = self.channels() | set(self.followers) - {REGISTRY_CHANNEL}
        unsent = {block.header.channel for block in self.unsent()}
        leaving = [channel for channel in sorted(known - unsent) if not rights.role(self.cell, channel).reads]
        for channel in leaving:
            self._drop(channel)
        if leaving:
            self.renew_replica()
        self.left += leaving
        return leaving

    def _drop(self, channel: str) -> None:
        for by_row in (self.rows, self._births, self._changes):
            for key in [key for key in by_row if key[2] == channel]:
                del by_row[key]
        self.blocks = {key: block for key, block in self.blocks.items() if block.header.channel != channel}
        self.followers.pop(channel, None)
        for by_channel in (self.beginnings, self.overtaken, self.chunks):
            by_channel.pop(channel, None)

    def merge(self) -> int:
        """Apply what can be applied; returns the number of changes."""
        merged = 0
        progress = True
        while progress:
            progress = False
            for block in self.held():
                if not block.is_applied and block.has_body and block.header.group & blocks.GROUP_LAST:
                    try:
                        merged += self._apply_group(block)
                        progress = True
                    except HeldBack:
                        continue
                    except Refused as error:
                        # Kept, and reported once.
                        report = f"block {block.hash.hex()[:8]}: {error}"
                        if report not in self.reports:
                            self.reports.append(report)
        return merged

    def _apply_group(self, last: StoredBlock) -> int:
        """Apply the blocks from the group's first to its last, or none of them."""
        group = [last]
        while not group[0].header.group & blocks.GROUP_FIRST:
            before = self._before(group[0])
            if before.is_applied:
                break
            group.insert(0, before)
        above = None if group[0].header.first_counter == 1 else self._before(group[0])
        if above and not above.is_applied:
            raise HeldBack("the block before is not applied")
        read = []
        for block in group:
            body = blocks.read_body(block.message, block.header)
            pinned = [self._pinned(block.header.channel, pin) for pin in body.pins]
            self._resolve_births(block, body, pinned, group)
            read.append((block, body, pinned))
        for block, body, pinned in read:
            self._apply_block(block, body, pinned)
        return sum(len(body.changes) for _, body, _ in read)

    def _apply_block(self, block: StoredBlock, body: Body, pinned: Sequence[StoredBlock]) -> None:
        block.changes, block.pinned = body.changes, pinned
        for index, change in enumerate(body.changes):
            self._apply_change(block, index, change)
        self._remember(block)
        self._keep_rejected(block)

    def _apply_change(self, block: StoredBlock, index: int, change: Change) -> None:
        row = self.rows.setdefault((change.table, change.id, block.header.channel), Row())
        if index not in block.struck:
            row.apply(
                change.kind, Dot(block.origin, index), block.header.first_counter + index, change.clock,
                _kept(change.values), self._named(block, change))
            if index in self.final.get(block.hash, ()):
                row.writes.pop(Dot(block.origin, index), None)
                self._keep_orphans(row, block.header.channel)

    def _named(self, block: StoredBlock, change: Change) -> list[Dot]:
        """What a change names, and in place of what is struck all that this names."""
        named: dict[Dot, None] = {}
        waiting = self._predecessors(block, change)
        seen = set()
        while waiting:
            found, place = waiting.pop()
            if place not in found.struck:
                named[Dot(found.origin, place)] = None
            elif (found.hash, place) not in seen:
                seen.add((found.hash, place))
                waiting += self.directly_named(found, place)
        return list(named)

    def directly_named(self, block: StoredBlock, place: int) -> list[tuple[StoredBlock, int]]:
        """What a change of an applied block itself names, struck or not."""
        return self._predecessors(block, block.changes[place]) if block.has_body else block.named_at[place]

    def _predecessors(self, block: StoredBlock, change: Change) -> list[tuple[StoredBlock, int]]:
        tips = [block if r.line == 0 else block.pinned[r.line - 1] for r in change.predecessors]
        return [self._find(tip, r.counter) for tip, r in zip(tips, change.predecessors)]

    # ------------------------------------------------------------ erasures and final deletions

    def erase(self, proof: EntryProof, content: bytes) -> None:
        """Take the named values out of everything."""
        self.erasures[proof.object_hash] = (proof, content)
        channels = set()
        for block_hash, names in Erasure.read(content).names.items():
            self.erased.setdefault(block_hash, set()).update(names)
            block = self.blocks.get(block_hash)
            if block is None or block.header.channel != proof.channel:
                continue
            beginning = self.beginnings.get(proof.channel)
            if not block.has_body and beginning and proof.sequence > beginning.proof.sequence:
                self._overtake(block, proof.sequence)
            block.message = self._stripped(block.message, block.header, block_hash)
            for index, change in enumerate(block.changes or ()):
                _erase(change, {column for place, column in names if place == index})
            channels.add(block.header.channel)
        for channel in channels:
            self._make_anew(channel)
        for (block_hash, place), rejected in self.rejected.items():
            _erase(rejected.change, {c for p, c in self.erased.get(block_hash, ()) if p == place})

    def _stripped(self, message: Block, header: BlockHeader, block_hash: bytes) -> Block:
        """A block as it may be kept."""
        names = self.erased.get(block_hash)
        if not names or not message.detached:
            return message
        body = blocks.read_body(message, header)
        for index, change in enumerate(body.changes):
            _erase(change, {column for place, column in names if place == index})
        kept_message = Block()
        kept_message.CopyFrom(message)
        kept_message.detached = detached(body.changes)
        return kept_message

    def finish(self, proof: EntryProof, content: bytes) -> None:
        """Drop the named writes from the rows' states."""
        self.finalities[proof.object_hash] = (proof, content)
        for block_hash, places in Finality.read(content).names.items():
            self.final.setdefault(block_hash, set()).update(places)
            block = self.blocks.get(block_hash)
            if block is not None and block.is_applied:
                self._drop_writes(block, places)

    def _drop_writes(self, block: StoredBlock, places: Iterable[int]) -> None:
        channel = block.header.channel
        for place in places:
            dot = Dot(block.origin, place)
            if block.has_body:
                changes = block.changes[place:place + 1]
                rows = [self.row(change.table, change.id, channel) for change in changes]
            else:
                rows = [row for key, row in self.rows.items() if key[2] == channel and dot in row.writes]
            for row in rows:
                row.writes.pop(dot, None)
                self._keep_orphans(row, channel)

    def _keep_orphans(self, row: Row, channel: str) -> None:
        """An edit made here of a row that is deleted for good stays for whoever made it."""
        if row.inserts():
            return
        for write in row.writes.values():
            block = self.blocks.get(write.dot.origin.block_hash)
            if block is not None and block.changes and self._is_own(block):
                self.rejected.setdefault((block.hash, write.dot.index), Rejected(
                    channel, block.changes[write.dot.index], "rowDeleted", "the row was deleted for good"))

    # ------------------------------------------------------------ snapshots

    def begin(self, beginning: "Beginning") -> None:
        """Take over the rows of a snapshot that was checked, beside what is here; its blocks count as merged."""
        channel = beginning.announced.channel
        for key, row in beginning.rows.items():
            self.rows.setdefault(key, Row()).writes.update(row.copy().writes)
        beginning.is_taken, beginning.chunks = True, []
        for block in beginning.blocks:
            block.changes = []
            self._drop_writes(block, self.final.get(block.hash, ()))
        for block, place, table, row_id in beginning.inserts:
            self._births.setdefault((table, row_id, channel), []).append((block, place))

    def _overtake(self, block: StoredBlock, sequence: int) -> None:
        """The log says of a block without its body what the snapshot does not have."""
        beginning = self.beginnings.get(block.header.channel)
        if beginning and not block.has_body and sequence > beginning.announced.sequence:
            self.overtaken[block.header.channel] = "the log says more of a block that came without a body"

    def begin_anew(self, channel: str) -> None:
        """Take a channel from its first entry, without a snapshot: all bodies are kept, and what was written here."""
        kept_blocks = [block for block in self.blocks.values() if block.header.channel == channel and block.has_body]
        self._drop(channel)
        for block in kept_blocks:
            block.changes, block.pinned = None, ()
            self.blocks[block.hash] = block
        self.without_snapshot.add(channel)
        self.renew_replica()

    # ------------------------------------------------------------ rulings

    def _strike(self, block: StoredBlock, ruling: Ruling) -> None:
        """Leave out what is struck; where it was applied already, make the rows of the channel anew."""
        is_news = not ruling.struck <= block.struck
        block.struck |= ruling.struck
        if is_news and block.is_applied:
            # Also of other rows a change may name what is struck, though no honest writer's does.
            self._make_anew(block.header.channel)
            self._keep_rejected(block)

    def _make_anew(self, channel: str) -> None:
        beginning = self.beginnings.get(channel)
        begun = beginning.rows if beginning else {}
        for key, changes in self._changes.items():
            if key[2] == channel:
                self.rows[key] = begun[key].copy() if key in begun else Row()
                for write in list(self.rows[key].writes.values()):
                    if write.dot.index in self.final.get(write.dot.origin.block_hash, ()):
                        del self.rows[key].writes[write.dot]
                for block, index in changes:
                    self._apply_change(block, index, block.changes[index])

    def _keep_rejected(self, block: StoredBlock) -> None:
        """Keep what was written here and is struck for whoever wrote it."""
        # Without its body nobody can say what was written.
        if not self._is_own(block) or not block.has_body:
            return
        for proof in block.proofs:
            if proof.kind == RULING_ENTRY:
                ruling = Ruling.read(proof.ruling)
                for index in sorted(ruling.struck):
                    self.rejected.setdefault((block.hash, index), Rejected(
                        block.header.channel, block.changes[index], ruling.code, ruling.message))

    def _is_own(self, block: StoredBlock) -> bool:
        return (block.header.replica in self._own_replicas
                or self.replicas.get(block.header.replica) == self.key.public)

    def _resolve_births(self, block: StoredBlock, body: Body, pinned: Sequence[StoredBlock],
                        group: Sequence[StoredBlock]) -> None:
        """Give each change that is named by a birth the id of that insert."""
        holders: dict[bytes, tuple[StoredBlock, Sequence[Change]]] = {}
        for change in body.changes:
            known = self.schema.has_text_ids(change.table)
            if known is not None and known != change.has_text_ids:
                raise Refused("malformed", f"the table {change.table} has another type of id here")
            if change.birth is None:
                continue
            tip = self._before(block) if change.birth.line == 1 else pinned[change.birth.line - 2]
            found, place = self._find(tip, change.birth.counter)
            if found.hash not in holders:
                # A group's own blocks are not applied yet; an insert spells its id out, so one step is enough.
                own = found.changes is None and found in group
                holders[found.hash] = (
                    found, blocks.read_body(found.message, found.header).changes if own else found.changes or ())
            change.id = _born(found, holders[found.hash][1], place, change)
            body.decoded_bytes += len(change.id.encode("utf-8") if isinstance(change.id, str) else change.id)
        size = sum(found.header.plain_size + BIRTH_BLOCK_BYTES for found, _ in holders.values())
        if size > MAX_BIRTH_BYTES or body.decoded_bytes > MAX_DECODED_BYTES:
            raise HeldBack("the births take more than may be read for them")

    # ------------------------------------------------------------ lines of blocks

    def _before(self, block: StoredBlock) -> StoredBlock:
        before = self.blocks.get(block.header.previous)
        if before is None:
            raise HeldBack("the block before is not here")
        return before

    def _line(self, block: StoredBlock | None) -> Iterator[StoredBlock]:
        """A block and all before it."""
        while block is not None:
            yield block
            block = self.blocks.get(block.header.previous)

    def _find(self, tip: StoredBlock, counter: int) -> tuple[StoredBlock, int]:
        """The block of a line that has the change with this counter, and the change's place there."""
        for block in self._line(tip):
            if block.header.first_counter <= counter:
                return block, counter - block.header.first_counter
        raise HeldBack("a change is not on its line")

    def _pinned(self, channel: str, pin: Pin) -> StoredBlock:
        for block in self.blocks.values():
            if (block.hash[:16] == pin.hash_prefix and block.header.replica == pin.replica
                    and block.header.channel == channel and block.last_counter == pin.last_counter
                    and block.is_applied):
                return block
        raise HeldBack("a pinned block is not applied")

    def _tip_above(self, block: StoredBlock) -> StoredBlock:
        """The last applied block of a line through this one."""
        tip = block
        while True:
            children = [b for b in self.blocks.values() if b.header.previous == tip.hash and b.is_applied]
            if not children:
                return tip
            tip = min(children, key=lambda child: child.hash)

    def _remember(self, block: StoredBlock) -> None:
        for index, change in enumerate(block.changes or ()):
            key = (change.table, change.id, block.header.channel)
            self._changes.setdefault(key, []).append((block, index))
            if change.kind == INSERT:
                # Also one that is struck: a row may be named by it all the same.
                self._births.setdefault(key, []).append((block, index))


def _born(found: StoredBlock, changes: Sequence[Change], place: int, change: Change) -> str | bytes:
    """The id of the row that a change names by its birth."""
    if not found.has_body:
        table, row_id = found.row_at.get(place, ("", ""))
        if table == change.table and isinstance(row_id, str) == change.has_text_ids:
            return row_id
        raise HeldBack("a birth names no row of the table in the snapshot")
    birth = changes[place] if place < len(changes) else None
    if (birth is None or birth.kind != INSERT or birth.table != change.table
            or birth.has_text_ids != change.has_text_ids):
        raise HeldBack("a birth names no insert into the table")
    return birth.id


def _struck_by(proof: EntryProof) -> frozenset[int]:
    return Ruling.read(proof.ruling).struck if proof.kind == RULING_ENTRY else frozenset()


def _erase(change: Change, columns: set[str]) -> None:
    """Leave of a change's values in these columns what the body says of them."""
    for column in columns:
        value = change.values.get(column)
        if isinstance(value, Commitment):
            change.values[column] = Commitment(value.digest, None, None)


def _kept(values: dict[str, Value]) -> dict[str, Plain]:
    return {column: kept(value) for column, value in values.items()}


def _line_with(lines: Sequence[Sequence[StoredBlock]], block_hash: bytes) -> int:
    """Which line has the block."""
    return next(
        number for number, line in enumerate(lines) if any(block.hash == block_hash for block in line))
