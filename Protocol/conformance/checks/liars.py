"""A centre that lies, with its own key: what the real cell does about it (README section 6, “What a device checks”)."""

import http.client
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kenh_client import tree
from kenh_client.checkpoints import Checkpoint
from kenh_client.http_signing import CONTENT_TYPE, RESPONSE_COMPONENTS, base64_text, content_digest, signature_base
from kenh_client.kenh_pb2 import (
    ChannelHead, KeysResponse, Problem, SignedStatement, SyncRequest, SyncResponse)
from kenh_client.keys import SigningKey

from .organisation import HOST, RealCell, insert
from .results import expect, expect_equal, refusal
from .world import World

Lie = Callable[[SyncRequest, SyncResponse], None]
CHANNEL = "lies"


class Liar:
    """Stands between a cell and the centre, and says something else in the centre's name."""

    def __init__(self, port: int, key: SigningKey) -> None:
        self.lie: Lie | None = None
        # Both may be others than the centre's.
        self.key = key
        self.certificates: Sequence[SignedStatement] | None = None
        # Instead of an answer about snapshots: its status and body, by path, status and body of the centre's.
        self.of_snapshots: Callable[[str, int, bytes], tuple[int, bytes]] | None = None
        self._centre = port
        liar = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self._pass_on()

            def do_GET(self) -> None:
                self._pass_on()

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                status, fields, answer = liar.forward(self.command, self.path, dict(self.headers.items()), body)
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def forward(self, method: str, path: str, fields: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """The centre's answer, or another one."""
        connection = http.client.HTTPConnection(HOST, self._centre, timeout=20)
        try:
            kept = {name: value for name, value in fields.items() if name.lower() not in ("host", "connection")}
            connection.request(method, path, body, kept)
            response = connection.getresponse()
            answer = response.read()
            found = {name.lower(): value for name, value in response.getheaders()}
        finally:
            connection.close()
        status = response.status
        if path == "/v1/proof" and self.lie is not None:
            # Of what is not there nobody can make a proof.
            status, answer = 404, Problem(code="notFound", message="there is none", recovery="stop").SerializeToString()
        if path == "/v1/sync" and status == 200 and self.lie is not None:
            message = SyncResponse.FromString(answer)
            self.lie(SyncRequest.FromString(body), message)
            answer = message.SerializeToString()
        if path.startswith("/v1/keys") and self.certificates is not None:
            keys = KeysResponse.FromString(answer)
            del keys.certificates[:]
            keys.certificates.extend(self.certificates)
            answer = keys.SerializeToString()
        if path.startswith("/v1/snapshots") and self.of_snapshots is not None:
            status, answer = self.of_snapshots(path, status, answer)
        kind = found["content-type"] if status == 200 else CONTENT_TYPE
        return status, self._signed(method, path, status, found, answer, kind), answer

    def _signed(self, method: str, path: str, status: int, fields: dict[str, str], body: bytes,
                kind: str) -> dict[str, str]:
        """As the centre signs: with its parameters, its request's nonce included."""
        parameters = re.search(r"\)(;.*)$", fields["signature-input"]).group(1)
        parameters = re.sub(r'keyid="[^"]*"', f'keyid="{self.key.public.hex()}"', parameters)
        values = (str(status), kind, content_digest(body), method, path.partition("?")[0])
        signature = self.key.sign_untagged(signature_base(dict(zip(RESPONSE_COMPONENTS, values)), parameters))
        return {
            "Content-Type": kind, "Content-Digest": content_digest(body), "Cache-Control": "no-store",
            "Signature-Input": f"kenh=({' '.join(RESPONSE_COMPONENTS)}){parameters}",
            "Signature": f"kenh=:{base64_text(signature)}:"}


def run(world: World) -> None:
    """One lie after another, to a real cell that was told the truth before."""
    with _lied_to(world) as (liar, cell):
        for name, check in (
            ("passes for the centre while it says the truth", _truth),
            ("an entry that is not in the tree", _path),
            ("a head that its entries do not reach, or another one", _heads),
            ("a channel that moves and has no head", _without_head),
            ("a head that goes back in the middle of a channel", _head_back),
            ("a checkpoint of another life than the answer's", _other_life),
            ("a log that was rewritten within one life: told, and both notes kept", _rewritten),
        ):
            with world.results.check(f"lie to the real cell: {name}"):
                check(world, liar, cell)
            liar.lie = None
        with world.results.check("lie to the other client: a head that goes back in the middle of a channel"):
            _head_back_here(world, liar)


@contextmanager
def _lied_to(world: World) -> Iterator[tuple[Liar, RealCell]]:
    liar = Liar(world.centre.port, world.centre.serving_key())
    try:
        cell = RealCell(world.centre.binary, world.centre.home.parent / "lied-to")
        cell.join(f"http://{HOST}:{liar.port}", world.centre.code("CB1"))
        yield liar, cell
    finally:
        liar.close()


def _news(world: World, channel: str = CHANNEL, count: int = 1) -> list[str]:
    """What the cell would get; the rows' ids."""
    ids = [f"{channel} {len(world.other.store.blocks)} {n}" for n in range(count)]
    for row in ids:
        world.other.seal(channel, insert("review", row))
    world.other.sync()
    return ids


def _is_taken(cell: RealCell) -> bool:
    """Whether the cell took an answer."""
    try:
        cell.sync()
    except AssertionError:
        return False
    return True


def _expect_refused(world: World, liar: Liar, cell: RealCell, what: str, lie: Lie, channel: str = CHANNEL) -> None:
    """Nothing of the answer is taken; the truth is, afterwards."""
    rows = _news(world, channel)
    liar.lie = lie
    taken = _is_taken(cell)
    shown = set(cell.rows("review"))
    liar.lie = None
    expect(not taken and not shown & set(rows), f"{what} was taken")
    expect(_is_taken(cell), f"the truth after {what} was refused")
    expect(set(rows) <= set(cell.rows("review")), f"the rows did not come after {what}")


def _truth(world: World, liar: Liar, cell: RealCell) -> None:
    liar.lie = lambda request, response: None
    rows = _news(world)
    cell.sync()
    expect(rows[0] in cell.rows("review"), "the row did not come")


def _head(response: SyncResponse, channel: str = CHANNEL) -> ChannelHead:
    return next(head for head in response.heads if head.channel == channel)


def _path(world: World, liar: Liar, cell: RealCell) -> None:
    def flip(request: SyncRequest, response: SyncResponse) -> None:
        path = _head(response).inclusion
        path[0] = bytes([path[0][0] ^ 1]) + path[0][1:]

    def move(request: SyncRequest, response: SyncResponse) -> None:
        _head(response).position -= 1

    _expect_refused(world, liar, cell, "another path", flip)
    _expect_refused(world, liar, cell, "another position", move)


def _heads(world: World, liar: Liar, cell: RealCell) -> None:
    def other(request: SyncRequest, response: SyncResponse) -> None:
        _head(response).log_hash = bytes(32)

    def lower(request: SyncRequest, response: SyncResponse) -> None:
        _head(response).sequence -= 1

    _expect_refused(world, liar, cell, "another head", other)
    _expect_refused(world, liar, cell, "a lower head", lower)


def _without_head(world: World, liar: Liar, cell: RealCell) -> None:
    def drop(request: SyncRequest, response: SyncResponse) -> None:
        kept = [head for head in response.heads if head.channel != CHANNEL]
        del response.heads[:]
        response.heads.extend(kept)

    _expect_refused(world, liar, cell, "a channel without a head", drop)


def _head_back(world: World, liar: Liar, cell: RealCell) -> None:
    _news(world, "lies/halved", 4)
    answers: list[object] = []
    liar.lie = _halved("lies/halved", answers)
    taken = _is_taken(cell)
    expect_equal(len(answers), 2, "answers")
    expect(not taken, "a head below the one that was shown was taken")


def _head_back_here(world: World, liar: Liar) -> None:
    channel = "lies/other"
    _news(world, channel, 4)
    cell = world.third
    liar.lie = _halved(channel, [])
    honest, cell.client.port = cell.client.port, liar.port
    try:
        expect_equal(refusal("a head below the one that was shown", cell.sync), "brokenLink", "refusal")
    finally:
        liar.lie, cell.client.port = None, honest
    cell.sync()
    expect_equal(cell.store.followers[channel].sequence, 4, "entries after the truth")


def _halved(channel: str, answers: list[object]) -> Lie:
    """The first answer shows where the channel ends and gives half of it; the second says that this is all."""
    def halve(request: SyncRequest, response: SyncResponse) -> None:
        kept = [entry for entry in response.entries if entry.channel != channel or entry.sequence <= 2]
        cursor = next((cursor for cursor in request.cursors if cursor.channel == channel), None)
        answers.append(cursor)
        if cursor is not None:
            kept = [entry for entry in response.entries if entry.channel != channel]
            head = _head(response, channel)
            head.sequence, head.log_hash, head.position, head.digest = cursor.sequence, cursor.log_hash, 0, b""
            del head.inclusion[:]
        response.more = cursor is None
        del response.entries[:]
        response.entries.extend(kept)

    return halve


def _other_life(world: World, liar: Liar, cell: RealCell) -> None:
    key = world.centre.serving_key()

    def renamed(request: SyncRequest, response: SyncResponse) -> None:
        shown = Checkpoint.read(response.checkpoint, key.public)
        response.checkpoint = replace(shown, origin=shown.origin[:-2] + "00").signed(key)

    def unsigned(request: SyncRequest, response: SyncResponse) -> None:
        shown = Checkpoint.read(response.checkpoint, key.public)
        response.checkpoint = shown.signed(world.other.client.key)

    _expect_refused(world, liar, cell, "a checkpoint of another life", renamed)
    _expect_refused(world, liar, cell, "a checkpoint of another signer", unsigned)


def _rewritten(world: World, liar: Liar, cell: RealCell) -> None:
    key = world.centre.serving_key()
    cell.sync()
    before = cell.run("audit", "checkpoints")

    def rewrite(request: SyncRequest, response: SyncResponse) -> None:
        """A tree of the size that it has, in which the newest entry of each channel is; it does not go on from any."""
        shown = Checkpoint.read(response.checkpoint, key.public)
        hashes = [bytes([n % 256]) * 32 for n in range(shown.size)]
        for head in response.heads:
            if head.position:
                hashes[head.position - 1] = head.log_hash
        response.checkpoint = replace(shown, root=tree.root(hashes)).signed(key)
        del response.consistency[:]
        if 0 < request.tree_size < shown.size:
            response.consistency.extend(tree.consistency(hashes, request.tree_size))
        for head in response.heads:
            if head.position:
                del head.inclusion[:]
                head.inclusion.extend(tree.inclusion(hashes, head.position - 1))

    rows = _news(world)
    liar.lie = rewrite
    expect(not _is_taken(cell), "a log that was rewritten was taken")
    expect(rows[0] not in cell.rows("review"), "its rows were taken")
    liar.lie = None
    notes = cell.run("audit", "checkpoints")
    expect(len(notes) > len(before), "the note that contradicts is not kept")
    expect(any("rewritten" in notice for notice in cell.json("status")["notices"]), "people are not told")
    for _ in range(2):
        _is_taken(cell)
    expect(_is_taken(cell) and rows[0] in cell.rows("review"), "the cell does not go on afterwards")
