#include "sha256.h"

#include <string.h>

/* The fractional parts of roots of primes, computed with integers: smaller than the table of 64. */
static uint32_t root_fraction(uint32_t prime, int degree) {
    /* Largest r with r^degree <= prime * 2^(32*degree); its low 32 bits are the fraction. */
    uint64_t root = 0;
    for (int bit = 36; bit >= 0; bit--) {
        unsigned __int128 candidate = root | 1ull << bit;
        unsigned __int128 limit = prime;
        if (degree == 2) {
            if (candidate * candidate <= limit << 64) root = (uint64_t)candidate;
        } else {
            /* c^3 <= p * 2^96, without 256-bit numbers: compare c^2 with p * 2^96 / c. */
            if (candidate * candidate <= (limit << 96) / candidate) root = (uint64_t)candidate;
        }
    }
    return (uint32_t)root;
}

static uint32_t constants[64];
static uint32_t start[8];

static void fill(void) {
    int found = 0;
    for (uint32_t number = 2; found < 64; number++) {
        uint32_t divisor = 2;
        while (divisor * divisor <= number && number % divisor != 0) divisor++;
        if (divisor * divisor <= number) continue;
        constants[found] = root_fraction(number, 3);
        if (found < 8) start[found] = root_fraction(number, 2);
        found++;
    }
}

static uint32_t rotate(uint32_t value, int count) { return value >> count | value << (32 - count); }

static void block(uint32_t state[8], const uint8_t *data) {
    uint32_t w[64];
    uint32_t v[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)data[i * 4] << 24 | (uint32_t)data[i * 4 + 1] << 16 | (uint32_t)data[i * 4 + 2] << 8 |
               data[i * 4 + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    memcpy(v, state, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t e = v[4];
        uint32_t a = v[0];
        uint32_t first = v[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & v[5]) ^ (~e & v[6])) +
                         constants[i] + w[i];
        uint32_t second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof v[0]);
        v[4] += first;
        v[0] = first + second;
    }
    for (int i = 0; i < 8; i++) state[i] += v[i];
}

void sha256(const uint8_t *data, size_t size, uint8_t digest[32]) {
    uint32_t state[8];
    uint8_t last[128] = {0};
    size_t rest = size % 64;
    size_t padded = rest < 56 ? 64 : 128;
    if (constants[0] == 0) fill();
    memcpy(state, start, sizeof state);
    for (size_t at = 0; at + 64 <= size; at += 64) block(state, data + at);
    if (rest != 0) memcpy(last, data + size - rest, rest);
    last[rest] = 0x80;
    for (int i = 0; i < 8; i++) last[padded - 1 - (size_t)i] = (uint8_t)((uint64_t)size * 8 >> 8 * i);
    for (size_t at = 0; at < padded; at += 64) block(state, last + at);
    for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}
