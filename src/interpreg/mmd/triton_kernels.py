"""The GPU kernel, in Triton: one launch for the three sums of an MMD and the gradient of their combination.

Every program owns a block of rows, of x or of y, and loops over all columns: those of its own set, then those of the
other. It accumulates the rows' pull, sum_j W_ij (y_j - x_i), in registers and writes it as their gradient: without
atomics, so the result is deterministic. Therefore a pair is evaluated from either end where gradients are wanted; where
they are not, pairs of one set are evaluated once. For d up to 256, beyond which registers spill.

Blocks are ragged at the end: loads are masked, rows beyond n and coordinates beyond D are 0. Pointers that may be None
are named so. This is the one file that imports Triton; ``triton.py`` imports it at first use.
"""
# Triton's language has no types:
# mypy: disable-error-code="import-untyped, import-not-found, untyped-decorator, no-untyped-def"

import triton
import triton.language as tl

# TF32 keeps 3 digits, and distances are differences
PRECISION = tl.constexpr("ieee")
# coordinates a product, all of which a thread holds in registers
DEPTH_PER_PASS = tl.constexpr(16)
# as in reference.py
DIRECT_DIMENSION = tl.constexpr(8)
# of the prior's potential, evaluated at once
TERMS_PER_PASS = tl.constexpr(16)


@triton.jit
def _value_and_slope(
    b_sq,       # [BLOCK_M, BLOCK_N]
    p_numbers,  # [2 COUNT + 1], the table of triton.py
    KIND: tl.constexpr, COUNT: tl.constexpr, SQUARINGS: tl.constexpr,
):  # fmt: skip
    """The kernel and its derivative for squared distances, both ``[BLOCK_M, BLOCK_N]``."""
    b_value = tl.zeros_like(b_sq)
    b_slope = tl.zeros_like(b_sq)
    b_power = b_sq
    b_root = b_sq
    b_inverse = b_sq
    if KIND == "laplacian" or KIND == "energy":
        b_root = tl.sqrt(b_sq)
        # false for NaN, which has to propagate
        m_zero = b_root == 0.0
        b_inverse = tl.where(m_zero, 0.0, 1.0 / tl.where(m_zero, 1.0, b_root))
    if KIND == "energy":
        b_value = -b_root
        b_slope = -0.5 * b_inverse
    for i in tl.static_range(COUNT):
        inner = tl.load(p_numbers + i)
        outer = tl.load(p_numbers + COUNT + i)
        if KIND == "rbf":
            if (SQUARINGS >> (2 * i)) & 3 == 0:
                b_power = tl.exp2(b_sq * inner)
            elif (SQUARINGS >> (2 * i)) & 3 == 1:
                b_power = b_power * b_power
            else:
                b_power = b_power * b_power
                b_power = b_power * b_power
            b_slope += outer * b_power
        elif KIND == "imq":
            b_power = 1.0 / (b_sq * inner + 1.0)
            b_slope += outer * b_power * b_power
        elif KIND == "rq":
            b_one = b_sq * inner + 1.0
            b_power = tl.exp2(tl.log2(b_one) * tl.load(p_numbers + 2 * COUNT))
            b_slope += outer * b_power / b_one
        else:
            b_power = tl.exp2(b_root * inner)
            b_slope += outer * b_power * b_inverse
        b_value += b_power
    return b_value, b_slope


@triton.jit
def _centred(
    p_points,  # [n, D]
    p_mean,    # [D]
    o_i, m_i,  # [BLOCK]: rows, and whether they exist
    first,     # the first coordinate
    D: tl.constexpr, SPAN: tl.constexpr,
):  # fmt: skip
    """``[BLOCK, SPAN]`` coordinates of a block of points, less the mean; 0 beyond the last."""
    o_d = first + tl.arange(0, SPAN)
    b_mean = tl.load(p_mean + o_d, mask=o_d < D, other=0.0)[None, :]
    p_block = p_points + o_i.to(tl.int64)[:, None] * D + o_d[None, :]
    return tl.load(p_block, mask=m_i[:, None] & (o_d[None, :] < D), other=0.0) - b_mean


@triton.jit
def _squared_distances(
    p_rows, p_columns,  # [n, D], [m, D]
    p_mean,             # [D]
    b_near,             # [BLOCK_M]: squared norms of the centred rows
    o_i, m_i,           # [BLOCK_M]: rows, and whether they exist
    o_j, m_j,           # [BLOCK_N]: columns, and whether they exist
    D: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """``[BLOCK_M, BLOCK_N]``, by differences in few dimensions, else by expansion, some coordinates at a time."""
    b_sq = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
    if D <= DIRECT_DIMENSION:
        for k in range(D):
            b_row = tl.load(p_rows + o_i.to(tl.int64) * D + k, mask=m_i, other=0.0)
            b_column = tl.load(p_columns + o_j.to(tl.int64) * D + k, mask=m_j, other=0.0)
            # centred here too, because a mean propagates NaN and inf
            mean = tl.load(p_mean + k)
            b_apart = (b_row - mean)[:, None] - (b_column - mean)[None, :]
            b_sq += b_apart * b_apart
    else:
        b_far = tl.zeros([BLOCK_N], tl.float32)
        for first in range(0, D, DEPTH_PER_PASS):
            b_rows = _centred(p_rows, p_mean, o_i, m_i, first, D, DEPTH_PER_PASS)
            b_columns = _centred(p_columns, p_mean, o_j, m_j, first, D, DEPTH_PER_PASS)
            b_sq = tl.dot(b_rows, tl.trans(b_columns), acc=b_sq, input_precision=PRECISION)
            b_far += tl.sum(b_columns * b_columns, 1)
        b_sq = b_near[:, None] + b_far[None, :] - 2.0 * b_sq
    # unlike a maximum it propagates NaN
    return tl.where(b_sq < 0.0, 0.0, b_sq)


@triton.jit
def _pairwise(
    p_rows, p_columns,  # [n, D], [count, D]
    p_weights,          # [count] of the columns, or None: ones
    p_mean,             # [D] of the columns
    p_numbers,          # [2 COUNT + 1]
    b_pull, b_scale,    # [BLOCK_M, WIDTH], [BLOCK_M]: added to; factors of the rows' slopes
    o_i, m_i,           # [BLOCK_M]: rows, and whether they exist
    first, count,       # the columns to visit: first to count
    D: tl.constexpr, WIDTH: tl.constexpr, KIND: tl.constexpr, COUNT: tl.constexpr, SQUARINGS: tl.constexpr,
    OWN: tl.constexpr, WANT_GRAD: tl.constexpr, WANT_SUM: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """Sums ``[BLOCK_M]`` and pull ``[BLOCK_M, WIDTH]`` of a block of rows, over the columns of one set.

    Rows and columns are centred around the columns' mean, against cancellation.
    """
    b_rows = _centred(p_rows, p_mean, o_i, m_i, 0, D, WIDTH)
    b_near = tl.sum(b_rows * b_rows, 1)
    b_mass = tl.zeros([BLOCK_M], tl.float32)
    b_sum = tl.zeros([BLOCK_M], tl.float64)
    for start in range(first, count, BLOCK_N):
        o_j = start + tl.arange(0, BLOCK_N)
        m_j = o_j < count
        b_sq = _squared_distances(p_rows, p_columns, p_mean, b_near, o_i, m_i, o_j, m_j, D, BLOCK_M, BLOCK_N)
        b_value, b_slope = _value_and_slope(b_sq, p_numbers, KIND, COUNT, SQUARINGS)
        m_pairs = m_i[:, None] & m_j[None, :]
        if OWN:
            m_pairs &= o_i[:, None] != o_j[None, :] if WANT_GRAD else o_i[:, None] < o_j[None, :]
        if p_weights is not None:
            b_weight = tl.load(p_weights + o_j, mask=m_j, other=0.0)[None, :]
            b_value = b_value * b_weight
            b_slope = b_slope * b_weight
        if WANT_SUM:
            b_sum += tl.sum(tl.where(m_pairs, b_value, 0.0), 1).to(tl.float64)
        if WANT_GRAD:
            b_force = tl.where(m_pairs, b_slope * b_scale[:, None], 0.0)
            b_mass += tl.sum(b_force, 1)
            b_columns = _centred(p_columns, p_mean, o_j, m_j, 0, D, WIDTH)
            b_pull = tl.dot(b_force, b_columns, acc=b_pull, input_precision=PRECISION)
    if WANT_GRAD:
        b_pull -= b_mass[:, None] * _centred(p_rows, p_mean, o_i, m_i, 0, D, WIDTH)
    if OWN and not WANT_GRAD:
        b_sum *= 2.0
    return b_sum, b_pull


@triton.jit
def _potential(
    p_terms,  # [3, terms] float64: weights, shifts, rates
    b_sq,     # [BLOCK_M] float64
    terms, RELATIVE: tl.constexpr, BLOCK_M: tl.constexpr,
):  # fmt: skip
    """The prior's potential and its derivative, ``[BLOCK_M]`` float64, because relative terms cancel."""
    b_value = tl.zeros([BLOCK_M], tl.float64)
    b_slope = tl.zeros([BLOCK_M], tl.float64)
    for start in range(0, terms, TERMS_PER_PASS):
        o_q = start + tl.arange(0, TERMS_PER_PASS)
        m_q = o_q < terms
        b_weight = tl.load(p_terms + o_q, mask=m_q, other=0.0)[None, :]
        b_shift = tl.load(p_terms + terms + o_q, mask=m_q, other=0.0)[None, :]
        b_rate = tl.load(p_terms + 2 * terms + o_q, mask=m_q, other=0.0)[None, :]
        b_power = tl.exp(b_shift - b_rate * b_sq[:, None])
        b_slope -= tl.sum(b_weight * b_rate * b_power, 1)
        if RELATIVE:
            b_power -= 1.0
        b_value += tl.sum(b_weight * b_power, 1)
    return b_value, b_slope


@triton.jit
def _rows(
    i_b, side,            # the block; 0 where a is x, 1 where it is y
    p_a, p_b,             # [n, D], [m, D]; p_b None without y
    p_u, p_v,             # [n], [m] weights; None: ones
    p_mean_a, p_mean_b,   # [D], [D]; p_mean_b None without y
    p_coefs,              # [4] float64: of xx, yy, xy, xp
    p_numbers,            # [2 COUNT + 1]
    p_terms,              # [3, terms] float64, or None without a prior
    prior_mean, terms,
    p_grad,               # [n, D], or None where not wanted
    p_sums,               # [4] float64, this program's
    n, m,
    D: tl.constexpr, WIDTH: tl.constexpr, KIND: tl.constexpr, COUNT: tl.constexpr, SQUARINGS: tl.constexpr,
    RELATIVE: tl.constexpr, OWN: tl.constexpr, CROSS: tl.constexpr, SUM_CROSS: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """The sums of one block of rows of a, over a, over b and with the prior, and its block of the gradient."""
    WANT_GRAD: tl.constexpr = p_grad is not None
    o_i = i_b * BLOCK_M + tl.arange(0, BLOCK_M)
    m_i = o_i < n
    o_d = tl.arange(0, WIDTH)
    m_block = m_i[:, None] & (o_d[None, :] < D)
    o_block = o_i.to(tl.int64)[:, None] * D + o_d[None, :]
    b_weight = tl.full([BLOCK_M], 1.0, tl.float32)
    if p_u is not None:
        b_weight = tl.load(p_u + o_i, mask=m_i, other=0.0)
    b_own = tl.zeros([BLOCK_M], tl.float64)
    b_cross = tl.zeros([BLOCK_M], tl.float64)
    b_prior = tl.zeros([BLOCK_M], tl.float64)
    b_pull = tl.zeros([BLOCK_M, WIDTH], tl.float32)
    if OWN:
        # 4: a pair counts twice, and its distance is squared
        b_scale = b_weight * (4.0 * tl.load(p_coefs + side)).to(tl.float32)
        first = 0 if WANT_GRAD else i_b * BLOCK_M
        b_own, b_pull = _pairwise(
            p_a, p_a, p_u, p_mean_a, p_numbers, b_pull, b_scale, o_i, m_i, first, n,
            D, WIDTH, KIND, COUNT, SQUARINGS, True, WANT_GRAD, True, BLOCK_M, BLOCK_N,
        )  # fmt: skip
    if CROSS:
        b_scale = b_weight * (2.0 * tl.load(p_coefs + 2)).to(tl.float32)
        b_cross, b_pull = _pairwise(
            p_a, p_b, p_v, p_mean_b, p_numbers, b_pull, b_scale, o_i, m_i, 0, m,
            D, WIDTH, KIND, COUNT, SQUARINGS, False, WANT_GRAD, SUM_CROSS, BLOCK_M, BLOCK_N,
        )  # fmt: skip
    if p_terms is not None:
        b_apart = tl.load(p_a + o_block, mask=m_block, other=prior_mean) - prior_mean
        b_prior, b_slope = _potential(
            p_terms, tl.sum(b_apart * b_apart, 1).to(tl.float64), terms, RELATIVE, BLOCK_M
        )
        if WANT_GRAD:
            b_step = (b_slope * 2.0 * tl.load(p_coefs + 3)).to(tl.float32) * b_weight
            b_pull -= b_step[:, None] * b_apart
    if WANT_GRAD:
        tl.store(p_grad + o_block, -b_pull, mask=m_block)
    tl.store(p_sums + side, tl.sum(tl.where(m_i, b_own * b_weight, 0.0), 0))
    tl.store(p_sums + 1 - side, 0.0)
    tl.store(p_sums + 2, tl.sum(tl.where(m_i, b_cross * b_weight, 0.0), 0))
    tl.store(p_sums + 3, tl.sum(tl.where(m_i, b_prior * b_weight, 0.0), 0))


@triton.jit(do_not_specialize=["prior_mean", "terms", "n", "m", "blocks_x"])
def sweep(
    p_x, p_y,               # [n, D], [m, D]; p_y None in closed form
    p_u, p_v,               # [n], [m] weights; None: ones
    p_mean_x, p_mean_y,     # [D], [D]; p_mean_y None in closed form
    p_coefs,                # [4] float64: of xx, yy, xy, xp
    p_numbers,              # [2 COUNT + 1] fp32: factors of distances, factors of slopes, an exponent
    p_terms,                # [3, terms] float64, or None without a prior
    prior_mean, terms,
    p_grad_x, p_grad_y,     # [n, D], [m, D]; None where not wanted
    p_sums,                 # [programs, 4] float64
    n, m, blocks_x,
    D: tl.constexpr, WIDTH: tl.constexpr, KIND: tl.constexpr, COUNT: tl.constexpr, SQUARINGS: tl.constexpr,
    RELATIVE: tl.constexpr, XX: tl.constexpr, YY: tl.constexpr, XY: tl.constexpr, YX: tl.constexpr,
    SUM_YX: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """The first ``blocks_x`` programs own rows of x, the others rows of y."""
    i_b = tl.program_id(0)
    p_own = p_sums + i_b.to(tl.int64) * 4
    if i_b < blocks_x:
        _rows(
            i_b, 0, p_x, p_y, p_u, p_v, p_mean_x, p_mean_y, p_coefs, p_numbers, p_terms, prior_mean, terms,
            p_grad_x, p_own, n, m, D, WIDTH, KIND, COUNT, SQUARINGS, RELATIVE, XX, XY, not SUM_YX,
            BLOCK_M, BLOCK_N,
        )  # fmt: skip
    elif p_y is not None:
        _rows(
            i_b - blocks_x, 1, p_y, p_x, p_v, p_u, p_mean_y, p_mean_x, p_coefs, p_numbers, None, 0.0, 0,
            p_grad_y, p_own, m, n, D, WIDTH, KIND, COUNT, SQUARINGS, RELATIVE, YY, YX, SUM_YX,
            BLOCK_M, BLOCK_N,
        )  # fmt: skip
