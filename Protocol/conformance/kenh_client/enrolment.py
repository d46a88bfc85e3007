"""The enrolment code and what is made of it (README section 4)."""

import hashlib
import hmac
from dataclasses import dataclass

from .keys import (
    CODE, DEVICE_REPLACEMENT, ENROLMENT, SERVING_CERTIFICATE, SigningKey, check_signature, fingerprint, tagged,
    tagged_hash)
from .kenh_pb2 import ServingCertificate, SignedStatement
from .problems import require

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SYMBOLS = {**{symbol: value for value, symbol in enumerate(_ALPHABET)}, "O": 0, "I": 1, "L": 1}
_DASHES = {0x2D, 0x2212, *range(0x2010, 0x2016)}
PROOF = "kenh-v1 enrolment proof"


@dataclass(frozen=True)
class EnrolmentCode:
    """What a person carries from the centre to a device."""

    secret: bytes
    pin: bytes

    @staticmethod
    def read(text: str) -> "EnrolmentCode":
        """Read what a person typed."""
        symbols = [c for c in text.upper() if not c.isspace() and ord(c) not in _DASHES]
        require(len(symbols) == 34 and all(c in _SYMBOLS for c in symbols), "badCode", "this is no code")
        number = 0
        for symbol in symbols:
            number = number << 5 | _SYMBOLS[symbol]
        content = (number >> 10).to_bytes(20, "big")
        require(number & 0x3FF == _check(content), "badCode", "the check of the code does not fit")
        return EnrolmentCode(content[:10], content[10:])

    def text(self) -> str:
        """As it is printed."""
        content = self.secret + self.pin
        number = int.from_bytes(content, "big") << 10 | _check(content)
        symbols = "".join(_ALPHABET[number >> shift & 31] for shift in range(165, -1, -5))
        return "-".join(symbols[place:place + 5] for place in range(0, 34, 5))

    @property
    def id(self) -> bytes:
        """Names the code without telling it."""
        return tagged_hash(CODE, self.secret)[:8]

    def proof(self, message: bytes) -> bytes:
        """Shows that the device has the code."""
        return hmac.new(self.secret, tagged(PROOF, message), hashlib.sha256).digest()


def _check(content: bytes) -> int:
    """The first ten bits of the hash."""
    return int.from_bytes(hashlib.sha256(content).digest()[:2], "big") >> 6


def enrolment_message(organisation: bytes, device_key: bytes, replica: bytes) -> bytes:
    """What proof and countersignature are over."""
    return organisation + device_key + replica


def countersignature(key: SigningKey, organisation: bytes, replica: bytes) -> bytes:
    """The device's word that it wants to be in this organisation."""
    return key.sign(ENROLMENT, enrolment_message(organisation, key.public, replica))


def replacement(old: SigningKey, organisation: bytes, new_key: bytes, replica: bytes) -> bytes:
    """The old key's word that the new one takes its place."""
    return old.sign(DEVICE_REPLACEMENT, organisation + old.public + new_key + replica)


def check_certificate(root_key: bytes, signed: SignedStatement, pin: bytes) -> ServingCertificate:
    """Refuse a centre that is not the one which made the code."""
    organisation = fingerprint(root_key)
    require(organisation.startswith(pin), "wrongOrganisation", "the code is of another organisation")
    check_signature(root_key, SERVING_CERTIFICATE, signed.statement, signed.signature)
    certificate = ServingCertificate.FromString(signed.statement)
    require(certificate.organisation == organisation, "wrongOrganisation", "the certificate names another organisation")
    return certificate
