"""Symbolic sizes: exact integer arithmetic on named dimensions.

A shape is a tuple of sizes; a size is an ``int`` or a :class:`Dim`. A ``Dim`` is a polynomial with
integer coefficients over *atoms*; an atom is a name (``N``) or a floor division that could not be
resolved (``(H - 1)//2``). Polynomials in names have a unique normal form, so equal ones compare
equal. Floor divisions are reduced (``(2*N + 2)//4`` to ``(N + 1)//2``, ``N//2//2`` to ``N//4``),
but equal ones may still compare unequal.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from math import gcd
from typing import Union

from ops.errors import FeedError, SpecError

Size = Union[int, "Dim"]
Shape = tuple[Size, ...]
Atom = Union[str, "Quotient"]
Monomial = tuple[Atom, ...]


class Dim:
    """A size known only when a graph is bound, such as ``N`` or ``(H - 1)//2 + 1``.

    Supports ``+ - *`` with sizes and ``//`` by a positive ``int``.

    >>> height = Dim.named("H")
    >>> (2 * height + 4) // 2
    H + 2
    >>> ((height - 1) // 2 + 1).bind({"H": 32})
    16
    """

    __slots__ = ("_hash", "terms")

    def __init__(self, terms: Mapping[Monomial, int]) -> None:
        self.terms: dict[Monomial, int] = {m: c for m, c in terms.items() if c}
        self._hash = hash(frozenset(self.terms.items()))

    @staticmethod
    def named(name: str) -> Dim:
        """The dimension called ``name``."""
        return Dim({(name,): 1})

    def names(self) -> frozenset[str]:
        """Every dimension name this size depends on."""
        atoms = {atom for monomial in self.terms for atom in monomial}
        return frozenset[str]().union(
            *({atom} if isinstance(atom, str) else atom.numerator.names() for atom in atoms)
        )

    def bind(self, sizes: Mapping[str, int]) -> int:
        """The value, given a size for every name; raises FeedError if a name has none."""
        total = 0
        for monomial, coefficient in self.terms.items():
            for atom in monomial:
                coefficient *= _bind_atom(atom, sizes)
            total += coefficient
        return total

    def __add__(self, other: Size) -> Size:
        if not isinstance(other, int | Dim):
            return NotImplemented
        terms = dict(self.terms)
        for monomial, coefficient in _terms(other).items():
            terms[monomial] = terms.get(monomial, 0) + coefficient
        return _simplest(terms)

    __radd__ = __add__

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Size) -> Size:
        if not isinstance(other, int | Dim):
            return NotImplemented
        return self + -other

    def __rsub__(self, other: Size) -> Size:
        if not isinstance(other, int | Dim):
            return NotImplemented
        return -self + other

    def __mul__(self, other: Size) -> Size:
        if not isinstance(other, int | Dim):
            return NotImplemented
        terms: dict[Monomial, int] = {}
        for left, a in self.terms.items():
            for right, b in _terms(other).items():
                monomial = tuple(sorted(left + right, key=str))
                terms[monomial] = terms.get(monomial, 0) + a * b
        return _simplest(terms)

    __rmul__ = __mul__

    def __floordiv__(self, divisor: int) -> Size:
        if not isinstance(divisor, int) or divisor < 1:
            raise SpecError(f"expected to divide a size by at least 1, got {self} // {divisor!r}")
        # floor((k*q + r) / k) = q + floor(r / k) for integer q: only the remainder stays opaque.
        whole = _simplest({m: c // divisor for m, c in self.terms.items()})
        rest = _simplest({m: c % divisor for m, c in self.terms.items()})
        if isinstance(rest, int):
            return whole + rest // divisor
        return whole + _reduced(rest, divisor)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        ordered = sorted(self.terms.items(), key=lambda term: (not term[0], str(term[0])))
        text = " + ".join(_format_term(monomial, coefficient) for monomial, coefficient in ordered)
        return text.replace("+ -", "- ")


class Quotient(tuple[Dim, int]):
    """The atom ``numerator // denominator`` of a polynomial."""

    __slots__ = ()

    def __new__(cls, numerator: Dim, denominator: int) -> Quotient:
        return super().__new__(cls, (numerator, denominator))

    @property
    def numerator(self) -> Dim:
        return self[0]

    @property
    def denominator(self) -> int:
        return self[1]

    def __repr__(self) -> str:
        single = len(self.numerator.terms) == 1
        return f"{self.numerator if single else f'({self.numerator})'}//{self.denominator}"


def to_shape(values: Iterable[int | str | Dim]) -> Shape:
    """Convert a shape as users write it: sizes of at least 0, and names, which become :class:`Dim`.

    Raises:
        SpecError: it is anything else.
    """
    try:
        return tuple(map(_to_size, values))
    except TypeError:
        raise SpecError(f"expected a shape, as (1, 3, 32, 32), got {values!r}") from None


def _to_size(value: int | str | Dim) -> Size:
    if isinstance(value, str) and value.isidentifier():
        return Dim.named(value)
    if isinstance(value, Dim) or (type(value) is int and value >= 0):
        return value
    given = reprlib.repr(value)  # truncated, since it may be a row of a tensor
    raise SpecError(f"expected sizes of at least 0 or names of dimensions, got {given}")


def bind_size(size: Size, sizes: Mapping[str, int]) -> int:
    """The integer value of a size, given the sizes of named dimensions."""
    return size.bind(sizes) if isinstance(size, Dim) else size


def names_in(shape: Iterable[Size]) -> frozenset[str]:
    """Every dimension name used in a shape."""
    return frozenset[str]().union(*(size.names() for size in shape if isinstance(size, Dim)))


def surely_differ(a: Size, b: Size) -> bool:
    """Whether two sizes are known to differ by a nonzero constant, whatever the binding.

    False also if that cannot be decided yet; binding checks it again.
    """
    difference = a - b
    return isinstance(difference, int) and difference != 0


def product(sizes: Sequence[Size]) -> Size:
    """The product of sizes: the number of elements of a shape."""
    total: Size = 1
    for size in sizes:
        total = total * size
    return total


def _terms(size: Size) -> Mapping[Monomial, int]:
    return size.terms if isinstance(size, Dim) else {(): size}


def _simplest(terms: Mapping[Monomial, int]) -> Size:
    kept = {m: c for m, c in terms.items() if c}
    return kept.get((), 0) if not any(kept) else Dim(kept)


def _reduced(numerator: Dim, denominator: int) -> Size:
    """A floor division, whole part already removed, in lowest terms."""
    common = gcd(denominator, *numerator.terms.values())
    denominator //= common
    terms = {monomial: c // common for monomial, c in numerator.terms.items()}
    offset = terms.pop((), 0)
    (monomial, coefficient), *others = terms.items()
    inner = monomial[0]
    if isinstance(inner, Quotient) and len(monomial) == 1 and coefficient == 1 and not others:
        # floor((floor(a / m) + c) / n) = floor((a + c*m) / (m*n)) for integers.
        nested = inner.numerator + offset * inner.denominator
        return nested // (inner.denominator * denominator)
    return Dim({(Quotient(Dim({**terms, (): offset}), denominator),): 1})


def _bind_atom(atom: Atom, sizes: Mapping[str, int]) -> int:
    if isinstance(atom, Quotient):
        return atom.numerator.bind(sizes) // atom.denominator
    if atom not in sizes:
        raise FeedError(f"the dimension {atom!r} has no size: bind it, as in {atom}=32")
    return sizes[atom]


def _format_term(monomial: Monomial, coefficient: int) -> str:
    if not monomial:
        return str(coefficient)
    if coefficient == 1 and len(monomial) == 1:
        return str(monomial[0])
    factors = [f"({a})" if isinstance(a, Quotient) else a for a in monomial]
    sign = "-" if coefficient == -1 else "" if coefficient == 1 else f"{coefficient}*"
    return sign + "*".join(factors)
