"""What can be wrong with bytes or answers (README section 12)."""


class Refused(Exception):
    """Something that a check of the protocol refuses; `code` is one of section 12."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class UnknownKey(Refused):
    """Something is not signed by a key of the centre's that this device knows, or not by the one that it has to be."""

    def __init__(self, message: str) -> None:
        super().__init__("badSignature", message)


class HeldBack(Exception):
    """A block cannot be merged yet, because something that it builds on is not here (section 8)."""


def require(condition: bool, code: str, message: str) -> None:
    """Refuse with `code` unless the condition holds."""
    if not condition:
        raise Refused(code, message)
