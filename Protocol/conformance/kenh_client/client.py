"""Requests to the centre over HTTP, and enrolment (README sections 3, 4 and 12)."""

import http.client
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

from google.protobuf.message import DecodeError, Message

from .enrolment import EnrolmentCode, check_certificate, countersignature, enrolment_message, replacement
from .http_signing import CONTENT_TYPE, Answer, Request, base64_text, check_answer
from .keys import SigningKey
from .kenh_pb2 import (
    EnrollRequest, EnrollResponse, KeysResponse, Problem, ServingCertificate, SignedStatement, TimeResponse)
from .problems import Refused, require
from .serving_keys import ServingKeys

PROTOCOL = 1
_Message = TypeVar("_Message", bound=Message)


class Failed(Exception):
    """A request failed, and nobody signed why: it may succeed later."""


class CentreProblem(Exception):
    """What the centre said, signed, of a request that it refused."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(f"{status} {problem.code}: {problem.message} ({problem.recovery})")
        self.status = status
        self.code = problem.code
        self.recovery = problem.recovery
        self.blob = problem.blob
        self.time_ms = problem.time_ms


def wall_clock() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass
class Enrolment:
    """What a device keeps of its enrolment."""

    root_key: bytes
    certificate: SignedStatement
    organisation: bytes
    cell: str
    cell_name: str


class CentreClient:
    """Talks to one centre with one device's key."""

    def __init__(self, host: str, port: int, key: SigningKey, clock: Callable[[], int] = wall_clock,
                 prefix: str = "") -> None:
        self.host = host
        # What stands before /v1 in the centre's address; it is sent and not signed.
        self.prefix = prefix
        self.port = port
        self.key = key
        self.clock = clock
        self.organisation = b""
        # The centre's, as far as this device knows them.
        self.keys: ServingKeys | None = None
        # For whoever looks on: all requests that were sent.
        self.sent: list[Request] = []

    @property
    def serving_key(self) -> bytes:
        """The newest key of the centre's that this device knows; empty where it knows none."""
        return self.keys.newest if self.keys else b""

    def request(self, path: str, body: bytes, created_ms: int | None = None) -> Request:
        """A request with a new nonce."""
        created = (self.clock() if created_ms is None else created_ms) // 1000
        return Request("POST", path, self.organisation.hex(), body, secrets.token_bytes(16), created)

    def send(self, request: Request, fields: dict[str, str] | None = None) -> Answer:
        """One round trip. Redirects are not followed."""
        self.sent.append(request)
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request(
                request.method, self.prefix + request.path + request.query, request.body,
                request.headers(self.key) if fields is None else fields)
            response = connection.getresponse()
            names = {name.lower() for name, _ in response.getheaders()}
            return Answer(response.status, {name: response.getheader(name) for name in names}, response.read())
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"the centre is not reached: {error}") from error
        finally:
            connection.close()

    def post(self, path: str, message: Message, kind: type[_Message]) -> _Message:
        """Ask for a message; after `staleRequest` once more, with the centre's time."""
        request = self.request(path, message.SerializeToString())
        try:
            return self.checked(self.send(request), request, kind)
        except CentreProblem as problem:
            if problem.code != "staleRequest":
                raise
            again = self.request(path, request.body, problem.time_ms)
            return self.checked(self.send(again), again, kind)

    def checked(self, answer: Answer, request: Request, kind: type[_Message]) -> _Message:
        """The message of an answer that the centre signed for this request."""
        if answer.status != 200 and not answer.is_signed:
            raise Failed(f"status {answer.status}, unsigned")
        check_answer(answer, request, self.serving_key)
        require(answer.field("content-type") == CONTENT_TYPE, "malformed", "the answer has another type")
        try:
            if answer.status != 200:
                raise CentreProblem(answer.status, Problem.FromString(answer.body))
            return kind.FromString(answer.body)
        except DecodeError as error:
            raise Refused("malformed", "the answer cannot be read") from error

    # ------------------------------------------------------------ without a device's signature

    def question(self, path: str, nonce: bytes) -> Request:
        """What anybody may ask; without a nonce the answer is signed for an empty one."""
        query = "?nonce=" + quote(base64_text(nonce), safe="") if nonce else ""
        return Request("GET", path, "", b"", nonce, 0, query)

    def learn_keys(self) -> None:
        """Ask with which keys the centre signs, and join them with those that are known."""
        request = self.question("/v1/keys", secrets.token_bytes(16))
        answer = self.send(request, {})
        if answer.status != 200:
            raise Failed(f"status {answer.status} of a question for keys")
        self.keys = joined_keys(self.keys, answer, request)

    def time(self) -> int:
        """The centre's clock."""
        request = self.question("/v1/time", secrets.token_bytes(16))
        return self.checked(self.send(request, {}), request, TimeResponse).time_ms

    # ------------------------------------------------------------ enrolment

    def enrol(self, code: EnrolmentCode, replica: bytes, device_name: str) -> Enrolment:
        """Enter this device: the centre proves itself first. Key and replica are to be kept for a second try."""
        hello = self._enrol(EnrollRequest(protocol=PROTOCOL), code.pin)[0]
        enrolment, response = self._enrol(self.proof(code, replica, device_name, hello.organisation), code.pin)
        require(response.cell != "", "malformed", "the centre names no cell")
        self.organisation = enrolment.organisation
        self.keys = ServingKeys(enrolment.root_key, [enrolment.certificate])
        return enrolment

    def proof(self, code: EnrolmentCode, replica: bytes, device_name: str, organisation: bytes) -> EnrollRequest:
        """The request that shows the code without telling it."""
        message = enrolment_message(organisation, self.key.public, replica)
        return EnrollRequest(
            protocol=PROTOCOL, code_id=code.id, device_key=self.key.public, replica=replica, device_name=device_name,
            proof=code.proof(message), countersignature=countersignature(self.key, organisation, replica))

    def replace_key(self, old: SigningKey, replica: bytes, device_name: str) -> Enrolment:
        """Put this client's key in the place of the device's old one, which goes on until this one syncs."""
        enrolment, response = self._enrol(self.replacement(old, replica, device_name), self.organisation)
        require(response.cell != "", "malformed", "the centre names no cell")
        joined = self.keys.joined(ServingKeys(self.keys.root_key, [enrolment.certificate]))
        _require_newest(joined, response.serving_certificate)
        self.keys = joined
        return enrolment

    def replacement(self, old: SigningKey, replica: bytes, device_name: str) -> EnrollRequest:
        """The request for it, which both keys sign."""
        return EnrollRequest(
            protocol=PROTOCOL, device_key=self.key.public, replica=replica, device_name=device_name,
            countersignature=countersignature(self.key, self.organisation, replica), replaces=old.public,
            replacement=replacement(old, self.organisation, self.key.public, replica))

    def _enrol(self, message: EnrollRequest, pin: bytes) -> tuple[Enrolment, EnrollResponse]:
        request = self.request("/v1/enroll", message.SerializeToString())
        answer = self.send(request)
        if answer.status != 200:
            # Without a certificate nobody can say whose signature it bears.
            raise CentreProblem(answer.status, Problem.FromString(answer.body))
        response = EnrollResponse.FromString(answer.body)
        certificate = check_certificate(response.root_key, response.serving_certificate, pin)
        check_answer(answer, request, certificate.serving_key)
        return Enrolment(
            response.root_key, response.serving_certificate, certificate.organisation, response.cell,
            response.cell_name), response


def joined_keys(known: ServingKeys, answer: Answer, request: Request) -> ServingKeys:
    """The known keys and those of an answer to `/v1/keys`, which the newest of its own signed."""
    require(answer.field("content-type") == CONTENT_TYPE, "malformed", "the answer has another type")
    try:
        response = KeysResponse.FromString(answer.body)
    except DecodeError as error:
        raise Refused("malformed", "the answer cannot be read") from error
    shown = ServingKeys.in_order(known.root_key, response.certificates)
    check_answer(answer, request, shown.newest)
    joined = known.joined(shown)
    _require_newest(joined, response.certificates[0])
    return joined


def _require_newest(joined: ServingKeys, shown: SignedStatement) -> None:
    """What the centre shows as its newest is the newest that is known."""
    key = ServingCertificate.FromString(shown.statement).serving_key
    require(joined.newest == key, "keyReplaced", "the centre signs with a key that was replaced")
