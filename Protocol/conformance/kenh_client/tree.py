"""The Merkle tree over the log: roots and proofs, made and checked (README section 6; RFC 6962)."""

import hashlib
from collections.abc import Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()
# One for each level, and one more.
MAX_PROOF_HASHES = 65


def leaf_hash(entry_hash: bytes) -> bytes:
    """The leaf of an entry."""
    return hashlib.sha256(b"\x00" + entry_hash).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The node over two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


# ---------------------------------------------------------------- made, as the RFC defines them


def _middle(count: int) -> int:
    """The largest power of two that is less than `count`."""
    return 1 << (count - 1).bit_length() - 1


def root(entry_hashes: Sequence[bytes]) -> bytes:
    """The root over these entries."""
    if not entry_hashes:
        return EMPTY_ROOT
    if len(entry_hashes) == 1:
        return leaf_hash(entry_hashes[0])
    middle = _middle(len(entry_hashes))
    return node_hash(root(entry_hashes[:middle]), root(entry_hashes[middle:]))


def inclusion(entry_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The path of one leaf, from below."""
    if len(entry_hashes) == 1:
        return []
    middle = _middle(len(entry_hashes))
    if index < middle:
        return [*inclusion(entry_hashes[:middle], index), root(entry_hashes[middle:])]
    return [*inclusion(entry_hashes[middle:], index - middle), root(entry_hashes[:middle])]


def consistency(entry_hashes: Sequence[bytes], old: int, is_known: bool = True) -> list[bytes]:
    """What shows that these entries begin with the first `old` of them, which are one at least."""
    if old == len(entry_hashes):
        return [] if is_known else [root(entry_hashes)]
    middle = _middle(len(entry_hashes))
    if old <= middle:
        return [*consistency(entry_hashes[:middle], old, is_known), root(entry_hashes[middle:])]
    return [*consistency(entry_hashes[middle:], old - middle, False), root(entry_hashes[:middle])]


# ---------------------------------------------------------------- checked, by roots and proofs alone


def is_included(entry_hash: bytes, index: int, size: int, root_hash: bytes, path: Sequence[bytes]) -> bool:
    """Whether the entry is leaf number `index`, from 0, of the tree with this size and root."""
    if not 0 <= index < size or not _is_proof(path):
        return False
    place, last, found = index, size - 1, leaf_hash(entry_hash)
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root_hash


def goes_on(old: int, old_root: bytes, size: int, root_hash: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree with this size and root begins with the one of `old` leaves."""
    if not 0 <= old <= size or not _is_proof(proof):
        return False
    if old in (0, size):
        return not proof and old_root == (root_hash if old else EMPTY_ROOT)
    # Of a whole subtree the verifier has the root.
    hashes = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not hashes:
        return False
    place, last = old - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    found_old = found = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            found_old, found = node_hash(sibling, found_old), node_hash(sibling, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and found_old == old_root and found == root_hash


def _is_proof(hashes: Sequence[bytes]) -> bool:
    return len(hashes) <= MAX_PROOF_HASHES and all(len(one) == 32 for one in hashes)


class Tree:
    """A tree that grows: the roots of its whole subtrees, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def append(self, entry_hash: bytes) -> None:
        """Add an entry."""
        found = leaf_hash(entry_hash)
        rest = self.size
        while rest & 1:
            found = node_hash(self._peaks.pop(), found)
            rest >>= 1
        self._peaks.append(found)
        self.size += 1

    @property
    def root(self) -> bytes:
        """The root over all entries so far."""
        if not self._peaks:
            return EMPTY_ROOT
        found = self._peaks[-1]
        for peak in self._peaks[-2::-1]:
            found = node_hash(peak, found)
        return found
