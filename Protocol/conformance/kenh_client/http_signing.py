"""Signed HTTP messages (README section 3; RFC 9421 and RFC 9530)."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from .keys import SigningKey, is_good_signature
from .problems import Refused, UnknownKey, require

CONTENT_TYPE = "application/x-protobuf"
REQUEST_COMPONENTS = (
    '"@method"', '"@path"', '"@query"', '"content-type"', '"content-digest"', '"kenh-organisation"')
RESPONSE_COMPONENTS = ('"@status"', '"content-type"', '"content-digest"', '"@method";req', '"@path";req')
PARAMETERS = {"created", "nonce", "keyid", "alg", "tag"}


def base64_text(content: bytes) -> str:
    """Base64 of RFC 4648 section 4."""
    return base64.b64encode(content).decode("ascii")


def base64_bytes(text: str) -> bytes:
    """The inverse; anything but the one spelling is refused."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("badSignature", "this is not base64") from error
    require(base64_text(content) == text, "badSignature", "base64 is not in its one form")
    return content


def content_digest(body: bytes) -> str:
    """The field Content-Digest."""
    return f"sha-256=:{base64_text(hashlib.sha256(body).digest())}:"


def signature_base(components: Mapping[str, str], parameters: str) -> bytes:
    """The signed bytes: one line for each component, then the parameters."""
    lines = [f"{name}: {value}" for name, value in components.items()]
    covered = "(" + " ".join(components) + ")"
    lines.append(f'"@signature-params": {covered}{parameters}')
    return "\n".join(lines).encode("ascii")


@dataclass(frozen=True)
class Request:
    """What a signature covers of a request, and the nonce to which an answer is tied."""

    method: str
    path: str
    organisation: str
    body: bytes
    nonce: bytes
    created: int
    # With its question mark, where there is one.
    query: str = ""
    # Empty: no content.
    content_type: str = CONTENT_TYPE

    def headers(self, key: SigningKey) -> dict[str, str]:
        """All fields of the signed request."""
        # A request by GET has no body, and so neither type nor digest: both count as empty.
        content = {} if self.method == "GET" else {
            "Content-Type": self.content_type, "Content-Digest": content_digest(self.body)}
        values = (
            self.method, self.path, self.query or "?", content.get("Content-Type", ""),
            content.get("Content-Digest", ""), self.organisation)
        parameters = (
            f';created={self.created};nonce="{base64_text(self.nonce)}";keyid="{key.public.hex()}"'
            ';alg="ed25519";tag="kenh-v1"')
        base = signature_base(dict(zip(REQUEST_COMPONENTS, values)), parameters)
        return content | {
            "Kenh-Organisation": self.organisation,
            "Signature-Input": f"kenh=({' '.join(REQUEST_COMPONENTS)}){parameters}",
            "Signature": f"kenh=:{base64_text(key.sign_untagged(base))}:",
        }


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as it came; names of fields in lower case."""

    status: int
    fields: Mapping[str, str]
    body: bytes

    @property
    def is_signed(self) -> bool:
        """Whether it claims to be signed at all."""
        return "signature" in self.fields or "signature-input" in self.fields

    def field(self, name: str) -> str:
        """A field; an absent one counts as empty."""
        return self.fields.get(name, "").strip(" \t")


def check_answer(answer: Answer, request: Request, serving_key: bytes) -> None:
    """Refuse an answer that the serving key did not sign for this very request."""
    digests = dictionary(answer.field("content-digest"))
    require(digests.get("sha-256") == content_digest(answer.body).removeprefix("sha-256="),
            "badDigest", "the body is not what the answer's digest says")
    covered, parameters = signature_input(answer.field("signature-input"))
    require(covered == RESPONSE_COMPONENTS, "badSignature", "other components are signed")
    values = parameter_values(parameters)
    if values["keyid"] != f'"{serving_key.hex()}"':
        raise UnknownKey("another key signed")
    require(values["nonce"] == f'"{base64_text(request.nonce)}"', "badSignature", "this answers another request")
    require(values["alg"] == '"ed25519"' and values["tag"] == '"kenh-v1"', "badSignature", "another kind of signature")
    require(re.fullmatch(r"-?[0-9]{1,15}", values["created"]) is not None, "badSignature", "created is no integer")
    components = dict(zip(RESPONSE_COMPONENTS, (
        str(answer.status), answer.field("content-type"), answer.field("content-digest"),
        request.method, request.path)))
    signature = dictionary(answer.field("signature")).get("kenh", "")
    require(len(signature) > 2 and signature[0] == signature[-1] == ":", "badSignature", "there is no signature")
    good = is_good_signature(serving_key, signature_base(components, parameters), base64_bytes(signature[1:-1]))
    require(good, "badSignature", "the answer's signature is not good")


_QUOTED_OR_OTHER = re.compile(r'"(?:[^"\\]|\\.)*"|[^"]')


def _split(text: str, separator: str) -> list[str]:
    """Split at a separator that does not stand within quotation marks."""
    parts = [""]
    place = 0
    while place < len(text):
        match = _QUOTED_OR_OTHER.match(text, place)
        if match is None:
            raise Refused("badSignature", "a quotation mark is not closed")
        place = match.end()
        if match.group() == separator:
            parts.append("")
        else:
            parts[-1] += match.group()
    return parts


def dictionary(field: str) -> dict[str, str]:
    """The members of a structured field (RFC 8941), their values as they are spelled."""
    members: dict[str, str] = {}
    for part in _split(field, ","):
        label, _, value = part.strip(" \t").partition("=")
        members[label] = value
    return members


def signature_input(field: str) -> tuple[tuple[str, ...], str]:
    """Covered components of the label `kenh`, and its parameters as they are spelled."""
    value = dictionary(field).get("kenh", "")
    match = re.fullmatch(r"\(([^)]*)\)(.*)", value)
    require(match is not None, "badSignature", "there is no label “kenh”")
    return tuple(match.group(1).split(" ")), match.group(2)


def parameter_values(parameters: str) -> dict[str, str]:
    """The parameters by name: exactly the five, each once."""
    values: dict[str, str] = {}
    for part in _split(parameters, ";")[1:]:
        name, _, value = part.strip(" ").partition("=")
        require(name not in values, "badSignature", f"the parameter {name} is there twice")
        values[name] = value
    require(set(values) == PARAMETERS, "badSignature", "other parameters than the five")
    return values
