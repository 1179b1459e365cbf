/* Eight bytes a step ("slicing by eight"): one table look-up a byte would halve the throughput. */
#include "crc.h"

#include "util.h"

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

uint32_t crc32_more(uint32_t crc, const uint8_t *data, size_t size) {
    if (table[0][1] == 0) fill();
    crc = ~crc;
    for (; size >= 8; data += 8, size -= 8) {
        uint32_t low = get32(data) ^ crc;
        uint32_t high = get32(data + 4);
        crc = table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255] ^ table[4][low >> 24] ^
              table[3][high & 255] ^ table[2][high >> 8 & 255] ^ table[1][high >> 16 & 255] ^ table[0][high >> 24];
    }
    for (; size > 0; data++, size--) crc = crc >> 8 ^ table[0][(crc ^ *data) & 255];
    return ~crc;
}
