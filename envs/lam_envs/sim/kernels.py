"""Warp's kernels for some of the worlds. Arrays come as bits, a row of 32-bit words a world."""

# Warp compiles this file: in it an annotation is Warp's.
# mypy: ignore-errors

from __future__ import annotations

from lam_envs.warp_runtime import wp

wp.set_module_options({"enable_backward": False})


@wp.kernel
def copy(source: wp.array2d[int], target: wp.array2d[int]) -> None:
    """Copy all."""
    world, word = wp.tid()
    target[world, word] = source[world, word]


@wp.kernel
def put_back(mask: wp.array[bool], source: wp.array2d[int], target: wp.array2d[int]) -> None:
    """Copy the rows of the worlds that are not masked."""
    world, word = wp.tid()
    if not mask[world]:
        target[world, word] = source[world, word]


@wp.kernel
def write(mask: wp.array[bool], rows: wp.array2d[int], start: int, target: wp.array2d[int]) -> None:
    """Write columns of `rows`, from `start` on, into the masked worlds."""
    world, word = wp.tid()
    if mask[world]:
        target[world, word] = rows[world, start + word]


@wp.kernel
def clean(mask: wp.array[bool], exponent: int, target: wp.array2d[int]) -> None:
    """Write 0 over NaN and infinity in the masked worlds."""
    world, word = wp.tid()
    if mask[world] and (target[world, word] & exponent) == exponent:
        target[world, word] = 0


@wp.kernel
def note_not_finite(exponent: int, numbers: wp.array2d[int], is_not_finite: wp.array[bool]) -> None:
    """Note the worlds that hold NaN or infinity."""
    world, word = wp.tid()
    if (numbers[world, word] & exponent) == exponent:
        is_not_finite[world] = True


@wp.kernel
def note_bits(found: wp.array[int], counted: int, noted: wp.array[int]) -> None:
    """Add the bits that count to those that are noted."""
    world = wp.tid()
    noted[world] = noted[world] | (found[world] & counted)
