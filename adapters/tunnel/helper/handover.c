#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "link.h"
#include "server.h"
#include "sha256.h"
#include "util.h"

enum { BACKLOG = 64, ENVIRONMENT_MOST = 8 << 20, PATIENCE_S = 3, ATTEMPTS = 100, NAP_MS = 20 };

extern char **environ;

static void add_namespace(struct text *name, const char *path) {
    char target[64];
    ssize_t length = readlink(path, target, sizeof target);
    text_add(name, "-");
    if (length > 0) text_add_bytes(name, target, (size_t)length);
}

/* Where the helper lies: the root and the path in it. Not the folder itself, which a cleaner may have removed and we
   made anew while the server runs. */
static void add_place(struct text *name) {
    struct text place = {0};
    struct stat root;
    char path[4096];
    uint8_t digest[32];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    char *last = strrchr(path, '/');
    if (last != NULL) *last = 0;
    text_add(&place, path);
    if (stat("/", &root) == 0) {
        text_add(&place, "-");
        text_add_number(&place, root.st_dev);
        text_add(&place, "-");
        text_add_number(&place, root.st_ino);
    }
    sha256((const uint8_t *)place.data, place.length, digest);
    text_free(&place);
    text_add(name, "-");
    text_add_hex(name, digest, 8);
}

/* Abstract names belong to the network namespace, which containers of a group share: so the name says
   which build, user and container it is. The helper's place tells containers without namespaces apart. */
static socklen_t make_address(struct sockaddr_un *address) {
    struct text name = {0};
    text_add(&name, "devpod-aci-");
    text_add_number(&name, (uint64_t)geteuid());
    text_add(&name, "-");
    text_add_hex(&name, own_digest, 8);
    add_namespace(&name, "/proc/self/ns/mnt");
    add_namespace(&name, "/proc/self/ns/pid");
    add_place(&name);
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    size_t length = name.length < sizeof address->sun_path - 1 ? name.length : sizeof address->sun_path - 1;
    memcpy(address->sun_path + 1, name.data, length);
    text_free(&name);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
}

/* Root of a neighbouring container has our number too, and reaches our socket; but its processes have no number here. */
static bool is_ours(int fd) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid() && peer.pid > 0;
}

static void be_patient(int fd, int seconds) {
    struct timeval limit = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* In the server: keep nothing of the session we were started from. */
_Noreturn static void become_server(int listener) {
    int high = fcntl(listener, F_DUPFD, FIRST_FD + 10);
    int kept = FIRST_FD;
    if (setsid() < 0 || dup2(high, kept) < 0) _exit(71);
    if (fork() != 0) _exit(0); /* so that it is nobody's child */
    if (syscall(SYS_close_range, kept + 1, ~0u, 0) != 0)
        for (int fd = kept + 1; fd < 4096; fd++) close(fd);
    for (int fd = 3; fd < kept; fd++) close(fd);
    fcntl(kept, F_SETFD, FD_CLOEXEC);
    set_nonblocking(kept);
    int null = open("/dev/null", O_RDWR);
    if (null < 0) null = kept; /* an image without it: any descriptor keeps the numbers taken */
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    if (null > 2 && null != kept) close(null);
    if (chdir("/") != 0) _exit(71);
    server_run(kept);
}

static bool start_server(const struct sockaddr_un *address, socklen_t length) {
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0) return false;
    bool fine = bind(listener, (const struct sockaddr *)address, length) == 0 && listen(listener, BACKLOG) == 0;
    if (fine) {
        pid_t pid = fork();
        if (pid == 0) become_server(listener);
        fine = pid > 0;
        /* It leaves at once, and would stay a zombie for as long as we relay. */
        while (fine && waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
    } else {
        fine = errno == EADDRINUSE; /* somebody was faster: connect to theirs, once it listens */
        if (fine) poll(NULL, 0, NAP_MS);
    }
    close(listener);
    return fine;
}

int handover_connect(void) {
    struct sockaddr_un address;
    socklen_t length = make_address(&address);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) return -1;
        be_patient(fd, PATIENCE_S);
        if (connect(fd, (struct sockaddr *)&address, length) == 0) {
            if (is_ours(fd)) return fd;
            errno = EPERM;
        }
        int problem = errno;
        close(fd);
        errno = problem;
        if (problem != ECONNREFUSED) return -1;
        if (!start_server(&address, length)) return -1;
    }
    return -1;
}

bool handover_give(int server, int terminal) {
    struct text around = {0};
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    for (char **entry = environ; *entry != NULL; entry++) text_add_bytes(&around, *entry, strlen(*entry) + 1);
    uint8_t size[4];
    put32(size, (uint32_t)around.length);
    struct iovec part = {size, sizeof size};
    memset(&control, 0, sizeof control);
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof terminal);
    memcpy(CMSG_DATA(header), &terminal, sizeof terminal);
    bool fine = sendmsg(server, &message, 0) == sizeof size && write_all(server, around.data, around.length);
    text_free(&around);
    return fine;
}

static int receive_terminal(int relay, uint32_t *size) {
    uint8_t bytes[4];
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {bytes, sizeof bytes};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room};
    ssize_t count;
    /* A command that ends at this moment interrupts it, SA_RESTART or not: the socket has a time limit. */
    do count = recvmsg(relay, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
    while (count < 0 && errno == EINTR);
    if (count != sizeof bytes) return -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int))) return -1;
    int low;
    memcpy(&low, CMSG_DATA(header), sizeof low);
    *size = get32(bytes);
    return move_high(low);
}

static bool parse_surroundings(const char *data, size_t size, struct surroundings *around) {
    size_t count = 0;
    if (size > 0 && data[size - 1] != 0) return false;
    for (size_t at = 0; at < size; at += strlen(data + at) + 1) count++;
    around->environment = must_allocate((count + 1) * sizeof *around->environment);
    size_t entry = 0;
    for (size_t at = 0; at < size; at += strlen(data + at) + 1) around->environment[entry++] = must_copy(data + at);
    around->environment[entry] = NULL;
    return true;
}

void handover_accept(int listener) {
    struct surroundings around = {0};
    uint32_t size = 0;
    int relay = move_high(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    if (relay < 0) return;
    be_patient(relay, PATIENCE_S);
    int terminal = is_ours(relay) ? receive_terminal(relay, &size) : -1;
    char *data = terminal >= 0 && size <= ENVIRONMENT_MOST ? must_allocate(size) : NULL;
    if (data != NULL && read_all(relay, data, size) && parse_surroundings(data, size, &around)) {
        link_new(terminal, relay, around);
    } else {
        close(relay);
        if (terminal >= 0) close(terminal);
    }
    free(data);
}
