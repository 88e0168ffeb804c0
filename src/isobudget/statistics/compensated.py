"""Exactly known rounding errors of products and quotients of floats, so that they can be corrected.

The rounded product h of two floats a and b differs from a b by a float that can be computed (Dekker 1971, "A
floating-point technique for extending the available precision"): a and b are split into halves of 26 bits, whose
products are exact. A product of many factors p_k = p_{k-1} q_k then carries along the sum of its relative errors,

    p_k = p_{k-1} q_k (1 + e_k),    q_k = (a_k / b_k) (1 + d_k),    a_1 ... a_k / b_1 ... b_k = p_k (1 - sum (e + d))

up to squares of roundings. This does not hold for numbers beyond 1e+-290, whose halves over- or underflow; a product
below 1e-200 is not corrected.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SPLITTER = 2.0**27 + 1
_TINY = 1e-200


def product_loss(a: Floats, b: Floats, rounded: Floats) -> Floats:
    """a b - rounded, exactly, where `rounded` is the float product of a and b. Shapes broadcast."""
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    return ((a_high * b_high - rounded) + a_high * b_low + a_low * b_high) + a_low * b_low


def quotient_excess(numerator: Floats, denominator: Floats, rounded: Floats) -> Floats:
    """(rounded - a/b) / (a/b), where `rounded` is the float quotient of a and b; 0 where a is 0. Shapes broadcast."""
    back = rounded * denominator
    excess = (back - numerator) + product_loss(rounded, denominator, back)
    return np.divide(excess, numerator, out=np.zeros_like(excess), where=numerator != 0)


def product_excess(a: Floats, b: Floats, rounded: Floats) -> Floats:
    """(rounded - a b) / rounded for the float product of a and b; 0 where `rounded` is 0 or too small to be split."""
    loss = product_loss(a, b, rounded)
    return np.divide(-loss, rounded, out=np.zeros_like(loss), where=np.abs(rounded) > _TINY)


def _halves(value: Floats) -> tuple[Floats, Floats]:
    """A float as the sum of two floats of 26 bits each (Veltkamp)."""
    scaled = _SPLITTER * value
    high = scaled - (scaled - value)
    return high, value - high
