#!/usr/bin/env python3
"""Makes an authority and certificates of it, good and bad, in a folder: make_certificates.py FOLDER"""

import datetime
import ipaddress
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.timezone.utc)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def write(folder: Path, file: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    (folder / f"{file}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{file}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def builder(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, begins, ends) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(begins).not_valid_after(ends))


def authority(folder: Path, file: str) -> tuple[str, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    made = builder(file, file, key, NOW - 2 * DAY, NOW + 365 * DAY).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True)
    write(folder, file, made.sign(key, hashes.SHA256()), key)
    return file, key


def server(folder: Path, file: str, by: tuple[str, ec.EllipticCurvePrivateKey], names, begins, ends) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    made = builder(file, by[0], key, begins, ends).add_extension(x509.SubjectAlternativeName(names), critical=False)
    write(folder, file, made.sign(by[1], hashes.SHA256()), key)


def main() -> None:
    folder = Path(sys.argv[1])
    known = authority(folder, "authority")
    here = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    server(folder, "good", known, here, NOW - DAY, NOW + 30 * DAY)
    server(folder, "elsewhere", known, [x509.DNSName("centre.example")], NOW - DAY, NOW + 30 * DAY)
    server(folder, "stranger", authority(folder, "unknown"), here, NOW - DAY, NOW + 30 * DAY)
    server(folder, "over", known, here, NOW - 2 * DAY, NOW - DAY)
    server(folder, "later", known, here, NOW + DAY, NOW + 30 * DAY)


if __name__ == "__main__":
    main()
