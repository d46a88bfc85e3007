"""Requests that the centre has to refuse, and how (README sections 3, 4, 6, 7, 8 and 12)."""

import http.client
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from kenh_client.client import CentreClient, wall_clock
from kenh_client.enrolment import EnrolmentCode
from kenh_client.http_signing import CONTENT_TYPE, REQUEST_COMPONENTS, base64_text, content_digest, signature_base
from kenh_client.keys import SigningKey
from kenh_client.kenh_pb2 import (
    Block, ChannelPlaces, Cursor, EnrollRequest, EnrollResponse, LogPlace, Problem, ReconcileRequest, SyncRequest,
    SyncResponse)
from kenh_client.log import REGISTRY_CHANNEL

from .organisation import HOST, OtherCell, insert
from .requests import Draft, check_signed, send_chunked, send_unfinished
from .results import expect, expect_equal
from .world import World

MIB = 2**20
Components = dict[str, str]
Parameters = dict[str, str]


class SmallOrderKey(SigningKey):
    """A “key” for which anybody can sign: the neutral point."""

    def __init__(self) -> None:
        super().__init__()
        self.public = bytes([1]) + bytes(31)

    def sign_untagged(self, base: bytes) -> bytes:
        """Good for every message where keys of small order are not refused."""
        return bytes([1]) + bytes(63)


def run(world: World) -> None:
    """All refusals; each leaves the log as it was."""
    with world.results.check("enrolment: a code typed in its own way, and used again"):
        joined_twice(world)
    with world.results.check("a request replayed changes nothing"):
        _replay(world)
    for name, check in (
        ("wrong signatures", _signatures),
        ("what a signature covers, and its parameters", _shapes),
        ("a digest of another algorithm alone, but no parameters, labels or digests beside", _tolerance),
        ("stale requests, answered with the time, and sent once more", _window),
        ("bodies over the limit", _limits),
        ("a body of another digest", _digest),
        ("other organisations, types, messages and versions", _messages),
        ("a replica of another device", _replica),
        ("cursors and receipts of another log", _cursors),
        ("enrolments, in the order of the checks", _enrolment),
        ("reconciling beyond the limits, or by a device that nobody knows", _reconcile),
        ("routes that are not known", _routes),
    ):
        with world.results.check(f"refused: {name}"), unchanged(world):
            check(world)


@contextmanager
def unchanged(world: World) -> Iterator[None]:
    """The log is afterwards what it was."""
    def log() -> list[tuple[str, int, bytes]]:
        return [(head.channel, head.sequence, head.log_hash) for head in world.other.heads()]

    before = log()
    yield
    expect_equal(log(), before, "the log afterwards")


def _sync_body(cell: OtherCell) -> bytes:
    return SyncRequest(protocol=1, replica=cell.store.replica, down_limit_bytes=1).SerializeToString()


def _draft(world: World, **changes: object) -> Draft:
    return replace(Draft(world.other, body=_sync_body(world.other)), **changes)


def _signatures(world: World) -> None:
    wrong = {"Signature": f"kenh=:{base64_text(bytes(64))}:"}
    _draft(world, changed=wrong).expect_problem(401, "badSignature")
    # Before the window: nobody who cannot sign learns the time.
    _draft(world, changed=wrong, created_ms=0).expect_problem(401, "badSignature")
    _draft(world, key=SigningKey()).expect_problem(403, "unknownDevice")
    _draft(world, key=SmallOrderKey()).expect_problem(403, "unknownDevice", "badKey", "badSignature")
    _draft(world, changed={"Signature": None}).expect_problem(400, "malformed")
    _draft(world, changed={"Signature-Input": None}).expect_problem(400, "malformed")
    _draft(world, changed={"Signature-Input": "((("}).expect_problem(400, "malformed")
    _draft(world, changed={"Content-Digest": None}).expect_problem(401, "badSignature")


def _send_shaped(world: World, shape: Callable[[Components, Parameters], tuple[Components, Parameters]],
                 changed: Callable[[dict[str, str]], dict[str, str]] = lambda fields: fields,
                 ) -> tuple[int, str]:
    """Sign other components or parameters, correctly; status and code of the answer."""
    cell = world.other
    request = _draft(world).request()
    values = (request.method, request.path, "?", CONTENT_TYPE, content_digest(request.body), request.organisation)
    components, parameters = shape(dict(zip(REQUEST_COMPONENTS, values)), {
        "created": str(request.created), "nonce": f'"{base64_text(request.nonce)}"',
        "keyid": f'"{cell.client.key.public.hex()}"', "alg": '"ed25519"', "tag": '"kenh-v1"'})
    spelled = "".join(f";{name}={value}" for name, value in parameters.items())
    base = signature_base(components, spelled)
    fields = changed({
        "Content-Type": CONTENT_TYPE,
        "Content-Digest": components['"content-digest"'],
        "Kenh-Organisation": request.organisation,
        "Signature-Input": f"kenh=({' '.join(components)}){spelled}",
        "Signature": f"kenh=:{base64_text(cell.client.key.sign_untagged(base))}:",
    })
    answer = cell.client.send(request, fields)
    check_signed(cell, answer, request)
    return answer.status, "" if answer.status == 200 else Problem.FromString(answer.body).code


def _reversed(items: dict[str, str]) -> dict[str, str]:
    return dict(reversed(items.items()))


def _shapes(world: World) -> None:
    shapes = {
        "components in another order": lambda c, p: (_reversed(c), p),
        "a component less": lambda c, p: ({n: v for n, v in c.items() if n != '"@query"'}, p),
        "a component more": lambda c, p: (c | {'"date"': ""}, p),
        "a parameter more": lambda c, p: (c, p | {"expires": "5"}),
        "another algorithm": lambda c, p: (c, p | {"alg": '"rsa-v1_5-sha256"'}),
        "another tag": lambda c, p: (c, p | {"tag": '"kenh-v2"'}),
        "a key in capitals": lambda c, p: (c, p | {"keyid": p["keyid"].upper()}),
        "a time in quotes": lambda c, p: (c, p | {"created": '"5"'}),
    }
    for name in ("created", "nonce", "keyid", "alg", "tag"):
        shapes[f"no {name}"] = lambda c, p, name=name: (c, {n: v for n, v in p.items() if n != name})
    for what, shape in shapes.items():
        expect_equal(_send_shaped(world, shape), (401, "badSignature"), what)
    for nonce in (base64_text(bytes(15)), "%%%", "AAAAAAAAAAAAAAAAAAAAAB=="):
        found = _send_shaped(world, lambda c, p, nonce=nonce: (c, p | {"nonce": f'"{nonce}"'}))
        expect_equal(found, (400, "malformed"), f"nonce {nonce}")


def _tolerance(world: World) -> None:
    expect_equal(_send_shaped(world, lambda c, p: (c, _reversed(p))), (200, ""), "parameters in another order")
    expect_equal(_send_shaped(world, lambda c, p: (c, p), lambda fields: fields | {
        "Signature-Input": 'proxy=("@method");created=1;nonce="a,b", ' + fields["Signature-Input"],
        "Signature": fields["Signature"] + ", proxy=:AAAA:"}), (200, ""), "another label beside")
    digests = "sha-512=:AAAA:, " + content_digest(_sync_body(world.other))
    expect_equal(_send_shaped(world, lambda c, p: (c | {'"content-digest"': digests}, p)), (200, ""),
                 "another digest beside")
    expect_equal(_send_shaped(world, lambda c, p: (c | {'"content-digest"': "sha-512=:AAAA:"}, p)),
                 (400, "malformed"), "no sha-256")


def _window(world: World) -> None:
    for distance in (-660_000, 660_000):
        problem = _draft(world, created_ms=wall_clock() + distance).expect_problem(401, "staleRequest")
        expect_equal(problem.recovery, "retry", "recovery")
    for distance in (-540_000, 540_000):
        _draft(world, created_ms=wall_clock() + distance).expect_success()
    wrong = world.other.copy()
    wrong.client.clock = lambda: wall_clock() - 86_400_000
    wrong.client.sent.clear()
    wrong.client.post("/v1/sync", SyncRequest.FromString(_sync_body(wrong)), SyncResponse)
    first, second = wrong.client.sent
    expect(first.nonce != second.nonce and second.created - first.created > 86_000, "the second try")


def _replay(world: World) -> None:
    (block,) = world.other.seal("org", insert("unit", f"replayed {secrets.token_hex(4)}"))
    body = SyncRequest(protocol=1, replica=world.other.store.replica, down_limit_bytes=1, blocks=[block.message])
    request = replace(_draft(world), body=body.SerializeToString()).request()
    client = world.other.client
    first = client.checked(client.send(request), request, SyncResponse)
    with unchanged(world):
        again = client.checked(client.send(request), request, SyncResponse)
    expect_equal([r.sequence for r in again.receipts], [r.sequence for r in first.receipts], "sequence")
    expect_equal([r.proof for r in again.receipts], [r.proof for r in first.receipts], "proof")


def _limits(world: World) -> None:
    limits = (("/v1/sync", 96 * MIB), ("/v1/reconcile", 96 * MIB), ("/v1/enroll", 64 * 1024), ("/v1/proof", 64 * 1024))
    for path, limit in limits:
        answer, request = send_unfinished(world.other, path, limit + 1)
        expect_equal((answer.status, Problem.FromString(answer.body).code), (413, "tooLarge"), path)
        check_signed(world.other, answer, request)
    # The first of all checks: nobody's request, to another organisation, of a length that no route takes.
    answer, request = send_unfinished(world.other, "/v1/sync", 96 * MIB + 1, organisation="00" * 32, key=SigningKey())
    expect_equal((answer.status, Problem.FromString(answer.body).code), (413, "tooLarge"), "before organisation and key")
    answer, request = send_chunked(world.other, "/v1/enroll", 64 * 1024 + 1)
    expect_equal((answer.status, Problem.FromString(answer.body).code), (413, "tooLarge"), "in pieces")
    check_signed(world.other, answer, request)
    replica = world.other.store.replica
    for body in (SyncRequest(protocol=1, replica=replica, blocks=[Block()] * 4_097),
                 SyncRequest(protocol=1, replica=replica, cursors=[Cursor(channel="x")] * 100_001)):
        _draft(world, body=body.SerializeToString()).expect_problem(413, "tooLarge")


def _digest(world: World) -> None:
    body = _sync_body(world.other)
    _draft(world, sent_body=body + b"\x30\x01").expect_problem(400, "badDigest")
    _draft(world, sent_body=b"").expect_problem(400, "badDigest")


def _messages(world: World) -> None:
    own = world.other.client.organisation.hex()
    for organisation in ("00" * 32, own.upper(), ""):
        _draft(world, organisation=organisation).expect_problem(403, "wrongOrganisation")
    # Before the key is looked at.
    _draft(world, organisation="00" * 32, key=SigningKey()).expect_problem(403, "wrongOrganisation")
    _draft(world, changed={"Content-Type": "text/plain"}).expect_problem(400, "malformed")
    _draft(world, body=b"\xff\xff\xff").expect_problem(400, "malformed")
    for protocol in (0, 2):
        body = SyncRequest(protocol=protocol, replica=world.other.store.replica)
        _draft(world, body=body.SerializeToString()).expect_problem(426, "unsupportedVersion")


def _replica(world: World) -> None:
    body = SyncRequest(protocol=1, replica=world.third.store.replica)
    _draft(world, body=body.SerializeToString()).expect_problem(403, "forbidden")
    _draft(world, body=SyncRequest(protocol=1, replica=b"short").SerializeToString()).expect_problem(400, "malformed")


def _cursors(world: World) -> None:
    world.other.sync()
    right = world.other.store.followers[REGISTRY_CHANNEL].cursor()
    body = SyncRequest(protocol=1, replica=world.other.store.replica, cursors=[right])
    _draft(world, body=body.SerializeToString()).expect_success()
    wrong = [Cursor(), Cursor(), Cursor(), Cursor()]
    for cursor in wrong:
        cursor.CopyFrom(right)
    wrong[0].log_hash = bytes(32)
    wrong[1].epoch = bytes(16)
    wrong[2].sequence += 1
    wrong[3].channel = "nobody's"
    for cursor in wrong:
        body = SyncRequest(protocol=1, replica=world.other.store.replica, cursors=[cursor])
        problem = _draft(world, body=body.SerializeToString()).expect_problem(409, "logMismatch")
        expect_equal(problem.recovery, "resync", "recovery")
    for cursor in (wrong[0], wrong[2], wrong[3], Cursor(channel=REGISTRY_CHANNEL)):
        body = SyncRequest(protocol=1, replica=world.other.store.replica, receipts=[cursor])
        _draft(world, body=body.SerializeToString()).expect_problem(409, "logMismatch")
    # The epoch of a receipt is not looked at.
    body = SyncRequest(protocol=1, replica=world.other.store.replica, receipts=[wrong[1]])
    _draft(world, body=body.SerializeToString()).expect_success()
    # A cursor of sequence 0 counts as none.
    none = Cursor(channel=REGISTRY_CHANNEL, epoch=bytes(16), log_hash=bytes(32))
    body = SyncRequest(protocol=1, replica=world.other.store.replica, cursors=[none])
    _draft(world, body=body.SerializeToString()).expect_success()


def _enrolment(world: World) -> None:
    organisation = world.other.client.organisation
    code = EnrolmentCode.read(world.centre.code("CB2"))
    joining = OtherCell(world.centre.port, world.schema)
    joining.client.keys = world.other.client.keys

    def draft(key: SigningKey | None = None, **changes: object) -> Draft:
        message = joining.client.proof(code, joining.replica, "a device", organisation)
        for name, value in changes.items():
            setattr(message, name, value)
        return Draft(joining, "/v1/enroll", message.SerializeToString(), key=key)

    def countersigned(replica: bytes) -> Draft:
        return Draft(joining, "/v1/enroll",
                     joining.client.proof(code, replica, "a device", organisation).SerializeToString())

    hello = Draft(joining, "/v1/enroll", EnrollRequest(protocol=1).SerializeToString())
    response = EnrollResponse.FromString(hello.expect_success().body)
    expect_equal((response.cell, response.cell_name), ("", ""), "what a hello tells")
    replace(hello, organisation="00" * 32).expect_problem(403, "wrongOrganisation")
    replace(hello, created_ms=0).expect_problem(401, "staleRequest")
    replace(hello, key=SmallOrderKey()).expect_problem(400, "badKey")
    other_key = SigningKey()
    draft(device_key=other_key.public, code_id=bytes(8)).expect_problem(401, "badSignature")
    draft(replica=b"short", code_id=bytes(8)).expect_problem(400, "malformed")
    draft(code_id=bytes(8), countersignature=bytes(64)).expect_problem(403, "codeUnknown")
    draft(proof=bytes(32), countersignature=bytes(64)).expect_problem(403, "codeUnknown")
    draft(countersignature=bytes(64)).expect_problem(401, "badSignature")
    countersigned(world.third.store.replica).expect_problem(403, "forbidden")
    # None of these used the code up, and whoever cannot join has no part in anything.
    Draft(joining, body=_sync_body(world.other), organisation=organisation.hex()).expect_problem(403, "unknownDevice")


def _reconcile(world: World) -> None:
    replica = world.other.store.replica
    places = [LogPlace(sequence=n + 1, log_hash=bytes(32)) for n in range(65)]
    for status, code, message in (
        (426, "unsupportedVersion", ReconcileRequest(protocol=2, replica=replica)),
        (400, "malformed", ReconcileRequest(protocol=1)),
        (403, "forbidden", ReconcileRequest(protocol=1, replica=world.third.store.replica)),
        (413, "tooLarge", ReconcileRequest(
            protocol=1, replica=replica, places=[ChannelPlaces(channel="org", places=places)])),
    ):
        _draft(world, path="/v1/reconcile", body=message.SerializeToString()).expect_problem(status, code)
    message = ReconcileRequest(protocol=1, replica=secrets.token_bytes(16)).SerializeToString()
    _draft(world, path="/v1/reconcile", body=message, key=SigningKey()).expect_problem(403, "unknownDevice")
    message += bytes([0x2A, 0x80, 0x80, 0x04]) + bytes(64 * 1024)
    _draft(world, path="/v1/reconcile", body=message, key=SigningKey()).expect_problem(413, "tooLarge")


def _routes(world: World) -> None:
    connection = http.client.HTTPConnection(HOST, world.centre.port, timeout=20)
    connection.request("GET", "/healthz")
    response = connection.getresponse()
    expect_equal((response.status, response.read()), (200, b"ok\n"), "/healthz")
    connection.close()
    answer = world.other.client.send(replace(_draft(world), path="/v1/nothing").request())
    expect(answer.status == 404 and not answer.is_signed, f"an unknown route: {answer.status}")


def joined_twice(world: World) -> None:
    """The same code with the same key gets the same answer; with another key it is used."""
    joining = OtherCell(world.centre.port, world.schema)
    text = world.centre.code("CB3")
    typed = text.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    first = joining.join(typed)
    expect_equal((first.cell, first.cell_name), ("CB3", "CB3"), "cell")
    expect_equal(joining.join(text), first, "the second answer")
    code = EnrolmentCode.read(text)
    late = CentreClient(HOST, world.centre.port, SigningKey())
    late.organisation, late.keys = joining.client.organisation, joining.client.keys
    thief = OtherCell(world.centre.port, world.schema)
    thief.client = late
    body = late.proof(code, secrets.token_bytes(16), "another", late.organisation).SerializeToString()
    Draft(thief, "/v1/enroll", body).expect_problem(403, "codeUsed")
