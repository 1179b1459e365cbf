/* From bytes to packets, in whatever pieces they come. Never reads past its input, never grows. */
#ifndef PARSER_H
#define PARSER_H

#include <sys/uio.h>

#include "armour.h"
#include "packet.h"

struct parser_events {
    void (*packet)(void *context, struct packet *packet); /* takes the packet over */
    void (*probe)(void *context, const struct bad_bytes *bad);
    void (*pad)(void *context, size_t count);
};

enum parser_state { AT_START, IN_RAW, IN_BASE64, IN_ESCAPE, IN_PROBE, IN_PAD };

struct parser {
    enum parser_state state;
    bool lenient; /* before the ends know each other: skip what is not a base64 packet, forgive damage */
    bool probing; /* a probe and a pad may come now */
    bool stopped; /* set by a handler: ignore the rest */
    uint8_t header[PACKET_HEADER];
    size_t have; /* bytes of the packet so far, header included */
    struct packet *packet;
    uint32_t bits; /* base64: gathered bits; escape: the first digit */
    int count;     /* base64: digits in the group; escape: digits still to come */
    int padding;   /* base64: '=' seen */
    uint8_t probe[PROBE_LIMIT];
    size_t probe_have;
    size_t pad;
};

void parser_reset(struct parser *parser, bool lenient);
void parser_free(struct parser *parser);
/* False when the bytes cannot be ours; the parser is then useless until it is reset. */
bool parser_feed(struct parser *parser, const struct parser_events *events, void *context, const uint8_t *data,
                 size_t size);
/* Where what comes next may be put instead of being fed: the rest of a packet that travels as it is, else nothing. */
struct iovec parser_room(const struct parser *parser);
/* So many bytes are there now; as parser_feed. */
bool parser_filled(struct parser *parser, const struct parser_events *events, void *context, size_t count);

#endif
