"""Attachments, in pieces (README section 7, “Attachments”)."""

import hashlib
import secrets
from urllib.parse import quote, urlencode

from .client import CentreClient, CentreProblem
from .http_signing import Answer, Request, check_answer
from .kenh_pb2 import BlobStatus, Problem
from .problems import require

PIECE_BYTES = 2**20
PIECE_TYPE = "application/octet-stream"


class Blobs:
    """Gives and fetches attachments with one device's key."""

    def __init__(self, client: CentreClient) -> None:
        self.client = client

    def request(self, method: str, name: str, body: bytes = b"", content_type: str = "", **query: object) -> Request:
        """A request about the attachment of this hash, in hex."""
        return Request(
            method, f"/v1/blobs/{name}", self.client.organisation.hex(), body, secrets.token_bytes(16),
            self.client.clock() // 1000, "?" + urlencode(query, quote_via=quote, safe=""), content_type)

    def send(self, request: Request) -> Answer:
        """The answer, signed for this request; a problem is raised."""
        answer = self.client.send(request)
        check_answer(answer, request, self.client.serving_key)
        if answer.status != 200:
            raise CentreProblem(answer.status, Problem.FromString(answer.body))
        return answer

    def put(self, piece: bytes, name: str, **query: object) -> BlobStatus:
        """Give one piece."""
        return BlobStatus.FromString(self.send(self.request("PUT", name, piece, PIECE_TYPE, **query)).body)

    def status(self, name: str, channel: str) -> BlobStatus:
        """How much the centre has."""
        return BlobStatus.FromString(self.send(self.request("GET", name, channel=channel, status=1)).body)

    def piece(self, name: str, channel: str, offset: int = 0, **query: object) -> bytes:
        """Fetch one piece."""
        answer = self.send(self.request("GET", name, channel=channel, offset=offset, **query))
        require(answer.field("content-type") == PIECE_TYPE, "malformed", "a piece has another type")
        return answer.body

    def give(self, content: bytes, channel: str, kind: str, piece_bytes: int = PIECE_BYTES) -> str:
        """Give all of it, from where the centre has it on; its name."""
        name = hashlib.sha256(content).hexdigest()
        try:
            have = self.status(name, channel).have
        except CentreProblem as problem:
            if problem.code != "notFound":
                raise
            have = 0
        while have < len(content):
            piece = content[have:have + piece_bytes]
            try:
                have = self.put(piece, name, channel=channel, size=len(content), type=kind, offset=have).have
            except CentreProblem as problem:
                if problem.code != "blobOffset":
                    raise
                have = problem.blob.have
        return name

    def fetch(self, name: str, channel: str) -> bytes:
        """All of it, once its hash was found to be its name."""
        size = self.status(name, channel).size
        content = b""
        while len(content) < size:
            piece = self.piece(name, channel, len(content))
            require(piece != b"", "malformed", "the centre gives less than it says")
            content += piece
        require(hashlib.sha256(content).hexdigest() == name, "badDigest", "the attachment has other bytes")
        return content
