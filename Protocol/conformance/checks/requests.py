"""Requests with one thing amiss, and what the centre said of them."""

import http.client
import re
import secrets
from dataclasses import dataclass, field, replace

from kenh_client.client import wall_clock
from kenh_client.http_signing import Answer, Request, base64_text, check_answer
from kenh_client.keys import SigningKey
from kenh_client.kenh_pb2 import Problem

from .organisation import HOST, OtherCell
from .results import expect, expect_equal


@dataclass
class Draft:
    """A request that is put together by hand."""

    cell: OtherCell
    path: str = "/v1/sync"
    body: bytes = b""
    created_ms: int | None = None
    organisation: str | None = None
    key: SigningKey | None = None
    # Instead of those that were signed.
    sent_body: bytes | None = None
    changed: dict[str, str | None] = field(default_factory=dict)

    def request(self) -> Request:
        """What is signed."""
        client = self.cell.client
        created = (wall_clock() if self.created_ms is None else self.created_ms) // 1000
        organisation = client.organisation.hex() if self.organisation is None else self.organisation
        return Request("POST", self.path, organisation, self.body, secrets.token_bytes(16), created)

    def send(self) -> tuple[Answer, Request]:
        """Send it."""
        request = self.request()
        fields = request.headers(self.key or self.cell.client.key)
        for name, value in self.changed.items():
            if value is None:
                del fields[name]
            else:
                fields[name] = value
        sent = request if self.sent_body is None else replace(request, body=self.sent_body)
        return self.cell.client.send(sent, fields), request

    def expect_problem(self, status: int, *codes: str) -> Problem:
        """It gets this status and one of these codes, signed by the centre for this very request."""
        answer, request = self.send()
        problem = Problem.FromString(answer.body)
        expect_equal(answer.status, status, f"status ({problem.code}: {problem.message})")
        expect(problem.code in codes, f"code {problem.code}, wanted {' or '.join(codes)} ({problem.message})")
        check_signed(self.cell, answer, request)
        expect_equal(problem.recovery, recovery_of(self.path, problem.code), f"recovery of {problem.code}")
        expect(abs(problem.time_ms - wall_clock()) < 60_000, f"time_ms {problem.time_ms}")
        expect(problem.message, "there is no sentence for people")
        return problem

    def expect_success(self) -> Answer:
        """It is taken."""
        answer, request = self.send()
        code = "" if answer.status == 200 else Problem.FromString(answer.body).code
        expect_equal(answer.status, 200, f"status ({code})")
        check_signed(self.cell, answer, request)
        return answer


def check_signed(cell: OtherCell, answer: Answer, request: Request) -> None:
    """The answer is signed for the request; its nonce is empty where the request's could not be read."""
    match = re.search(r'nonce="([^"]*)"', answer.field("signature-input"))
    expect(match is not None, "the answer is not signed")
    if match.group(1) == "":
        request = replace(request, nonce=b"")
    else:
        expect_equal(match.group(1), base64_text(request.nonce), "nonce")
    check_answer(answer, request, cell.client.serving_key)
    expect_equal(answer.field("cache-control"), "no-store", "cache-control")


def recovery_of(path: str, code: str) -> str:
    """What a device is told to do (section 12)."""
    # The text does not say what `unknownDevice` by `/v1/enroll` means: nobody who joins can reconcile.
    if code in ("keyReplaced", "revoked") or (code == "unknownDevice" and path == "/v1/enroll"):
        return "askAPerson"
    if code in ("staleRequest", "badDigest"):
        return "retry"
    if code == "logMismatch" or (code == "unknownDevice" and path != "/v1/reconcile"):
        return "resync"
    return "askAPerson" if code in ("unknownDevice", "forbidden", "codeUnknown", "codeUsed", "codeExpired") else "stop"


def send_unfinished(cell: OtherCell, path: str, length: int, **fields: object) -> tuple[Answer, Request]:
    """A request that announces a long body and sends nothing of it."""
    draft = Draft(cell, path, **fields)
    request = draft.request()
    connection = http.client.HTTPConnection(HOST, cell.client.port, timeout=20)
    try:
        connection.putrequest("POST", path)
        for name, value in request.headers(draft.key or cell.client.key).items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(length))
        connection.endheaders()
        response = connection.getresponse()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, fields, response.read()), request
    finally:
        connection.close()


def send_chunked(cell: OtherCell, path: str, length: int) -> tuple[Answer, Request]:
    """A request whose body comes in pieces, of a length that nobody announced."""
    request = Draft(cell, path, body=bytes(length)).request()
    connection = http.client.HTTPConnection(HOST, cell.client.port, timeout=20)
    try:
        pieces = (request.body[start:start + 4096] for start in range(0, length, 4096))
        connection.request("POST", path, pieces, request.headers(cell.client.key), encode_chunked=True)
        response = connection.getresponse()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, fields, response.read()), request
    finally:
        connection.close()
