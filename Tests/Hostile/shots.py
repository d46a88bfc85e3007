"""Single requests that no cell would send, each with all that the text lets the centre say of it."""

import base64
import hashlib
import random
import re
import struct
import sys
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Protocol" / "conformance"))

from kenh_client.blocks import BODY, compress, signed  # noqa: E402
from kenh_client.client import wall_clock  # noqa: E402
from kenh_client.enrolment import countersignature, replacement  # noqa: E402
from kenh_client.http_signing import Request  # noqa: E402
from kenh_client.keys import SigningKey, tagged_hash  # noqa: E402
from kenh_client.kenh_pb2 import (  # noqa: E402
    BlockHeader, Cursor, EnrollRequest, ProofRequest, ReconcileRequest, SyncRequest)
from kenh_client.log import is_row_channel  # noqa: E402

POSTS = ("/v1/sync", "/v1/enroll", "/v1/reconcile", "/v1/proof")
GETS = ("/v1/keys", "/v1/time", "/v1/wake", "/v1/snapshots", "/v1/snapshots/" + "0" * 64, "/v1/blobs/" + "0" * 64)
CHANNELS = ("plan/KH1", "", "kenh/registry", "\0", "../../x", "ă" * 100, "x" * 200, "x" * 201, "no/such")
# The honest cell's: the attacker's cell may read and write there.
CHANNEL = "plan/KH1"
BOMB = compress(bytes(2**28))
PROTOBUF, PIECE = "application/x-protobuf", "application/octet-stream"
MAX_PIECE, MAX_ATTACHMENT = 2**20, 25 * 2**20
# What the parser of HTTP refuses has no problem with it.
UNREADABLE = {"400", "closed"}
# Of a body that ends early.
CUT = {"400 malformed"} | UNREADABLE
MALFORMED, STRANGE, LARGE = "400 malformed", "403 wrongOrganisation", "413 tooLarge"


class Shot:
    """Bytes for the centre, what it may say, the signed request, if it is one, and what receipts may say.

    Said is a status, a problem's code behind it where it has one; or `closed`.
    """

    def __init__(self, content, allowed, request=None, pause=0.0, cell=None, verdicts=None):
        self.content, self.allowed, self.request, self.pause, self.cell = content, allowed, request, pause, cell
        self.verdicts = verdicts
        # Whether it is sent twice.
        self.again = False
        # Left open, with nothing more to come; and how many seconds an answer may take.
        self.held, self.patience = False, 30


def spelled(method, path, fields, body=b"", length=None):
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *(f"{k}: {v}" for k, v in fields)]
    if length is not None or body or method != "GET":
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body


def unsigned(path):
    """What a request gets that bears no organisation: a device that enrols does not know it yet."""
    return MALFORMED if path == "/v1/enroll" else STRANGE


def is_number(text):
    return re.fullmatch(r"0|[1-9][0-9]*", text) is not None and int(text) < 2**63


class Attacker:
    """Makes requests. `cell` is enrolled, `revoked` was."""

    def __init__(self, cell, revoked, block):
        self.cell, self.revoked, self.block = cell, revoked, block
        self.kinds = (
            self.noise, self.mutant, self.routes, self.fields, self.framing, self.smuggling, self.headers, self.pipeline,
            self.slow, self.idle, self.endless, self.streams, self.unfinished, self.wrong_signature, self.other_nonce, self.replays, self.expired, self.stranger,
            self.of_revoked, self.other_organisation, self.protobuf, self.cursors, self.blocks, self.proofs,
            self.cut, self.attachments, self.ranges, self.snapshots, self.places, self.enrolments)

    def shot(self, seed, number):
        draw = random.Random(f"{seed}/{number}")
        kind = draw.choice(self.kinds)
        return kind.__name__, kind(draw)

    # ------------------------------------------------------------ bytes

    def noise(self, draw):
        return Shot(draw.randbytes(draw.randrange(1, 2000)), UNREADABLE)

    def mutant(self, draw):
        content = bytearray(spelled("POST", draw.choice(POSTS), [("Content-Type", PROTOBUF)], b"abcd"))
        for _ in range(draw.randrange(1, 5)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        return Shot(bytes(content), {MALFORMED, STRANGE, LARGE, "404"} | UNREADABLE)

    def routes(self, draw):
        method = draw.choice(("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "BREW"))
        path = draw.choice((*POSTS, *GETS, "/", "//v1/sync", "/v1/../../etc/passwd", "/v1/%00", "/V1/SYNC", "/v1/blobs/" + "Z" * 64))
        query = draw.choice(("", "?", "?nonce=%%%", "?channel=%ff%00", "?offset=-1&size=99999999999999999999", "?" + "a=b&" * 2000))
        allowed = "404"
        if method == "BREW":
            allowed = "400"
        elif method == "POST" and path in (*POSTS, "//v1/sync"):
            # Slashes are one slash to whoever finds the route, and not to the signature.
            allowed = unsigned(path)
        elif method == "GET" and path in ("/v1/keys", "/v1/time"):
            allowed = "200"
        elif (method == "GET" and path in GETS) or (method in ("GET", "PUT") and path.startswith("/v1/blobs/")):
            allowed = STRANGE
        return Shot(spelled(method, path + query, []), {allowed})

    def fields(self, draw):
        fields, path = [("Content-Type", PROTOBUF)], draw.choice(POSTS)
        for _ in range(draw.randrange(1, 6)):
            name = draw.choice(("Signature", "Signature-Input", "Content-Digest", "Kenh-Organisation", "Content-Type", "Host"))
            fields.append((name, draw.choice(("", "kenh=", "kenh=();created=", "kenh=:AAAA:", "((((" * 50, '"', "x" * draw.choice((4097, 20000, 200000))))))
        allowed = {unsigned(path)}
        organisations = [value for name, value in fields if name == "Kenh-Organisation"]
        # Two fields are one, with a comma between.
        if path == "/v1/enroll" and (len(organisations) > 1 or any(organisations)):
            allowed = {STRANGE}
        elif path == "/v1/enroll" and any(name == "Signature-Input" and len(value) > 4096 for name, value in fields):
            allowed.add(LARGE)
        # More than the parser takes of all fields.
        if sum(len(value) for _, value in fields) > 12_000:
            allowed |= UNREADABLE
        return Shot(spelled("POST", path, fields, b"x"), allowed)

    def headers(self, draw):
        """Many fields, or a long one, that nobody asks for."""
        many = draw.random() < 0.5
        fields = [(f"X-{n}", "y" * 3) for n in range(draw.choice((5_000, 20_000)))] if many else [
            ("X", "y" * draw.choice((100_000, 1_000_000)))]
        return Shot(spelled("POST", draw.choice(POSTS), fields, b"x"), UNREADABLE | {"431"})

    def framing(self, draw):
        path = draw.choice(POSTS)
        version = draw.choice((0, 1, 1, 9))
        head = f"POST {path} HTTP/1.{version}\r\nHost: x\r\n".encode()
        answered = {unsigned(path)}
        rest, allowed = draw.choice((
            (b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", answered | UNREADABLE),
            (b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\nx", answered | UNREADABLE),
            (b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", answered | UNREADABLE),
            (b"Content-Length: -5\r\n\r\n", UNREADABLE), (b"Content-Length: 99999999999999999999999\r\n\r\n", UNREADABLE),
            (b"Content-Length: 1073741824\r\n\r\n", {LARGE}), (b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", answered | UNREADABLE),
            (b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\n", answered | {"100"})))
        # Of an HTTP that there is not, nothing is believed.
        return Shot(head + rest, allowed | (UNREADABLE if version != 1 else set()))

    def smuggling(self, draw):
        """Two readers might see different ends: nobody may get an answer to what is hidden behind."""
        hidden = spelled("GET", "/healthz", [])
        head = f"POST {draw.choice(POSTS)} HTTP/1.1\r\nHost: x\r\n".encode()
        length = f"Content-Length: {draw.choice((0, 3, 4, len(hidden)))}\r\n".encode()
        return Shot(head + draw.choice((
            length + b"Content-Length: 5\r\n\r\n", length + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"Transfer-Encoding: chunked\r\n" + length + b"\r\n0\r\n\r\n", b"Content-Length: 5, 6\r\n\r\n",
            b"Transfer-Encoding : chunked\r\n" + length + b"\r\n0\r\n\r\n", b"Content-Length: +5\r\n\r\n",
            b"Transfer-Encoding: xchunked\r\n" + length + b"\r\n", b"Content-Length: 0x5\r\n\r\n")) + hidden, UNREADABLE)

    def pipeline(self, draw):
        path = draw.choice(POSTS)
        one = spelled("POST", path, [], b"x").replace(b"Connection: close\r\n", b"")
        return Shot(one * draw.randrange(2, 30), {unsigned(path)})

    def slow(self, draw):
        path = draw.choice(POSTS)
        return Shot(spelled("POST", path, [], b"x" * 20), {unsigned(path)}, pause=0.002)

    def unfinished(self, draw):
        path = draw.choice(POSTS)
        length = draw.choice((500, 65537, 2**27, 2**40))
        limit = 96 * 2**20 if path in ("/v1/sync", "/v1/reconcile") else 2**16
        return Shot(spelled("POST", path, [], b"abc", length=length), {LARGE if length > limit else unsigned(path)})

    def idle(self, draw):
        """Opened, and then nothing, or a beginning."""
        head = spelled("POST", "/v1/sync", [], b"abcd", length=1000)
        shot = Shot(head[:draw.choice((0, 1, 20, len(head)))], {"held"})
        shot.held = True
        return shot

    def endless(self, draw):
        """Chunks without an end, of a request that is refused for its head: nobody has to read them."""
        path = draw.choice(POSTS)
        head = spelled("POST", path, [("Content-Type", PROTOBUF), ("Transfer-Encoding", "chunked")]).replace(b"Content-Length: 0\r\n", b"")
        shot = Shot(head + (b"10000\r\n" + bytes(0x10000) + b"\r\n") * draw.choice((10, 200)), {unsigned(path), "closed"})
        shot.patience = 1
        return shot

    def streams(self, draw):
        """Listens, and goes away."""
        return self.signed(draw, "/v1/wake", method="GET", allowed={"200"}, kind="")

    # ------------------------------------------------------------ signatures

    def signed(self, draw, path, body=b"", allowed=(), cell=None, key=None, method="POST", query="", created=None,
               changed=None, kind=PROTOBUF, organisation=None):
        cell = cell or self.cell
        request = Request(method, path, organisation or cell.client.organisation.hex(), body, draw.randbytes(16),
                          wall_clock() // 1000 if created is None else created, query, kind)
        fields = request.headers(key or cell.client.key) | (changed or {})
        return Shot(spelled(method, path + query, fields.items(), body), set(allowed), request, cell=cell)

    def message(self):
        return SyncRequest(protocol=1, replica=self.cell.store.replica, down_limit_bytes=1)

    def wrong_signature(self, draw):
        wrong = {"Signature": f"kenh=:{base64.b64encode(draw.randbytes(64)).decode()}:"}
        return self.signed(draw, "/v1/sync", self.message().SerializeToString(), {"401 badSignature"}, changed=wrong)

    def other_nonce(self, draw):
        """Somebody else's request, with another nonce, time or organisation under the same signature."""
        shot = self.signed(draw, "/v1/sync", self.message().SerializeToString(), {"401 badSignature"})
        text = shot.content
        nonce = base64.b64encode(shot.request.nonce)
        wanted = draw.choice((
            text.replace(nonce, base64.b64encode(draw.randbytes(16))),
            text.replace(b"created=", b"created=1"), text.replace(b"/v1/sync", b"/v1/sync?x=1", 1),
            text.replace(b'tag="kenh-v1"', b'tag="kenh-v2"')))
        # The answer bears the nonce that was sent.
        return Shot(wanted, shot.allowed)

    def replays(self, draw):
        """The very same bytes again: the same answer again."""
        path, body, allowed = draw.choice((
            ("/v1/sync", self.message().SerializeToString(), {"200"}),
            ("/v1/proof", ProofRequest(protocol=1, entry=Cursor(channel="kenh/registry", sequence=1)).SerializeToString(), {"200"}),
            ("/v1/proof", ProofRequest(protocol=1, object_hash=bytes(32)).SerializeToString(), {"404 notFound"}),
            ("/v1/enroll", EnrollRequest(protocol=1).SerializeToString(), {"200"}),
            ("/v1/reconcile", ReconcileRequest(protocol=1, replica=self.cell.store.replica).SerializeToString(), {"200"})))
        shot = self.signed(draw, path, body, allowed)
        shot.again = True
        return shot

    def expired(self, draw):
        created = draw.choice((0, wall_clock() // 1000 - 700, wall_clock() // 1000 + 700, 10**14))
        return self.signed(draw, "/v1/sync", self.message().SerializeToString(), {"401 staleRequest"}, created=created)

    def stranger(self, draw):
        return self.signed(draw, "/v1/sync", self.message().SerializeToString(), {"403 unknownDevice"}, key=SigningKey(draw.randbytes(32)))

    def of_revoked(self, draw):
        return self.signed(draw, "/v1/sync", SyncRequest(protocol=1, replica=self.revoked.store.replica).SerializeToString(),
                           {"403 revoked"}, cell=self.revoked)

    def other_organisation(self, draw):
        """Before anything else of it is looked at."""
        path = draw.choice((*POSTS, *GETS[2:]))
        return self.signed(draw, path, b"x" if path in POSTS else b"", {STRANGE}, method="POST" if path in POSTS else "GET",
                           organisation=draw.choice(("0" * 64, draw.randbytes(32).hex(), "x", self.cell.client.organisation.hex().upper())))

    # ------------------------------------------------------------ good signatures over bad messages

    def protobuf(self, draw):
        path = draw.choice(POSTS)
        is_hello = path == "/v1/enroll"
        what = draw.randrange(6)
        if what == 0:
            return self.signed(draw, path, draw.choice((
                b"\xff" * 30, b"\x0a" + b"\xff" * 9 + b"\x01", b"\x1b" * draw.choice((50, 60000)), b"\x12\xff\x01x")), {MALFORMED})
        if what == 1:
            # The centre does not look at the version of who enrols.
            body = draw.choice((b"\x08\x02", b"", b"\x08\x02\xa3\x06\xa4\x06"))
            return self.signed(draw, path, body, {"200" if is_hello else "426 unsupportedVersion"})
        if what == 2:
            return self.signed(draw, "/v1/sync", b"\x08\x01" + draw.choice((b"\x22\x00" * 4097, b"\x1a\x00" * 100_001, b"\x4a\x00" * 100_001)), {LARGE})
        if what == 3:
            return self.signed(draw, "/v1/sync", SyncRequest(protocol=1, replica=draw.randbytes(draw.choice((1, 15, 17)))).SerializeToString(), {MALFORMED})
        if what == 4:
            other = self.revoked.store.replica
            message = draw.choice((SyncRequest(protocol=1, replica=other), ReconcileRequest(protocol=1, replica=other)))
            target = "/v1/sync" if isinstance(message, SyncRequest) else "/v1/reconcile"
            return self.signed(draw, target, message.SerializeToString(), {"403 forbidden"})
        # Whether random bytes are a message nobody knows before.
        return self.signed(draw, path, draw.randbytes(draw.randrange(1, 500)), {MALFORMED, "426 unsupportedVersion"} | ({"200"} if is_hello else set()))

    def cursors(self, draw):
        message, store = self.message(), self.cell.store
        followed = store.followers[CHANNEL]
        if draw.random() < 0.5:
            # One thing amiss of a good cursor.
            good = followed.cursor()
            what = draw.choice(("epoch", "sequence", "log_hash", "channel", "none"))
            if what == "epoch":
                good.epoch = draw.randbytes(draw.choice((0, 15, 16)))
            elif what == "sequence":
                good.sequence += draw.choice((1, 2**32, 2**63 - 1))
            elif what == "log_hash":
                good.log_hash = draw.randbytes(draw.choice((0, 31, 32, 33)))
            elif what == "channel":
                good.channel = draw.choice(CHANNELS[1:])
            message.cursors.append(good)
            return self.signed(draw, "/v1/sync", message.SerializeToString(), {"200" if what == "none" else "409 logMismatch"})
        for _ in range(draw.choice((1, 3, 200))):
            cursor = Cursor(channel=draw.choice(CHANNELS), epoch=draw.randbytes(draw.choice((0, 15, 16))),
                            sequence=draw.choice((0, 1, 2**32, 2**63, 2**64 - 1)), log_hash=draw.randbytes(draw.choice((0, 32, 33))))
            (message.receipts if draw.random() < 0.3 else message.cursors).append(cursor)
        message.sent_at_ms = draw.choice((0, -1, -2**63, 2**63 - 1))
        message.tree_size = draw.choice((0, 1, 2**64 - 1))
        message.down_limit_bytes = draw.choice((0, 1, 2**32 - 1))
        fits = not message.receipts and all(cursor.sequence == 0 for cursor in message.cursors)
        return self.signed(draw, "/v1/sync", message.SerializeToString(), {"200" if fits else "409 logMismatch"})

    def blocks(self, draw):
        message, verdicts = self.message(), []
        for _ in range(draw.choice((1, 1, 5, 100))):
            block = message.blocks.add()
            block.CopyFrom(self.block)
            # Magic, a window, and a content size that nobody has.
            bomb = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 2 ** draw.randrange(20, 63)) + b"\x03\x00\x00\x41"
            header, body, signature = bytearray(block.header), block.body, bytearray(block.device_signature)
            choice = draw.randrange(5)
            if choice == 0:
                body = bomb
                verdicts.append({"badDigest" if len(bomb) == len(block.body) else "malformed"})
            elif choice == 1:
                header[draw.randrange(len(header))] ^= 1 << draw.randrange(8)
                verdicts.append({"malformed", "tooLarge", "unsupportedVersion", "badDigest", "badSignature", "wrongOrganisation", "unknownDevice"})
            elif choice == 2:
                signature[draw.randrange(64)] ^= 1 << draw.randrange(8)
                verdicts.append({"badSignature"})
            elif choice == 3:
                body = draw.randbytes(draw.randrange(0, 300))
                verdicts.append({"badDigest" if len(body) == len(block.body) else "malformed"})
            else:
                made, codes = self.signed_block(draw)
                block.CopyFrom(made)
                verdicts.append(codes)
                continue
            block.header, block.body, block.device_signature = bytes(header), body, bytes(signature)
        shot = self.signed(draw, "/v1/sync", message.SerializeToString(), {"200"})
        shot.verdicts = verdicts
        return shot

    def signed_block(self, draw):
        """The device's own signature and hash over what nobody may take, and what the receipt says."""
        header = BlockHeader.FromString(self.block.header)
        frame, codes = self.block.body, {"malformed"}
        choice = draw.randrange(5)
        if choice == 0:
            # Gigabytes of zeros in some kilobytes, honestly declared or not.
            frame = BOMB
            header.plain_size = draw.choice((2**20, 2**26, 2**28, 2**32 - 1))
            codes = {"tooLarge" if header.plain_size > 2**26 else "compression"}
        elif choice == 1:
            header.organisation = draw.randbytes(32)
            codes = {"wrongOrganisation"}
        elif choice == 2:
            # A counter that jumps: nobody has the block before.
            header.first_counter = draw.choice((0, 2**32, 2**63 - 1, 2**64 - 1))
            header.previous = draw.randbytes(32)
            codes = {"missing"} if header.first_counter == 2**32 else codes
        elif choice == 3:
            header.count = draw.choice((0, 65537, 2**32 - 1))
        else:
            header.channel = draw.choice(("", "kenh/registry", "\0", "x" * 201))
        header.compressed_size, header.body_hash = len(frame), tagged_hash(BODY, frame)
        return signed(header, frame, b"", self.cell.client.key), codes

    def proofs(self, draw):
        message = ProofRequest(protocol=draw.choice((0, 1, 1, 1, 9)), tree_size=draw.choice((0, 1, 2**64 - 1)))
        if draw.random() < 0.5:
            message.object_hash = draw.randbytes(draw.choice((0, 31, 32)))
            allowed = "404 notFound" if len(message.object_hash) == 32 else MALFORMED
        else:
            message.entry.CopyFrom(Cursor(channel=draw.choice(CHANNELS), sequence=draw.choice((0, 1, 2**64 - 1))))
            there = message.entry.channel in (CHANNEL, "kenh/registry") and message.entry.sequence == 1
            allowed = "200" if there else "404 notFound"
        return self.signed(draw, "/v1/proof", message.SerializeToString(), {allowed if message.protocol == 1 else "426 unsupportedVersion"})

    def cut(self, draw):
        """A good signature over a body that never comes to its end."""
        shot = self.signed(draw, "/v1/sync", self.message().SerializeToString(), CUT)
        head, body = shot.content.split(b"\r\n\r\n", 1)
        if draw.random() < 0.5:
            shot.content = head.replace(b"Content-Length: ", b"Content-Length: 9") + b"\r\n\r\n" + body
        else:
            chunked = re.sub(rb"\r\nContent-Length: [0-9]+", b"\r\nTransfer-Encoding: chunked", head)
            shot.content = chunked + b"\r\n\r\n" + draw.choice((b"ZZ\r\n", b"5\r\nab", b"-1\r\n", b"5\r\nabcdefgh\r\n"))
        return shot

    def query(self, draw):
        """Names and values, mostly good ones, and whether the query has the form that it has to have."""
        numbers = ("0", "-1", "1", "01", "1048577", "9223372036854775807", "9223372036854775808", "1e9", "", "x")
        if draw.random() < 0.6:
            pairs = [("channel", CHANNEL), ("size", draw.choice(("1", "5000", "26214401", "0"))), ("type", draw.choice(("image/png", "text/html", "application/pdf")))]
            if draw.random() < 0.5:
                pairs.append((draw.choice(("offset", "limit", "other", "size")), draw.choice(numbers)))
            draw.shuffle(pairs)
        else:
            pairs = [(name, draw.choice(CHANNELS) if name == "channel" else draw.choice(numbers))
                     for name in draw.choices(("channel", "offset", "size", "limit", "status", "other"), k=draw.randrange(1, 6))]
        return pairs, "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)

    @staticmethod
    def reads_as(pairs):
        """The query as a device means it; none where it is malformed (README section 7, “Attachments”)."""
        known = [(name, value) for name, value in pairs if name != "other"]
        found = dict(known)
        numbers = [value for name, value in known if name in ("size", "offset", "limit")]
        # A name twice is none, known or not.
        if (len({name for name, _ in pairs}) != len(pairs) or not is_row_channel(found.get("channel", "")) or not all(map(is_number, numbers))
                or not 1 <= int(found.get("limit", "1")) <= MAX_PIECE or found.get("status", "1") not in ("0", "1")):
            return None
        return found

    def attachments(self, draw):
        is_named = draw.random() < 0.8
        name = hashlib.sha256(draw.randbytes(9)).hexdigest() if is_named else draw.choice(("0" * 63, "A" * 64, "%00"))
        pairs, query = self.query(draw)
        found = self.reads_as(pairs) if is_named else None
        path = "/v1/blobs/" + name
        if draw.random() < 0.4:
            return self.signed(draw, path, method="GET", query=query, allowed={"404 notFound" if found else MALFORMED})
        body = draw.randbytes(draw.choice((0, 1, 5000, 2**20 + 1)))
        return self.signed(draw, path, body, method="PUT", kind=PIECE, query=query, allowed=self.of_piece(found, len(body)))

    @staticmethod
    def of_piece(found, length):
        """In the order of the text."""
        if length > MAX_PIECE:
            return {LARGE}
        if not found or "size" not in found or "type" not in found or found["size"] == "0":
            return {MALFORMED}
        # The attacker's cell has the role of a writer, everywhere.
        size, offset = int(found["size"]), int(found.get("offset", "0"))
        if size > MAX_ATTACHMENT:
            return {LARGE}
        if found["type"] == "text/html":
            return {"415 typeNotAllowed"}
        if length == 0 or offset + length > size:
            return {MALFORMED}
        if offset > 0:
            return {"409 blobOffset"}
        # No file has such a name, so the last piece shows that it is another.
        return {"200" if length < size else "400 badDigest", "507 uploadQuota"}

    def ranges(self, draw):
        """What a piece says of its place in another way than the query is passed over."""
        field = draw.choice(("bytes 0-0/1", "bytes 99999999999999999999-1/*", "bytes */-1", "x", "bytes 5-1/3"))
        name = hashlib.sha256(draw.randbytes(9)).hexdigest()
        path, query = f"/v1/blobs/{name}", f"?channel={quote(CHANNEL, safe='')}&size=1&type=image%2Fpng"
        if draw.random() < 0.5:
            return self.signed(draw, path, b"x", {"400 badDigest", "507 uploadQuota"}, method="PUT", kind=PIECE, query=query, changed={"Content-Range": field})
        return self.signed(draw, path, method="GET", query=query, allowed={"404 notFound"}, changed={"Range": field.replace(" ", "=")})

    def snapshots(self, draw):
        end = draw.choice(("", "/" + draw.randbytes(32).hex(), "/" + draw.randbytes(32).hex(), "/x", "/" + "A" * 64))
        if draw.random() < 0.5:
            pairs = [("channel", draw.choice(CHANNELS))]
            query = "?channel=" + quote(pairs[0][1], safe="")
        else:
            pairs, query = self.query(draw)
        fits = self.reads_as(pairs) and re.fullmatch("(/[0-9a-f]{64})?", end)
        return self.signed(draw, "/v1/snapshots" + end, method="GET", query=query, allowed={"404 notFound" if fits else MALFORMED})

    def places(self, draw):
        message = ReconcileRequest(protocol=1, replica=draw.choice((b"", self.cell.store.replica, draw.randbytes(15))), checkpoint=draw.choice(("", "x", "x" * 20000)))
        for number in range(draw.choice((0, 1, 65))):
            places = message.places.add(channel=draw.choice(CHANNELS))
            places.places.add(sequence=draw.choice((0, 1, 2**64 - 1)))
            places.newest.add(sequence=2**64 - 1, accepted_at_ms=-2**63, channel="x")
        if draw.random() < 0.1:
            message.places.add(channel=CHANNEL).places.extend(message.places[0].places.add(sequence=1) for _ in range(65))
            return self.signed(draw, "/v1/reconcile", message.SerializeToString(), {LARGE, MALFORMED})
        return self.signed(draw, "/v1/reconcile", message.SerializeToString(), {"200" if message.replica == self.cell.store.replica else MALFORMED})

    def enrolments(self, draw):
        client, key, replica = self.cell.client, SigningKey(draw.randbytes(32)), draw.randbytes(16)
        message = EnrollRequest(protocol=1, device_key=key.public, replica=replica, device_name=draw.choice(("", "\0", "x" * 60000)),
                                countersignature=countersignature(key, client.organisation, replica))
        what = draw.randrange(6)
        if what == 0:
            message.code_id, message.proof, allowed = draw.randbytes(8), draw.randbytes(32), "403 codeUnknown"
        elif what == 1:
            message.replica, message.code_id, message.proof, allowed = replica[:15], draw.randbytes(8), bytes(32), MALFORMED
        elif what == 2:
            message.replaces, allowed = SigningKey(draw.randbytes(32)).public, "403 unknownDevice"
        elif what == 3:
            message.replaces, allowed = client.key.public, "401 badSignature"
        elif what == 4:
            message.replaces = self.revoked.client.key.public
            message.replacement = replacement(self.revoked.client.key, client.organisation, key.public, replica)
            allowed = "403 revoked"
        else:
            message.device_key, message.code_id, message.proof, allowed = bytes([1]) + bytes(31), bytes(8), bytes(32), "401 badSignature"
        return self.signed(draw, "/v1/enroll", message.SerializeToString(), {allowed}, key=key)
