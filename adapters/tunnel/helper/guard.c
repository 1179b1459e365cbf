#include "guard.h"

#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "reaper.h"
#include "util.h"

enum { BEGAN = '+', ENDED = '-', TICK_MS = 100, FEW_FDS = 64 };

static int server_says = -1;

/* Keep nothing of the server's, above all not its socket: who connects must find it dead. */
static int keep_only(int fd) {
    int kept = dup2(fd, 3);
    if (syscall(SYS_close_range, kept + 1, ~0u, 0) != 0)
        for (int other = kept + 1; other < FEW_FDS; other++) close(other);
    return kept;
}

_Noreturn static void watch(int server) {
    pid_t *leaders = NULL;
    size_t count = 0, room = 0;
    uint8_t said[5];
    while (read_all(server, said, sizeof said)) {
        pid_t leader = (pid_t)get32(said + 1);
        size_t at = 0;
        while (at < count && leaders[at] != leader) at++;
        if (said[0] == ENDED && at < count) {
            leaders[at] = leaders[--count];
        } else if (said[0] == BEGAN && at == count) {
            if (count == room) leaders = must_resize(leaders, (room = room * 2 + 16) * sizeof *leaders);
            leaders[count++] = leader;
        }
    }
    for (size_t at = 0; at < count; at++) reaper_condemn(leaders[at]);
    while (reaper_tick()) poll(NULL, 0, TICK_MS);
    _exit(0);
}

void guard_start(void) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    pid_t pid = fork();
    if (pid == 0) watch(keep_only(ends[0]));
    close(ends[0]);
    server_says = move_high(ends[1]);
    if (pid < 0) close_fd(&server_says);
    if (server_says >= 0) set_nonblocking(server_says);
}

static void tell(char what, pid_t leader) {
    uint8_t said[5] = {(uint8_t)what};
    put32(said + 1, (uint32_t)leader);
    /* A guard that was killed or stopped is none: the server does not wait for it. */
    if (server_says >= 0 && write(server_says, said, sizeof said) < 0) return;
}

void guard_began(pid_t leader) { tell(BEGAN, leader); }

void guard_ended(pid_t leader) { tell(ENDED, leader); }
