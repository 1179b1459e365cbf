/* Raw DEFLATE (RFC 1951), a packet at a time: what a stream's compressed input is expanded with. */
#ifndef INFLATE_H
#define INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    INFLATE_WINDOW = 32768, /* how far back a copy may reach, over packets too */
    INFLATE_MOST = 32768,   /* what one packet may expand to */
};

/* One for each stream: what came before is what later packets refer to. */
struct inflater {
    size_t have;                                  /* bytes at the start of room that may be referred to */
    const uint8_t *out;                           /* what the last packet expanded to */
    size_t size;
    uint8_t room[INFLATE_WINDOW + INFLATE_MOST];
};

/* All zeros is a fresh inflater. False, and of no further use, when the packet is not a row of whole blocks that
   ends with a stored one, when one of them is marked as final, or when it expands to more than INFLATE_MOST. */
bool inflate_packet(struct inflater *inflater, const uint8_t *data, size_t size);

#endif
