"""Property tests for operators: eight laws that every operator, ours or a user's, must satisfy.

``check_operator(softsign, floats(min_size=1))`` tests all of them on cases drawn by Hypothesis. To
test operators and laws one by one, for example with ``pytest.mark.parametrize``, call a law with a
subject and a case: ``law(Subject(softsign, floats()), case)`` for a ``law`` in :data:`LAWS`.
Requires the ``test`` extra.
"""

from engine.testing.case import Case
from engine.testing.check import check_operator
from engine.testing.closeness import require_close, require_same_bits
from engine.testing.laws import LAWS
from engine.testing.sample import LAYOUTS, Sample
from engine.testing.strategies import bools, broadcasting, cases, floats, samples, shapes
from engine.testing.subject import Law, LawBroken, Subject

__all__ = [
    "LAWS",
    "LAYOUTS",
    "Case",
    "Law",
    "LawBroken",
    "Sample",
    "Subject",
    "bools",
    "broadcasting",
    "cases",
    "check_operator",
    "floats",
    "require_close",
    "require_same_bits",
    "samples",
    "shapes",
]
