/* A session outlives the terminals it is reached over: numbered packets, kept until acknowledged. */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"
#include "process.h"

enum {
    SESSION_ID = 16,
    OWNER = 16,
    LINK_WINDOW = 4 << 20,    /* bytes kept for a repeat; then streams wait */
    UNSENT_MOST = 128 << 10,  /* bytes waiting for the terminal; more would only add delay */
    STREAM_WINDOW = 2 << 20,  /* credit each direction of a stream begins with */
    ACK_BYTES = 1 << 20,
    ACK_ALONG = 256 << 10, /* so much is acknowledged together with what is sent anyway */
    ACK_PACKETS = 64,
};

struct stream;
struct link;

struct session {
    struct session *next;
    uint8_t id[SESSION_ID];
    uint8_t owner[OWNER]; /* zeros: of nobody who could have an heir */
    struct link *link; /* NULL while nobody is connected */
    struct stream *streams;
    struct surroundings around;
    bool over; /* to be freed at the next opportunity */

    uint32_t receive_next;
    uint32_t unacked_packets;
    size_t unacked_bytes;

    struct packet *kept, *kept_end; /* numbered packets not acknowledged yet, oldest first */
    struct packet *unsent;          /* the first of them the terminal has not got whole */
    size_t kept_bytes, unsent_bytes;
    uint32_t next_number;

    uint64_t detached_at;
    uint32_t ping_ms, dead_ms, grace_ms;
};

struct session *session_new(const uint8_t id[SESSION_ID]);
struct session *session_find(const uint8_t id[SESSION_ID]);
struct session *session_list(void);
/* The owner begins anew: whatever else is the owner's was left behind by one who died. */
void session_inherit(struct session *session, const uint8_t owner[OWNER]);
/* Number a packet and queue it; takes it over. */
void session_send(struct session *session, struct packet *packet);
bool session_has_room(const struct session *session);
/* False when the other end cannot mean what it said. */
bool session_receive(struct session *session, struct packet *packet);
bool session_acknowledge(struct session *session, uint32_t next);
/* Everything the other end has not got is to be sent again. */
bool session_rewind(struct session *session, uint32_t next);
/* The packet now written is out. */
void session_sent(struct session *session);
void session_end(struct session *session);
void session_sweep(void);

#endif
