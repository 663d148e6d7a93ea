/* Elementary functions on vectors: exp, log, log1p, tanh and sigmoid, for every float type.

   exp(x) = 2**n exp(r) with n = round(x / ln 2), and exp(r) by a polynomial on |r| <= ln(2)/2.
   log(x) = n ln 2 + log(m) with m between the roots of 1/2 and 2, and log(m) by a polynomial in
   (m - 1) / (m + 1). Errors are less than three units in the last place. Sources: Cephes, expf.c
   (Moshier); FreeBSD's msun, e_log.c and e_logf.c (Sun Microsystems). */

/* A polynomial by its coefficients, the highest power's first. */
#define POLYNOMIAL(T, V, s, name, ...)                                                             \
    static inline V name##_##s(V x)                                                                \
    {                                                                                              \
        static const T coefficients[] = {__VA_ARGS__};                                             \
        V p = splat_##s(coefficients[0]);                                                          \
        UNROLL(16) for (unsigned i = 1; i < sizeof coefficients / sizeof(T); i++)                  \
            p = p * x + coefficients[i];                                                           \
        return p;                                                                                  \
    }

/* (exp(r) - 1 - r) / r**2. The second is the Taylor series, whose next term is too small to count. */
POLYNOMIAL(float, vf, f, exp_rest, 1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
    4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f)
POLYNOMIAL(double, vd, d, exp_rest, 1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
    1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5)

/* log((1 + s) / (1 - s)) / s - 2, for z = s**2 */
POLYNOMIAL(float, vf, f, log_rest, 0xf89e26.0p-26f, 0x91e9ee.0p-25f, 0xccce13.0p-25f,
    0xaaaaaa.0p-24f, 0)
POLYNOMIAL(double, vd, d, log_rest, 1.479819860511658591e-01, 1.531383769920937332e-01,
    1.818357216161805012e-01, 2.222219843214978396e-01, 2.857142874366239149e-01,
    3.999999999940941908e-01, 6.666666666666735130e-01, 0)

/* T is the element, V its vector, M a vector of integers of its size, s the suffix.
   BITS, BIAS: of the mantissa, and of the exponent. LEAST, MOST: exp is 0 below and infinite above.
   EXP_HIGH + EXP_LOW and LOG_HIGH + LOG_LOW are ln 2, with a first part of so few bits that its
   products with exponents are exact. NORMAL: the smallest normal number. */
#define ELEMENTARY(                                                                                \
    T, V, M, s, BITS, BIAS, LEAST, MOST, EXP_HIGH, EXP_LOW, LOG_HIGH, LOG_LOW, NORMAL)             \
    static inline V power_of_two_##s(M n) { return (V)((n + BIAS) << BITS); }                      \
    /* Added to a number, it leaves the nearest integer in the mantissa's last bits. */            \
    static inline V shift_##s(void) { return splat_##s((T)(3LL << (BITS - 1))); }                  \
    /* n and r of x, which is finite. */                                                           \
    static inline V reduced_##s(V x, M *n)                                                         \
    {                                                                                              \
        const V shifted = x * (T)1.4426950408889634 + shift_##s(), whole = shifted - shift_##s();  \
        *n = (M)shifted - (M)shift_##s();                                                          \
        return x - whole * (T)EXP_HIGH - whole * (T)EXP_LOW;                                       \
    }                                                                                              \
    static inline V exp_##s(V x)                                                                   \
    {                                                                                              \
        M n;                                                                                       \
        const V most = splat_##s(MOST), least = splat_##s(LEAST);                                  \
        const V below = select_##s(x < most, x, most), finite = select_##s(x > least, below, least);\
        const V r = reduced_##s(finite, &n), p = exp_rest_##s(r) * r * r + r + (T)1;               \
        /* Scale in two steps, since the largest power of two is beyond the largest number. */     \
        const V scaled = p * power_of_two_##s(n >> 1) * power_of_two_##s(n - (n >> 1));            \
        const V bounded = select_##s(x > most, splat_##s(INFINITY), scaled);                       \
        return select_##s(x == x, select_##s(x < least, (V){}, bounded), x);                       \
    }                                                                                              \
    /* (1 - exp(-2|x|)) / (1 + exp(-2|x|)), with exp(-2|x|) - 1 computed without cancellation. */  \
    static inline V tanh_##s(V x)                                                                  \
    {                                                                                              \
        M n;                                                                                       \
        const V far = splat_##s(25), size = abs_##s(x);                                            \
        const V r = reduced_##s(select_##s(size < far, size, far) * (T)-2, &n);                    \
        const V power = power_of_two_##s(n);                                                       \
        const V less_one = power * (exp_rest_##s(r) * r * r + r) + (power - (T)1);                 \
        const V result = abs_##s(less_one / (less_one + (T)2));                                    \
        return select_##s(x == x, (V)((M)result | ((M)x & (M)(-(V){}))), x);                       \
    }                                                                                              \
    static inline V log_##s(V x)                                                                   \
    {                                                                                              \
        const M tiny = x < (T)NORMAL;                                                              \
        const M bits = (M)select_##s(tiny, x * (T)(1LL << (BITS + 1)), x);                         \
        const M n = (bits - (M)splat_##s((T)0.70710678118654752)) >> BITS;                         \
        const V f = (V)(bits - (n << BITS)) - (T)1, q = f / (f + (T)2), half = f * f * (T)0.5;     \
        const V e = (V)((M)shift_##s() + n - (tiny & (BITS + 1))) - shift_##s();                   \
        const V low = q * (half + log_rest_##s(q * q)) + e * (T)LOG_LOW;                           \
        const V result = select_##s(x < INFINITY, e * (T)LOG_HIGH - ((half - low) - f), x);        \
        const V otherwise = select_##s(x == (V){}, splat_##s(-INFINITY), splat_##s(NAN));          \
        return select_##s(x > (V){}, result, otherwise);                                           \
    }                                                                                              \
    /* log(1 + x), with the rounding of 1 + x made up for. */                                      \
    static inline V log1p_##s(V x)                                                                 \
    {                                                                                              \
        const V u = x + (T)1, lost = (x - (u - (T)1)) / u;                                         \
        return log_##s(u) + select_##s((u > (V){}) & (u < INFINITY), lost, (V){});                 \
    }                                                                                              \
    static inline V sigmoid_##s(V x) { return (T)1 / ((T)1 + exp_##s(-x)); }

ELEMENTARY(float, vf, mf, f, 23, 127, -103.97208f, 88.72283f, 0.693359375f, -2.12194440e-4f,
    6.9313812256e-01f, 9.0580006145e-06f, 1.17549435e-38f)
ELEMENTARY(double, vd, md, d, 52, 1023, -745.1332191019412, 709.782712893384,
    6.93147180369123816490e-01, 1.90821492927058770002e-10, 6.93147180369123816490e-01,
    1.90821492927058770002e-10, 2.2250738585072014e-308)
