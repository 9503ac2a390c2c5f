"""Numbers in words, written in Python just as the browser writes them."""

from decimal import ROUND_HALF_UP, Decimal


def fixed(value: float, digits: int = 2) -> str:
    """Return a number with a fixed count of decimals."""
    # Ties go away from zero as in JavaScript's toFixed; Python's own format sends them to even.
    return str(Decimal(float(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def signed(value: float, digits: int = 2) -> str:
    """Return a number with a real minus sign or a plus, and zero without a sign."""
    digits_only = fixed(abs(value), digits)
    if float(digits_only) == 0:
        return digits_only
    return ("\N{MINUS SIGN}" if value < 0 else "+") + digits_only


def percent(share: float) -> str:
    """Return a share in whole percent."""
    return f"{fixed(100 * share, 0)} %"


def plain(value: float, digits: int = 2) -> str:
    """Return a number with a real minus sign, and no sign where it is positive."""
    return signed(value, digits).removeprefix("+")
