/* A command and its three streams, over a session. */
#ifndef STREAM_H
#define STREAM_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inflate.h"
#include "session.h"

enum channel { CHANNEL_IN = 0, CHANNEL_OUT = 1, CHANNEL_ERR = 2 };

struct output {
    int fd;
    uint32_t credit; /* bytes the other end is ready for */
    size_t owed;     /* bytes that were in the pipe when the command ended */
};

struct stream {
    struct stream *next;
    struct session *session;
    uint32_t id;
    bool gone; /* to be freed at the next opportunity */

    uint8_t *opening; /* OPEN as far as it has come; later the order's own texts */
    size_t opening_size;
    struct order order;

    pid_t pid;
    bool terminal;
    int in, report;
    struct output out, err;
    bool err_first; /* its turn comes before that of out */
    struct packet *queue, *queue_end; /* input the command has not read yet */
    size_t queue_bytes;
    struct inflater *inflater; /* once a packet came compressed */
    bool expanded;             /* the queue's first packet is, into the inflater's room */
    bool in_ends; /* close the command's input when the queue is empty */
    uint32_t returned; /* input consumed since the last credit was given, as it came */

    bool exited, killed;
    int status;
    size_t late; /* output that came after what was owed */
    uint64_t exited_at, settled_at, last_output;
};

bool stream_receive(struct session *session, struct packet *packet);
void stream_end_all(struct session *session);
void stream_sweep(struct session *session);
/* True when the process was the command of one of the session's streams. */
bool stream_child_ended(struct session *session, pid_t pid, int status);
void stream_tick(struct stream *stream, uint64_t now);

/* For the loop: which events matter now, and what to do about them. */
short stream_in_events(const struct stream *stream);
short stream_output_events(const struct stream *stream, const struct output *output);
void stream_in_ready(struct stream *stream, short events);
/* Give the commands what has just come, many packets with one call: each call wakes its reader. */
void stream_hand_over(struct session *session);
void stream_output_ready(struct stream *stream, enum channel channel);
void stream_report_ready(struct stream *stream);

#endif
