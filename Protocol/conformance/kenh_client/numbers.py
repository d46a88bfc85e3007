"""Numbers and strings in hashed bytes and bodies (block-format.md, “Numbers and strings”)."""

from collections.abc import Sequence

from .problems import Refused, require

MASK_64 = 2**64 - 1


def zigzag(number: int) -> int:
    """2n for n ≥ 0, −2n − 1 for n < 0."""
    return 2 * number if number >= 0 else -2 * number - 1


def unzigzag(number: int) -> int:
    """The signed number with this zigzag mapping."""
    return number // 2 if number % 2 == 0 else -(number // 2) - 1


def varint(number: int) -> bytes:
    """Little-endian base 128 in its shortest form."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def string(content: bytes) -> bytes:
    """The length, then the bytes."""
    return varint(len(content)) + content


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number


def ints(numbers: Sequence[int]) -> bytes:
    """Unsigned 64-bit numbers, in the form that is shortest."""
    if not numbers:
        return b""
    if all(number == numbers[0] for number in numbers):
        return b"\x00" + varint(numbers[0])
    plain = b"".join(map(varint, numbers))
    steps = zip(numbers, numbers[1:])
    differences = varint(numbers[0]) + b"".join(
        varint(zigzag(_signed((after - before) & MASK_64))) for before, after in steps)
    return b"\x02" + differences if len(differences) < len(plain) else b"\x01" + plain


class Reader:
    """Reads bytes from front to back; what does not fit is `malformed`."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.place = 0

    def take(self, count: int) -> bytes:
        """The next bytes."""
        require(count <= len(self.content) - self.place, "malformed", "the bytes end early")
        self.place += count
        return self.content[self.place - count:self.place]

    def byte(self) -> int:
        """The next byte."""
        return self.take(1)[0]

    def end(self) -> None:
        """Nothing may follow."""
        require(self.place == len(self.content), "malformed", "bytes follow the last part")

    def varint(self) -> int:
        """A number of at most 64 bits in its shortest form."""
        number = 0
        for shift in range(0, 70, 7):
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                require(byte != 0 or shift == 0, "malformed", "a varint is not in its shortest form")
                require(number <= MASK_64, "malformed", "a varint has more than 64 bits")
                return number
        raise Refused("malformed", "a varint has more than 64 bits")

    def number(self, low: int, high: int, what: str) -> int:
        """A varint in a range."""
        number = self.varint()
        require(low <= number <= high, "malformed", f"{what} is out of range")
        return number

    def string(self, high: int, what: str) -> bytes:
        """A length within its limit, then the bytes."""
        return self.take(self.number(0, high, f"the length of {what}"))

    def ints(self, count: int) -> list[int]:
        """`count` unsigned 64-bit numbers in any of the three forms."""
        if count == 0:
            return []
        form = self.byte()
        if form == 0:
            return [self.varint()] * count
        require(form in (1, 2), "malformed", "the form of numbers is not known")
        # Each takes a byte at least: no list is made that the content cannot fill.
        require(count <= len(self.content) - self.place, "malformed", "the bytes end early")
        if form == 1:
            return [self.varint() for _ in range(count)]
        numbers = [self.varint()]
        for _ in range(count - 1):
            numbers.append((numbers[-1] + unzigzag(self.varint())) & MASK_64)
        return numbers
