"""A monotone curve through points: cubic pieces whose slopes never overshoot.

Between neighbours the curve is the cubic with given slopes at both ends. At an inner point, the slope is the
weighted harmonic mean of the slopes of the two chords that meet there, or 0 where these differ in sign. At an end, it
is the slope of a parabola through three points, limited so that the piece stays monotone (Fritsch and Butland 1984, "A
method for constructing local monotone piecewise cubic interpolants"; the same curve as SciPy's PchipInterpolator).

Success against the number of samples is nearly straight as log(-log(1 - p)) against log k (`success_between`): if all
problems had the same chance q per sample, -log(1 - p) would be k times -log(1 - q).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isobudget.errors import InputError

Floats = NDArray[np.float64]

#: success is taken to be at least this far from 0 and from 1
_EDGE = 1e-9


def success_between(k: ArrayLike, success: ArrayLike, at: ArrayLike) -> Floats:
    """Success at any number of samples between known ones.

    Args:
        k: shape (m,), rising, 1 or more.
        success: shape (m,), in [0, 1].
        at: of any shape, within the range of `k`.

    Returns:
        Success, of the shape of `at`; exact at the known numbers of samples, NaN outside the range of `k`.
    """
    known = np.asarray(success, dtype=np.float64)
    chance = np.clip(known, _EDGE, 1 - _EDGE)
    places = np.log(np.asarray(at, dtype=np.float64))
    level = monotone_cubic(np.log(np.asarray(k, dtype=np.float64)), np.log(-np.log1p(-chance)), places)
    between = -np.expm1(-np.exp(level))
    exact = np.searchsorted(np.asarray(k), np.asarray(at)).clip(0, len(known) - 1)
    return np.asarray(np.where(np.asarray(k)[exact] == np.asarray(at), known[exact], between))[()]


def monotone_cubic(x: ArrayLike, y: ArrayLike, at: ArrayLike) -> Floats:
    """The monotone curve through the points (x, y), at the places `at`.

    `x` and `y` have shape (m,), and `x` rises. `at` may have any shape. The result is NaN outside the range of `x`.

    Raises:
        InputError: x does not rise, or the shapes differ.
    """
    places, values = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if places.ndim != 1 or places.shape != values.shape or len(places) < 1 or np.any(np.diff(places) <= 0):
        raise InputError("interpolation needs points with rising x, and one value for each")
    wanted = np.asarray(at, dtype=np.float64)
    if len(places) == 1:
        return np.asarray(np.where(wanted == places[0], values[0], np.nan))[()]
    steps, chords = np.diff(places), np.diff(values) / np.diff(places)
    slopes = _slopes(steps, chords)
    left = np.clip(np.searchsorted(places, wanted, side="right") - 1, 0, len(steps) - 1)
    width, chord = steps[left], chords[left]
    t = (wanted - places[left]) / width
    cubic = values[left] + width * t * (
        slopes[left]
        + t * (3 * chord - 2 * slopes[left] - slopes[left + 1])
        + t * t * (slopes[left] + slopes[left + 1] - 2 * chord)
    )
    outside = (wanted < places[0]) | (wanted > places[-1])
    return np.asarray(np.where(outside, np.nan, cubic))[()]


def _slopes(steps: Floats, chords: Floats) -> Floats:
    """Slopes at all points, shape (m,), from the pieces' widths and chords, shape (m-1,)."""
    if len(chords) == 1:
        return np.repeat(chords, 2)
    before, after = chords[:-1], chords[1:]
    same = before * after > 0
    weight_before, weight_after = 2 * steps[1:] + steps[:-1], steps[1:] + 2 * steps[:-1]
    safe_before, safe_after = np.where(same, before, 1.0), np.where(same, after, 1.0)
    inner = (weight_before + weight_after) / (weight_before / safe_before + weight_after / safe_after)
    ends = _end(steps[0], steps[1], chords[0], chords[1]), _end(steps[-1], steps[-2], chords[-1], chords[-2])
    return np.concatenate([[ends[0]], np.where(same, inner, 0.0), [ends[1]]])


def _end(step: float, next_step: float, chord: float, next_chord: float) -> float:
    """The slope at an end, from the two pieces nearest to it."""
    slope = ((2 * step + next_step) * chord - step * next_chord) / (step + next_step)
    if slope * chord <= 0:
        return 0.0
    if chord * next_chord <= 0 and abs(slope) > 3 * abs(chord):
        return 3 * chord
    return float(slope)
