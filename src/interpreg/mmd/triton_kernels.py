"""The GPU kernel, in Triton: one launch for the three sums of an MMD and the gradient of their combination.

Every program owns a block of rows, of x or of y, and walks over all columns: those of its own set, then those of
the other. It keeps the rows' pull, sum_j W_ij (y_j - x_i), in registers and writes it as their gradient: no atomics,
and the same answer every time. The price is that a pair is evaluated from either end where gradients are wanted;
where they are not, pairs of one set are evaluated once. For d up to 256, which registers still hold.

This is the one file that imports Triton; ``triton.py`` imports it when first asked to serve.
"""
# Triton's language has no types:
# mypy: disable-error-code="import-untyped, import-not-found, untyped-decorator, no-untyped-def"

import triton
import triton.language as tl

PRECISION = tl.constexpr("ieee")  # TF32 keeps 3 digits, and distances are differences
DEPTH = tl.constexpr(16)  # coordinates
SMALL = tl.constexpr(8)  # coordinates, as in the reference
TERMS = tl.constexpr(16)  # of the prior's potential, evaluated at once


@triton.jit
def _value_and_slope(b_sq, p_numbers, KIND: tl.constexpr, COUNT: tl.constexpr, SQUARINGS: tl.constexpr):
    """The kernel and its derivative for squared distances; ``triton.py`` says what the numbers are."""
    b_value = tl.zeros_like(b_sq)
    b_slope = tl.zeros_like(b_sq)
    b_power = b_sq
    b_root = b_sq
    b_inverse = b_sq
    if KIND == "laplacian" or KIND == "energy":
        b_root = tl.sqrt(b_sq)
        m_zero = b_root == 0.0  # false for NaN, which has to stay
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
def _centred(p_points, p_mean, o_i, m_i, first, D: tl.constexpr, SPAN: tl.constexpr):
    """``SPAN`` coordinates of a block of points from the first on, less the mean; 0 beyond the last coordinate."""
    o_d = first + tl.arange(0, SPAN)
    b_mean = tl.load(p_mean + o_d, mask=o_d < D, other=0.0)[None, :]
    p_block = p_points + o_i.to(tl.int64)[:, None] * D + o_d[None, :]
    return tl.load(p_block, mask=m_i[:, None] & (o_d[None, :] < D), other=0.0) - b_mean


@triton.jit
def _squared_distances(
    p_rows,
    p_columns,
    p_mean,
    b_near,
    o_i,
    m_i,
    o_j,
    m_j,
    D: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    """By differences in few dimensions, where pairs are close; else by expansion, some coordinates at a time."""
    b_sq = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
    if D <= SMALL:
        for k in range(D):
            b_row = tl.load(p_rows + o_i.to(tl.int64) * D + k, mask=m_i, other=0.0)
            b_column = tl.load(p_columns + o_j.to(tl.int64) * D + k, mask=m_j, other=0.0)
            mean = tl.load(p_mean + k)  # what is not finite stays visible
            b_apart = (b_row - mean)[:, None] - (b_column - mean)[None, :]
            b_sq += b_apart * b_apart
    else:
        b_far = tl.zeros([BLOCK_N], tl.float32)
        for first in range(0, D, DEPTH):  # a thread holds all that it multiplies in registers
            b_rows = _centred(p_rows, p_mean, o_i, m_i, first, D, DEPTH)
            b_columns = _centred(p_columns, p_mean, o_j, m_j, first, D, DEPTH)
            b_sq = tl.dot(b_rows, tl.trans(b_columns), acc=b_sq, input_precision=PRECISION)
            b_far += tl.sum(b_columns * b_columns, 1)
        b_sq = b_near[:, None] + b_far[None, :] - 2.0 * b_sq
    return tl.where(b_sq < 0.0, 0.0, b_sq)  # unlike a maximum it lets NaN through


@triton.jit
def _meet(
    p_rows, p_columns, p_weights, p_mean, p_numbers, b_pull, b_scale, o_i, m_i, first, count,
    D: tl.constexpr, WIDTH: tl.constexpr, KIND: tl.constexpr, COUNT: tl.constexpr, SQUARINGS: tl.constexpr,
    OWN: tl.constexpr, WANT_GRAD: tl.constexpr, WANT_SUM: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """A block of rows meets the columns of one set, both centred around the columns' mean, or distances cancel.

    Returns the rows' sums, and the pull with what these columns add to it.
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
def _felt(p_terms, b_sq, terms, RELATIVE: tl.constexpr, BLOCK_M: tl.constexpr):
    """The prior's potential and its derivative, in float64: what is relative cancels."""
    b_value = tl.zeros([BLOCK_M], tl.float64)
    b_slope = tl.zeros([BLOCK_M], tl.float64)
    for start in range(0, terms, TERMS):
        o_q = start + tl.arange(0, TERMS)
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
    i_b, side, p_a, p_b, p_u, p_v, p_mean_a, p_mean_b, p_coefs, p_numbers, p_terms, prior_mean, terms,
    p_grad, p_sums, n, m,
    D: tl.constexpr, WIDTH: tl.constexpr, KIND: tl.constexpr, COUNT: tl.constexpr, SQUARINGS: tl.constexpr,
    RELATIVE: tl.constexpr, OWN: tl.constexpr, CROSS: tl.constexpr, SUM_CROSS: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """All that one block of rows of a is asked for: two sums, the prior's, and a block of the gradient."""
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
        b_scale = b_weight * (4.0 * tl.load(p_coefs + side)).to(
            tl.float32
        )  # a pair counts twice, its distance is squared
        first = 0 if WANT_GRAD else i_b * BLOCK_M
        b_own, b_pull = _meet(
            p_a, p_a, p_u, p_mean_a, p_numbers, b_pull, b_scale, o_i, m_i, first, n,
            D, WIDTH, KIND, COUNT, SQUARINGS, True, WANT_GRAD, True, BLOCK_M, BLOCK_N,
        )  # fmt: skip
    if CROSS:
        b_scale = b_weight * (2.0 * tl.load(p_coefs + 2)).to(tl.float32)
        b_cross, b_pull = _meet(
            p_a, p_b, p_v, p_mean_b, p_numbers, b_pull, b_scale, o_i, m_i, 0, m,
            D, WIDTH, KIND, COUNT, SQUARINGS, False, WANT_GRAD, SUM_CROSS, BLOCK_M, BLOCK_N,
        )  # fmt: skip
    if p_terms is not None:
        b_apart = tl.load(p_a + o_block, mask=m_block, other=prior_mean) - prior_mean
        b_prior, b_slope = _felt(p_terms, tl.sum(b_apart * b_apart, 1).to(tl.float64), terms, RELATIVE, BLOCK_M)
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
    p_x, p_y, p_u, p_v, p_mean_x, p_mean_y, p_coefs, p_numbers, p_terms, prior_mean, terms,
    p_grad_x, p_grad_y, p_sums, n, m, blocks_x,
    D: tl.constexpr, WIDTH: tl.constexpr, KIND: tl.constexpr, COUNT: tl.constexpr, SQUARINGS: tl.constexpr,
    RELATIVE: tl.constexpr, XX: tl.constexpr, YY: tl.constexpr, XY: tl.constexpr, YX: tl.constexpr,
    SUM_YX: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """The first ``blocks_x`` programs own rows of x, the others rows of y; ``p_sums`` is [programs, 4] float64."""
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
