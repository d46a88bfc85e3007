#!/usr/bin/env python3
"""Makes ../vectors/tree.json: roots and proofs of small trees, and a signed checkpoint; see README.md."""

import json
from pathlib import Path
from typing import Any

from kenh_client import tree
from kenh_client.checkpoints import Checkpoint, key_id, origin
from kenh_client.keys import SigningKey, fingerprint

PATH = Path(__file__).resolve().parent.parent / "vectors" / "tree.json"
SIZES = range(18)
# RFC 8032, section 7.1, test 1.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
EPOCH = bytes(range(0x10, 0x20))


def entry_hash(number: int) -> bytes:
    """Of leaf `number`: 32 bytes of that number."""
    return bytes([number]) * 32


def hexes(hashes: list[bytes]) -> list[str]:
    """As they are spelled."""
    return [one.hex() for one in hashes]


def sized(size: int) -> dict[str, Any]:
    """Root and all proofs of the tree of one size."""
    leaves = [entry_hash(number) for number in range(size)]
    return {
        "size": size,
        "root": tree.root(leaves).hex(),
        "inclusion": [hexes(tree.inclusion(leaves, index)) for index in range(size)],
        "consistency": [hexes(tree.consistency(leaves, old)) for old in range(1, size + 1)],
    }


def checkpoint() -> dict[str, Any]:
    """The note over the largest of the trees. The key stands for both root and serving key."""
    key = SigningKey(SEED)
    size = SIZES[-1]
    organisation = fingerprint(key.public)
    made = Checkpoint(origin(organisation, EPOCH), size, tree.root([entry_hash(number) for number in range(size)]))
    return {
        "seed": SEED.hex(), "servingKey": key.public.hex(), "organisation": organisation.hex(), "epoch": EPOCH.hex(),
        "size": size, "keyID": key_id(made.origin, key.public).hex(), "text": made.text, "note": made.signed(key)}


def vectors() -> dict[str, Any]:
    """All of them."""
    return {"checkpoint": checkpoint(), "trees": [sized(size) for size in SIZES]}


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")
