"""Checkpoints of the log, as signed notes, and what an answer shows of the tree (README section 6)."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from . import tree
from .keys import SigningKey, is_good_signature
from .kenh_pb2 import SyncResponse
from .problems import Refused, UnknownKey, require

MAX_NOTE_BYTES = 16 * 2**10
MAX_SIGNATURES = 16
_DASH = "\u2014 "
_ED25519 = b"\x01"


def _base64_bytes(text: str) -> bytes:
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("malformed", "this is not base64") from error
    require(base64.b64encode(content).decode("ascii") == text, "malformed", "base64 is not in its one form")
    return content


def key_id(name: str, key: bytes) -> bytes:
    """Four bytes that name a signer's key."""
    return hashlib.sha256(name.encode("utf-8") + b"\n" + _ED25519 + key).digest()[:4]


@dataclass(frozen=True)
class Note:
    """A text with its signatures: name, key id and signature of each."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @staticmethod
    def read(encoded: str) -> "Note":
        """A whole note; its signatures are not looked at."""
        require(len(encoded.encode("utf-8")) <= MAX_NOTE_BYTES, "tooLarge", "the note is too long")
        gap = encoded.rfind("\n\n")
        require(gap >= 0, "malformed", "the note has no empty line")
        text, rest = encoded[:gap + 1], encoded[gap + 2:]
        lines = rest.split("\n")
        require(1 < len(lines) <= MAX_SIGNATURES + 1 and lines[-1] == "", "malformed", "signatures are amiss")
        is_plain = all(ord(c) >= 0x20 or c == "\n" for c in text)
        require(is_plain and text[0] != "\n" and "\n\n" not in text, "malformed", "the note's text is amiss")
        return Note(text, tuple(Note._signature(line) for line in lines[:-1]))

    @staticmethod
    def _signature(line: str) -> tuple[str, bytes, bytes]:
        match = re.fullmatch(_DASH + r"([^\s+]+) (\S+)", line)
        require(match is not None, "malformed", "a signature's line is amiss")
        content = _base64_bytes(match.group(2))
        require(len(content) == 4 + 64, "malformed", "a signature has another length")
        return match.group(1), content[:4], content[4:]

    @staticmethod
    def sign(text: str, name: str, key: SigningKey) -> str:
        """A whole note with one signature."""
        content = key_id(name, key.public) + key.sign_untagged(text.encode("utf-8"))
        return f"{text}\n{_DASH}{name} {base64.b64encode(content).decode('ascii')}\n"

    def is_signed_by(self, name: str, key: bytes) -> bool:
        """Whether one of the signatures is this signer's, and good. Others are passed over."""
        return any(
            found == name and found_id == key_id(name, key)
            and is_good_signature(key, self.text.encode("utf-8"), signature)
            for found, found_id, signature in self.signatures)


def origin(organisation: bytes, epoch: bytes) -> str:
    """Which log, in which life."""
    return f"kenh/{organisation.hex()}/{epoch.hex()}"


@dataclass(frozen=True)
class Checkpoint:
    """How large the log was and what its root was then."""

    origin: str
    size: int
    root: bytes
    # The note that says so.
    note: str = ""

    @staticmethod
    def read(note: str, *keys: bytes) -> "Checkpoint":
        """A checkpoint that one of these keys signed under the log's origin as its name."""
        parsed = Note.read(note)
        lines = parsed.text.split("\n")
        is_shaped = len(lines) >= 4 and lines[0] != "" and re.fullmatch("0|[1-9][0-9]{0,19}", lines[1]) is not None
        require(is_shaped, "malformed", "this is no checkpoint")
        size, root = int(lines[1]), _base64_bytes(lines[2])
        require(size < 2**64 and len(root) == 32, "malformed", "this is no checkpoint")
        if not any(parsed.is_signed_by(lines[0], key) for key in keys):
            raise UnknownKey("the centre did not sign the checkpoint")
        return Checkpoint(lines[0], size, root, note)

    @property
    def text(self) -> str:
        """The note's text."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode('ascii')}\n"

    def signed(self, key: SigningKey) -> str:
        """The note, signed."""
        return Note.sign(self.text, self.origin, key)

    def goes_on_from(self, earlier: "Checkpoint", proof: Sequence[bytes]) -> bool:
        """Whether the log of this one begins with that of the earlier one."""
        return tree.goes_on(earlier.size, earlier.root, self.size, self.root, proof)

    def has(self, entry_hash: bytes, position: int, path: Sequence[bytes]) -> bool:
        """Whether the entry stands at a position, from 1."""
        return tree.is_included(entry_hash, position - 1, self.size, self.root, path)


class Contradiction(Exception):
    """Two checkpoints of one life of the log of which only one can be true. Both are proof."""

    def __init__(self, known: Checkpoint, shown: Checkpoint) -> None:
        super().__init__(f"the log of {shown.size} entries does not go on from the {known.size} that it had shown")
        self.known = known
        self.shown = shown


@dataclass(frozen=True)
class TreeCheck:
    """Checks what an answer says of the tree."""

    organisation: bytes
    # The newest: of answers no other key's checkpoints are good.
    serving_key: bytes
    # The newest that was kept when the request was made.
    known: Checkpoint | None

    def goes_on(self, note: str, epoch: bytes, consistency: Sequence[bytes]) -> tuple[Checkpoint, bool]:
        """The checkpoint, and whether it goes on from the known one, or else that one is forgotten."""
        shown = Checkpoint.read(note, self.serving_key)
        require(shown.origin == origin(self.organisation, epoch), "brokenLink", "a checkpoint of another log")
        require(len(consistency) <= tree.MAX_PROOF_HASHES and all(len(h) == 32 for h in consistency),
                "malformed", "the proof is none")
        if self.known is None or shown.goes_on_from(self.known, consistency):
            return shown, True
        if self.known.origin == shown.origin:
            raise Contradiction(self.known, shown)
        return shown, False

    def check(self, response: SyncResponse, cursors: Mapping[str, int],
              reached: Callable[[str], tuple[int, bytes]]) -> tuple[Checkpoint, bool]:
        """A sync answer; `cursors` as they were sent, `reached` where the entries of the answer lead."""
        shown, is_known = self.goes_on(response.checkpoint, response.epoch, response.consistency)
        heads = {head.channel: head for head in response.heads}
        for channel in {entry.channel for entry in response.entries}:
            require(channel in heads, "brokenLink", f"{channel} moved and has no head")
        for channel, head in heads.items():
            sequence, log_hash = reached(channel)
            require(sequence < head.sequence or (sequence, log_hash) == (head.sequence, head.log_hash),
                    "brokenLink", f"{channel} does not end as its entries say")
            if cursors.get(channel, 0) < head.sequence:
                require(shown.has(head.log_hash, head.position, head.inclusion),
                        "brokenLink", f"the newest entry of {channel} is not in the tree")
        return shown, is_known
