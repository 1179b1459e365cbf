/* One terminal with somebody at its other end: greeting, armour, keep-alive, and the writing. */
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parser.h"
#include "session.h"

struct link {
    struct link *next;
    int terminal;
    int relay; /* while open the relay lives; it ends when we close it */
    bool dead;
    bool greeted;  /* the other end has introduced itself */
    bool welcomed; /* and knows where we are: numbered packets may follow */
    struct parser parser;
    struct session *session;
    struct surroundings around; /* until a session takes them over */

    enum armour armour; /* of what we send */
    struct bad_bytes bad;
    struct bad_bytes bad_up; /* what the other end's bytes suffered */
    size_t pad_up;

    struct packet *urgent, *urgent_end; /* packets without a number */
    const uint8_t *writing;             /* what is on its way now */
    uint8_t *encoded;                   /* the same, when it had to be allocated */
    size_t writing_size, written;
    bool writing_numbered;

    uint64_t opened, greeted_at, heard, spoke, acknowledged;
};

/* Takes the descriptors and the surroundings over. */
struct link *link_new(int terminal, int relay, struct surroundings around);
struct link *link_list(void);
bool link_wants_to_write(const struct link *link);
void link_read(struct link *link);
void link_write(struct link *link);
void link_tick(struct link *link, uint64_t now);
void link_drop(struct link *link);
void link_sweep(void);

/* Shown in every greeting. */
extern uint8_t own_digest[32];
extern uint8_t own_instance[16];

#endif
