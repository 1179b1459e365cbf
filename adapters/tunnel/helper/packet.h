/* The unit of the link: a header of 20 bytes and up to 32 KiB. See docs/tunnel-protocol.md. */
#ifndef PACKET_H
#define PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PROTOCOL_VERSION = 1,
    PACKET_MAGIC = 0xA5,
    PACKET_HEADER = 20,
    PACKET_PAYLOAD = 32768,
};

enum packet_type {
    /* Of the link: not numbered, not repeated. */
    PACKET_HELLO = 1,
    PACKET_ATTACH = 2,
    PACKET_WELCOME = 3,
    PACKET_ACK = 4,
    PACKET_PING = 5,
    PACKET_PONG = 6,
    PACKET_BYE = 7,
    PACKET_PROBED = 8,
    /* Of a stream: numbered, kept until acknowledged, repeated after a break. */
    PACKET_FIRST_NUMBERED = 16,
    PACKET_OPEN = 16,
    PACKET_STDIN = 17,
    PACKET_STDIN_EOF = 18,
    PACKET_STDOUT = 19,
    PACKET_STDERR = 20,
    PACKET_EXIT = 21,
    PACKET_ERROR = 22,
    PACKET_CREDIT = 23,
    PACKET_SIGNAL = 24,
    PACKET_WINSIZE = 25,
    PACKET_KILL = 26,
    PACKET_STDIN_CLOSED = 27,
};

enum {
    PACKET_MORE = 1,     /* flag of OPEN: another part follows */
    PACKET_DEFLATED = 2, /* flag of STDIN: see inflate.h */
};

struct packet {
    struct packet *next;
    size_t size;  /* header and payload */
    bool large;   /* has room for the largest payload */
    size_t taken; /* payload bytes a slow consumer has taken already */
    uint8_t bytes[];
};

/* Large ones come from and go to a small pool: the allocator would map and unmap memory for each. */
struct packet *packet_new(uint8_t type, uint32_t stream, const void *payload, size_t length);
void packet_free(struct packet *packet);

static inline uint8_t packet_type(const struct packet *packet) { return packet->bytes[1]; }
static inline uint8_t packet_flags(const struct packet *packet) { return packet->bytes[2]; }
uint32_t packet_stream(const struct packet *packet);
uint32_t packet_number(const struct packet *packet);
static inline uint8_t *packet_payload(struct packet *packet) { return packet->bytes + PACKET_HEADER; }
static inline size_t packet_length(const struct packet *packet) { return packet->size - PACKET_HEADER; }

/* Fill in number, length and checksum: the last thing before a packet is sent. */
void packet_seal(struct packet *packet, uint32_t number);
bool packet_intact(const struct packet *packet);

#endif
