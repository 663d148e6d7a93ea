/* What generated code builds on: vectors, elementwise functions, and the team of threads.

   BYTES, the width of a vector, is set on the compiler's command line. The vector types are GCC's
   and Clang's own: the compiler turns them into AVX-512, AVX2, SSE2 or NEON. */

#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <sched.h>
#endif

#define LANES_f (BYTES / 4)
#define LANES_d (BYTES / 8)

#define NOINLINE static __attribute__((noinline)) /* keeps large programs quick to compile */
#define INLINE static inline __attribute__((always_inline))

/* Run a statement with size half the lanes, a quarter and so on, down to one. */
#define HALVING(lanes, size, statement)                                                            \
    do {                                                                                           \
        if (lanes > 8) { const int size = 8; statement; }                                          \
        if (lanes > 4) { const int size = 4; statement; }                                          \
        if (lanes > 2) { const int size = 2; statement; }                                          \
        if (lanes > 1) { const int size = 1; statement; }                                          \
    } while (0)

/* Fully unroll the loop that follows, of a constant number of turns. */
#define PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define UNROLL(turns) PRAGMA(clang loop unroll(full))
#else
#define UNROLL(turns) PRAGMA(GCC unroll turns)
#endif

typedef float vf __attribute__((vector_size(BYTES), aligned(4), may_alias));
typedef double vd __attribute__((vector_size(BYTES), aligned(8), may_alias));
typedef int mf __attribute__((vector_size(BYTES), aligned(4), may_alias));
typedef long long md __attribute__((vector_size(BYTES), aligned(8), may_alias));

/* Keep a vector that several products use in a register: when GCC tunes for AMD's processors, it
   would otherwise load it again for each. */
#if defined(__x86_64__)
#define HOLD(v) __asm__("" : "+v"(v))
#elif defined(__aarch64__)
#define HOLD(v) __asm__("" : "+w"(v))
#else
#define HOLD(v) (void)0
#endif

/* A library is compiled in parts, in parallel: HERE tells whether a kernel is in this part. All
   threads of a team run a kernel, each with its own number; O has the addresses of the operands. */
#ifndef PARTS
#define PARTS 1
#define PART 0
#endif
#define HERE(kernel) ((kernel) % PARTS == PART)
#define KERNEL(n)                                                                                  \
    __attribute__((visibility("hidden"))) void kernel##n(Team *team, int me, char *const *O)

/* The team: every thread runs its own share of every step, and they meet at barriers. */

typedef struct {
    int threads;
    atomic_int arrived, round, sleepers;
} Team;

/* Wait until a word differs from its old value: spin for a moment, then sleep, because the thread
   that is to change it may need this very core. */
NOINLINE void await_change(atomic_int *word, atomic_int *sleepers, int old)
{
    for (int turn = 0; turn < 2000; turn++) {
        if (atomic_load_explicit(word, memory_order_acquire) != old)
            return;
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    atomic_fetch_add(sleepers, 1);
    while (atomic_load(word) == old)
#if defined(__linux__)
        syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
#else
        sched_yield();
#endif
    atomic_fetch_sub(sleepers, 1);
}

/* Change a word that other threads wait for, and wake those that sleep. */
static inline void change(atomic_int *word, atomic_int *sleepers, int value)
{
    atomic_store(word, value);
#if defined(__linux__)
    if (atomic_load(sleepers))
        syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
#endif
}

static inline void barrier(Team *team)
{
    if (team->threads == 1)
        return;
    int round = atomic_load_explicit(&team->round, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) == team->threads - 1) {
        atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
        change(&team->round, &team->sleepers, round + 1);
    } else {
        await_change(&team->round, &team->sleepers, round);
    }
}

typedef void Kernel(Team *team, int me, char *const *O);

/* Where an operand lies: at a byte of the program's memory, or from an outside address on. */
typedef struct {
    int outside;
    long byte;
} Operand;

#define ARENA(byte) {-1, byte}
#define OUTSIDE(index, byte) {index, byte}

typedef struct {
    Kernel *kernel;
    int first, count; /* of the operands */
} Step;

static inline void locate(
    char **O, const Operand *operands, int count, char *arena, char *const *outside)
{
    for (int i = 0; i < count; i++)
        O[i] = (operands[i].outside < 0 ? arena : outside[operands[i].outside]) + operands[i].byte;
}

static inline long least(long a, long b)
{
    return a < b ? a : b;
}

/* This thread's share of count things: from share(count, me) up to share(count, me + 1). */
static inline long share(const Team *team, long count, int me)
{
    return count * me / team->threads;
}

/* The same functions for every float type: T is the element, V its vector, M a mask for V, I an
   integer of T's size, s the suffix of their names. */
#define FOR_TYPE(T, V, M, I, s)                                                                    \
    static inline V load_##s(const T *p) { return *(const V *)p; }                                 \
    static inline void store_##s(T *p, V v) { *(V *)p = v; }                                       \
    static inline V splat_##s(T x) { return x - (V){}; }                                           \
    static inline V load_strided_##s(const T *p, long stride, int n)                               \
    {                                                                                              \
        V v = {};                                                                                  \
        for (int i = 0; i < n; i++)                                                                \
            v[i] = p[i * stride];                                                                  \
        return v;                                                                                  \
    }                                                                                              \
    static inline M load_mask_##s(const unsigned char *p, long stride, int n)                      \
    {                                                                                              \
        M m = {};                                                                                  \
        for (int i = 0; i < n; i++)                                                                \
            m[i] = -(I)p[i * stride];                                                              \
        return m;                                                                                  \
    }                                                                                              \
    static inline void store_part_##s(T *p, V v, int n) { memcpy(p, &v, n * sizeof *p); }          \
    static inline void store_mask_##s(unsigned char *p, M m, int n)                                \
    {                                                                                              \
        for (int i = 0; i < n; i++)                                                                \
            p[i] = m[i] != 0;                                                                      \
    }                                                                                              \
    static inline V select_##s(M m, V a, V b) { return (V)(((M)a & m) | ((M)b & ~m)); }            \
    static inline V maximum_##s(V a, V b) { return select_##s((a > b) | (a != a), a, b); }         \
    static inline V minimum_##s(V a, V b) { return select_##s((a < b) | (a != a), a, b); }         \
    static inline V relu_##s(V x) { return (V)((M)x & ~(M)(x < (V){})); }                          \
    static inline V leaky_##s(V x, T slope) { return select_##s(x > (V){}, x, x * slope); }        \
    static inline V abs_##s(V x) { return (V)((M)x & ~((M)(-(V){}))); }                            \
    static inline V sign_##s(V x) { return __builtin_convertvector((x < (V){}) - (x > (V){}), V); }\
    static inline T sum_##s(V v)                                                                   \
    {                                                                                              \
        T total = 0;                                                                               \
        for (int i = 0; i < LANES_##s; i++)                                                        \
            total += v[i];                                                                         \
        return total;                                                                              \
    }                                                                                              \
    static inline void add_##s(T *to, const T *from, long n) /* n: of whole vectors */             \
    {                                                                                              \
        for (long i = 0; i < n; i += LANES_##s)                                                    \
            store_##s(to + i, load_##s(to + i) + load_##s(from + i));                              \
    }

FOR_TYPE(float, vf, mf, int, f)
FOR_TYPE(double, vd, md, long long, d)

/* load_part: the first n elements of a vector, the rest zero; n is a constant. Loading a vector that
   has just been written element by element would wait for all of these stores, so a processor that
   can leave out elements of a load does. */
#if BYTES == 64
#define SOME_f(p, n) __builtin_ia32_loadups512_mask(p, (vf){}, (1 << (n)) - 1)
#define SOME_d(p, n) __builtin_ia32_loadupd512_mask(p, (vd){}, (1 << (n)) - 1)
#elif BYTES == 32
static const int kept[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
#define SOME_f(p, n) __builtin_ia32_maskloadps256((const void *)(p), *(const mf *)(kept + 8 - (n)))
#define SOME_d(p, n) __builtin_ia32_maskloadpd256((const void *)(p), *(const md *)(kept + 8 - 2 * (n)))
#else
#define SOME(V, p, n)                                                                              \
    ({                                                                                             \
        V some = {};                                                                               \
        UNROLL(4) for (int i = 0; i < n; i++)                                                      \
            some[i] = (p)[i];                                                                      \
        some;                                                                                      \
    })
#define SOME_f(p, n) SOME(vf, p, n)
#define SOME_d(p, n) SOME(vd, p, n)
#endif
#define LOAD_PART(T, V, s)                                                                         \
    INLINE V load_part_##s(const T *p, const int n)                                                \
    {                                                                                              \
        if (n == 1)                                                                                \
            return (V){*p};                                                                        \
        return SOME_##s(p, n);                                                                     \
    }

LOAD_PART(float, vf, f)
LOAD_PART(double, vd, d)

static const int lane_f[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const long long lane_d[] = {0, 1, 2, 3, 4, 5, 6, 7};

static inline vf first_f(vf v, int n) { return select_f(*(const mf *)lane_f < n, v, (vf){}); }
static inline vd first_d(vd v, int n) { return select_d(*(const md *)lane_d < n, v, (vd){}); }

/* A vector of lanes picked from a and b: for each lane, the expression at gives the number of the
   one to take, counting those of a, then those of b. For GCC, lane is a vector of all lanes and at
   is evaluated once; for Clang, lane by lane. */
#if defined(__clang__)
#define SHUFFLE(a, b, at, lanes)                                                                   \
    ({                                                                                             \
        __typeof__(-(a)) chosen; /* not const */                                                   \
        UNROLL(16) for (int lane = 0; lane < lanes; lane++)                                        \
            chosen[lane] = (at) < lanes ? a[at] : b[(at) - lanes];                                 \
        chosen;                                                                                    \
    })
#else
#define SHUFFLE(a, b, at, lanes) __builtin_shuffle(a, b, at)
#endif

/* transpose: columns become rows, to[c * to_row + r] = from[r * from_row + c].
   Square blocks are held in vectors, one for each row; ever smaller blocks on either side of the
   diagonal are exchanged (Eklundh, "A Fast Computer Method for Matrix Transposing", 1972). */
#define CROSSED(lane, size, lanes) (lane + (lane & size) / size * (lanes - size))
#define TRANSPOSE(T, V, M, s)                                                                      \
    INLINE void exchange_##s(V *rows, const int size)                                              \
    {                                                                                              \
        const M lane = *(const M *)lane_##s;                                                       \
        UNROLL(16) for (int i = 0; i < LANES_##s; i++)                                             \
            if (!(i & size)) {                                                                     \
                const V a = rows[i], b = rows[i + size];                                           \
                rows[i] = SHUFFLE(a, b, CROSSED(lane, size, LANES_##s), LANES_##s);                \
                rows[i + size] = SHUFFLE(a, b, CROSSED(lane, size, LANES_##s) + size, LANES_##s);  \
            }                                                                                      \
    }                                                                                              \
    NOINLINE void transpose_block_##s(const T *from, long from_row, T *to, long to_row)            \
    {                                                                                              \
        V rows[LANES_##s];                                                                         \
        UNROLL(16) for (int i = 0; i < LANES_##s; i++)                                             \
            rows[i] = load_##s(from + i * from_row);                                               \
        HALVING(LANES_##s, size, exchange_##s(rows, size));                                        \
        UNROLL(16) for (int i = 0; i < LANES_##s; i++)                                             \
            store_##s(to + i * to_row, rows[i]);                                                   \
    }                                                                                              \
    NOINLINE void transpose_##s(                                                                   \
        const T *from, long from_row, T *to, long to_row, long rows, long columns)                 \
    {                                                                                              \
        const long whole = rows - rows % LANES_##s, cut = columns - columns % LANES_##s;           \
        for (long r = 0; r < whole; r += LANES_##s)                                                \
            for (long c = 0; c < cut; c += LANES_##s)                                              \
                transpose_block_##s(from + r * from_row + c, from_row, to + c * to_row + r, to_row);\
        for (long c = 0; c < columns; c++)                                                         \
            for (long r = c < cut ? whole : 0; r < rows; r++)                                      \
                to[c * to_row + r] = from[r * from_row + c];                                       \
    }                                                                                              \
    INLINE void add_halves_##s(V *parts, const int size)                                           \
    {                                                                                              \
        exchange_##s(parts, size);                                                                 \
        UNROLL(8) for (int i = 0; i < size; i++)                                                   \
            parts[i] += parts[i + size];                                                           \
    }                                                                                              \
    /* Sum the lanes of each of count vectors, a constant number, into one lane each: exchange as  \
       in a transposition, and add the two results. */                                             \
    INLINE V totals_##s(const V *sums, const int count)                                            \
    {                                                                                              \
        V parts[LANES_##s];                                                                        \
        UNROLL(16) for (int i = 0; i < LANES_##s; i++)                                             \
            parts[i] = i < count ? sums[i] : (V){};                                                \
        HALVING(LANES_##s, size, add_halves_##s(parts, size));                                     \
        return parts[0];                                                                           \
    }                                                                                              \
    /* Transpose very few rows, a constant number, into a result without gaps. */                  \
    INLINE void interleave_##s(                                                                    \
        const T *from, long from_row, T *to, const int rows, long columns)                         \
    {                                                                                              \
        const M lane = *(const M *)lane_##s;                                                       \
        long c = 0;                                                                                \
        for (; c + LANES_##s <= columns; c += LANES_##s, to += rows * LANES_##s)                   \
            UNROLL(4) for (int i = 0; i < rows; i++)                                               \
            {                                                                                      \
                const M place = lane + i * LANES_##s;                                              \
                V part = {};                                                                       \
                UNROLL(4) for (int r = 0; r < rows; r++)                                           \
                {                                                                                  \
                    const V row = load_##s(from + r * from_row + c);                               \
                    const M mine = place % rows == r;                                              \
                    const V spread = SHUFFLE(row, row, (lane + i * LANES_##s) / rows, LANES_##s);  \
                    part = select_##s(mine, spread, part);                                         \
                }                                                                                  \
                store_##s(to + i * LANES_##s, part);                                               \
            }                                                                                      \
        for (; c < columns; c++, to += rows)                                                       \
            for (int r = 0; r < rows; r++)                                                         \
                to[r] = from[r * from_row + c];                                                    \
    }                                                                                              \
    /* The reverse: transpose very few columns, a constant number, of a source without gaps. */    \
    INLINE void separate_##s(                                                                      \
        const T *from, T *to, long to_row, long rows, const int columns)                           \
    {                                                                                              \
        const M lane = *(const M *)lane_##s;                                                       \
        long r = 0;                                                                                \
        for (; r + LANES_##s <= rows; r += LANES_##s, from += columns * LANES_##s)                 \
            UNROLL(4) for (int c = 0; c < columns; c++)                                            \
            {                                                                                      \
                const M place = lane * columns + c;                                                \
                V part = {};                                                                       \
                UNROLL(4) for (int i = 0; i < columns; i++)                                        \
                {                                                                                  \
                    const V some = load_##s(from + i * LANES_##s);                                 \
                    const M mine = place / LANES_##s == i;                                         \
                    const V near = SHUFFLE(                                                        \
                        some, some, (lane * columns + c) % LANES_##s, LANES_##s);                  \
                    part = select_##s(mine, near, part);                                           \
                }                                                                                  \
                store_##s(to + c * to_row + r, part);                                              \
            }                                                                                      \
        for (; r < rows; r++, from += columns)                                                     \
            for (int c = 0; c < columns; c++)                                                      \
                to[c * to_row + r] = from[c];                                                      \
    }

TRANSPOSE(float, vf, mf, f)
TRANSPOSE(double, vd, md, d)

#define LANE_BY_LANE(name, call, T, V, s)                                                          \
    static inline V name##_##s(V x)                                                                \
    {                                                                                              \
        for (int i = 0; i < LANES_##s; i++)                                                        \
            x[i] = call(x[i]);                                                                     \
        return x;                                                                                  \
    }

LANE_BY_LANE(sqrt, __builtin_sqrtf, float, vf, f)
LANE_BY_LANE(sqrt, __builtin_sqrt, double, vd, d)

static inline vf pow_f(vf x, vf y)
{
    for (int i = 0; i < LANES_f; i++)
        x[i] = powf(x[i], y[i]);
    return x;
}

static inline vd pow_d(vd x, vd y)
{
    for (int i = 0; i < LANES_d; i++)
        x[i] = pow(x[i], y[i]);
    return x;
}
