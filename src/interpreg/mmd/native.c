/* One sweep over tiles of pairs: the three sums of an MMD and the gradient of their combination. See native.py.
 *
 * Arguments are [n, d] and [m, d] fp32, any n, m, d >= 1; inside, rows are padded to whole micro-tiles with weight 0 and
 * coordinates to `width` with 0.
 *
 * Sums: xx = sum_{i != j} u_i u_j k(x_i, x_j), yy likewise, xy = sum u_i v_j k(x_i, y_j), and the rows' mixture
 * xp = sum_i u_i sum_q a_q exp(-b_q |x_i - mean|^2). Gradients: of coefs . sums.
 *
 * A pair of a symmetric block is visited once. Samples are centred around their own mean, and the difference of the
 * means is carried along, so that distances do not cancel. Threads work on disjoint strips in every round: no
 * locks, and the result depends on the number of threads alone.
 */
#include "native_tile.h"

typedef struct {
    int64_t n, rows;         /* samples, and rounded up to whole tiles */
    float *data, *weight;      /* [rows, width] centred; [rows], 0 beyond n */
    float *near, *cross;       /* [rows] its terms of expanded distances within its own set, and to the other */
    float *pull, *mass, *far;  /* [rows, width] sum_j W x_j, or NULL; [rows] sum_j W; [rows] xy's part of it */
} samples_t;

typedef struct {
    const profile_t *profile;
    int64_t depth, width; /* coordinates, and rounded up to whole micro-tiles */
    int crossing;        /* whether a and b are different sets */
    float scale;         /* of W: the combination's coefficient times 2 or 4 */
    int rows, cols;      /* whether the gradients of a's rows and b's columns are wanted */
} task_t;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t rounded(int64_t a, int64_t unit) { return (a + unit - 1) / unit * unit; }

/* Transposes b[j0:j1] to s->columns, [depth, TILE_J], with its terms and weights. */
static void pack(scratch_t *s, const task_t *t, const samples_t *b, int64_t j0, int64_t j1) /* j1 - j0 <= TILE_J */
{
    int j_count = rounded(j1 - j0, COLS);
    for (int j = 0; j < j_count; j++) {
        const float *from = b->data + (j0 + j) * t->width;
        if (t->depth <= DIRECT_DIMENSION)
            for (int64_t k = 0; k < t->depth; k++)
                s->columns[k * TILE_J + j] = from[k];
        else
            for (int64_t k = 0; k < t->depth; k++) s->columns[k * TILE_J + j] = -2 * from[k];
    }
    if (t->depth <= DIRECT_DIMENSION)
        memset(s->col_term, 0, sizeof s->col_term);
    else
        memcpy(s->col_term, (t->crossing ? b->cross : b->near) + j0, j_count * sizeof(float));
    memcpy(s->weight, b->weight + j0, j_count * sizeof(float));
}

/* The sum over the tile a[i0:i1] x b[j0:j1], whose columns are packed; gradients added to both. */
static double tile(scratch_t *s, const task_t *t,
                   samples_t *a, int64_t i0, int64_t i1, /* i1 - i0 <= TILE_I */
                   samples_t *b, int64_t j0, int64_t j1, /* j1 - j0 <= TILE_J */
                   int diagonal)                         /* i0 - j0 where a is b and the tile holds i = j; or -1 */
{
    int i_count = rounded(i1 - i0, ROWS), j_count = rounded(j1 - j0, COLS);
    float row_mass[TILE_I];
    if (t->depth <= DIRECT_DIMENSION)
        differences(s->tile, a->data + i0 * t->width, t->width, s->columns, t->depth, i_count, j_count);
    for (int64_t k = 0; t->depth > DIRECT_DIMENSION && k < t->depth; k += DEPTH_PER_PASS)
        distances(s->tile, a->data + i0 * t->width + k, t->width, s->columns + k * TILE_J,
                  least(DEPTH_PER_PASS, t->depth - k), i_count, j_count, k == 0);
    if (t->depth <= DIRECT_DIMENSION)
        memset(s->row_term, 0, sizeof s->row_term);
    else
        memcpy(s->row_term, (t->crossing ? a->cross : a->near) + i0, i_count * sizeof(float));
    double sum = transform_any(s, t->profile, a->weight + i0, i_count, j_count, diagonal, t->scale, t->rows || t->cols,
                               row_mass);
    if (t->rows) {
        pull(a->pull + i0 * t->width, s->tile, TILE_J, 1, b->data + j0 * t->width, t->width, i_count, j_count);
        for (int i = 0; i < i_count; i++) {
            a->mass[i0 + i] += row_mass[i];
            if (t->crossing) a->far[i0 + i] += row_mass[i];
        }
    }
    if (t->cols) {
        pull(b->pull + j0 * t->width, s->tile, 1, TILE_J, a->data + i0 * t->width, t->width, j_count, i_count);
        for (int j = 0; j < j_count; j++) {
            b->mass[j0 + j] += s->col_mass[j];
            if (t->crossing) b->far[j0 + j] += s->col_mass[j];
        }
    }
    return sum;
}

/* The sum over a[i0:i1] x b[j0:j1], of any size; 0 where either is empty. */
static double rectangle(scratch_t *s, const task_t *t, samples_t *a, int64_t i0, int64_t i1, samples_t *b, int64_t j0,
                        int64_t j1)
{
    double sum = 0;
    for (int64_t j = j0; j < j1 && i0 < i1; j += TILE_J) {
        pack(s, t, b, j, least(j + TILE_J, j1));
        for (int64_t i = i0; i < i1; i += TILE_I)
            sum += tile(s, t, a, i, least(i + TILE_I, i1), b, j, least(j + TILE_J, j1), -1);
    }
    return sum;
}

/* All ordered pairs i != j of a[from:to]: off the diagonal each once for both orders, on it tile by tile. */
static double triangle(scratch_t *s, const task_t *t, samples_t *a, int64_t from, int64_t to)
{
    task_t square = *t;
    square.cols = 0;
    double sum = 0;
    for (int64_t j = from; j < to; j += TILE_J) {
        int64_t end = least(j + TILE_J, to);
        pack(s, t, a, j, end);
        for (int64_t i = from; i < j; i += TILE_I) sum += 2 * tile(s, t, a, i, i + TILE_I, a, j, end, -1);
        for (int64_t i = j; i < end; i += TILE_I)
            sum += tile(s, &square, a, i, least(i + TILE_I, end), a, j, end, i - j);
    }
    return sum;
}

typedef struct {
    int index, threads;
    const task_t *xx, *yy, *xy; /* NULL: not summed */
    samples_t *x, *y;
    scratch_t *scratch;
} worker_t;

static void wait_for_all(void)
{
#pragma omp barrier
}

static int64_t strip(int64_t n, int index, int count) /* the first sample of a strip, on a micro-tile's edge */
{
    return least(n, rounded((int64_t)((double)n * index / count), COLS));
}

/* Pairs of strips of one set, in the order of a round-robin tournament: in every round a strip occurs once. */
static double tournament(const worker_t *w, const task_t *t, samples_t *a)
{
    int strips = w->threads == 1 ? 1 : 2 * w->threads, last = strips - 1;
    double sum = 0;
    for (int s = w->index; s < strips; s += w->threads)
        sum += triangle(w->scratch, t, a, strip(a->n, s, strips), strip(a->n, s + 1, strips));
    for (int round = 0; round < last; round++) {
        wait_for_all();
        int p = w->index == 0 ? last : (round + w->index) % last;
        int q = w->index == 0 ? round : (round - w->index + last) % last;
        int low = p < q ? p : q, high = p < q ? q : p;
        sum += 2 * rectangle(w->scratch, t, a, strip(a->n, low, strips), strip(a->n, low + 1, strips), a,
                             strip(a->n, high, strips), strip(a->n, high + 1, strips));
    }
    wait_for_all();
    return sum;
}

static void work(const worker_t *w, double *sums) /* [3]: this thread's part of xx, yy, xy */
{
    int t = w->index, count = w->threads;
    if (w->xx) sums[0] = tournament(w, w->xx, w->x);
    if (w->yy) sums[1] = tournament(w, w->yy, w->y);
    for (int round = 0; w->xy && round < count; round++) {
        int other = (t + round) % count;
        sums[2] += rectangle(w->scratch, w->xy, w->x, strip(w->x->n, t, count), strip(w->x->n, t + 1, count), w->y,
                             strip(w->y->n, other, count), strip(w->y->n, other + 1, count));
        if (w->xy->cols) wait_for_all();
    }
}

static float squared(const float *row, int64_t width) /* [width] */
{
    vf sum = splat(0);
    for (int64_t k = 0; k < width; k += LANES) sum += *(vf *)(row + k) * *(vf *)(row + k);
    return total(sum);
}

static void average(const float *from, int64_t n, int64_t d, double *mean) /* [n, d]; [d], 0 before */
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < d; k++) mean[k] += from[i * d + k];
    for (int64_t k = 0; k < d; k++) mean[k] /= n;
}

/* All arrays of a set, in one allocation. NULL when there is no memory. */
static float *prepare(samples_t *s,
                      const float *from,   /* [n, d] */
                      const float *weight, /* [n], or NULL: ones */
                      int64_t n, int64_t d, int64_t width,
                      const double *mean,  /* [d] */
                      int wanted)          /* whether the gradient is wanted */
{
    int64_t rows = rounded(n, COLS), size = rows * width;
    float *memory = aligned_alloc(64, rounded((size * (wanted ? 2 : 1) + rows * 5) * sizeof(float), 64));
    if (!memory) return NULL;
    memset(s, 0, sizeof *s);
    s->n = n;
    s->rows = rows;
    s->data = memory;
    s->weight = memory + size;
    s->near = s->weight + rows;
    s->cross = s->near + rows;
    s->mass = s->cross + rows;
    s->far = s->mass + rows;
    s->pull = wanted ? s->far + rows : NULL;
    memset(s->mass, 0, (2 * rows + (wanted ? size : 0)) * sizeof(float));
    for (int64_t i = 0; i < rows; i++) {
        float *row = s->data + i * width;
        memset(row, 0, width * sizeof(float));
        for (int64_t k = 0; k < d && i < n; k++) row[k] = from[i * d + k] - (float)mean[k];
        s->near[i] = squared(row, width);
        s->weight[i] = i < n ? (weight ? weight[i] : 1) : 0;
    }
    return memory;
}

/* The terms of |x - y|^2 between the sets: x, y are centred and their means differ by delta. */
static void cross_terms(samples_t *x, samples_t *y,
                        const float *delta, /* [width], 0 beyond d */
                        int64_t d, int64_t width)
{
    float apart = 0;
    for (int64_t k = 0; k < d; k++) apart += delta[k] * delta[k];
    for (int side = 0; side < 2; side++) {
        samples_t *s = side ? y : x;
        for (int64_t i = 0; i < s->rows; i++) {
            vf sum = splat(0);
            for (int64_t k = 0; k < width; k += LANES) sum += *(vf *)(s->data + i * width + k) * *(vf *)(delta + k);
            s->cross[i] = s->near[i] + (side ? -2 * total(sum) : 2 * total(sum) + apart);
        }
    }
}

/* The gradient of a set, from pulls and masses. */
static void finish(const samples_t *s,
                   const float *delta, float sign, /* [width]; 1 for x, -1 for y */
                   int64_t d, int64_t width,
                   float *gradient)                /* [n, d] */
{
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t k = 0; k < d; k++)
            gradient[i * d + k] = s->mass[i] * s->data[i * width + k] - s->pull[i * width + k] +
                                  sign * s->far[i] * delta[k];
}

/* xp and its gradient: rows against a mixture of Gaussians around a mean. */
static double mixture(const float *x,      /* [n, d] */
                      const float *weight, /* [n], or NULL: ones */
                      int64_t n, int64_t d,
                      const float *a, const float *b, int count, /* [count], count a multiple of 16 */
                      float mean, float coef,
                      float *gradient)     /* [n, d], added to; or NULL */
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        float sq = 0;
        for (int64_t k = 0; k < d; k++) sq += (x[i * d + k] - mean) * (x[i * d + k] - mean);
        vf value = splat(0), slope = splat(0);
        for (int q = 0; q < count; q += LANES) {
            vf e = *(const vf *)(a + q) * exponential(*(const vf *)(b + q) * (-sq * LOG2_E));
            value += e;
            slope -= *(const vf *)(b + q) * e;
        }
        float own = weight ? weight[i] : 1, step = 2 * coef * own * total(slope);
        sum += (double)own * total(value);
        for (int64_t k = 0; gradient && k < d; k++) gradient[i * d + k] += step * (x[i * d + k] - mean);
    }
    return sum;
}

typedef struct {
    const float *x, *y, *u, *v; /* [n, d], [m, d], [n], [m]; y, u, v may be NULL */
    int64_t n, m, d;
    const double *coefs; /* [4]: of xx, yy, xy, xp */
    int blocks[4];       /* whether to sum xx, yy, xy, xp */
    const profile_t *profile;
    const float *mix_a, *mix_b; /* [mix_count], padded with zeros to a multiple of 16, aligned; NULL without xp */
    int mix_count;
    float mix_mean;
    double *sums;  /* [4] */
    float *gx, *gy; /* [n, d], [m, d]; NULL where not wanted */
    int threads;
} sweep_t;

static void sweep_pairs(const sweep_t *c, samples_t *x, samples_t *y, int64_t width,
                        char *scratch, size_t stride) /* [threads] of scratch_t, stride bytes apart */
{
    int gx = c->gx != NULL, gy = c->gy != NULL;
    task_t xx = {c->profile, c->d, width, 0, 4 * c->coefs[0], gx, gx};
    task_t yy = {c->profile, c->d, width, 0, 4 * c->coefs[1], gy, gy};
    task_t xy = {c->profile, c->d, width, 1, 2 * c->coefs[2], gx, gy};
    double sums[c->threads][3];
    memset(sums, 0, sizeof sums);
#pragma omp parallel num_threads(c->threads) if (c->threads > 1)
    {
        worker_t w = {0, 1, c->blocks[0] ? &xx : NULL, c->blocks[1] ? &yy : NULL, c->blocks[2] ? &xy : NULL, x, y, 0};
#ifdef _OPENMP
        w.index = omp_get_thread_num();
        w.threads = omp_get_num_threads();
#endif
        w.scratch = (scratch_t *)(scratch + w.index * stride);
        work(&w, sums[w.index]);
    }
    for (int i = 0; i < c->threads; i++)
        for (int b = 0; b < 3; b++) c->sums[b] += sums[i][b];
}

/* Returns 0, or 1 when there is no memory. */
int interpreg_sweep(const sweep_t *c)
{
    int64_t width = rounded(c->d, COLS);
    samples_t x = {0}, y = {0};
    double *mean_x = calloc(2 * c->d, sizeof(double)), *mean_y = mean_x + c->d;
    float *delta = aligned_alloc(64, width * sizeof(float)), *own_x = NULL, *own_y = NULL;
    size_t stride = sizeof(scratch_t) + c->d * TILE_J * sizeof(float);
    char *scratch = aligned_alloc(64, c->threads * stride);
    int ready = mean_x && delta && scratch;
    if (ready) average(c->x, c->n, c->d, mean_x);
    if (ready && c->y) average(c->y, c->m, c->d, mean_y);
    /* one centre for both sets, so that equal points stay equal */
    for (int64_t k = 0; ready && c->y && c->d <= DIRECT_DIMENSION && k < c->d; k++)
        mean_x[k] = mean_y[k] = (mean_x[k] + mean_y[k]) / 2;
    if (ready) ready = (own_x = prepare(&x, c->x, c->u, c->n, c->d, width, mean_x, c->gx != NULL)) != NULL;
    if (ready && c->y) ready = (own_y = prepare(&y, c->y, c->v, c->m, c->d, width, mean_y, c->gy != NULL)) != NULL;
    if (ready) {
        memset(delta, 0, width * sizeof(float));
        for (int64_t k = 0; c->y && k < c->d; k++) delta[k] = mean_x[k] - mean_y[k];
        if (c->y) cross_terms(&x, &y, delta, c->d, width);
        memset(c->sums, 0, 4 * sizeof(double));
        sweep_pairs(c, &x, &y, width, scratch, stride);
        if (c->gx) finish(&x, delta, 1, c->d, width, c->gx);
        if (c->gy) finish(&y, delta, -1, c->d, width, c->gy);
        if (c->blocks[3])
            c->sums[3] = mixture(c->x, c->u, c->n, c->d, c->mix_a, c->mix_b, c->mix_count, c->mix_mean, c->coefs[3],
                                 c->gx);
    }
    free(own_x);
    free(own_y);
    free(mean_x);
    free(delta);
    free(scratch);
    return !ready;
}
