#!/usr/bin/env python3
"""Sends a real centre what no cell would send, while an honest cell goes on syncing, and prints what came back.

    make hostile REQUESTS=2000 SEED=1

Each request is made from the seed and its number alone: `--only N` sends that one again. Ends with 3 where anything
failed: a status that README section 12 does not have for it, an answer that is not signed, a dead or swollen process,
files left open, or data that changed.
"""

import argparse
import base64
import hashlib
import http.client
import random
import socket
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Protocol" / "conformance"))

from checks.organisation import HOST, Centre, OtherCell, RealCell, insert  # noqa: E402
from checks.requests import check_signed  # noqa: E402
from kenh_client.blocks import BODY, compress, signed  # noqa: E402
from kenh_client.client import wall_clock  # noqa: E402
from kenh_client.http_signing import Answer, Request  # noqa: E402
from kenh_client.keys import SigningKey, tagged_hash  # noqa: E402
from kenh_client.kenh_pb2 import (  # noqa: E402
    BlockHeader, Cursor, EnrollRequest, ProofRequest, ReconcileRequest, SyncRequest, SyncResponse)

# The centre reads a body as a whole: 96 MiB at most, beside what it holds anyway.
MEMORY_BOUND = 256 * 2**20
POSTS = ("/v1/sync", "/v1/enroll", "/v1/reconcile", "/v1/proof")
GETS = ("/v1/keys", "/v1/time", "/v1/wake", "/v1/snapshots", "/v1/snapshots/" + "0" * 64, "/v1/blobs/" + "0" * 64)
CHANNELS = ("plan/KH1", "", "kenh/registry", "\0", "../../x", "ă" * 100, "x" * 200, "x" * 201, "no/such")
BOMB = compress(bytes(2**28))
# Closed without an answer.
CLOSED = 0
REFUSED = {400, 401, 403, 404, 405, 409, 413, 415, 426}


class Shot:
    """Bytes for the centre, the statuses that it may give, and the signed request, if it is one."""

    def __init__(self, content, allowed, request=None, pause=0.0, cell=None, held=False, patience=30):
        self.content, self.allowed, self.request, self.pause, self.cell = content, allowed, request, pause, cell
        # Left open, with nothing more to come.
        self.held = held
        # Seconds: a centre that has answered need not read what else comes.
        self.patience = patience


def spelled(method, path, fields, body=b"", length=None):
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *(f"{k}: {v}" for k, v in fields)]
    if length is not None or body or method != "GET":
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body


class Attacker:
    """Makes requests. `cell` is enrolled, `revoked` was."""

    def __init__(self, cell, revoked, block):
        self.cell, self.revoked, self.block = cell, revoked, block
        self.kinds = (
            self.noise, self.mutant, self.routes, self.fields, self.framing, self.pipeline, self.slow, self.unfinished,
            self.wrong_signature, self.expired, self.stranger, self.of_revoked, self.protobuf, self.cursors,
            self.blocks, self.proofs, self.attachments, self.snapshots, self.places, self.enrolments,
            self.replays, self.idle, self.endless, self.streams)
        self.kept = []
        self.lock = threading.Lock()

    def shot(self, seed, number):
        draw = random.Random(f"{seed}/{number}")
        kind = draw.choice(self.kinds)
        return kind.__name__, kind(draw)

    # ------------------------------------------------------------ bytes

    def noise(self, draw):
        return Shot(draw.randbytes(draw.randrange(1, 2000)), {CLOSED, 400})

    def mutant(self, draw):
        content = bytearray(spelled("POST", draw.choice(POSTS), [("Content-Type", "application/x-protobuf")], b"abcd"))
        for _ in range(draw.randrange(1, 5)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        return Shot(bytes(content), {CLOSED, 501} | REFUSED)

    def routes(self, draw):
        method = draw.choice(("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "BREW"))
        path = draw.choice((*POSTS, *GETS, "/", "//v1/sync", "/v1/../../etc/passwd", "/v1/%00", "/V1/SYNC", "/v1/blobs/" + "Z" * 64))
        query = draw.choice(("", "?", "?nonce=%%%", "?channel=%ff%00", "?offset=-1&size=99999999999999999999", "?" + "a=b&" * 2000))
        return Shot(spelled(method, path + query, []), {CLOSED, 200, 501} | REFUSED)

    def fields(self, draw):
        fields = [("Content-Type", "application/x-protobuf")]
        for _ in range(draw.randrange(1, 6)):
            name = draw.choice(("Signature", "Signature-Input", "Content-Digest", "Kenh-Organisation", "Content-Type", "Host"))
            fields.append((name, draw.choice(("", "kenh=", "kenh=();created=", "kenh=:AAAA:", "((((" * 50, '"', "x" * draw.choice((4097, 20000, 200000))))))
        return Shot(spelled("POST", draw.choice(POSTS), fields, b"x"), {CLOSED, 431} | REFUSED)

    def framing(self, draw):
        head = f"POST {draw.choice(POSTS)} HTTP/1.{draw.choice((0, 1, 1, 9))}\r\nHost: x\r\n".encode()
        return Shot(head + draw.choice((
            b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\nx",
            b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            b"Content-Length: -5\r\n\r\n", b"Content-Length: 99999999999999999999999\r\n\r\n", b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            b"Content-Length: 1073741824\r\n\r\n", b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\n")),
            {CLOSED, 100, 501, 505} | REFUSED)

    def pipeline(self, draw):
        one = spelled("POST", draw.choice(POSTS), [], b"x").replace(b"Connection: close\r\n", b"")
        return Shot(one * draw.randrange(2, 30), {CLOSED} | REFUSED)

    def slow(self, draw):
        return Shot(spelled("POST", draw.choice(POSTS), [], b"x" * 20), {CLOSED} | REFUSED, pause=0.002)

    def unfinished(self, draw):
        return Shot(spelled("POST", draw.choice(POSTS), [], b"abc", length=draw.choice((500, 65537, 2**27, 2**40))), {CLOSED} | REFUSED)

    def idle(self, draw):
        """Opened, and then nothing, or a beginning."""
        head = spelled("POST", "/v1/sync", [], b"abcd", length=1000)
        return Shot(head[:draw.choice((0, 1, 20, len(head)))], {CLOSED}, held=True)

    def endless(self, draw):
        """Chunks without an end."""
        chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
        head = spelled("POST", draw.choice(POSTS), [("Content-Type", "application/x-protobuf"), ("Transfer-Encoding", "chunked")])
        return Shot(head.replace(b"Content-Length: 0\r\n", b"") + chunk * draw.choice((10, 200)), {CLOSED, 400, 403}, patience=1)

    # ------------------------------------------------------------ signatures

    def signed(self, draw, path, body=b"", allowed=REFUSED, cell=None, key=None, method="POST", query="", created=None,
               changed=None, kind="application/x-protobuf"):
        cell = cell or self.cell
        request = Request(method, path, cell.client.organisation.hex(), body, draw.randbytes(16),
                          wall_clock() // 1000 if created is None else created, query, kind)
        fields = request.headers(key or cell.client.key) | (changed or {})
        return Shot(spelled(method, path + query, fields.items(), body), allowed, request, cell=cell)

    def message(self):
        return SyncRequest(protocol=1, replica=self.cell.store.replica, down_limit_bytes=1)

    def wrong_signature(self, draw):
        wrong = {"Signature": f"kenh=:{base64.b64encode(draw.randbytes(64)).decode()}:"}
        return self.signed(draw, "/v1/sync", self.message().SerializeToString(), {401}, changed=wrong)

    def expired(self, draw):
        created = draw.choice((0, wall_clock() // 1000 - 700, wall_clock() // 1000 + 700, 10**14))
        return self.signed(draw, "/v1/sync", self.message().SerializeToString(), {401}, created=created)

    def stranger(self, draw):
        return self.signed(draw, "/v1/sync", self.message().SerializeToString(), {403}, key=SigningKey(draw.randbytes(32)))

    def of_revoked(self, draw):
        return self.signed(draw, "/v1/sync", SyncRequest(protocol=1, replica=self.revoked.store.replica).SerializeToString(),
                           {403}, cell=self.revoked)

    def replays(self, draw):
        """A good request that was sent before, byte by byte: the same again is no harm."""
        with self.lock:
            if len(self.kept) < 20:
                self.kept.append(self.signed(draw, "/v1/sync", self.message().SerializeToString(), {200}))
            # Whoever comes later than the window is told so.
            return draw.choice(self.kept)

    def streams(self, draw):
        """Listens, and goes away."""
        return self.signed(draw, "/v1/wake", method="GET", allowed={200, 503}, kind="")

    # ------------------------------------------------------------ good signatures over bad messages

    def protobuf(self, draw):
        body = draw.choice((
            draw.randbytes(draw.randrange(1, 500)), b"\xff" * 30, b"\x0a" + b"\xff" * 9 + b"\x01", b"\x1b" * draw.choice((50, 100000)),
            b"\xa3\x06" * 5000, b"\x1a\x02\x0a\x00" * draw.choice((10, 100001)), b"\x22\x00" * 5000, b"\x08\x02", b""))
        return self.signed(draw, draw.choice(POSTS), body, {200, 400, 413, 426})

    def cursors(self, draw):
        message = self.message()
        for _ in range(draw.choice((1, 3, 200))):
            cursor = Cursor(channel=draw.choice(CHANNELS), epoch=draw.randbytes(draw.choice((0, 15, 16))),
                            sequence=draw.choice((0, 1, 2**32, 2**63, 2**64 - 1)), log_hash=draw.randbytes(draw.choice((0, 32, 33))))
            (message.receipts if draw.random() < 0.3 else message.cursors).append(cursor)
        message.sent_at_ms = draw.choice((0, -1, -2**63, 2**63 - 1))
        message.tree_size = draw.choice((0, 1, 2**64 - 1))
        message.down_limit_bytes = draw.choice((0, 1, 2**32 - 1))
        return self.signed(draw, "/v1/sync", message.SerializeToString(), {200, 409})

    def blocks(self, draw):
        message = self.message()
        for _ in range(draw.choice((1, 1, 5, 100))):
            block = message.blocks.add()
            block.CopyFrom(self.block)
            # Magic, a window, and a content size that nobody has.
            bomb = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 2 ** draw.randrange(20, 63)) + b"\x03\x00\x00\x41"
            header, body, signature = bytearray(block.header), block.body, bytearray(block.device_signature)
            choice = draw.randrange(5)
            if choice == 0:
                body = bomb
            elif choice == 1:
                header[draw.randrange(len(header))] ^= 1 << draw.randrange(8)
            elif choice == 2:
                signature[draw.randrange(64)] ^= 1 << draw.randrange(8)
            elif choice == 3:
                body = draw.randbytes(draw.randrange(0, 300))
            else:
                block.CopyFrom(self.signed_block(draw))
                continue
            block.header, block.body, block.device_signature = bytes(header), body, bytes(signature)
        return self.signed(draw, "/v1/sync", message.SerializeToString(), {200})

    def signed_block(self, draw):
        """The device's own signature and hash over what nobody may take."""
        header = BlockHeader.FromString(self.block.header)
        frame = self.block.body
        choice = draw.randrange(5)
        if choice == 0:
            # Gigabytes of zeros in some kilobytes, honestly declared or not.
            frame = BOMB
            header.plain_size = draw.choice((2**20, 2**26, 2**28, 2**32 - 1))
        elif choice == 1:
            header.organisation = draw.randbytes(32)
        elif choice == 2:
            # A counter that jumps.
            header.first_counter = draw.choice((0, 2**32, 2**63 - 1, 2**64 - 1))
            header.previous = draw.randbytes(32)
        elif choice == 3:
            header.count = draw.choice((0, 65537, 2**32 - 1))
        else:
            header.channel = draw.choice(("", "kenh/registry", "\0", "x" * 201))
        header.compressed_size, header.body_hash = len(frame), tagged_hash(BODY, frame)
        return signed(header, frame, b"", self.cell.client.key)

    def proofs(self, draw):
        message = ProofRequest(protocol=draw.choice((0, 1, 1, 1, 9)), tree_size=draw.choice((0, 1, 2**64 - 1)))
        if draw.random() < 0.5:
            message.object_hash = draw.randbytes(draw.choice((0, 31, 32)))
        else:
            message.entry.CopyFrom(Cursor(channel=draw.choice(CHANNELS), sequence=draw.choice((0, 1, 2**64 - 1))))
        return self.signed(draw, "/v1/proof", message.SerializeToString(), {200, 400, 404, 426})

    def query(self, draw):
        numbers = ("0", "-1", "1", "1048577", "9223372036854775807", "9223372036854775808", "1e9", "", "x")
        return "?" + "&".join(
            f"{name}={quote(draw.choice(CHANNELS), safe='') if name == 'channel' else draw.choice(numbers)}"
            for name in draw.choices(("channel", "offset", "size", "limit", "status", "other"), k=draw.randrange(1, 6)))

    def attachments(self, draw):
        path = "/v1/blobs/" + draw.choice((hashlib.sha256(draw.randbytes(3)).hexdigest(), "0" * 63, "A" * 64, "%00"))
        if draw.random() < 0.5:
            return self.signed(draw, path, method="GET", query=self.query(draw), allowed={400, 404})
        return self.signed(draw, path, draw.randbytes(draw.choice((0, 1, 5000, 2**20 + 1))), method="PUT", kind="application/octet-stream",
                           query=self.query(draw) + draw.choice(("", "&type=text/plain", "&type=%00")), allowed={400, 404, 413, 415, 507})

    def snapshots(self, draw):
        path = "/v1/snapshots" + draw.choice(("", "/" + draw.randbytes(32).hex(), "/x"))
        return self.signed(draw, path, method="GET", query=self.query(draw), allowed={400, 404})

    def places(self, draw):
        message = ReconcileRequest(protocol=1, replica=draw.randbytes(draw.choice((0, 16))), checkpoint=draw.choice(("", "x", "x" * 20000)))
        for _ in range(draw.choice((0, 1, 65))):
            places = message.places.add(channel=draw.choice(CHANNELS))
            places.places.add(sequence=draw.choice((0, 1, 2**64 - 1)))
            places.newest.add(sequence=2**64 - 1, accepted_at_ms=-2**63, channel="x")
        return self.signed(draw, "/v1/reconcile", message.SerializeToString(), {200, 400})

    def enrolments(self, draw):
        message = EnrollRequest(protocol=1, code_id=draw.randbytes(draw.choice((0, 8, 9))), device_key=self.cell.client.key.public,
                                replica=draw.randbytes(draw.choice((0, 16))), device_name=draw.choice(("", "\0", "x" * 60000)),
                                proof=draw.randbytes(32), countersignature=draw.randbytes(64), replaces=draw.randbytes(draw.choice((0, 32))))
        return self.signed(draw, "/v1/enroll", message.SerializeToString(), {400, 403})


# Lines that nobody speaks on any more; the oldest are let go.
HELD, HELD_LIMIT = [], 300


def hold(port, shot):
    """Opens a line and leaves it."""
    line = socket.create_connection((HOST, port), timeout=30)
    line.sendall(shot.content)
    HELD.append(line)
    while len(HELD) > HELD_LIMIT:
        HELD.pop(0).close()


def fire(port, shot):
    """The answer, or None where the line was closed without one."""
    if shot.held:
        return hold(port, shot)
    with socket.create_connection((HOST, port), timeout=shot.patience) as line:
        try:
            if shot.pause:
                for byte in shot.content:
                    line.sendall(bytes([byte]))
                    time.sleep(shot.pause)
            else:
                line.sendall(shot.content)
            line.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # It may have answered already.
        try:
            response = http.client.HTTPResponse(line, method="HEAD" if shot.content.startswith(b"HEAD ") else "GET")
            response.begin()
            fields = {name.lower(): value for name, value in response.getheaders()}
            # A stream has no end.
            is_stream = fields.get("content-type", "").startswith("text/event-stream")
            return Answer(response.status, fields, b"" if is_stream else response.read())
        except TimeoutError:
            if shot.patience < 30:
                return None
            raise
        except (OSError, http.client.HTTPException):
            return None


def what_is_wrong(port, shot, name):
    """The status, and what is wrong with the answer or None."""
    try:
        answer = fire(port, shot)
    except TimeoutError:
        return -1, "no answer and no end within 30 s"
    status = CLOSED if answer is None else answer.status
    if status not in shot.allowed:
        return status, f"status {status}, {answer.body[:200] if answer else b''}"
    # Answers of unknown routes are unsigned.
    is_stream = answer and answer.fields.get("content-type", "").startswith("text/event-stream")
    if shot.request and answer and not is_stream and (status != 404 or name == "proofs"):
        try:
            check_signed(shot.cell, answer, shot.request)
        except Exception as error:  # pylint: disable=broad-except
            return status, f"status {status}: {error}"
    if name == "blocks" and status == 200:
        response = SyncResponse.FromString(answer.body)
        if any(receipt.HasField("proof") for receipt in response.receipts):
            return status, "a bad block was taken"
    return status, None


def memory_and_files(process):
    status = Path(f"/proc/{process}/status").read_text("ascii")
    peak = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    return peak, len(list(Path(f"/proc/{process}/fd").iterdir()))


class Run:
    """One centre, its honest cell, and the attacker."""

    def __init__(self, options, folder):
        self.options = options
        self.centre = Centre(options.kenh, folder / "centre")
        self.honest = RealCell(options.kenh, folder / "cell")
        self.failures, self.seen, self.rows = [], {}, 0
        self.lock, self.next = threading.Lock(), 0

    def prepare(self):
        self.centre.start()
        for code in ("CB1", "CB2", "CB3"):
            self.centre.add_cell(code)
        self.honest.join(f"http://{HOST}:{self.centre.port}", self.centre.code("CB1"))
        cells = [OtherCell(self.centre.port, self.honest.schema()) for _ in range(2)]
        for cell, code in zip(cells, ("CB2", "CB3")):
            cell.join(self.centre.code(code))
        self.write()
        cells[0].sync()
        self.centre.run("central", "device", "revoke", cells[1].client.key.public.hex(), "--reason", "lost")
        [block] = cells[0].seal("plan/KH1", insert("work_item", "BAD", title="x"))
        self.attacker = Attacker(cells[0], cells[1], block.message)

    def write(self):
        self.rows += 1
        self.honest.sql(f"INSERT INTO work_item(id, channel, title) VALUES('A{self.rows}', 'plan/KH1', 'Việc {self.rows}')")
        self.honest.sync()

    def work(self):
        while True:
            with self.lock:
                number, self.next = self.next, self.next + 1
            if number >= self.options.requests:
                return
            self.play(number)

    def play(self, number):
        name, shot = self.attacker.shot(self.options.seed, number)
        try:
            status, wrong = what_is_wrong(self.centre.port, shot, name)
        except Exception as error:  # pylint: disable=broad-except
            status, wrong = -1, repr(error)
        with self.lock:
            self.seen.setdefault(name, Counter())[status] += 1
            if wrong:
                self.failures.append(f"{name} --only {number}: {wrong}")

    def attack(self):
        if self.options.only is not None:
            return self.play(self.options.only)
        threads = [threading.Thread(target=self.work) for _ in range(8)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.honestly()
            time.sleep(0.5)

    def honestly(self):
        try:
            self.write()
        except AssertionError as error:
            self.failures.append(f"the honest cell: {error}")

    def judge(self, files):
        server = self.centre._server
        if server.poll() is not None:
            return self.failures.append(f"the centre ended with {server.returncode}: {self.centre.log()[-500:]}")
        self.honestly()
        while HELD:
            HELD.pop().close()
        # What was left without an end is closed by the centre's idle timeout of a minute.
        deadline = time.monotonic() + 70
        while (found := memory_and_files(server.pid))[1] > files + 4 and time.monotonic() < deadline:
            time.sleep(0.5)
        print(f"peak memory {found[0] / 2**20:.0f} MiB, open files {files} before and {found[1]} after")
        if found[0] > MEMORY_BOUND:
            self.failures.append(f"peak memory {found[0]}")
        if found[1] > files + 4:
            self.failures.append(f"open files {files} before, {found[1]} after")
        wanted = {f"A{number}" for number in range(1, self.rows + 1)}
        if set(self.honest.rows("work_item")) != wanted or set(self.centre.rows("work_item")) != wanted:
            self.failures.append("rows are not those of the honest cell")
        for node in (self.centre, self.honest):
            try:
                node.run("verify")
            except AssertionError as error:
                self.failures.append(str(error))

    def table(self):
        print("\n| request | sent | statuses (0: closed) |\n|---|---|---|")
        for name, seen in sorted(self.seen.items()):
            print(f"| {name} | {seen.total()} | {', '.join(f'{s}: {n}' for s, n in sorted(seen.items()))} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kenh", type=Path, default=ROOT / ".build" / "release" / "kenh")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    options.kenh = options.kenh.resolve()
    with tempfile.TemporaryDirectory(prefix="kenh-hostile-") as folder:
        run = Run(options, Path(folder))
        try:
            run.prepare()
            files = memory_and_files(run.centre._server.pid)[1]
            run.attack()
            run.judge(files)
        finally:
            run.centre.stop()
    run.table()
    for failure in run.failures[:20]:
        print(f"FAILED, seed {options.seed}: {failure}")
    print(f"{sum(seen.total() for seen in run.seen.values())} requests, {len(run.failures)} failed")
    return 3 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
