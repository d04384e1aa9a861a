/* One tile of pairs: distances, kernel values and slopes, pulls; vectors by the compiler's own extensions.
 * Tiles are [TILE_I, TILE_J], of which [i_count, j_count] is used: whole micro-tiles, padded with points of weight 0.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __AVX512F__
#include <immintrin.h>
#endif

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
#define DEPTH_PER_PASS 256 /* coordinates */
#define MAX_BANDWIDTHS 64
#define GROUP 2 /* vectors of a micro-tile's row, evaluated at once */
#define DIRECT_DIMENSION 8 /* as in reference.py: up to it squared distances are summed differences */
#define LOG2_E 1.44269504f

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));

enum kind { RBF, IMQ, RQ, LAPLACIAN, ENERGY };

typedef struct {
    int kind, count;
    float alpha; /* of RQ */
    /* RBF: b = -rate; IMQ, RQ: b = 1 / constant; Laplacian: b = -1 / width; a = b / ln 2 */
    float a[MAX_BANDWIDTHS], b[MAX_BANDWIDTHS];
    int squarings[MAX_BANDWIDTHS]; /* RBF: of the exponential before; 0: a new one */
} profile_t;

static inline vf splat(float a) { return a - (vf){0}; }
static inline vf pick(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }
static inline vf positive(vf a) /* max(a, 0), but NaN stays NaN */
{
#if defined(__AVX512F__)
    return (vf)_mm512_max_ps((__m512)splat(0), (__m512)a);
#else
    return (vf)((vi)a & ~(a < 0));
#endif
}
static inline float total(vf a) { float s = 0; for (int l = 0; l < LANES; l++) s += a[l]; return s; }

static inline vf root(vf a)
{
    vf r;
    for (int l = 0; l < LANES; l++) r[l] = __builtin_sqrtf(a[l]);
    return r;
}

/* 2^a for a <= 0, relative error below 2e-7 (minimax of degree 5); NaN stays NaN, below 2^-126 counts as 0 or 2^-126. */
static inline vf exponential(vf a)
{
#if defined(__AVX512DQ__)
    vf r = (vf)_mm512_reduce_ps((__m512)a, 1); /* a - floor(a) */
    const float c[] = {0.9999999251f, 0.6931530732f, 0.2401536171f, 0.05582631793f, 0.008989340142f, 0.001877576683f};
#else
    const float c[] = {1.000000072f, 0.6931469671f, 0.2402211972f, 0.05550713274f, 0.009675541385f, 0.001327647205f};
    const float shift = 12582912.0f; /* 1.5 * 2^23 rounds to the nearest integer */
    a = pick(a < -126.0f, splat(-126.0f), a);
    vf n = a + shift;
    vi e = (vi)n << 23;
    vf r = a - (n - shift);
#endif
    vf p = splat(c[5]) * r + c[4];
    p = p * r + c[3];
    p = p * r + c[2];
    p = p * r + c[1];
    p = p * r + c[0];
#if defined(__AVX512DQ__)
    return (vf)_mm512_scalef_ps((__m512)p, (__m512)a); /* p * 2^floor(a) */
#else
    return (vf)((vi)p + e);
#endif
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

/* The kernel and its slope for squared distances, a group of vectors at once. */
static inline __attribute__((always_inline)) void evaluate(const profile_t *p, int kind, const vf *sq, /* [GROUP] */
                                                           vf *k, vf *s) /* [GROUP]: values, slopes */
{
    vf e[GROUP], r[GROUP], inverse[GROUP];
#define EACH for (int g = 0; g < GROUP; g++)
    EACH e[g] = k[g] = s[g] = splat(0);
    if (kind == RBF) {
        for (int b = 0; b < p->count; b++) {
            if (p->squarings[b] == 0) EACH e[g] = exponential(sq[g] * p->a[b]);
            for (int times = 0; times < p->squarings[b]; times++) EACH e[g] *= e[g];
            EACH k[g] += e[g];
            EACH s[g] += e[g] * p->b[b];
        }
    } else if (kind == IMQ) {
        for (int b = 0; b < p->count; b++) {
            EACH e[g] = 1.0f / (sq[g] * p->b[b] + 1.0f);
            EACH k[g] += e[g];
            EACH s[g] -= e[g] * e[g] * p->b[b];
        }
    } else if (kind == RQ) {
        for (int b = 0; b < p->count; b++) {
            EACH r[g] = sq[g] * p->b[b] + 1.0f;
            EACH e[g] = exponential(logarithm(r[g]) * (-p->alpha * LOG2_E));
            EACH k[g] += e[g];
            EACH s[g] -= e[g] / r[g] * (p->alpha * p->b[b]);
        }
    } else {
        EACH r[g] = root(sq[g]);
        EACH inverse[g] = (vf)((vi)(0.5f / r[g]) & ~(vi)(sq[g] == 0)); /* 0 where the distance is */
        if (kind == ENERGY) EACH {
            k[g] = -r[g];
            s[g] = -inverse[g];
        }
        for (int b = 0; b < p->count; b++) {
            EACH e[g] = exponential(r[g] * p->a[b]);
            EACH k[g] += e[g];
            EACH s[g] += e[g] * p->b[b] * inverse[g];
        }
    }
}

/* tile[i, j] (+)= sum_k rows[i, k] * columns[k, j] */
static void distances(float *tile,          /* [TILE_I, TILE_J] */
                      const float *rows,    /* [i_count, width], its first depth coordinates */
                      int64_t width,
                      const float *columns, /* [depth, TILE_J] */
                      int depth, int i_count, int j_count,
                      int first)            /* overwrite the tile, or add to it */
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

/* tile[i, j] = sum_k (rows[i, k] - columns[k, j])^2 */
static void differences(float *tile,          /* [TILE_I, TILE_J] */
                        const float *rows,    /* [i_count, width] */
                        int64_t width,
                        const float *columns, /* [depth, TILE_J] */
                        int depth, int i_count, int j_count)
{
    for (int i = 0; i < i_count; i++)
        for (int j = 0; j < j_count; j += LANES) {
            vf sum = splat(0);
            for (int k = 0; k < depth; k++) {
                vf apart = rows[i * width + k] - *(vf *)(columns + k * TILE_J + j);
                sum += apart * apart;
            }
            *(vf *)(tile + i * TILE_J + j) = sum;
        }
}

/* out[i, :] += sum_j tile[i * si + j * sj] * points[j, :] */
static inline __attribute__((always_inline)) void pull(float *out,          /* [i_count, width] */
                                                       const float *tile,   /* [i_count, j_count], strides si, sj */
                                                       int si, int sj,
                                                       const float *points, /* [j_count, width] */
                                                       int64_t width, int i_count, int j_count)
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
    float tile[TILE_I * TILE_J];
    float row_term[TILE_I], col_term[TILE_J]; /* added to the tile's products: squared norms, or 0 for differences */
    float weight[TILE_J], col_mass[TILE_J];   /* of the columns; sum_i W_ij */
    float columns[];                          /* [d, TILE_J]: the columns, times -2 where distances are expanded */
} scratch_t;

/* Returns the sum of the tile's weighted values; replaces its distances by the weights W of the pull, if wanted. */
static inline __attribute__((always_inline)) double transform(scratch_t *s, const profile_t *p, int kind,
                                                              const float *u, /* [i_count] weights of the rows */
                                                              int i_count, int j_count,
                                                              int diagonal, /* row i's own column: i + diagonal; or -1 */
                                                              float scale, int wanted,
                                                              float *row_mass) /* [i_count]: sum_j W_ij */
{
    double sum = 0;
    memset(s->col_mass, 0, sizeof s->col_mass);
    for (int i = 0; i < i_count; i++) {
        vf values = splat(0), mass = splat(0), sq[GROUP], k[GROUP], slope[GROUP];
        float own = 0, step = scale * u[i];
        int self = i + diagonal;
        int masked = diagonal >= 0 && self < j_count;
        if (masked) { own = s->weight[self]; s->weight[self] = 0; }
        for (int j = 0; j < j_count; j += GROUP * LANES) {
            vf *cell = (vf *)(s->tile + i * TILE_J + j), *v = (vf *)(s->weight + j);
            EACH sq[g] = positive(cell[g] + s->row_term[i] + ((vf *)(s->col_term + j))[g]);
            evaluate(p, kind, sq, k, slope);
            EACH values += k[g] * v[g];
            if (wanted) EACH {
                cell[g] = slope[g] * (v[g] * step);
                mass += cell[g];
                ((vf *)(s->col_mass + j))[g] += cell[g];
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
