"""What takes more than one request: each scene says what it wanted otherwise, and by how much the log may have grown."""

import contextlib
import secrets
import socket
import time
from dataclasses import replace

from shots import CHANNEL, CUT, PIECE, Shot, spelled

from checks.organisation import HOST, OtherCell, insert, update
from checks.refused_blocks import Draft
from checks.requests import check_signed
from kenh_client.blobs import Blobs
from kenh_client.beginnings import Snapshots
from kenh_client.body import INSERT, Change
from kenh_client.checkpoints import Checkpoint
from kenh_client.client import CentreProblem, wall_clock
from kenh_client.clocks import clock_at
from kenh_client.http_signing import Answer, Request
from kenh_client.keys import SigningKey
from kenh_client.kenh_pb2 import (
    VERDICT_ACCEPTED, VERDICT_ALREADY_HAD, VERDICT_HELD_BACK, VERDICT_INVALID, Cursor, Problem, ProofRequest, ProofResponse,
    SyncRequest, SyncResponse)

OWN = "hostile/scenes"
CLOSED_CHANNEL = "hostile/closed"
ACCEPTED, HAD, HELD, INVALID = VERDICT_ACCEPTED, VERDICT_ALREADY_HAD, VERDICT_HELD_BACK, VERDICT_INVALID
IDLE_SECONDS = 60
STREAM_LIMIT = 1_000


def expect(found, wanted, what):
    """Fails unless both are equal."""
    if found != wanted:
        raise AssertionError(f"{what}: {found!r} instead of {wanted!r}")


def said(action):
    """200, or status and code of the problem that the centre signed."""
    try:
        action()
    except CentreProblem as problem:
        return f"{problem.status} {problem.code}"
    return "200"


class Scenes:
    """`cell` is the attacker's, of CB2; `centre` is there to grant and take away."""

    def __init__(self, centre, cell, honestly):
        self.centre, self.cell, self.honestly = centre, cell, honestly
        self.all = (
            self.replayed, self.replayed_for_others, self.out_of_order, self.forks, self.jumps, self.foreign_blocks, self.without_grant,
            self.bad_cursors, self.endless_uploads, self.no_chunks, self.replaced_streams, self.idle_lines)

    def entries(self):
        """How long the log is, as the centre signs it."""
        request = SyncRequest(protocol=1, replica=self.cell.store.replica, down_limit_bytes=1)
        response = self.cell.client.post("/v1/sync", request, SyncResponse)
        return Checkpoint.read(response.checkpoint, self.cell.client.serving_key).size

    def receipts(self, *messages):
        """Verdict and code of each of these blocks."""
        request = SyncRequest(protocol=1, replica=self.cell.store.replica, down_limit_bytes=1, blocks=messages)
        response = self.cell.client.post("/v1/sync", request, SyncResponse)
        return [(receipt.verdict, receipt.code) for receipt in response.receipts]

    def sealed(self, count=1, channel=OWN, **options):
        """Blocks that are good, and nobody has."""
        return [self.cell.seal(channel, insert("work_item", secrets.token_hex(8), title="x"), **options)[0] for _ in range(count)]

    def acknowledge(self):
        """Take the entries, so that nothing of a scene is unsent."""
        self.cell.sync()

    # Each returns by how many entries the log grows.

    def replayed(self):
        """The same bytes again, with a block in them: taken once."""
        (block,) = self.sealed()
        client = self.cell.client
        body = SyncRequest(protocol=1, replica=self.cell.store.replica, down_limit_bytes=1, blocks=[block.message]).SerializeToString()
        request = client.request("/v1/sync", body)
        fields, verdicts = request.headers(client.key), []
        for _ in range(5):
            response = client.checked(client.send(request, fields), request, SyncResponse)
            verdicts.append(response.receipts[0].verdict)
        expect(verdicts, [ACCEPTED, HAD, HAD, HAD, HAD], "verdicts")
        self.acknowledge()
        return 1

    def replayed_for_others(self):
        """With another nonce, and by another device: the block is no other one, and the first sender's signature no good."""
        (block,) = self.sealed()
        expect([self.receipts(block.message) for _ in range(2)], [[(ACCEPTED, "")], [(HAD, "")]], "with two nonces")
        request = self.cell.client.request("/v1/sync", self.request().SerializeToString())
        fields = request.headers(self.cell.client.key)
        other = replace(request, nonce=secrets.token_bytes(16))
        mixed = fields | {"Signature-Input": other.headers(self.cell.client.key)["Signature-Input"]}
        expect(said(lambda: self.cell.client.checked(self.cell.client.send(other, mixed), other, SyncResponse)), "401 badSignature", "a nonce of another")
        self.acknowledge()
        return 1

    def request(self):
        return SyncRequest(protocol=1, replica=self.cell.store.replica, down_limit_bytes=1)

    def out_of_order(self):
        first, second, third, fourth = (block.message for block in self.sealed(4))
        expect(self.receipts(second), [(HELD, "missing")], "the second alone")
        expect(self.receipts(third, second), [(HELD, "missing")] * 2, "two without the first")
        expect(self.receipts(second, first), [(HELD, "missing"), (ACCEPTED, "")], "the second before the first")
        expect(self.receipts(fourth, second, third), [(HELD, "missing"), (ACCEPTED, ""), (ACCEPTED, "")], "the last first")
        expect(self.receipts(fourth), [(ACCEPTED, "")], "the last")
        self.acknowledge()
        return 4

    def forks(self):
        """Two blocks after one: both are kept, both are merged, and the honest see a conflict."""
        (base,) = self.cell.seal(OWN, insert("work_item", "forked", title="x"))
        expect(self.receipts(base.message), [(ACCEPTED, "")], "what both build on")
        twin = self.cell.copy()
        (one,), (two,) = (cell.seal(OWN, update("work_item", "forked", title=title)) for cell, title in ((self.cell, "one"), (twin, "two")))
        expect(one.header.previous == two.header.previous == base.hash, True, "the same block before")
        expect(self.receipts(one.message, two.message), [(ACCEPTED, ""), (ACCEPTED, "")], "both branches")
        expect(self.receipts(two.message, one.message), [(HAD, ""), (HAD, "")], "both again")
        for cell in (self.cell, twin):
            expect(cell.sync().unequal, [], "channels with unequal digests")
        conflicts = [c for c in self.centre.json("conflicts") if c["id"] == "forked"]
        expect([c["column"] for c in conflicts], ["title"], "what is reported at the centre")
        # Two settle it.
        self.cell.seal(OWN, update("work_item", "forked", title="settled"))
        self.acknowledge()
        # And the cell's next writing life: it met a block of its own that it had not made.
        return 5

    def jumps(self):
        """Counters that go on anywhere else, over a block that the log has."""
        (before,) = self.sealed()
        expect(self.receipts(before.message), [(ACCEPTED, "")], "the block before")
        change = Change(INSERT, "work_item", True, secrets.token_hex(8), clock_at(wall_clock()), {"title": "x"})
        for what, fields, code in (
            ("one too high", {"first_counter": before.last_counter + 2}, "brokenLink"),
            ("far too high", {"first_counter": 2**62}, "brokenLink"),
            ("the same again", {"first_counter": before.header.first_counter}, "brokenLink"),
            ("none", {"first_counter": 0}, "malformed"), ("beyond all", {"first_counter": 2**63 - 1}, "malformed"),
            ("of another replica", {"replica": self.cell.store.replica[::-1]}, "unknownDevice"),
            ("in another channel", {"channel": CHANNEL}, "brokenLink"),
            ("within a group that ended", {"group": 2}, "brokenLink"),
        ):
            message = Draft(before, self.cell.client.key, [change], fields={"group": 3} | fields).block()
            expect(self.receipts(message), [(INVALID, code)], what)
        self.acknowledge()
        return 1

    def foreign_blocks(self):
        """Of another organisation, of nobody, and by another key."""
        (before,) = self.sealed()
        change = Change(INSERT, "work_item", True, secrets.token_hex(8), clock_at(wall_clock()), {"title": "x"})
        for what, fields, key, code in (
            ("another organisation", {"organisation": secrets.token_bytes(32)}, self.cell.client.key, "wrongOrganisation"),
            ("a replica that nobody entered", {"replica": secrets.token_bytes(16)}, self.cell.client.key, "unknownDevice"),
            ("another key", {}, SigningKey(), "badSignature"),
        ):
            message = Draft(before, key, [change], fields={"group": 3} | fields).block()
            expect(self.receipts(message), [(INVALID, code)], what)
        expect(self.receipts(before.message), [(ACCEPTED, "")], "the good one")
        self.acknowledge()
        return 1

    def without_grant(self):
        """A channel that the cell may neither read nor write: struck, and not found."""
        self.centre.run("central", "grant", "CB2", CLOSED_CHANNEL, "--role", "none")
        messages = [block.message for block in self.sealed(2, CLOSED_CHANNEL)]
        expect(self.receipts(*messages), [(ACCEPTED, "notGranted")] * 2, "blocks")
        expect(self.receipts(*messages), [(HAD, "notGranted")] * 2, "blocks again")
        client, blobs = self.cell.client, Blobs(self.cell.client)
        heads = {head.channel for head in client.post("/v1/sync", self.request(), SyncResponse).heads}
        expect(CLOSED_CHANNEL in heads, False, "a head of it")
        name = "0" * 64
        for what, action, wanted in (
            ("its snapshot", lambda: Snapshots(client).newest(CLOSED_CHANNEL), "404 notFound"),
            ("a piece", lambda: blobs.put(b"x", name, channel=CLOSED_CHANNEL, size=2, type="image/png"), "403 forbidden"),
            ("an attachment", lambda: blobs.piece(name, CLOSED_CHANNEL), "404 notFound"),
            ("its first entry", lambda: client.post("/v1/proof", ProofRequest(
                protocol=1, entry=Cursor(channel="hostile/unread", sequence=1)), ProofResponse), "404 notFound"),
        ):
            expect(said(action), wanted, what)
        shown = self.centre.rows("work_item")
        self.acknowledge()
        expect([row for row in shown.values() if row["channel"] == CLOSED_CHANNEL], [], "rows of it")
        expect(CLOSED_CHANNEL in self.cell.store.channels(), False, "the channel at the cell")
        # Grant and two rulings; the sync left the channel, and began a new writing life, which the next one tells.
        self.acknowledge()
        return 4

    def bad_cursors(self):
        good = self.cell.store.followers[CHANNEL].cursor()
        for field, values in {
            "epoch": (b"", bytes(15), secrets.token_bytes(16)), "log_hash": (b"", bytes(32), bytes(33)),
            "sequence": (good.sequence + 1, 2**63, 2**64 - 1), "channel": ("kenh/registry", "no/such", "\0", "ă")}.items():
            for value in values:
                for listed in ("cursors", "receipts"):
                    # The epoch of a receipt is not looked at.
                    wanted = "200" if (field, listed) == ("epoch", "receipts") else "409 logMismatch"
                    request, wrong = self.request(), Cursor()
                    wrong.CopyFrom(good)
                    setattr(wrong, field, value)
                    getattr(request, listed).append(wrong)
                    found = said(lambda: self.cell.client.post("/v1/sync", request, SyncResponse))
                    expect(found, wanted, f"{listed} with {field} {value!r}")
        return 0

    def endless_uploads(self):
        """Sixteen that never end, and no more; sizes and places that are none."""
        # A device of its own, that has begun none yet.
        device = OtherCell(self.cell.client.port, self.cell.schema)
        device.join(self.centre.code("CB2"))
        blobs, query = Blobs(device.client), {"channel": CHANNEL, "type": "image/png"}
        names = [secrets.token_hex(32) for _ in range(17)]
        for name in names[:16]:
            expect(blobs.put(b"x", name, size=1000, **query).have, 1, "what the centre has")
        for what, wanted, action in (
            ("one more", "507 uploadQuota", lambda: blobs.put(b"x", names[16], size=1000, **query)),
            ("one of them", "200", lambda: blobs.put(b"y", names[0], size=1000, offset=1, **query)),
            ("a hole", "409 blobOffset", lambda: blobs.put(b"y", names[0], size=1000, offset=5, **query)),
            ("a piece beyond the size", "400 malformed", lambda: blobs.put(b"y" * 999, names[0], size=1000, offset=2, **query)),
            ("an empty piece", "400 malformed", lambda: blobs.put(b"", names[0], size=1000, offset=2, **query)),
            ("more than the limit", "413 tooLarge", lambda: blobs.put(b"x", names[1], size=2**62, **query)),
            ("a size beyond all", "400 malformed", lambda: blobs.put(b"x", names[1], size=2**63, **query)),
            ("a piece beyond its limit", "413 tooLarge", lambda: blobs.put(bytes(2**20 + 1), names[1], size=2**21, **query)),
            ("another type on the way", "415 typeNotAllowed", lambda: blobs.put(b"x", names[1], channel=CHANNEL, size=9, type="text/html")),
            ("other bytes in the end", "400 badDigest", lambda: blobs.put(b"x", names[2], size=1, **query)),
        ):
            expect(said(action), wanted, what)
        # A body that is announced and does not come, or without an end.
        request = blobs.request("PUT", names[3], b"z", PIECE, size=1000, offset=1, **query)
        fields = request.headers(device.client.key)
        path = request.path + request.query
        for content, wanted in (
            (spelled("PUT", path, fields.items(), b"", length=2**40), {"413 tooLarge"}),
            (spelled("PUT", path, fields.items(), b"z", length=2**20), CUT),
        ):
            found = self.fire(Shot(content, set()))[0]
            if found not in wanted:
                raise AssertionError(f"a piece without an end: {found}")
        endless = spelled("PUT", path, [*fields.items(), ("Transfer-Encoding", "chunked")]).replace(b"Content-Length: 0\r\n", b"")
        found = self.fire(Shot(endless + (b"10000\r\n" + b"z" * 65536 + b"\r\n") * 40, set()))[0]
        if found not in ("413 tooLarge", "closed"):
            raise AssertionError(f"a body that goes on: {found}")
        expect(blobs.status(names[3], CHANNEL).have, 1, "what the centre has after all")
        # The device and its replica.
        return 2

    def no_chunks(self):
        """Hashes that no chunk has, also where there is a snapshot."""
        self.centre.run("central", "snapshot", "make", CHANNEL)
        snapshots = Snapshots(self.cell.client)
        for _ in range(50):
            expect(said(lambda: snapshots.chunk(CHANNEL, secrets.token_bytes(32), 1)), "404 notFound", "a chunk that is none")
        offered = snapshots.newest(CHANNEL)
        expect(said(lambda: snapshots.chunk(CHANNEL, offered.proof.object_hash, 1)), "404 notFound", "the manifest's own hash")
        return 1

    # ------------------------------------------------------------ lines

    def fire(self, shot):
        """Replaced by whoever plays the scenes."""
        raise NotImplementedError

    def wake(self, client):
        """A line on which a stream was asked for, and the answer's head."""
        request = Request("GET", "/v1/wake", client.organisation.hex(), b"", secrets.token_bytes(16), wall_clock() // 1000)
        fields = request.headers(client.key)
        line = socket.create_connection((HOST, client.port), timeout=20)
        line.sendall(spelled("GET", client.prefix + "/v1/wake", fields.items()).replace(b"Connection: close\r\n", b""))
        head = b""
        while b"\r\n\r\n" not in head and (more := line.recv(4096)):
            head += more
        return line, head, request

    def replaced_streams(self):
        """Of one device one stream goes on; what the others held is given back."""
        lines = []
        try:
            for _ in range(200):
                line, head, _ = self.wake(self.cell.client)
                lines.append(line)
                expect(head.split(b"\r\n")[0], b"HTTP/1.1 200 OK", "the answer")
            time.sleep(1)
            ended = 0
            for line in lines[:-1]:
                line.settimeout(5)
                with contextlib.suppress(TimeoutError, ConnectionError):
                    while line.recv(4096):
                        pass
                    ended += 1
            expect(ended, len(lines) - 1, "older streams that ended")
        finally:
            for line in lines:
                line.close()
        return 0

    def idle_lines(self):
        """Lines on which nothing comes, and one byte a second: others are served, and both are ended after a minute."""
        silent = [socket.create_connection((HOST, self.cell.client.port)) for _ in range(300)]
        slow = [socket.create_connection((HOST, self.cell.client.port)) for _ in range(30)]
        began, open_lines = time.monotonic(), set(silent + slow)
        ends = {}
        head = spelled("POST", "/v1/sync", [("Content-Type", "application/x-protobuf")], b"x" * 4000)
        try:
            for second in range(IDLE_SECONDS + 30):
                for line in slow:
                    with contextlib.suppress(OSError):
                        line.sendall(head[second:second + 1])
                if second % 15 == 0:
                    self.honestly()
                for line in list(open_lines):
                    line.setblocking(False)
                    try:
                        ended = line.recv(4096) == b""
                    except BlockingIOError:
                        continue
                    except OSError:
                        ended = True
                    if ended:
                        open_lines.discard(line)
                        ends[line] = time.monotonic() - began
                if not open_lines & set(silent) and second > IDLE_SECONDS + 10:
                    break
                time.sleep(1)
            left = sum(line in open_lines for line in silent)
            expect(left, 0, f"silent lines that are open after {IDLE_SECONDS + 30} s")
            soonest = min(ends[line] for line in silent)
            expect(soonest > IDLE_SECONDS - 10, True, f"a silent line was ended after {soonest:.0f} s; not before")
            print(f"{sum(line in open_lines for line in slow)} of {len(slow)} lines with a byte a second are open after {second} s")
        finally:
            for line in silent + slow:
                line.close()
        return 0


def too_many_streams(centre, schema, prefix):
    """All streams that an organisation may have, by as many devices: one more is refused in words, and others sync."""
    first = OtherCell(centre.port, schema, prefix=prefix)
    first.join(centre.code("CB1"))
    first.sync()
    devices, lines = [], []
    for _ in range(STREAM_LIMIT + 1):
        # A key that takes the place of another one's, and never syncs: the old one goes on.
        client = type(first.client)(HOST, centre.port, SigningKey(), prefix=prefix)
        client.organisation, client.keys = first.client.organisation, first.client.keys
        message = client.replacement(first.client.key, secrets.token_bytes(16), "x")
        request = client.request("/v1/enroll", message.SerializeToString())
        answer = client.send(request)
        expect(answer.status, 200, f"a device's next key {answer.body[:80]!r}")
        devices.append(client)
    scene = Scenes(centre, first, lambda: None)
    try:
        for client in devices[:-1]:
            line, head, _ = scene.wake(client)
            lines.append(line)
            expect(head.split(b"\r\n")[0], b"HTTP/1.1 200 OK", f"stream {len(lines)}")
        line, head, request = scene.wake(devices[-1])
        lines.append(line)
        fields = {name.lower(): value for name, _, value in (
            text.partition(": ") for text in head.split(b"\r\n\r\n")[0].decode().split("\r\n")[1:])}
        body = head.split(b"\r\n\r\n", 1)[1]
        while len(body) < int(fields["content-length"]):
            body += line.recv(4096)
        expect((head.split()[1], Problem.FromString(body).code), (b"503", "unavailable"), "one stream more")
        expect(int(fields["retry-after"]) > 0, True, "when to come back")
        check_signed(first, Answer(503, fields, body), request)
        first.seal("plan/KH1", insert("work_item", "beside", title="x"))
        first.sync()
        expect("beside" in centre.rows("work_item"), True, "a row beside all streams")
        lines.pop(0).close()
        deadline = time.monotonic() + 10
        while True:
            line, head, _ = scene.wake(devices[-1])
            lines.append(line)
            if head.startswith(b"HTTP/1.1 200") or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        expect(head.split(b"\r\n")[0], b"HTTP/1.1 200 OK", "a stream once another has ended")
    finally:
        for line in lines:
            line.close()
