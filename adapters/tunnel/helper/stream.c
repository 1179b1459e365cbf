#include "stream.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard.h"
#include "reaper.h"
#include "util.h"

enum {
    OPEN_MOST = 4 << 20,
    STREAMS_MOST = 256,
    CREDIT_STEP = STREAM_WINDOW / 4,
    QUIET_MS = 200,
    SETTLED_MS = 2000,
    LATE_MOST = 16 << 10, /* more than a terminal holds beyond what it says waits */
    EOT = 4,
    PIECES_MOST = 16,
};

static void send(struct stream *stream, uint8_t type, const void *payload, size_t length) {
    session_send(stream->session, packet_new(type, stream->id, payload, length));
}

static struct stream *find(struct session *session, uint32_t id) {
    for (struct stream *stream = session->streams; stream != NULL; stream = stream->next)
        if (stream->id == id && !stream->gone) return stream;
    return NULL;
}

static void drop_queue(struct stream *stream) {
    while (stream->queue != NULL) {
        struct packet *packet = stream->queue;
        stream->queue = packet->next;
        packet_free(packet);
    }
    stream->queue_end = NULL;
    stream->queue_bytes = 0;
    stream->expanded = false;
}

static void let_go(struct stream *stream) {
    stream->gone = true;
    close_fd(&stream->in);
    close_fd(&stream->report);
    close_fd(&stream->out.fd);
    close_fd(&stream->err.fd);
    drop_queue(stream);
}

static void refuse(struct stream *stream, const char *kind, const char *text) {
    struct text said = {0};
    text_add_bytes(&said, kind, strlen(kind) + 1);
    text_add(&said, text);
    if (said.length > PACKET_PAYLOAD) said.length = PACKET_PAYLOAD;
    send(stream, PACKET_ERROR, said.data, said.length);
    text_free(&said);
    let_go(stream);
}

static void refuse_for(struct stream *stream, struct refusal *refusal) {
    refuse(stream, refusal->kind, refusal->text);
    free(refusal->text);
}

static void start(struct stream *stream) {
    struct child child;
    struct refusal refusal;
    if (!order_parse(&stream->order, stream->opening, stream->opening_size)) {
        refuse(stream, "protocol", "OPEN cannot be understood");
        return;
    }
    if (!process_start(&stream->order, &stream->session->around, &child, &refusal)) {
        refuse_for(stream, &refusal);
        return;
    }
    stream->pid = child.pid;
    guard_began(child.pid);
    stream->in = child.in;
    stream->out.fd = child.out;
    stream->err.fd = child.err;
    stream->report = child.report;
    stream->terminal = stream->order.terminal;
}

static struct stream *open_stream(struct session *session, uint32_t id) {
    struct stream *stream = must_allocate(sizeof *stream);
    memset(stream, 0, sizeof *stream);
    stream->session = session;
    stream->id = id;
    stream->in = stream->report = stream->out.fd = stream->err.fd = -1;
    stream->out.credit = stream->err.credit = STREAM_WINDOW;
    size_t count = 0;
    struct stream **end = &session->streams;
    for (; *end != NULL; end = &(*end)->next) count++;
    *end = stream;
    if (count >= STREAMS_MOST) refuse(stream, "resources", "too many commands run over this session");
    return stream;
}

static void take_opening(struct stream *stream, struct packet *packet) {
    size_t length = packet_length(packet);
    if (stream->opening_size + length > OPEN_MOST) {
        refuse(stream, "too-big", "command and environment are larger than 4 MiB");
        return;
    }
    stream->opening = must_resize(stream->opening, stream->opening_size + length);
    memcpy(stream->opening + stream->opening_size, packet_payload(packet), length);
    stream->opening_size += length;
    if ((packet_flags(packet) & PACKET_MORE) == 0) start(stream);
}

static bool take_input(struct stream *stream, struct packet *packet) {
    size_t length = packet_length(packet);
    if (stream->in < 0 || length == 0) {
        packet_free(packet);
        return true;
    }
    /* The other end sends no more than it was given credit for; if it does, it is not ours. */
    if (stream->queue_bytes + length > STREAM_WINDOW) {
        packet_free(packet);
        return false;
    }
    packet->next = NULL;
    if (stream->queue_end != NULL) stream->queue_end->next = packet;
    else stream->queue = packet;
    stream->queue_end = packet;
    stream->queue_bytes += length;
    return true;
}

static bool take_credit(struct stream *stream, struct packet *packet) {
    if (packet_length(packet) < 5) return false;
    const uint8_t *said = packet_payload(packet);
    struct output *output = said[0] == CHANNEL_OUT ? &stream->out : &stream->err;
    uint32_t more = get32(said + 1);
    if (more > STREAM_WINDOW || output->credit + more > STREAM_WINDOW) return false;
    output->credit += more;
    return true;
}

static void kill_command(struct stream *stream) {
    stream->killed = true;
    if (stream->pid > 0 && !stream->exited) reaper_condemn(stream->pid);
    drop_queue(stream);
    close_fd(&stream->in);
}

static bool take_control(struct stream *stream, struct packet *packet) {
    const uint8_t *said = packet_payload(packet);
    size_t length = packet_length(packet);
    switch (packet_type(packet)) {
        case PACKET_STDIN_EOF:
            stream->in_ends = true;
            stream_in_ready(stream, POLLOUT);
            return true;
        case PACKET_CREDIT:
            return take_credit(stream, packet);
        case PACKET_SIGNAL:
            if (length < 4) return false;
            if (stream->pid > 0 && !stream->exited && get32(said) < 65) kill(-stream->pid, (int)get32(said));
            return true;
        case PACKET_WINSIZE:
            if (length < 4) return false;
            if (stream->terminal && stream->out.fd >= 0) terminal_resize(stream->out.fd, get16(said), get16(said + 2));
            return true;
        case PACKET_KILL:
            kill_command(stream);
            return true;
        default:
            return false;
    }
}

bool stream_receive(struct session *session, struct packet *packet) {
    struct stream *stream = find(session, packet_stream(packet));
    bool fine = true;
    if (packet_type(packet) == PACKET_OPEN) {
        if (stream == NULL) stream = open_stream(session, packet_stream(packet));
        fine = stream->pid == 0; /* one that has begun keeps its order, whose texts it may still need */
        if (fine && !stream->gone) take_opening(stream, packet);
    } else if (stream != NULL && packet_type(packet) == PACKET_STDIN) {
        return take_input(stream, packet);
    } else if (stream != NULL) {
        fine = take_control(stream, packet);
    } /* else: the command ended while this was under way */
    packet_free(packet);
    return fine;
}

void stream_end_all(struct session *session) {
    for (struct stream *stream = session->streams; stream != NULL; stream = stream->next) {
        if (stream->gone) continue;
        if (stream->pid > 0 && !stream->exited) reaper_condemn(stream->pid);
        let_go(stream);
    }
}

void stream_sweep(struct session *session) {
    for (struct stream **place = &session->streams; *place != NULL;) {
        struct stream *stream = *place;
        if (!stream->gone) {
            place = &stream->next;
            continue;
        }
        *place = stream->next;
        order_free(&stream->order);
        free(stream->opening);
        free(stream->inflater);
        free(stream);
    }
}

static size_t waiting_in(int fd) {
    int count = 0;
    return fd >= 0 && ioctl(fd, FIONREAD, &count) == 0 && count > 0 ? (size_t)count : 0;
}

bool stream_child_ended(struct session *session, pid_t pid, int status) {
    for (struct stream *stream = session->streams; stream != NULL; stream = stream->next) {
        if (stream->gone || stream->pid != pid || stream->exited) continue;
        stream->exited = true;
        stream->status = status;
        stream->exited_at = stream->last_output = now_ms();
        stream->out.owed = waiting_in(stream->out.fd);
        stream->err.owed = waiting_in(stream->err.fd);
        close_fd(&stream->in);
        drop_queue(stream);
        return true;
    }
    return false;
}

/* Output that came in time and lies there only because the line is full: that is no quiet. Of a child that never stops
   so much is enough. */
static bool held_up(const struct stream *stream) {
    return stream->late < LATE_MOST && waiting_in(stream->out.fd) + waiting_in(stream->err.fd) > 0;
}

static bool drained(struct stream *stream, uint64_t now) {
    if (stream->out.fd < 0 && stream->err.fd < 0) return true;
    if (stream->out.owed > 0 || stream->err.owed > 0) return false;
    if (held_up(stream)) stream->last_output = stream->settled_at = now;
    if (stream->settled_at == 0) stream->settled_at = now;
    return now - stream->last_output >= QUIET_MS || now - stream->settled_at >= SETTLED_MS;
}

void stream_tick(struct stream *stream, uint64_t now) {
    if (stream->gone || !stream->exited || stream->report >= 0) return;
    if (!stream->killed && !drained(stream, now)) return;
    uint8_t said[5] = {WIFSIGNALED(stream->status)};
    put32(said + 1, (uint32_t)(said[0] ? WTERMSIG(stream->status) : WEXITSTATUS(stream->status)));
    send(stream, PACKET_EXIT, said, sizeof said);
    let_go(stream);
}

short stream_in_events(const struct stream *stream) { return stream->queue != NULL || stream->in_ends ? POLLOUT : 0; }

short stream_output_events(const struct stream *stream, const struct output *output) {
    return output->credit > 0 && session_has_room(stream->session) ? POLLIN : 0;
}

static void return_credit(struct stream *stream) {
    if (stream->returned < CREDIT_STEP) return;
    uint8_t said[5] = {CHANNEL_IN};
    put32(said + 1, stream->returned);
    send(stream, PACKET_CREDIT, said, sizeof said);
    stream->returned = 0;
}

/* The command reads no more: tell the other end, which then stops reading on its side too. */
static void refuse_input(struct stream *stream) {
    close_fd(&stream->in);
    drop_queue(stream);
    send(stream, PACKET_STDIN_CLOSED, NULL, 0);
}

/* The command's view of the queue's first packet; NULL when that cannot be expanded. */
static const uint8_t *front(struct stream *stream, size_t *size) {
    struct packet *packet = stream->queue;
    *size = packet_length(packet);
    if ((packet_flags(packet) & PACKET_DEFLATED) == 0) return packet_payload(packet);
    if (!stream->expanded) {
        if (stream->inflater == NULL) {
            stream->inflater = must_allocate(sizeof *stream->inflater);
            stream->inflater->have = 0;
        }
        if (!inflate_packet(stream->inflater, packet_payload(packet), *size)) return NULL;
        stream->expanded = true;
    }
    *size = stream->inflater->size;
    return stream->inflater->out;
}

static void drop_first(struct stream *stream) {
    struct packet *packet = stream->queue;
    stream->queue = packet->next;
    if (stream->queue == NULL) stream->queue_end = NULL;
    stream->queue_bytes -= packet_length(packet);
    stream->returned += (uint32_t)packet_length(packet);
    stream->expanded = false;
    packet_free(packet);
    return_credit(stream);
}

/* What the command can be given with one call: the first packet's rest, and those behind it that need no expanding. */
static int gather(struct stream *stream, struct iovec parts[PIECES_MOST]) {
    size_t size;
    const uint8_t *data = front(stream, &size);
    if (data == NULL) return -1;
    int count = 0;
    parts[count++] = (struct iovec){(uint8_t *)data + stream->queue->taken, size - stream->queue->taken};
    for (struct packet *packet = stream->queue->next; packet != NULL && count < PIECES_MOST; packet = packet->next) {
        if ((packet_flags(packet) & PACKET_DEFLATED) != 0) break;
        parts[count++] = (struct iovec){packet_payload(packet), packet_length(packet)};
    }
    return count;
}

void stream_in_ready(struct stream *stream, short events) {
    while (stream->in >= 0 && stream->queue != NULL) {
        struct iovec parts[PIECES_MOST];
        int count = gather(stream, parts);
        if (count < 0) {
            if (stream->pid > 0) reaper_condemn(stream->pid);
            refuse(stream, "input", "compressed input that cannot be expanded");
            return;
        }
        /* An empty packet is no reason to write; the command would take a write of nothing for an end. */
        ssize_t taken = parts[0].iov_len > 0 ? writev(stream->in, parts, count) : 0;
        if (taken < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (taken < 0) {
            refuse_input(stream);
            return;
        }
        for (int at = 0; at < count; at++) {
            if ((size_t)taken < parts[at].iov_len) {
                stream->queue->taken += (size_t)taken;
                break;
            }
            taken -= (ssize_t)parts[at].iov_len;
            drop_first(stream);
        }
    }
    if (stream->in < 0) return;
    if (stream->in_ends && stream->queue == NULL) {
        const uint8_t end = EOT;
        if (stream->terminal && write(stream->in, &end, 1) < 0 && errno == EAGAIN) return;
        close_fd(&stream->in);
    } else if ((events & (POLLERR | POLLHUP)) != 0) {
        refuse_input(stream);
    }
}

void stream_hand_over(struct session *session) {
    for (struct stream *stream = session->streams; stream != NULL; stream = stream->next)
        if (!stream->gone && stream->queue != NULL) stream_in_ready(stream, POLLOUT);
}

/* Who was read goes behind the others, and so does the channel: there is room for few reads in a turn, and the first
   in the order would take it each time. */
static void to_the_end(struct stream *stream, enum channel channel) {
    struct stream **place = &stream->session->streams;
    stream->err_first = channel == CHANNEL_OUT;
    if (stream->next == NULL) return;
    while (*place != stream) place = &(*place)->next;
    *place = stream->next;
    while (*place != NULL) place = &(*place)->next;
    *place = stream;
    stream->next = NULL;
}

void stream_output_ready(struct stream *stream, enum channel channel) {
    static uint8_t buffer[PACKET_PAYLOAD];
    struct output *output = channel == CHANNEL_OUT ? &stream->out : &stream->err;
    if (output->fd < 0 || output->credit == 0 || !session_has_room(stream->session)) return;
    size_t most = output->credit < sizeof buffer ? output->credit : sizeof buffer;
    ssize_t count = read(output->fd, buffer, most);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
        close_fd(&output->fd);
        output->owed = 0;
        return;
    }
    output->credit -= (uint32_t)count;
    size_t owed = (size_t)count < output->owed ? (size_t)count : output->owed;
    output->owed -= owed;
    if (stream->exited) stream->late += (size_t)count - owed;
    stream->last_output = now_ms();
    send(stream, channel == CHANNEL_OUT ? PACKET_STDOUT : PACKET_STDERR, buffer, (size_t)count);
    to_the_end(stream, channel);
}

void stream_report_ready(struct stream *stream) {
    uint8_t said[8];
    struct refusal refusal;
    ssize_t count = read(stream->report, said, sizeof said);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    close_fd(&stream->report);
    if (count > 0) {
        process_explain(&stream->order, said, (size_t)count, &refusal);
        refuse_for(stream, &refusal);
        return;
    }
    order_free(&stream->order);
    free(stream->opening);
    stream->opening = NULL;
}
