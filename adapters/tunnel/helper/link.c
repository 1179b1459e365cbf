#include "link.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "util.h"

enum { GREETING_MS = 1000, STRANGER_MS = 30000, ACK_MS = 200, READS_A_TURN = 16, LOOKS = 100 };

uint8_t own_digest[32];
uint8_t own_instance[16];

static struct link *links;

struct link *link_list(void) { return links; }

static void send_urgent(struct link *link, uint8_t type, const void *payload, size_t length) {
    struct packet *packet = packet_new(type, 0, payload, length);
    packet_seal(packet, 0);
    if (link->urgent_end != NULL) link->urgent_end->next = packet;
    else link->urgent = packet;
    link->urgent_end = packet;
}

/* HELLO and the probe, as one piece: repeated until it is answered, for an echo may have spoilt it. */
static void greet(struct link *link) {
    uint8_t hello[53] = {PROTOCOL_VERSION};
    uint8_t *probe = must_allocate(PROBE_LIMIT);
    size_t probe_size = probe_make(probe);
    size_t size;
    memcpy(hello + 1, own_digest, 32);
    memcpy(hello + 33, own_instance, 16);
    put32(hello + 49, (uint32_t)geteuid());
    struct packet *packet = packet_new(PACKET_HELLO, 0, hello, sizeof hello);
    packet_seal(packet, 0);
    uint8_t *line = armour_encode(ARMOUR_BASE64, NULL, packet->bytes, packet->size, &size);
    line = must_resize(line, size + probe_size);
    memcpy(line + size, probe, probe_size);
    free(probe);
    packet_free(packet);
    link->writing = link->encoded = line;
    link->writing_size = size + probe_size;
    link->written = 0;
    link->writing_numbered = false;
    link->greeted_at = now_ms();
}

struct link *link_new(int terminal, int relay, struct surroundings around) {
    struct link *link = must_allocate(sizeof *link);
    memset(link, 0, sizeof *link);
    link->terminal = terminal;
    link->relay = relay;
    link->around = around;
    link->armour = ARMOUR_BASE64;
    link->opened = link->heard = link->spoke = now_ms();
    parser_reset(&link->parser, true);
    set_nonblocking(terminal);
    link->next = links;
    links = link;
    greet(link);
    return link;
}

void link_drop(struct link *link) {
    if (link->dead) return;
    link->dead = true;
    link->parser.stopped = true;
    close_fd(&link->terminal);
    close_fd(&link->relay);
    if (link->session != NULL && link->session->link == link) {
        link->session->link = NULL;
        link->session->detached_at = now_ms();
    }
    link->session = NULL;
}

static void finish_writing(struct link *link) {
    free(link->encoded);
    link->encoded = NULL;
    link->writing = NULL;
}

void link_sweep(void) {
    for (struct link **place = &links; *place != NULL;) {
        struct link *link = *place;
        if (!link->dead) {
            place = &link->next;
            continue;
        }
        *place = link->next;
        finish_writing(link);
        while (link->urgent != NULL) {
            struct packet *packet = link->urgent;
            link->urgent = packet->next;
            packet_free(packet);
        }
        parser_free(&link->parser);
        surroundings_free(&link->around);
        free(link);
    }
}

/* ATTACH: version, resume?, armour at least, 1 spare, id, next number, ping, dead, grace, bad bytes, owner. */
enum { ATTACH_SIZE = 4 + SESSION_ID + 16 + 32 + OWNER };

static bool attach(struct link *link, struct packet *packet) {
    const uint8_t *said = packet_payload(packet);
    if (packet_length(packet) < ATTACH_SIZE || said[0] != PROTOCOL_VERSION || link->greeted) return false;
    const uint8_t *id = said + 4;
    const uint8_t *numbers = id + SESSION_ID;
    struct session *session = session_find(id);
    bool resume = said[1] != 0;
    link->greeted = true;
    link->parser.lenient = false;
    link->parser.probing = true;
    memcpy(&link->bad, numbers + 16, sizeof link->bad);
    link->armour = armour_for(&link->bad);
    if (said[2] > link->armour && said[2] <= ARMOUR_BASE64) link->armour = (enum armour)said[2];
    memset(&link->bad_up, 0xFF, sizeof link->bad_up);
    if (session == NULL && resume) return true; /* WELCOME will say that there is none */
    if (session == NULL) {
        session = session_new(id);
        session_inherit(session, numbers + 16 + 32);
        session->around = link->around;
        memset(&link->around, 0, sizeof link->around);
    }
    if (session->link != NULL) link_drop(session->link);
    session->link = link;
    link->session = session;
    session->ping_ms = get32(numbers + 4);
    session->dead_ms = get32(numbers + 8);
    session->grace_ms = get32(numbers + 12);
    return session_rewind(session, get32(numbers));
}

/* WELCOME: version, attached?, 2 spare, next number, length of pad seen, bad bytes. */
static void welcome(struct link *link) {
    uint8_t said[44] = {PROTOCOL_VERSION, link->session != NULL};
    link->parser.probing = false;
    if (link->session != NULL) put32(said + 4, link->session->receive_next);
    put32(said + 8, (uint32_t)link->pad_up);
    memcpy(said + 12, &link->bad_up, sizeof link->bad_up);
    send_urgent(link, PACKET_WELCOME, said, sizeof said);
    link->welcomed = link->session != NULL;
}

static bool understand(struct link *link, struct packet *packet) {
    switch (packet_type(packet)) {
        case PACKET_ATTACH:
            return attach(link, packet);
        case PACKET_PROBED:
            if (!link->greeted) return false;
            welcome(link);
            return true;
        case PACKET_ACK:
            if (link->session == NULL || packet_length(packet) < 4) return false;
            return session_acknowledge(link->session, get32(packet_payload(packet)));
        case PACKET_PING:
            send_urgent(link, PACKET_PONG, packet_payload(packet), packet_length(packet));
            return true;
        case PACKET_PONG:
            return true;
        case PACKET_BYE:
            if (link->session != NULL) session_end(link->session);
            link_drop(link);
            return true;
        default:
            return false;
    }
}

static void on_packet(void *context, struct packet *packet) {
    struct link *link = context;
    bool fine;
    if (packet_type(packet) >= PACKET_FIRST_NUMBERED && link->session != NULL) {
        fine = session_receive(link->session, packet);
    } else {
        fine = understand(link, packet);
        packet_free(packet);
    }
    if (!fine) link_drop(link);
}

static void on_probe(void *context, const struct bad_bytes *bad) { ((struct link *)context)->bad_up = *bad; }

static void on_pad(void *context, size_t count) { ((struct link *)context)->pad_up = count; }

/* A terminal gives 4 KiB at a time, and the kernel's worker fills it again meanwhile. A read that comes too early sleeps
   until that is done, which costs a tenth of the speed; this waits some tens of microseconds awake first, and gives way to
   whoever waits for this processor: it may be the worker. */
static void await_refill(int terminal) {
    int waiting = 0;
    for (int look = 0; look < LOOKS && waiting == 0; look++) {
        if (look > 0) sched_yield();
        if (ioctl(terminal, FIONREAD, &waiting) != 0) return;
    }
}

void link_read(struct link *link) {
    static const struct parser_events events = {on_packet, on_probe, on_pad};
    static uint8_t buffer[65536];
    for (int turn = 0; turn < READS_A_TURN && !link->dead; turn++) {
        if (turn > 0) await_refill(link->terminal);
        struct iovec parts[] = {parser_room(&link->parser), {buffer, sizeof buffer}};
        ssize_t count = readv(link->terminal, parts, 2);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (count <= 0) {
            link_drop(link);
            return;
        }
        link->heard = now_ms();
        size_t placed = (size_t)count < parts[0].iov_len ? (size_t)count : parts[0].iov_len;
        if (!parser_filled(&link->parser, &events, link, placed) ||
            !parser_feed(&link->parser, &events, link, buffer, (size_t)count - placed))
            link_drop(link);
        if (count < 2048) return; /* most likely all there was: save the call that would say so */
    }
}

bool link_wants_to_write(const struct link *link) {
    return link->writing != NULL || link->urgent != NULL ||
           (link->session != NULL && link->session->unsent != NULL && link->welcomed);
}

/* Choose what goes out next. */
static bool load(struct link *link) {
    struct packet *packet = link->urgent;
    link->writing_numbered = packet == NULL;
    if (packet == NULL) packet = link->session != NULL && link->welcomed ? link->session->unsent : NULL;
    if (packet == NULL) return false;
    link->written = 0;
    link->writing = packet->bytes;
    link->writing_size = packet->size;
    bool own = !link->writing_numbered;
    if (own) {
        link->urgent = packet->next;
        if (link->urgent == NULL) link->urgent_end = NULL;
    }
    /* WELCOME is the first packet in the new armour, as the other end expects any armour at any time. */
    if (link->armour != ARMOUR_RAW || own) {
        link->encoded = armour_encode(link->armour, &link->bad, packet->bytes, packet->size, &link->writing_size);
        link->writing = link->encoded;
    }
    if (own) packet_free(packet);
    return true;
}

void link_write(struct link *link) {
    while (!link->dead && (link->writing != NULL || load(link))) {
        ssize_t count = write(link->terminal, link->writing + link->written, link->writing_size - link->written);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (count <= 0) {
            link_drop(link);
            return;
        }
        link->written += (size_t)count;
        link->spoke = now_ms();
        if (link->written < link->writing_size) return; /* full: another attempt now would only say so */
        finish_writing(link);
        if (link->writing_numbered) session_sent(link->session);
    }
}

static void acknowledge(struct link *link, uint64_t now) {
    struct session *session = link->session;
    bool due = session->unacked_bytes >= ACK_BYTES || session->unacked_packets >= ACK_PACKETS ||
               (session->unacked_bytes >= ACK_ALONG && session->unsent != NULL);
    if (session->unacked_packets == 0 || (!due && now - link->acknowledged < ACK_MS)) return;
    uint8_t next[4];
    put32(next, session->receive_next);
    send_urgent(link, PACKET_ACK, next, sizeof next);
    session->unacked_bytes = 0;
    session->unacked_packets = 0;
    link->acknowledged = now;
}

void link_tick(struct link *link, uint64_t now) {
    if (link->dead) return;
    if (!link->welcomed) {
        if (now - link->opened >= STRANGER_MS) link_drop(link);
        else if (!link->greeted && link->writing == NULL && now - link->greeted_at >= GREETING_MS) greet(link);
        return;
    }
    acknowledge(link, now);
    if (now - link->heard >= link->session->dead_ms) {
        link_drop(link);
    } else if (now - link->spoke >= link->session->ping_ms && link->urgent == NULL && link->writing == NULL) {
        uint8_t token[8];
        put64(token, now);
        send_urgent(link, PACKET_PING, token, sizeof token);
        link->spoke = now;
    }
}
