#include "parser.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

void parser_reset(struct parser *parser, bool lenient) {
    packet_free(parser->packet);
    memset(parser, 0, sizeof *parser);
    parser->lenient = lenient;
}

void parser_free(struct parser *parser) { parser_reset(parser, true); }

static void restart(struct parser *parser) {
    packet_free(parser->packet);
    parser->packet = NULL;
    parser->state = AT_START;
    parser->have = 0;
    parser->bits = 0;
    parser->count = 0;
    parser->padding = 0;
}

static size_t expected(const struct parser *parser) {
    return parser->packet != NULL ? parser->packet->size : PACKET_HEADER;
}

/* The header is complete: make room for the payload. */
static bool begin_packet(struct parser *parser) {
    uint32_t length = get32(parser->header + 12);
    if (parser->header[0] != PACKET_MAGIC || length > PACKET_PAYLOAD) return false;
    parser->packet = packet_new(0, 0, NULL, length);
    memcpy(parser->packet->bytes, parser->header, PACKET_HEADER);
    return true;
}

/* Take bytes that are the packet's own; returns how many, at most up to the end of the part at hand. */
static size_t take(struct parser *parser, const uint8_t *data, size_t size, bool *fine) {
    size_t room = expected(parser) - parser->have;
    size_t count = size < room ? size : room;
    uint8_t *to = parser->packet != NULL ? parser->packet->bytes : parser->header;
    memcpy(to + parser->have, data, count);
    parser->have += count;
    if (parser->packet == NULL && parser->have == PACKET_HEADER) *fine = begin_packet(parser);
    return count;
}

static bool complete(const struct parser *parser) {
    return parser->packet != NULL && parser->have == parser->packet->size;
}

static bool deliver(struct parser *parser, const struct parser_events *events, void *context) {
    struct packet *packet = parser->packet;
    parser->packet = NULL;
    restart(parser);
    if (!packet_intact(packet)) {
        packet_free(packet);
        return false;
    }
    events->packet(context, packet);
    return true;
}

/* Groups of four that are digits alone, as many as there are: nearly all of a line. Returns how much it took. */
static size_t take_groups(struct parser *parser, const uint8_t *data, size_t size, bool *fine) {
    static int8_t values[256];
    if (values['B'] == 0)
        for (int digit = 0; digit < 256; digit++) values[digit] = (int8_t)base64_value((uint8_t)digit);
    uint8_t plain[3 * 1024];
    size_t have = 0, at = 0;
    /* Who is lenient goes on with the very byte that did not fit. */
    if (parser->count != 0 || parser->padding != 0 || parser->lenient) return 0;
    for (; size - at >= 4 && have < sizeof plain; at += 4, have += 3) {
        int first = values[data[at]], second = values[data[at + 1]];
        int third = values[data[at + 2]], fourth = values[data[at + 3]];
        if ((first | second | third | fourth) < 0) break;
        plain[have] = (uint8_t)(first << 2 | second >> 4);
        plain[have + 1] = (uint8_t)(second << 4 | third >> 2);
        plain[have + 2] = (uint8_t)(third << 6 | fourth);
    }
    for (size_t done = 0; done < have && *fine;) {
        if (complete(parser)) *fine = false;
        else done += take(parser, plain + done, have - done, fine);
    }
    return at;
}

static bool feed_base64(struct parser *parser, const struct parser_events *events, void *context, uint8_t byte) {
    bool fine = true;
    if (byte == '\n') return parser->count == 0 && complete(parser) && deliver(parser, events, context);
    if (byte == '\r') return true;
    int value = byte == '=' ? 0 : base64_value(byte);
    if (value < 0 || (byte != '=' && parser->padding != 0)) return false;
    parser->padding += byte == '=';
    parser->bits = parser->bits << 6 | (uint32_t)value;
    if (++parser->count < 4) return true;
    uint8_t three[3] = {(uint8_t)(parser->bits >> 16), (uint8_t)(parser->bits >> 8), (uint8_t)parser->bits};
    if (parser->padding > 2) return false;
    size_t size = (size_t)(3 - parser->padding);
    parser->bits = 0;
    parser->count = 0;
    for (size_t at = 0; at < size && fine;) {
        if (complete(parser)) return false;
        at += take(parser, three + at, size - at, &fine);
    }
    return fine;
}

/* What stands between two escapes. Returns how much it took. */
static size_t take_plain(struct parser *parser, const uint8_t *data, size_t size, bool *fine) {
    size_t at = 0;
    if (parser->count > 0) return 0;
    const uint8_t *escape = memchr(data, ESCAPE_BYTE, size);
    if (escape != NULL) size = (size_t)(escape - data);
    while (at < size && *fine && !complete(parser)) at += take(parser, data + at, size - at, fine);
    return at;
}

static bool feed_escape(struct parser *parser, const struct parser_events *events, void *context, uint8_t byte) {
    bool fine = true;
    if (parser->count > 0) {
        int value = hex_value(byte);
        if (value < 0) return false;
        parser->bits = parser->bits << 4 | (uint32_t)value;
        if (--parser->count > 0) return true;
        byte = (uint8_t)parser->bits;
    } else if (byte == ESCAPE_BYTE) {
        parser->count = 2;
        parser->bits = 0;
        return true;
    }
    take(parser, &byte, 1, &fine);
    return fine && (!complete(parser) || deliver(parser, events, context));
}

static void feed_probe(struct parser *parser, const struct parser_events *events, void *context, uint8_t byte) {
    static const size_t end = sizeof PROBE_END - 1;
    struct bad_bytes bad;
    parser->probe[parser->probe_have++] = byte;
    size_t have = parser->probe_have;
    bool ended = have >= end && memcmp(parser->probe + have - end, PROBE_END, end) == 0;
    if (!ended && have < PROBE_LIMIT) return;
    if (ended) probe_judge(parser->probe, have - end, &bad);
    else memset(&bad, 0xFF, sizeof bad);
    restart(parser);
    events->probe(context, &bad);
}

/* At the start of something: which? */
static bool begin(struct parser *parser, uint8_t byte) {
    restart(parser);
    if (byte == MARK_BASE64) {
        parser->state = IN_BASE64;
    } else if (byte == MARK_PROBE && parser->probing) {
        parser->state = IN_PROBE;
        parser->probe_have = 0;
    } else if (byte == MARK_PAD && parser->probing) {
        parser->state = IN_PAD;
        parser->pad = 0;
    } else if (parser->lenient || byte == '\r' || byte == '\n') {
        return true;
    } else if (byte == PACKET_MAGIC) {
        parser->state = IN_RAW;
        parser->header[0] = byte;
        parser->have = 1;
    } else if (byte == MARK_ESCAPE) {
        parser->state = IN_ESCAPE;
    } else {
        return false;
    }
    return true;
}

bool parser_feed(struct parser *parser, const struct parser_events *events, void *context, const uint8_t *data,
                 size_t size) {
    size_t at = 0;
    while (at < size && !parser->stopped) {
        bool fine = true;
        switch (parser->state) {
            case AT_START:
                fine = begin(parser, data[at++]);
                break;
            case IN_RAW:
                at += take(parser, data + at, size - at, &fine);
                if (fine && complete(parser)) fine = deliver(parser, events, context);
                break;
            case IN_BASE64:
                at += take_groups(parser, data + at, size - at, &fine);
                if (!fine || at == size) break;
                fine = feed_base64(parser, events, context, data[at++]);
                if (!fine && parser->lenient) fine = begin(parser, data[at - 1]);
                break;
            case IN_ESCAPE:
                at += take_plain(parser, data + at, size - at, &fine);
                if (fine && complete(parser)) fine = deliver(parser, events, context);
                if (!fine || at == size || parser->state != IN_ESCAPE) break;
                fine = feed_escape(parser, events, context, data[at++]);
                break;
            case IN_PROBE:
                feed_probe(parser, events, context, data[at++]);
                break;
            case IN_PAD:
                if (data[at] == 'p') {
                    parser->pad++;
                    at++;
                } else {
                    size_t pad = parser->pad;
                    restart(parser);
                    events->pad(context, pad);
                }
                break;
        }
        if (!fine) return false;
    }
    return true;
}

struct iovec parser_room(const struct parser *parser) {
    if (parser->state != IN_RAW || parser->packet == NULL) return (struct iovec){0};
    return (struct iovec){parser->packet->bytes + parser->have, parser->packet->size - parser->have};
}

bool parser_filled(struct parser *parser, const struct parser_events *events, void *context, size_t count) {
    parser->have += count;
    return !complete(parser) || deliver(parser, events, context);
}
