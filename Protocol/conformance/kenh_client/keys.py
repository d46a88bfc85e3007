"""Hashes, signatures and keys, each with its domain (README section 2)."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .problems import Refused, require

ZERO_HASH = bytes(32)

# Hash domains.
BLOCK = "kenh-v1 block"
BODY = "kenh-v1 body"
ENTRY = "kenh-v1 entry"
REGISTRY = "kenh-v1 registry"
ORGANISATION = "kenh-v1 organisation"
ERASABLE = "kenh-v1 erasable"
ERASURE = "kenh-v1 erasure"
FINALITY = "kenh-v1 finality"
ARCHIVE = "kenh-v1 archive"
SNAPSHOT = "kenh-v1 snapshot"
SNAPSHOT_CHUNK = "kenh-v1 snapshot chunk"
CODE = "kenh-v1 code"

# Signature domains.
BLOCK_DEVICE = "kenh-v1 block device"
REGISTRY_STATEMENT = "kenh-v1 registry statement"
SERVING_CERTIFICATE = "kenh-v1 serving certificate"
ENROLMENT = "kenh-v1 enrolment"
DEVICE_REPLACEMENT = "kenh-v1 device replacement"
LOG_ENTRY = "kenh-v1 log entry"
AUDIT_SEAL = "kenh-v1 audit seal"

_FIELD = 2**255 - 19
_GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _FIELD) % _FIELD


def tagged(tag: str, content: bytes) -> bytes:
    """The tag, one zero byte and the content."""
    return tag.encode("ascii") + b"\0" + content


def tagged_hash(tag: str, content: bytes) -> bytes:
    """SHA-256 in a domain."""
    return hashlib.sha256(tagged(tag, content)).digest()


def fingerprint(root_key: bytes) -> bytes:
    """The name of the organisation with this root key."""
    return tagged_hash(ORGANISATION, root_key)


def check_public_key(key: bytes) -> None:
    """Refuse what is no public key: wrong length, y out of range, a point of small order."""
    require(len(key) == 32, "badKey", "a public key has 32 bytes")
    y = int.from_bytes(key, "little") & (2**255 - 1)
    require(y < _FIELD, "badKey", "y is out of range")
    # y of the points whose order divides 2 and 4, and then of those of order 8: their double has y = 0,
    # which on the curve −x² + y² = 1 + d·x²·y² means x² = −y².
    square = y * y % _FIELD
    small = y * (square - 1) * (_D * square * square + 2 * square - 1) % _FIELD == 0
    require(not small, "badKey", "the point is of small order")


def is_good_signature(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 signature over exactly these bytes is good."""
    try:
        check_public_key(key)
    except Refused:
        return False
    if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= _GROUP_ORDER:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def check_signature(key: bytes, domain: str, message: bytes, signature: bytes) -> None:
    """Refuse a signature that is not good in its domain."""
    good = is_good_signature(key, tagged(domain, message), signature)
    require(good, "badSignature", f"the signature is not good ({domain})")


class SigningKey:
    """An Ed25519 key with its secret half."""

    def __init__(self, seed: bytes | None = None) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed) if seed else Ed25519PrivateKey.generate()
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, domain: str, message: bytes) -> bytes:
        """Sign in a domain."""
        return self._key.sign(tagged(domain, message))

    def sign_untagged(self, base: bytes) -> bytes:
        """Sign an HTTP signature base or a note's text, which alone have no tag in front."""
        return self._key.sign(base)

    # Keys are never copied, so that a copied installation keeps its device.
    def __deepcopy__(self, memo: object) -> "SigningKey":
        return self
