/* The sums and differences of Winograd's minimal filtering: two results by two or three taps.

   y = A'((G w) * (B' x)), where x has one pixel more than there are taps, and * is elementwise. The
   elements of G w and of B' x are called places. Along one axis, for vectors ``step`` apart:

       from_pixels  B'      to_results  A'      from_taps  G
                            from_results  A     to_taps    G'

   The number in a name is the number of places: 4 for three taps, 3 for two; 5 for three taps that
   read every second pixel, of which the outer two are filtered and the middle one comes last. An
   infinite pixel turns other results of its block into NaN. Source: Lavin and Gray, "Fast
   Algorithms for Convolutional Neural Networks", CVPR 2016. */

#define ALONG(name, V, s) static inline void name##_##s(const V *x, long step, V *y, long to)

#define ALONG_AN_AXIS(V, s)                                                                        \
    ALONG(from_pixels_4, V, s)                                                                     \
    {                                                                                              \
        const V a = x[0], b = x[step], c = x[2 * step], d = x[3 * step];                           \
        y[0] = a - c, y[to] = b + c, y[2 * to] = c - b, y[3 * to] = b - d;                         \
    }                                                                                              \
    ALONG(from_pixels_3, V, s)                                                                     \
    {                                                                                              \
        const V a = x[0], b = x[step], c = x[2 * step];                                            \
        y[0] = a - b, y[to] = b, y[2 * to] = c - b;                                                \
    }                                                                                              \
    ALONG(from_pixels_5, V, s)                                                                     \
    {                                                                                              \
        const V a = x[0], b = x[step], c = x[2 * step], d = x[3 * step], e = x[4 * step];          \
        y[0] = a - c, y[to] = c, y[2 * to] = e - c, y[3 * to] = b, y[4 * to] = d;                  \
    }                                                                                              \
    ALONG(to_results_4, V, s)                                                                      \
    {                                                                                              \
        const V a = x[0], b = x[step], c = x[2 * step], d = x[3 * step];                           \
        y[0] = a + b + c, y[to] = b - c - d;                                                       \
    }                                                                                              \
    ALONG(to_results_3, V, s)                                                                      \
    {                                                                                              \
        const V a = x[0], b = x[step], c = x[2 * step];                                            \
        y[0] = a + b, y[to] = b + c;                                                               \
    }                                                                                              \
    ALONG(to_results_5, V, s)                                                                      \
    {                                                                                              \
        const V a = x[0], b = x[step], c = x[2 * step], d = x[3 * step], e = x[4 * step];          \
        y[0] = a + b + d, y[to] = b + c + e;                                                       \
    }                                                                                              \
    ALONG(from_results_4, V, s)                                                                    \
    {                                                                                              \
        const V a = x[0], b = x[step];                                                             \
        y[0] = a, y[to] = a + b, y[2 * to] = a - b, y[3 * to] = -b;                                \
    }                                                                                              \
    ALONG(from_results_3, V, s)                                                                    \
    {                                                                                              \
        const V a = x[0], b = x[step];                                                             \
        y[0] = a, y[to] = a + b, y[2 * to] = b;                                                    \
    }                                                                                              \
    ALONG(from_taps_4, V, s)                                                                       \
    {                                                                                              \
        const V a = x[0], b = x[step] / 2, c = x[2 * step], mean = (a + c) / 2;                    \
        y[0] = a, y[to] = mean + b, y[2 * to] = mean - b, y[3 * to] = c;                           \
    }                                                                                              \
    ALONG(from_taps_3, V, s)                                                                       \
    {                                                                                              \
        const V a = x[0], b = x[step];                                                             \
        y[0] = a, y[to] = a + b, y[2 * to] = b;                                                    \
    }                                                                                              \
    ALONG(from_taps_5, V, s)                                                                       \
    {                                                                                              \
        const V a = x[0], b = x[step], c = x[2 * step];                                            \
        y[0] = a, y[to] = a + c, y[2 * to] = c, y[3 * to] = b, y[4 * to] = b;                      \
    }                                                                                              \
    ALONG(to_taps_4, V, s)                                                                         \
    {                                                                                              \
        const V a = x[0], b = x[step] / 2, c = x[2 * step] / 2, d = x[3 * step];                   \
        y[0] = a + b + c, y[to] = b - c, y[2 * to] = b + c + d;                                    \
    }                                                                                              \
    ALONG(to_taps_3, V, s)                                                                         \
    {                                                                                              \
        const V a = x[0], b = x[step], c = x[2 * step];                                            \
        y[0] = a + b, y[to] = b + c;                                                               \
    }

/* Along both axes: transform a square of n x n vectors into one of m x m.
   name_square: of arrays of vectors. name_squares: of many channels, vector by vector; a square is
   read as a whole before anything is written, so x and y may be the same memory. */
#define ALONG_BOTH(name, n, m, T, V, s)                                                            \
    INLINE void name##_square_##s(const V *x, V *y)                                                \
    {                                                                                              \
        V half[m * n];                                                                             \
        UNROLL(5) for (int c = 0; c < n; c++)                                                      \
            name##_##s(x + c, n, half + c, n);                                                     \
        UNROLL(5) for (int r = 0; r < m; r++)                                                      \
            name##_##s(half + r * n, 1, y + r * m, 1);                                             \
    }                                                                                              \
    __attribute__((unused)) NOINLINE void name##_squares_##s(                                      \
        const T *x, long row, long column, T *y, long to, long channels)                           \
    {                                                                                              \
        for (long k = 0; k < channels; k += LANES_##s) {                                           \
            V from[n * n], result[m * m];                                                          \
            UNROLL(25) for (int i = 0; i < n * n; i++)                                             \
                from[i] = load_##s(x + i / n * row + i % n * column + k);                          \
            name##_square_##s(from, result);                                                       \
            UNROLL(25) for (int i = 0; i < m * m; i++)                                             \
                store_##s(y + i * to + k, result[i]);                                              \
        }                                                                                          \
    }

#define WINOGRAD(T, V, s)                                                                          \
    ALONG_AN_AXIS(V, s)                                                                            \
    ALONG_BOTH(from_pixels_4, 4, 4, T, V, s)                                                       \
    ALONG_BOTH(from_pixels_3, 3, 3, T, V, s)                                                       \
    ALONG_BOTH(to_results_4, 4, 2, T, V, s)                                                        \
    ALONG_BOTH(to_results_3, 3, 2, T, V, s)                                                        \
    ALONG_BOTH(from_results_4, 2, 4, T, V, s)                                                      \
    ALONG_BOTH(from_results_3, 2, 3, T, V, s)                                                      \
    ALONG_BOTH(from_taps_4, 3, 4, T, V, s)                                                         \
    ALONG_BOTH(from_taps_3, 2, 3, T, V, s)                                                         \
    ALONG_BOTH(to_taps_4, 4, 3, T, V, s)                                                           \
    ALONG_BOTH(to_taps_3, 3, 2, T, V, s)                                                           \
    ALONG_BOTH(from_pixels_5, 5, 5, T, V, s)                                                       \
    ALONG_BOTH(to_results_5, 5, 2, T, V, s)                                                        \
    ALONG_BOTH(from_taps_5, 3, 5, T, V, s)

WINOGRAD(float, vf, f)
WINOGRAD(double, vd, d)
