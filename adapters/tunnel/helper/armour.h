/* How packets cross a channel that does not carry every byte value. */
#ifndef ARMOUR_H
#define ARMOUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum armour { ARMOUR_RAW = 0, ARMOUR_ESCAPE = 1, ARMOUR_BASE64 = 2 };

enum {
    MARK_BASE64 = '~', /* then base64 of one packet, then \n */
    MARK_ESCAPE = '^', /* then one packet in which bad bytes are } and two hexadecimal digits */
    MARK_PROBE = '?',  /* then <v> for each byte value v, then PROBE_END */
    MARK_PAD = '=',    /* then any number of p, then \n */
    ESCAPE_BYTE = '}',
    PROBE_LIMIT = 4096,
};
#define PROBE_END "]probe-end["

/* One bit for each byte value that did not arrive. */
struct bad_bytes {
    uint8_t bits[32];
};
static inline bool is_bad(const struct bad_bytes *bad, uint8_t value) {
    return (bad->bits[value >> 3] >> (value & 7) & 1) != 0;
}

/* The cheapest armour that survives a channel which damages these bytes. */
enum armour armour_for(const struct bad_bytes *bad);

/* What the sender writes, PROBE_END included; returns its length (at most PROBE_LIMIT). */
size_t probe_make(uint8_t out[PROBE_LIMIT]);
/* What the receiver learns from what came between MARK_PROBE and PROBE_END. */
void probe_judge(const uint8_t *seen, size_t length, struct bad_bytes *bad);

/* The packet's bytes as they travel; the caller frees them. */
uint8_t *armour_encode(enum armour armour, const struct bad_bytes *bad, const uint8_t *bytes, size_t size,
                       size_t *encoded);

/* Value of a base64 digit, or -1. */
int base64_value(uint8_t digit);
/* Value of a lower-case hexadecimal digit, or -1. */
int hex_value(uint8_t digit);

#endif
