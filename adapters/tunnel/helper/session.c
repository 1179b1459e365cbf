#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "stream.h"
#include "util.h"

static struct session *sessions;

struct session *session_list(void) { return sessions; }

struct session *session_new(const uint8_t id[SESSION_ID]) {
    struct session *session = must_allocate(sizeof *session);
    memset(session, 0, sizeof *session);
    memcpy(session->id, id, SESSION_ID);
    session->next = sessions;
    sessions = session;
    return session;
}

struct session *session_find(const uint8_t id[SESSION_ID]) {
    for (struct session *session = sessions; session != NULL; session = session->next)
        if (!session->over && memcmp(session->id, id, SESSION_ID) == 0) return session;
    return NULL;
}

void session_send(struct session *session, struct packet *packet) {
    packet_seal(packet, session->next_number++);
    if (session->kept_end != NULL) session->kept_end->next = packet;
    else session->kept = packet;
    session->kept_end = packet;
    if (session->unsent == NULL) session->unsent = packet;
    session->kept_bytes += packet->size;
    session->unsent_bytes += packet->size;
}

bool session_has_room(const struct session *session) {
    return session->kept_bytes < LINK_WINDOW && session->unsent_bytes < UNSENT_MOST;
}

bool session_receive(struct session *session, struct packet *packet) {
    int32_t ahead = (int32_t)(packet_number(packet) - session->receive_next);
    if (ahead != 0) {
        packet_free(packet);
        return ahead < 0; /* behind: a repeat of what arrived; ahead: something is missing */
    }
    session->receive_next++;
    session->unacked_packets++;
    session->unacked_bytes += packet->size;
    return stream_receive(session, packet);
}

static void forget_first(struct session *session) {
    struct packet *packet = session->kept;
    session->kept = packet->next;
    if (session->kept == NULL) session->kept_end = NULL;
    session->kept_bytes -= packet->size;
    packet_free(packet);
}

bool session_acknowledge(struct session *session, uint32_t next) {
    while (session->kept != NULL && (int32_t)(next - packet_number(session->kept)) > 0) {
        if (session->kept == session->unsent) return false;
        forget_first(session);
    }
    return (int32_t)(next - session->next_number) <= 0;
}

bool session_rewind(struct session *session, uint32_t next) {
    session->unsent = NULL;
    if (!session_acknowledge(session, next)) return false;
    if (session->kept != NULL && packet_number(session->kept) != next) return false;
    session->unsent = session->kept;
    session->unsent_bytes = session->kept_bytes;
    return true;
}

void session_sent(struct session *session) {
    session->unsent_bytes -= session->unsent->size;
    session->unsent = session->unsent->next;
}

void session_end(struct session *session) {
    session->over = true;
    stream_end_all(session);
}

void session_inherit(struct session *session, const uint8_t owner[OWNER]) {
    static const uint8_t nobody[OWNER];
    memcpy(session->owner, owner, OWNER);
    if (memcmp(owner, nobody, OWNER) == 0) return;
    for (struct session *other = sessions; other != NULL; other = other->next) {
        if (other == session || other->over || memcmp(other->owner, owner, OWNER) != 0) continue;
        if (other->link != NULL) link_drop(other->link);
        session_end(other);
    }
}

void session_sweep(void) {
    for (struct session **place = &sessions; *place != NULL;) {
        struct session *session = *place;
        if (!session->over) {
            place = &session->next;
            continue;
        }
        *place = session->next;
        stream_sweep(session);
        while (session->kept != NULL) forget_first(session);
        surroundings_free(&session->around);
        free(session);
    }
}
