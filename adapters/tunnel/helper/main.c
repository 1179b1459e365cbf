/* devpod-aci-helper: `check SHA256` proves that the file is whole and may be executed here;
   `relay NONCE` makes the terminal transparent and gives it to the server. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>

#include "handover.h"
#include "link.h"
#include "sha256.h"
#include "util.h"

enum { SELF_MOST = 1 << 20, NONCE_MOST = 64 };

static bool read_self(const char *name) {
    size_t size;
    char *data = read_file("/proc/self/exe", SELF_MOST, &size);
    if (data == NULL) data = read_file(name, SELF_MOST, &size); /* no /proc */
    if (data == NULL) return false;
    sha256((uint8_t *)data, size, own_digest);
    free(data);
    return true;
}

static int check(const char *wanted) {
    struct text own = {0};
    text_add_hex(&own, own_digest, sizeof own_digest);
    size_t length = strlen(wanted);
    bool whole = length >= 16 && length <= own.length && memcmp(own.data, wanted, length) == 0;
    /* A word, for a shell takes an empty file for a program that succeeds. */
    return whole && write_all(1, "whole\n", 6) ? 0 : 1;
}

/* The nonce comes back reversed: no echo of the line that started us can look like this. */
static void say(const char *word, const char *nonce, const char *detail) {
    struct text line = {0};
    text_add(&line, "\r\n[devpod-aci:");
    text_add(&line, word);
    text_add(&line, ":");
    for (size_t at = strlen(nonce); at > 0; at--) text_add_bytes(&line, nonce + at - 1, 1);
    if (*detail != 0) text_add(&line, ":");
    text_add(&line, detail);
    text_add(&line, "]\r\n");
    write_all(1, line.data, line.length);
    text_free(&line);
}

static void make_transparent(int fd) {
    struct termios mode;
    if (tcgetattr(fd, &mode) != 0) return;
    cfmakeraw(&mode);
    mode.c_cc[VMIN] = 1;
    mode.c_cc[VTIME] = 0;
    tcsetattr(fd, TCSANOW, &mode);
}

static int relay(const char *nonce) {
    static const int ignored[] = {SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE, SIGWINCH};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) signal(ignored[i], SIG_IGN);
    signal(SIGHUP, SIG_DFL);
    make_transparent(0);
    int server = handover_connect();
    if (server < 0) {
        say("failed", nonce, strerror(errno));
        return 1;
    }
    say("relay", nonce, "");
    if (!handover_give(server, 0)) return 1;
    struct pollfd end = {.fd = server};
    while (poll(&end, 1, -1) < 0 && errno == EINTR) continue; /* until the server lets go of it */
    return 0;
}

int main(int count, char **arguments) {
    if (count != 3 || strlen(arguments[2]) > NONCE_MOST || !read_self(arguments[0])) return 2;
    prctl(PR_SET_NAME, "devpod-aci", 0, 0, 0); /* without a file, later sessions find the server by its name */
    if (strcmp(arguments[1], "check") == 0) return check(arguments[2]);
    if (strcmp(arguments[1], "relay") == 0) return relay(arguments[2]);
    return 2;
}
