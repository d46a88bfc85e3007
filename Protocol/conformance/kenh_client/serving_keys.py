"""The keys that the centre signs with, each certified by the root key (README section 2, “Serving keys”)."""

from collections.abc import Iterable

from .enrolment import check_certificate
from .kenh_pb2 import ServingCertificate, SignedStatement
from .keys import check_public_key, is_good_signature, tagged
from .problems import UnknownKey, require

MAX_CERTIFICATES = 64


class ServingKeys:
    """Certificates that one root key signed, the newest first."""

    def __init__(self, root_key: bytes, certificates: Iterable[SignedStatement]) -> None:
        found: dict[tuple[int, bytes], SignedStatement] = {}
        for signed in certificates:
            certificate = check_certificate(root_key, signed, b"")
            check_public_key(certificate.serving_key)
            found.setdefault(_age(certificate), signed)
        require(0 < len(found) <= MAX_CERTIFICATES, "malformed", "there are too many certificates, or none")
        ages = sorted(found, reverse=True)
        self.root_key = root_key
        self.certificates = tuple(found[age] for age in ages)
        self.keys = tuple(dict.fromkeys(key for _, key in ages))

    @staticmethod
    def in_order(root_key: bytes, certificates: Iterable[SignedStatement]) -> "ServingKeys":
        """Of certificates that have to come newest first, each once."""
        listed = tuple(certificates)
        keys = ServingKeys(root_key, listed)
        require(keys.certificates == listed, "malformed", "the certificates are not in their order")
        return keys

    @property
    def newest(self) -> bytes:
        """The key by which answers, and the checkpoints in them, are good."""
        return self.keys[0]

    def joined(self, others: "ServingKeys") -> "ServingKeys":
        """All certificates of both."""
        return ServingKeys(self.root_key, self.certificates + others.certificates)

    def signer(self, domain: str, message: bytes, signature: bytes) -> bytes:
        """Which of the keys signed, the newest or one of those before it."""
        for key in self.keys:
            if is_good_signature(key, tagged(domain, message), signature):
                return key
        raise UnknownKey(f"no key of the centre signed this ({domain})")


def _age(certificate: ServingCertificate) -> tuple[int, bytes]:
    """Greater is newer."""
    return certificate.not_before_ms, certificate.serving_key
