"""Answers that a device has to refuse (README sections 3 and 8): tried on what the real centre sent."""

from collections.abc import Callable
from dataclasses import replace

from kenh_client.http_signing import check_answer
from kenh_client.keys import REGISTRY_STATEMENT, SigningKey, fingerprint
from kenh_client.kenh_pb2 import LogEntry, RegistryStatement, SyncRequest, SyncResponse
from kenh_client.log import BLOCK_ENTRY, REGISTRY_CHANNEL, statement_hash
from kenh_client.schema import Schema
from kenh_client.store import Store
from kenh_client.sync import EntryCheck

from .organisation import OtherCell
from .results import expect_equal, refusal
from .world import World

Entries = list[LogEntry]


def run(world: World) -> None:
    """Change one thing at a time."""
    with world.results.check("device refuses: answers of others, to others, or changed on the way"):
        _answers(world.other)
    with world.results.check("device refuses: entries that are not the centre's log"):
        _entries(world.other)


def _answers(cell: OtherCell) -> None:
    client = cell.client
    body = SyncRequest(protocol=1, replica=cell.store.replica, down_limit_bytes=1).SerializeToString()
    request = client.request("/v1/sync", body)
    answer = client.send(request)
    check_answer(answer, request, client.serving_key)

    def without(*names: str) -> dict[str, str]:
        return {name: value for name, value in answer.fields.items() if name not in names}

    unsigned = replace(answer, fields=without("signature", "signature-input"))
    for what, code, changed, asked, key in (
        ("another body", "badDigest", replace(answer, body=answer.body + b"\0"), request, client.serving_key),
        ("another status", "badSignature", replace(answer, status=201), request, client.serving_key),
        ("another type", "badSignature", replace(answer, fields=answer.fields | {"content-type": "text/plain"}),
         request, client.serving_key),
        ("an answer to another request", "badSignature", answer, client.request("/v1/sync", body), client.serving_key),
        ("an answer of another path", "badSignature", answer, replace(request, path="/v1/enroll"), client.serving_key),
        ("an answer of another centre", "badSignature", answer, request, client.key.public),
        ("an unsigned answer", "badSignature", unsigned, request, client.serving_key),
        ("an answer without a digest", "badDigest", replace(answer, fields=without("content-digest")), request,
         client.serving_key),
    ):
        found = refusal(what, lambda: check_answer(changed, asked, key))
        expect_equal(found, code, what)


def _entries(cell: OtherCell) -> None:
    body = SyncRequest(protocol=1, replica=cell.store.replica, with_own_blocks=True)
    response = cell.client.post("/v1/sync", body, SyncResponse)
    blocks = [place for place, entry in enumerate(response.entries) if entry.kind == BLOCK_ENTRY]
    # Two of one channel, with one more after them.
    first = next(place for place in blocks if response.entries[place + 2].channel == response.entries[place].channel)
    end = max(place for place in blocks if response.entries[place].channel == response.entries[first].channel)

    def read(change: Callable[[Entries], object]) -> None:
        entries = list(SyncResponse.FromString(response.SerializeToString()).entries)
        change(entries)
        store = Store(cell.client.key, cell.store.organisation, cell.store.replica, Schema())
        check = EntryCheck(store, cell.client.keys, response.epoch)
        for entry in entries:
            check.check(entry)
        check.check_newest()

    def at(place: int, **fields: object) -> Callable[[Entries], None]:
        def change(entries: Entries) -> None:
            for name, value in fields.items():
                setattr(entries[place], name, value)
        return change

    def swap(entries: Entries) -> None:
        entries[first], entries[first + 1] = entries[first + 1], entries[first]

    def other_block(entries: Entries) -> None:
        entries[first].block.CopyFrom(entries[first + 1].block)

    def other_signature(entries: Entries) -> None:
        entries[first].block.device_signature = bytes(64)

    def other_body(entries: Entries) -> None:
        entries[first].block.body += b"\0"

    def without_registry(entries: Entries) -> None:
        entries[:] = [entry for entry in entries if entry.channel != REGISTRY_CHANNEL]

    def restated(key: SigningKey) -> Callable[[Entries], None]:
        def change(entries: Entries) -> None:
            statement = RegistryStatement.FromString(entries[0].registry.statement)
            statement.organisation = fingerprint(bytes(32))
            content = statement.SerializeToString()
            entries[0].registry.statement = content
            entries[0].registry.signature = key.sign(REGISTRY_STATEMENT, content)
            entries[0].object_hash = statement_hash(content)
        return change

    read(lambda entries: None)
    for what, code, change in (
        ("two entries in another order", "brokenLink", swap),
        ("an entry left out", "brokenLink", lambda entries: entries.pop(first)),
        ("another time of acceptance", "badSignature", at(first, accepted_at_ms=1)),
        ("another signature of the newest", "badSignature", at(end, signature=bytes(64))),
        ("another epoch of the newest", "badSignature", at(end, epoch=bytes(16))),
        ("a kind that is not known", "unsupportedVersion", at(first, kind=9)),
        ("a channel of the protocol's own", "malformed", at(first, channel="kenh/x", sequence=1)),
        ("a short hash", "malformed", at(first, object_hash=bytes(31))),
        ("another block", "brokenLink", other_block),
        ("a block that its writer did not sign", "badSignature", other_signature),
        ("a block with another body", "malformed", other_body),
        ("a block whose writer nobody entered", "unknownDevice", without_registry),
        ("a statement that the centre did not sign", "badSignature", restated(cell.client.key)),
    ):
        expect_equal(refusal(what, lambda: read(change)), code, what)
