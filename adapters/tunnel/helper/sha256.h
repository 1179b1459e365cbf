/* SHA-256 (FIPS 180-4), used once at start: the helper proves to be the file that was built. */
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>
#include <stdint.h>

void sha256(const uint8_t *data, size_t size, uint8_t digest[32]);

#endif
