/* zlib's CRC-32, of every byte that passes. Processors with a carry-less multiplication do 64 bytes a step, after V. Gopal
   and others, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (Intel, 2009); others eight bytes
   a step ("slicing by eight"), for one table look-up a byte would halve that. */
#include "crc.h"

#include <stdbool.h>

#include "util.h"

enum { FOLD_LEAST = 64 };

static uint32_t table[8][256];

static void fill(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? 0xEDB88320u : 0);
        table[0][i] = value;
    }
    for (int step = 1; step < 8; step++)
        for (int i = 0; i < 256; i++)
            table[step][i] = table[step - 1][i] >> 8 ^ table[0][table[step - 1][i] & 255];
}

static uint32_t by_table(uint32_t crc, const uint8_t *data, size_t size) {
    for (; size >= 8; data += 8, size -= 8) {
        uint32_t low = get32(data) ^ crc;
        uint32_t high = get32(data + 4);
        crc = table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255] ^ table[4][low >> 24] ^
              table[3][high & 255] ^ table[2][high >> 8 & 255] ^ table[1][high >> 16 & 255] ^ table[0][high >> 24];
    }
    for (; size > 0; data++, size--) crc = crc >> 8 ^ table[0][(crc ^ *data) & 255];
    return crc;
}

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

static bool can_multiply(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_PCLMUL) != 0 && (c & bit_SSE4_1) != 0;
}

#define MULTIPLIES __attribute__((target("sse4.1,pclmul")))

/* What 128 bits are worth so much further on, added to what stands there. */
MULTIPLIES static __m128i fold(__m128i value, __m128i by, __m128i next) {
    __m128i low = _mm_clmulepi64_si128(value, by, 0x00);
    __m128i high = _mm_clmulepi64_si128(value, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

MULTIPLIES static __m128i load(const uint8_t *from) { return _mm_loadu_si128((const __m128i *)from); }

/* At least FOLD_LEAST bytes, a multiple of 16. The constants are x to such powers modulo the polynomial, reflected. */
MULTIPLIES static uint32_t by_folding(uint32_t crc, const uint8_t *data, size_t size) {
    const __m128i by_64 = _mm_set_epi64x(0x1C6E41596, 0x154442BD4);
    const __m128i by_16 = _mm_set_epi64x(0x0CCAA009E, 0x1751997D0);
    const __m128i to_64 = _mm_set_epi64x(0, 0x163CD6124);
    const __m128i barrett = _mm_set_epi64x(0x1F7011641, 0x1DB710641);
    const __m128i low_32 = _mm_set_epi32(0, -1, 0, -1);
    __m128i lane[4];
    for (int i = 0; i < 4; i++) lane[i] = load(data + 16 * i);
    lane[0] = _mm_xor_si128(lane[0], _mm_cvtsi32_si128((int)crc));
    for (data += 64, size -= 64; size >= 64; data += 64, size -= 64)
        for (int i = 0; i < 4; i++) lane[i] = fold(lane[i], by_64, load(data + 16 * i));
    __m128i rest = lane[0];
    for (int i = 1; i < 4; i++) rest = fold(rest, by_16, lane[i]);
    for (; size >= 16; data += 16, size -= 16) rest = fold(rest, by_16, load(data));
    /* 128 bits to 96, to 64, and by Barrett's reduction to 32. */
    rest = _mm_xor_si128(_mm_clmulepi64_si128(rest, by_16, 0x10), _mm_srli_si128(rest, 8));
    rest = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(rest, low_32), to_64, 0x00), _mm_srli_si128(rest, 4));
    __m128i whole = _mm_clmulepi64_si128(_mm_and_si128(rest, low_32), barrett, 0x10);
    whole = _mm_clmulepi64_si128(_mm_and_si128(whole, low_32), barrett, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(rest, whole), 1);
}

#else /* the helper itself is for x86-64 only; its tests run on whatever their computer has */

static bool can_multiply(void) { return false; }

static uint32_t by_folding(uint32_t crc, const uint8_t *data, size_t size) { return by_table(crc, data, size); }

#endif

uint32_t crc32_more(uint32_t crc, const uint8_t *data, size_t size) {
    static bool multiplies;
    if (table[0][1] == 0) {
        fill();
        multiplies = can_multiply();
    }
    crc = ~crc;
    if (multiplies && size >= FOLD_LEAST) {
        size_t folded = size & ~(size_t)15;
        crc = by_folding(crc, data, folded);
        data += folded;
        size -= folded;
    }
    return ~by_table(crc, data, size);
}
