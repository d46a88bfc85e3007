"""Who may do what: roles, grants, and what is struck (README section 5, “Rights” and “Rulings”)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from .body import ADD, DELETE, INSERT, UPDATE, Change
from .kenh_pb2 import ChangeRange, Granted, RegistryStatement, RoleDefined
from .kenh_pb2 import Ruling as RulingMessage
from .log import REGISTRY_CHANNEL
from .problems import Refused, require

MAX_RULING_BYTES = 2**20
MAX_STRUCK_CHANGE = 65_535
EVERY = "*"
CENTRE_CELL = ""
NOT_GRANTED, TABLE_NOT_GRANTED = "notGranted", "tableNotGranted"
_OPERATIONS = {INSERT: 1, UPDATE: 2, DELETE: 4, ADD: 2}


@dataclass(frozen=True)
class Role:
    """What whoever has it may do in a channel."""

    reads: bool
    # Operations by table.
    tables: Mapping[str, int] = field(default_factory=dict)

    def allows(self, change: Change) -> bool:
        """Whether the change may be made."""
        operations = self.tables.get(change.table, self.tables.get(EVERY, 0))
        return bool(operations & _OPERATIONS[change.kind])

    def struck(self, changes: Iterable[Change]) -> frozenset[int]:
        """The places of the changes that may not be made."""
        return frozenset(place for place, change in enumerate(changes) if not self.allows(change))

    @property
    def code(self) -> str:
        """Why something is struck, for programs."""
        return TABLE_NOT_GRANTED if any(self.tables.values()) else NOT_GRANTED


NONE, READER, WRITER = Role(False), Role(True), Role(True, {EVERY: 7})
_BUILT_IN = {"none": NONE, "reader": READER, "writer": WRITER}


class Rights:
    """The roles and grants of the registry, as far as its log was followed."""

    def __init__(self) -> None:
        self._roles: dict[str, tuple[int, Role]] = {}
        self._grants: dict[tuple[str, str], tuple[int, str]] = {}

    def take(self, statement: RegistryStatement, accepted_at_ms: int) -> None:
        """The next statement of the log; those of other matters are passed over."""
        what = statement.WhichOneof("what")
        if what == "role_defined":
            self._define(statement.role_defined, accepted_at_ms)
        elif what == "granted":
            self._grant(statement.granted, accepted_at_ms)

    # Of two the later counts, and of two with one time the later in the log.

    def _define(self, defined: RoleDefined, accepted_at_ms: int) -> None:
        known = self._roles.get(defined.name)
        if known is None or known[0] <= accepted_at_ms:
            tables = {right.table: right.operations for right in defined.rights}
            self._roles[defined.name] = accepted_at_ms, Role(True, tables)

    def _grant(self, granted: Granted, accepted_at_ms: int) -> None:
        place = granted.cell, granted.channel
        known = self._grants.get(place)
        if known is None or known[0] <= accepted_at_ms:
            self._grants[place] = accepted_at_ms, granted.role

    def role(self, cell: str, channel: str) -> Role:
        """The role of a cell in a channel."""
        name = self.role_name(cell, channel)
        if name in _BUILT_IN:
            return _BUILT_IN[name]
        return self._roles[name][1] if name in self._roles else NONE

    def role_name(self, cell: str, channel: str) -> str:
        """The name of that role, be it defined or not."""
        if cell == CENTRE_CELL:
            return "writer"
        if channel == REGISTRY_CHANNEL:
            return "reader"
        covering = (
            (_precision(pattern, channel), whose == cell, name)
            for (whose, pattern), (_, name) in self._grants.items() if whose in (cell, EVERY))
        found = max((grant for grant in covering if grant[0] >= 0), default=None)
        return "writer" if found is None else found[2]


def _precision(pattern: str, channel: str) -> int:
    """How closely a grant's channel fits: its own name before the longest beginning; negative where it does not."""
    if pattern == channel:
        return len(channel) + 1
    is_beginning = pattern.endswith(EVERY) and channel.startswith(pattern[:-1])
    return len(pattern) - 1 if is_beginning else -1


@dataclass(frozen=True)
class Ruling:
    """Changes of a block that nobody merges, and why."""

    struck: frozenset[int]
    code: str
    message: str

    @staticmethod
    def read(content: bytes) -> "Ruling":
        """A ruling as the centre wrote it."""
        require(len(content) <= MAX_RULING_BYTES, "malformed", "the ruling is too long")
        try:
            message = RulingMessage.FromString(content)
        except DecodeError as error:
            raise Refused("malformed", "the ruling cannot be read") from error
        require(len(message.struck) > 0, "malformed", "the ruling strikes nothing")
        least = 0
        struck: set[int] = set()
        for part in message.struck:
            end = part.first + part.count
            require(part.count > 0 and part.first >= least and end - 1 <= MAX_STRUCK_CHANGE,
                    "malformed", "the ranges of the ruling are amiss")
            struck.update(range(part.first, end))
            # Between any two there is a gap.
            least = end + 1
        return Ruling(frozenset(struck), message.code, message.message)

    def fits(self, count: int) -> bool:
        """Whether a block of so many changes has all that is struck."""
        return max(self.struck) < count

    def written(self) -> bytes:
        """As a centre writes it."""
        message = RulingMessage(code=self.code, message=self.message)
        for place in sorted(self.struck):
            if place - 1 in self.struck:
                message.struck[-1].count += 1
            else:
                message.struck.append(ChangeRange(first=place, count=1))
        return message.SerializeToString(deterministic=True)
