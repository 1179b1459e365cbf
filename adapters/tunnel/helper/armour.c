#include "armour.h"

#include <string.h>

#include "util.h"

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char digits16[] = "0123456789abcdef";

/* Above this many bad values base64's fixed third is cheaper than two more bytes for each. */
enum { ESCAPE_MOST = 42 };

enum armour armour_for(const struct bad_bytes *bad) {
    int count = 0;
    for (int value = 0; value < 256; value++) {
        if (!is_bad(bad, (uint8_t)value)) continue;
        if (value == MARK_ESCAPE || value == ESCAPE_BYTE || hex_value((uint8_t)value) >= 0) return ARMOUR_BASE64;
        count++;
    }
    if (count == 0) return ARMOUR_RAW;
    return count <= ESCAPE_MOST ? ARMOUR_ESCAPE : ARMOUR_BASE64;
}

size_t probe_make(uint8_t out[PROBE_LIMIT]) {
    size_t at = 0;
    out[at++] = MARK_PROBE;
    for (int value = 0; value < 256; value++) {
        out[at++] = '<';
        out[at++] = (uint8_t)value;
        out[at++] = '>';
    }
    memcpy(out + at, PROBE_END, strlen(PROBE_END));
    return at + strlen(PROBE_END);
}

void probe_judge(const uint8_t *seen, size_t length, struct bad_bytes *bad) {
    size_t at = 0;
    memset(bad, 0, sizeof *bad);
    for (int value = 0; value < 256; value++) {
        if (at + 3 <= length && seen[at] == '<' && seen[at + 1] == value && seen[at + 2] == '>') {
            at += 3;
            continue;
        }
        bad->bits[value >> 3] |= (uint8_t)(1 << (value & 7));
        while (at < length && seen[at] != '>') at++;
        if (at < length) at++;
    }
}

static size_t encode_base64(const uint8_t *bytes, size_t size, uint8_t *out) {
    size_t to = 0;
    out[to++] = MARK_BASE64;
    for (size_t at = 0; at < size; at += 3) {
        size_t left = size - at;
        uint32_t word = (uint32_t)bytes[at] << 16;
        if (left > 1) word |= (uint32_t)bytes[at + 1] << 8;
        if (left > 2) word |= bytes[at + 2];
        out[to++] = (uint8_t)digits64[word >> 18];
        out[to++] = (uint8_t)digits64[word >> 12 & 63];
        out[to++] = left > 1 ? (uint8_t)digits64[word >> 6 & 63] : '=';
        out[to++] = left > 2 ? (uint8_t)digits64[word & 63] : '=';
    }
    out[to++] = '\n';
    return to;
}

static size_t encode_escape(const struct bad_bytes *bad, const uint8_t *bytes, size_t size, uint8_t *out) {
    size_t to = 0;
    out[to++] = MARK_ESCAPE;
    for (size_t at = 0; at < size; at++) {
        if (bytes[at] != ESCAPE_BYTE && !is_bad(bad, bytes[at])) {
            out[to++] = bytes[at];
            continue;
        }
        out[to++] = ESCAPE_BYTE;
        out[to++] = (uint8_t)digits16[bytes[at] >> 4];
        out[to++] = (uint8_t)digits16[bytes[at] & 15];
    }
    return to;
}

uint8_t *armour_encode(enum armour armour, const struct bad_bytes *bad, const uint8_t *bytes, size_t size,
                       size_t *encoded) {
    uint8_t *out = must_allocate(size * 3 + 2);
    if (armour == ARMOUR_BASE64) {
        *encoded = encode_base64(bytes, size, out);
    } else if (armour == ARMOUR_ESCAPE) {
        *encoded = encode_escape(bad, bytes, size, out);
    } else {
        memcpy(out, bytes, size);
        *encoded = size;
    }
    return out;
}

int base64_value(uint8_t digit) {
    if (digit >= 'A' && digit <= 'Z') return digit - 'A';
    if (digit >= 'a' && digit <= 'z') return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9') return digit - '0' + 52;
    if (digit == '+') return 62;
    if (digit == '/') return 63;
    return -1;
}

int hex_value(uint8_t digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    return -1;
}
