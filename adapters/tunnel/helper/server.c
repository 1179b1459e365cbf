#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard.h"
#include "handover.h"
#include "link.h"
#include "reaper.h"
#include "session.h"
#include "stream.h"
#include "util.h"

enum { IDLE_MS = 60000, TICK_MS = 100, SLOW_TICK_MS = 1000 };

/* What a descriptor that became ready belongs to. */
enum owner { OWNER_LISTENER, OWNER_CHILDREN, OWNER_TERMINAL, OWNER_RELAY, OWNER_IN, OWNER_OUT, OWNER_ERR, OWNER_REPORT };

struct watch {
    enum owner owner;
    void *object;
};

static struct pollfd *polled;
static struct watch *watches;
static size_t watch_count, watch_room;

static int child_ended[2];

static void on_child(int number) {
    int before = errno;
    char byte = (char)number;
    if (write(child_ended[1], &byte, 1) < 0) errno = 0; /* full: the other end wakes up anyway */
    errno = before;
}

static void watch(int fd, short events, enum owner owner, void *object) {
    if (fd < 0) return;
    if (watch_count == watch_room) {
        watch_room = watch_room * 2 + 16;
        polled = must_resize(polled, watch_room * sizeof *polled);
        watches = must_resize(watches, watch_room * sizeof *watches);
    }
    polled[watch_count] = (struct pollfd){.fd = fd, .events = events};
    watches[watch_count++] = (struct watch){owner, object};
}

static void watch_output(struct stream *stream, enum channel channel) {
    struct output *output = channel == CHANNEL_OUT ? &stream->out : &stream->err;
    short events = stream_output_events(stream, output);
    /* Without interest not even the hang-up may wake us: poll would return at once, again and again. */
    if (events != 0) watch(output->fd, events, channel == CHANNEL_OUT ? OWNER_OUT : OWNER_ERR, stream);
}

static void watch_stream(struct stream *stream) {
    watch(stream->report, POLLIN, OWNER_REPORT, stream);
    short in_events = stream_in_events(stream);
    /* Of a pipe its end is news as well; of a terminal the output tells. */
    if (!stream->terminal || in_events != 0) watch(stream->in, in_events, OWNER_IN, stream);
    if (stream->err_first) watch_output(stream, CHANNEL_ERR);
    watch_output(stream, CHANNEL_OUT);
    if (!stream->err_first) watch_output(stream, CHANNEL_ERR);
}

static void watch_all(int listener) {
    watch_count = 0;
    watch(listener, POLLIN, OWNER_LISTENER, NULL);
    watch(child_ended[0], POLLIN, OWNER_CHILDREN, NULL);
    for (struct link *link = link_list(); link != NULL; link = link->next) {
        watch(link->terminal, (short)(POLLIN | (link_wants_to_write(link) ? POLLOUT : 0)), OWNER_TERMINAL, link);
        watch(link->relay, POLLIN, OWNER_RELAY, link);
    }
    for (struct session *session = session_list(); session != NULL; session = session->next)
        for (struct stream *stream = session->streams; stream != NULL; stream = stream->next) watch_stream(stream);
}

static void collect_children(void) {
    char bytes[64];
    int status;
    pid_t pid;
    while (read(child_ended[0], bytes, sizeof bytes) > 0) continue;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (struct session *session = session_list(); session != NULL; session = session->next)
            if (stream_child_ended(session, pid, status)) break;
        if (!reaper_pursues(pid)) guard_ended(pid);
    }
}

static void serve(const struct watch *watch, short events) {
    switch (watch->owner) {
        case OWNER_LISTENER:
            break;
        case OWNER_CHILDREN:
            collect_children();
            break;
        case OWNER_TERMINAL: {
            struct link *link = watch->object;
            if (link->dead) return;
            if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) {
                link_read(link);
                if (link->session != NULL) stream_hand_over(link->session);
            }
            break;
        }
        case OWNER_RELAY:
            link_drop(watch->object); /* the relay says nothing: this is its end */
            break;
        case OWNER_IN:
            if (!((struct stream *)watch->object)->gone) stream_in_ready(watch->object, events);
            break;
        case OWNER_OUT:
            if (!((struct stream *)watch->object)->gone) stream_output_ready(watch->object, CHANNEL_OUT);
            break;
        case OWNER_ERR:
            if (!((struct stream *)watch->object)->gone) stream_output_ready(watch->object, CHANNEL_ERR);
            break;
        case OWNER_REPORT:
            if (!((struct stream *)watch->object)->gone) stream_report_ready(watch->object);
            break;
    }
}

/* Everything that time brings about; returns how long the next poll may sleep. */
static int tick(uint64_t now) {
    bool soon = reaper_tick();
    for (struct session *session = session_list(); session != NULL; session = session->next) {
        for (struct stream *stream = session->streams; stream != NULL; stream = stream->next) {
            stream_tick(stream, now);
            soon = soon || (stream->exited && !stream->gone);
        }
        if (session->link == NULL && now - session->detached_at >= session->grace_ms) session_end(session);
        soon = soon || session->unacked_packets > 0;
    }
    for (struct link *link = link_list(); link != NULL; link = link->next) {
        link_tick(link, now);
        soon = soon || (link->session != NULL && link->session->ping_ms < SLOW_TICK_MS);
        link_write(link);
    }
    return soon ? TICK_MS : SLOW_TICK_MS;
}

static void sweep(void) {
    for (struct session *session = session_list(); session != NULL; session = session->next) stream_sweep(session);
    link_sweep();
    session_sweep();
}

static void prepare(void) {
    struct sigaction action = {.sa_handler = on_child, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    static const int ignored[] = {SIGPIPE, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) signal(ignored[i], SIG_IGN);
    guard_start();
    if (pipe2(child_ended, O_CLOEXEC | O_NONBLOCK) != 0) _exit(71);
    for (int i = 0; i < 2; i++) child_ended[i] = move_high(child_ended[i]);
    sigaction(SIGCHLD, &action, NULL);
    /* What a command leaves behind becomes our child, so it is waited for even if process 1 never waits. */
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    if (getrandom(own_instance, sizeof own_instance, 0) < 0) put64(own_instance, now_ms());
}

_Noreturn void server_run(int listener) {
    uint64_t busy = now_ms();
    int sleep_ms = TICK_MS;
    prepare();
    for (;;) {
        watch_all(listener);
        int ready = poll(polled, watch_count, sleep_ms);
        if (ready > 0) {
            for (size_t i = 1; i < watch_count; i++)
                if (polled[i].revents != 0) serve(&watches[i], polled[i].revents);
            if (polled[0].revents != 0) handover_accept(listener);
        }
        uint64_t now = now_ms();
        sleep_ms = tick(now);
        sweep();
        if (link_list() != NULL || session_list() != NULL || sleep_ms == TICK_MS) busy = now;
        if (now - busy >= IDLE_MS) _exit(0);
    }
}
