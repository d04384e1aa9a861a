/* One sweep over tiles of pairs: the three sums of an MMD and the gradient of their combination. See native.py.
 *
 * Sums: xx = sum_{i != j} u_i u_j k(x_i, x_j), yy likewise, xy = sum u_i v_j k(x_i, y_j), and the rows' mixture
 * xp = sum_i u_i sum_q a_q exp(-b_q |x_i - mean|^2). Gradients: of coefs . sums.
 *
 * A pair of a symmetric block is visited once. Samples are centred around their own mean, and the difference of the
 * means is carried along, so that distances do not cancel. Threads own disjoint strips in every round: no locks, and
 * the result depends on the number of threads alone.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
#define LANES 16
#define ROWS 8
#elif defined(__AVX__)
#define LANES 8
#define ROWS 4
#else
#define LANES 4
#define ROWS 4
#endif
#define COLS (2 * LANES) /* a micro-tile is ROWS x COLS */
#define TILE_I 64
#define TILE_J 128
#define DEPTH 256 /* coordinates a pass over a tile */
#define MOST 64   /* bandwidths */

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));

enum kind { RBF, IMQ, RQ, LAPLACIAN, ENERGY };

typedef struct {
    int kind, count;
    float alpha, a[MOST], b[MOST]; /* RBF: a = -rate; IMQ, RQ: a = 1 / constant; Laplacian: a = -1 / width */
    int squarings[MOST];
} profile_t;

typedef struct {
    int64_t n, rows;         /* samples, and rounded up to whole tiles */
    float *data, *weight;      /* [rows, width] centred; [rows], 0 beyond n */
    float *near, *cross;       /* [rows] what a sample adds to distances within its own set, and to the other's */
    float *pull, *mass, *far;  /* [rows, width] sum_j W x_j; [rows] sum_j W; the part of it that is xy's */
} samples_t;

static inline vf splat(float a) { return a - (vf){0}; }
static inline vf pick(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }
static inline vf positive(vf a) { return (vf)((vi)a & ~(a < 0)); } /* keeps NaN */
static inline float total(vf a) { float s = 0; for (int l = 0; l < LANES; l++) s += a[l]; return s; }

static inline vf root(vf a)
{
    vf r;
    for (int l = 0; l < LANES; l++) r[l] = __builtin_sqrtf(a[l]);
    return r;
}

/* exp(a) for a <= 0, relative error below 2e-7; exp(-87) stands for everything below, NaN stays NaN. */
static inline vf exponential(vf a)
{
    const float shift = 12582912.0f; /* 1.5 * 2^23 rounds to the nearest integer */
    a = pick(a < -87.0f, splat(-87.0f), a);
    vf n = a * 1.44269504f + shift;
    vi e = (vi)n << 23;
    n -= shift;
    vf r = a - n * 0.693145752f - n * 1.42860677e-6f;
    vf p = splat(1.9875691e-4f);
    p = p * r + 1.3981999e-3f;
    p = p * r + 8.3334519e-3f;
    p = p * r + 4.1665795e-2f;
    p = p * r + 1.6666665e-1f;
    p = p * r + 5.0000001e-1f;
    p = p * r * r + r + 1.0f;
    return (vf)((vi)p + e);
}

/* log(a) for a >= 1. */
static inline vf logarithm(vf a)
{
    vi bits = (vi)a - 0x3f3504f3; /* sqrt(1/2) */
    vi e = bits >> 23;
    vf m = (vf)((bits & 0x007fffff) + 0x3f3504f3) - 1.0f;
    vf n = __builtin_convertvector(e, vf);
    vf p = splat(7.0376836292e-2f);
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    vf s = m * m;
    vf log = m + (p * m * s - 0.5f * s + n * -2.12194440e-4f) + n * 0.693359375f;
    return (vf)((vi)log | (a != a)); /* NaN stays NaN */
}

/* The kernel and its slope for a vector of squared distances. */
static inline __attribute__((always_inline)) void evaluate(const profile_t *p, int kind, vf sq, vf *value, vf *slope)
{
    vf k = splat(0), s = splat(0), e = splat(0);
    if (kind == RBF) {
        for (int b = 0; b < p->count; b++) {
            if (p->squarings[b] == 0) e = exponential(sq * p->a[b]);
            else if (p->squarings[b] == 1) e = e * e;
            else { e = e * e; e = e * e; }
            k += e;
            s += e * p->a[b];
        }
    } else if (kind == IMQ) {
        for (int b = 0; b < p->count; b++) {
            e = 1.0f / (sq * p->a[b] + 1.0f);
            k += e;
            s -= e * e * p->a[b];
        }
    } else if (kind == RQ) {
        for (int b = 0; b < p->count; b++) {
            vf one = sq * p->a[b] + 1.0f;
            e = exponential(-p->alpha * logarithm(one));
            k += e;
            s -= e / one * (p->alpha * p->a[b]);
        }
    } else {
        vf r = root(sq);
        vf inverse = (vf)((vi)(0.5f / r) & ~(vi)(sq == 0)); /* 0 where the distance is */
        if (kind == ENERGY) {
            k = -r;
            s = -inverse;
        }
        for (int b = 0; b < p->count; b++) {
            e = exponential(r * p->a[b]);
            k += e;
            s += e * p->a[b] * inverse;
        }
    }
    *value = k;
    *slope = s;
}

/* tile[i, j] (+)= sum_k rows[i, k] * columns[k, j] */
static void distances(float *tile, const float *rows, int64_t width, const float *columns, int depth, int i_count,
                      int j_count, int first)
{
    for (int j = 0; j < j_count; j += COLS)
        for (int i = 0; i < i_count; i += ROWS) {
            vf acc[ROWS][2];
            for (int r = 0; r < ROWS; r++)
                for (int c = 0; c < 2; c++)
                    acc[r][c] = first ? splat(0) : *(vf *)(tile + (i + r) * TILE_J + j + c * LANES);
            const float *row = rows + i * width;
            for (int k = 0; k < depth; k++) {
                vf c0 = *(vf *)(columns + k * TILE_J + j), c1 = *(vf *)(columns + k * TILE_J + j + LANES);
                for (int r = 0; r < ROWS; r++) {
                    acc[r][0] += row[r * width + k] * c0;
                    acc[r][1] += row[r * width + k] * c1;
                }
            }
            for (int r = 0; r < ROWS; r++)
                for (int c = 0; c < 2; c++) *(vf *)(tile + (i + r) * TILE_J + j + c * LANES) = acc[r][c];
        }
}

/* out[i, :] += sum_j tile[i * si + j * sj] * points[j, :] */
static inline __attribute__((always_inline)) void pull(float *out, const float *tile, int si, int sj,
                                                       const float *points, int64_t width, int i_count, int j_count)
{
    for (int64_t k = 0; k < width; k += COLS)
        for (int i = 0; i < i_count; i += ROWS) {
            vf acc[ROWS][2];
            for (int r = 0; r < ROWS; r++)
                for (int c = 0; c < 2; c++) acc[r][c] = *(vf *)(out + (i + r) * width + k + c * LANES);
            for (int j = 0; j < j_count; j++) {
                vf p0 = *(vf *)(points + j * width + k), p1 = *(vf *)(points + j * width + k + LANES);
                for (int r = 0; r < ROWS; r++) {
                    float w = tile[(i + r) * si + j * sj];
                    acc[r][0] += w * p0;
                    acc[r][1] += w * p1;
                }
            }
            for (int r = 0; r < ROWS; r++)
                for (int c = 0; c < 2; c++) *(vf *)(out + (i + r) * width + k + c * LANES) = acc[r][c];
        }
}

typedef struct {
    float tile[TILE_I * TILE_J], columns[DEPTH * TILE_J], row_term[TILE_I], col_term[TILE_J], weight[TILE_J],
        col_mass[TILE_J];
} scratch_t;

/* Distances become values, summed, and weights of the pull, left in the tile. */
static inline __attribute__((always_inline)) double transform(scratch_t *s, const profile_t *p, int kind,
                                                              const float *u, int i_count, int j_count, int diagonal,
                                                              float scale, int wanted, float *row_mass)
{
    double sum = 0;
    memset(s->col_mass, 0, sizeof s->col_mass);
    for (int i = 0; i < i_count; i++) {
        vf values = splat(0), mass = splat(0), k, slope;
        float own = 0;
        int self = i + diagonal;
        int masked = diagonal >= 0 && self < j_count;
        if (masked) { own = s->weight[self]; s->weight[self] = 0; }
        for (int j = 0; j < j_count; j += LANES) {
            vf *cell = (vf *)(s->tile + i * TILE_J + j);
            evaluate(p, kind, positive(*cell + s->row_term[i] + *(vf *)(s->col_term + j)), &k, &slope);
            vf v = *(vf *)(s->weight + j);
            values += k * v;
            if (wanted) {
                vf w = slope * (v * (scale * u[i]));
                *cell = w;
                mass += w;
                *(vf *)(s->col_mass + j) += w;
            }
        }
        if (masked) s->weight[self] = own;
        sum += (double)total(values) * u[i];
        row_mass[i] = total(mass);
    }
    return sum;
}

static double transform_any(scratch_t *s, const profile_t *p, const float *u, int i_count, int j_count, int diagonal,
                            float scale, int wanted, float *row_mass)
{
#define CASE(K) \
    case K: return transform(s, p, K, u, i_count, j_count, diagonal, scale, wanted, row_mass)
    switch (p->kind) { /* a constant kind each, so that each loop is compiled for its kernel */
        CASE(RBF);
        CASE(IMQ);
        CASE(RQ);
        CASE(LAPLACIAN);
    default: return transform(s, p, ENERGY, u, i_count, j_count, diagonal, scale, wanted, row_mass);
    }
}

typedef struct {
    const profile_t *profile;
    int64_t depth, width; /* coordinates, and rounded up to whole micro-tiles */
    int crossing;        /* a and b are different sets */
    float scale;         /* of W: the combination's coefficient times 2 or 4 */
    int rows, cols;      /* whose gradient is wanted */
} task_t;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t rounded(int64_t a, int64_t unit) { return (a + unit - 1) / unit * unit; }

/* The sum over the tile a[i0:i0+TILE_I] x b[j0:j0+TILE_J], gradients added to both. */
static double tile(scratch_t *s, const task_t *t, samples_t *a, int64_t i0, int64_t i1, samples_t *b, int64_t j0,
                   int64_t j1, int diagonal)
{
    int i_count = rounded(i1 - i0, ROWS), j_count = rounded(j1 - j0, COLS);
    int wanted = t->rows || t->cols;
    float row_mass[TILE_I];
    for (int64_t k0 = 0; k0 < t->depth; k0 += DEPTH) {
        int depth = least(DEPTH, t->depth - k0);
        for (int j = 0; j < j_count; j++) {
            const float *from = b->data + (j0 + j) * t->width + k0;
            for (int k = 0; k < depth; k++) s->columns[k * TILE_J + j] = -2 * from[k];
        }
        distances(s->tile, a->data + i0 * t->width + k0, t->width, s->columns, depth, i_count, j_count, k0 == 0);
    }
    memcpy(s->row_term, (t->crossing ? a->cross : a->near) + i0, i_count * sizeof(float));
    memcpy(s->col_term, (t->crossing ? b->cross : b->near) + j0, j_count * sizeof(float));
    memcpy(s->weight, b->weight + j0, j_count * sizeof(float));
    double sum = transform_any(s, t->profile, a->weight + i0, i_count, j_count, diagonal, t->scale, wanted, row_mass);
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

static double rectangle(scratch_t *s, const task_t *t, samples_t *a, int64_t i0, int64_t i1, samples_t *b, int64_t j0,
                        int64_t j1)
{
    double sum = 0;
    for (int64_t j = j0; j < j1; j += TILE_J)
        for (int64_t i = i0; i < i1; i += TILE_I)
            sum += tile(s, t, a, i, least(i + TILE_I, i1), b, j, least(j + TILE_J, j1), -1);
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
        sum += 2 * rectangle(s, t, a, from, j, a, j, end);
        for (int64_t i = j; i < end; i += TILE_I)
            sum += tile(s, &square, a, i, least(i + TILE_I, end), a, j, end, i - j);
    }
    return sum;
}

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t turn;
    int waiting, round, count;
} barrier_t;

static void meet(barrier_t *b)
{
    if (b->count == 1) return;
    pthread_mutex_lock(&b->lock);
    int round = b->round;
    if (++b->waiting == b->count) {
        b->waiting = 0;
        b->round++;
        pthread_cond_broadcast(&b->turn);
    }
    while (round == b->round) pthread_cond_wait(&b->turn, &b->lock);
    pthread_mutex_unlock(&b->lock);
}

typedef struct {
    int index, threads;
    const task_t *xx, *yy, *xy; /* NULL: not asked for */
    samples_t *x, *y;
    barrier_t *barrier;
    pthread_mutex_t *gate; /* closed until it is known how many threads there are */
    scratch_t *scratch;
    double sums[3];
} worker_t;

static int64_t strip(int64_t n, int index, int count) /* the first sample of a strip, on a tile's edge */
{
    return least(n, rounded((int64_t)((double)n * index / count), TILE_J));
}

/* Strips of one set against each other, as in a round-robin tournament: in every round no strip plays twice. */
static double tournament(worker_t *w, const task_t *t, samples_t *a)
{
    int strips = w->threads == 1 ? 1 : 2 * w->threads, last = strips - 1;
    double sum = 0;
    for (int s = w->index; s < strips; s += w->threads)
        sum += triangle(w->scratch, t, a, strip(a->n, s, strips), strip(a->n, s + 1, strips));
    for (int round = 0; round < last; round++) {
        meet(w->barrier);
        int p = w->index == 0 ? last : (round + w->index) % last;
        int q = w->index == 0 ? round : (round - w->index + last) % last;
        int low = p < q ? p : q, high = p < q ? q : p;
        sum += 2 * rectangle(w->scratch, t, a, strip(a->n, low, strips), strip(a->n, low + 1, strips), a,
                             strip(a->n, high, strips), strip(a->n, high + 1, strips));
    }
    meet(w->barrier);
    return sum;
}

static void *work(void *argument)
{
    worker_t *w = argument;
    pthread_mutex_lock(w->gate);
    pthread_mutex_unlock(w->gate);
    int t = w->index, count = w->threads;
    if (w->xx) w->sums[0] = tournament(w, w->xx, w->x);
    if (w->yy) w->sums[1] = tournament(w, w->yy, w->y);
    for (int round = 0; w->xy && round < count; round++) {
        int other = (t + round) % count;
        w->sums[2] += rectangle(w->scratch, w->xy, w->x, strip(w->x->n, t, count), strip(w->x->n, t + 1, count), w->y,
                                strip(w->y->n, other, count), strip(w->y->n, other + 1, count));
        if (w->xy->cols) meet(w->barrier);
    }
    return NULL;
}

static float squared(const float *row, int64_t width)
{
    vf sum = splat(0);
    for (int64_t k = 0; k < width; k += LANES) sum += *(vf *)(row + k) * *(vf *)(row + k);
    return total(sum);
}

/* Everything a set needs, in one allocation. NULL when there is no memory. */
static float *prepare(samples_t *s, const float *from, const float *weight, int64_t n, int64_t d, int64_t width,
                      double *mean, int wanted)
{
    int64_t rows = rounded(n, COLS), size = rows * width;
    float *memory = aligned_alloc(64, rounded((size * (wanted ? 2 : 1) + rows * 5) * sizeof(float), 64));
    if (!memory) return NULL;
    *s = (samples_t){n, rows, memory, 0};
    s->weight = memory + size;
    s->near = s->weight + rows;
    s->cross = s->near + rows;
    s->mass = s->cross + rows;
    s->far = s->mass + rows;
    s->pull = wanted ? s->far + rows : NULL;
    memset(s->mass, 0, (2 * rows + (wanted ? size : 0)) * sizeof(float));
    memset(mean, 0, d * sizeof(double));
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < d; k++) mean[k] += from[i * d + k];
    for (int64_t k = 0; k < d; k++) mean[k] /= n;
    for (int64_t i = 0; i < rows; i++) {
        float *row = s->data + i * width;
        memset(row, 0, width * sizeof(float));
        for (int64_t k = 0; k < d && i < n; k++) row[k] = from[i * d + k] - (float)mean[k];
        s->near[i] = squared(row, width);
        s->weight[i] = i < n ? (weight ? weight[i] : 1) : 0;
    }
    return memory;
}

/* What the sets' means add to distances between them: |x - y|^2 with x, y centred and their means delta apart. */
static void cross_terms(samples_t *x, samples_t *y, const float *delta, int64_t d, int64_t width)
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

static void finish(const samples_t *s, const float *delta, float sign, int64_t d, int64_t width, float *gradient)
{
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t k = 0; k < d; k++)
            gradient[i * d + k] = s->mass[i] * s->data[i * width + k] - s->pull[i * width + k] +
                                  sign * s->far[i] * delta[k];
}

/* xp and its gradient: rows against a mixture of Gaussians around a mean. */
static double mixture(const float *x, const float *weight, int64_t n, int64_t d, const float *a, const float *b,
                      int count, float mean, float coef, float *gradient)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        float sq = 0;
        for (int64_t k = 0; k < d; k++) sq += (x[i * d + k] - mean) * (x[i * d + k] - mean);
        vf value = splat(0), slope = splat(0);
        for (int q = 0; q < count; q += LANES) {
            vf e = *(const vf *)(a + q) * exponential(*(const vf *)(b + q) * -sq);
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
    const double *coefs; /* of xx, yy, xy, xp */
    int blocks[4];       /* which sums are asked for */
    const profile_t *profile;
    const float *mix_a, *mix_b; /* padded with zeros to a multiple of 16, aligned */
    int mix_count;
    float mix_mean;
    double *sums;  /* [4] */
    float *gx, *gy; /* like x and y, or NULL where not wanted */
    int threads;
} sweep_t;

/* Runs `work` on `count` threads, or on as many as can be had. */
static void launch(worker_t *workers, int count, pthread_mutex_t *gate, barrier_t *barrier)
{
    pthread_t thread[count];
    int started = 1;
    pthread_mutex_lock(gate);
    while (started < count && !pthread_create(&thread[started], NULL, work, &workers[started])) started++;
    for (int i = 0; i < started; i++) workers[i].threads = started;
    barrier->count = started;
    pthread_mutex_unlock(gate);
    work(&workers[0]);
    for (int i = 1; i < started; i++) pthread_join(thread[i], NULL);
}

static void sweep_pairs(const sweep_t *c, samples_t *x, samples_t *y, int64_t width, scratch_t *scratch)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    barrier_t barrier = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, c->threads};
    int gx = c->gx != NULL, gy = c->gy != NULL;
    task_t xx = {c->profile, c->d, width, 0, 4 * c->coefs[0], gx, gx};
    task_t yy = {c->profile, c->d, width, 0, 4 * c->coefs[1], gy, gy};
    task_t xy = {c->profile, c->d, width, 1, 2 * c->coefs[2], gx, gy};
    worker_t workers[c->threads];
    for (int i = 0; i < c->threads; i++)
        workers[i] = (worker_t){i, c->threads, c->blocks[0] ? &xx : NULL, c->blocks[1] ? &yy : NULL,
                                c->blocks[2] ? &xy : NULL, x, y, &barrier, &gate, &scratch[i], {0}};
    launch(workers, c->threads, &gate, &barrier);
    for (int i = 0; i < c->threads; i++)
        for (int b = 0; b < 3; b++) c->sums[b] += workers[i].sums[b];
}

/* Returns 0, or 1 when there is no memory. */
int interpreg_sweep(const sweep_t *c)
{
    int64_t width = rounded(c->d, COLS);
    samples_t x = {0}, y = {0};
    double *mean_x = calloc(2 * c->d, sizeof(double)), *mean_y = mean_x + c->d;
    float *delta = aligned_alloc(64, width * sizeof(float)), *own_x = NULL, *own_y = NULL;
    scratch_t *scratch = aligned_alloc(64, c->threads * sizeof(scratch_t));
    int ready = mean_x && delta && scratch;
    if (ready) ready = (own_x = prepare(&x, c->x, c->u, c->n, c->d, width, mean_x, c->gx != NULL)) != NULL;
    if (ready && c->y) ready = (own_y = prepare(&y, c->y, c->v, c->m, c->d, width, mean_y, c->gy != NULL)) != NULL;
    if (ready) {
        memset(delta, 0, width * sizeof(float));
        for (int64_t k = 0; c->y && k < c->d; k++) delta[k] = mean_x[k] - mean_y[k];
        if (c->y) cross_terms(&x, &y, delta, c->d, width);
        memset(c->sums, 0, 4 * sizeof(double));
        sweep_pairs(c, &x, &y, width, scratch);
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
