#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "account.h"
#include "util.h"

enum {
    ARGUMENT_MOST = 120 * 1024, /* the kernel's limit for one argument is 128 KiB */
    SCRIPT_FD = FIRST_FD - 1,
    PIPE_ROOM = 256 * 1024,
};

extern char **environ;

/* What the child reports when it has a group of its own. */
static const char BEGUN[] = "b";

/* What the child reports when it cannot become the command: one byte of these, then errno. */
enum stage { STAGE_TERMINAL = 't', STAGE_USER = 'u', STAGE_FOLDER = 'd', STAGE_SCRIPT = 's', STAGE_EXEC = 'x' };

void surroundings_free(struct surroundings *surroundings) {
    for (char **entry = surroundings->environment; entry != NULL && *entry != NULL; entry++) free(*entry);
    free(surroundings->environment);
    memset(surroundings, 0, sizeof *surroundings);
}

void terminal_resize(int fd, uint16_t rows, uint16_t columns) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    ioctl(fd, TIOCSWINSZ, &size);
}

static void fail(int report, enum stage stage) {
    uint8_t said[5] = {(uint8_t)stage};
    put32(said + 1, (uint32_t)errno);
    write_all(report, said, sizeof said);
    _exit(127);
}

/* The exec session's own variables, which a shell made up on its way, are not the container's. */
static void set_environment(const struct order *order, const struct surroundings *around,
                            const struct account *account) {
    static const char *const made_up[] = {"_", "OLDPWD", "PWD", "SHLVL", "LINES", "COLUMNS", "PS1"};
    environ = NULL;
    for (char **entry = around->environment; *entry != NULL; entry++) putenv(*entry);
    for (size_t i = 0; i < sizeof made_up / sizeof *made_up; i++) unsetenv(made_up[i]);
    /* For the user the image runs as, what the image says about home and shell stands. */
    int replace = account->uid != geteuid();
    setenv("HOME", account->home, replace);
    setenv("USER", account->name, replace);
    setenv("LOGNAME", account->name, replace);
    setenv("SHELL", account->shell, replace);
    if (getenv("PATH") == NULL) setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    for (char **entry = order->environment; *entry != NULL; entry++) putenv(*entry);
}

static void become(const struct account *account, int report) {
    if (account->uid == geteuid() && account->gid == getegid() && account->uid != 0) return;
    if (setgroups(account->group_count, account->groups) != 0 && geteuid() != account->uid) fail(report, STAGE_USER);
    if (setgid(account->gid) != 0 || setuid(account->uid) != 0) fail(report, STAGE_USER);
}

static void enter_folder(const struct order *order, int report) {
    if (*order->folder != 0) {
        if (chdir(order->folder) != 0) fail(report, STAGE_FOLDER);
        return;
    }
    const char *home = getenv("HOME");
    if ((home == NULL || *home == 0 || chdir(home) != 0) && chdir("/") != 0) fail(report, STAGE_FOLDER);
}

/* A command too long to be an argument is sourced from a file that exists only in memory. */
static int make_script(const struct order *order) {
    static const char opening[] = "exec 9<&-;"; /* the command must not inherit the file */
    int fd = move_high(memfd_create("command", MFD_CLOEXEC));
    if (fd < 0) return -1;
    if (!write_all(fd, opening, sizeof opening - 1) || !write_all(fd, order->command, order->command_length)) {
        close(fd);
        return -1;
    }
    return fd;
}

static void run_child(const struct order *order, const struct surroundings *around, const struct account *account,
                      const int ends[3], int report) {
    sigset_t none;
    sigemptyset(&none);
    for (int number = 1; number < 65; number++) signal(number, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    write_all(report, BEGUN, 1);
    if (order->terminal && ioctl(ends[0], TIOCSCTTY, 0) != 0) fail(report, STAGE_TERMINAL);
    int script = -1;
    if (order->command_length > ARGUMENT_MOST && (script = make_script(order)) < 0) fail(report, STAGE_SCRIPT);
    for (int i = 0; i < 3; i++)
        if (dup2(ends[i], i) < 0) fail(report, STAGE_EXEC);
    set_environment(order, around, account);
    become(account, report);
    enter_folder(order, report);
    char *arguments[] = {"sh", "-c", order->command, NULL};
    if (script >= 0) {
        if (dup2(script, SCRIPT_FD) < 0) fail(report, STAGE_SCRIPT);
        arguments[2] = ". /proc/self/fd/9";
    }
    execve("/bin/sh", arguments, environ);
    fail(report, STAGE_EXEC);
}

static bool make_pipe(int ends[2]) {
    int low[2];
    if (pipe2(low, O_CLOEXEC) != 0) return false;
    fcntl(low[0], F_SETPIPE_SZ, PIPE_ROOM); /* fewer wake-ups; the default will do as well */
    for (int i = 0; i < 2; i++) ends[i] = move_high(low[i]);
    return ends[0] >= 0 && ends[1] >= 0;
}

static bool make_terminal(const struct order *order, const struct account *account, int *master, int *slave) {
    int number;
    int unlock = 0;
    *master = move_high(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (*master < 0 || ioctl(*master, TIOCSPTLCK, &unlock) != 0 || ioctl(*master, TIOCGPTN, &number) != 0) return false;
    struct text path = {0};
    text_add(&path, "/dev/pts/");
    text_add_number(&path, (uint64_t)number);
    *slave = move_high(open(path.data, O_RDWR | O_NOCTTY | O_CLOEXEC));
    text_free(&path);
    if (*slave < 0) return false;
    terminal_resize(*slave, order->rows, order->columns);
    if (fchown(*slave, account->uid, (gid_t)-1) != 0 && geteuid() == 0) return false;
    return true;
}

static bool make_ends(const struct order *order, const struct account *account, int ours[3], int theirs[3]) {
    if (order->terminal) {
        if (!make_terminal(order, account, &ours[1], &theirs[0])) return false;
        ours[0] = fcntl(ours[1], F_DUPFD_CLOEXEC, FIRST_FD);
        theirs[1] = fcntl(theirs[0], F_DUPFD_CLOEXEC, FIRST_FD);
        theirs[2] = fcntl(theirs[0], F_DUPFD_CLOEXEC, FIRST_FD);
        return ours[0] >= 0 && theirs[1] >= 0 && theirs[2] >= 0;
    }
    for (int i = 0; i < 3; i++) {
        int ends[2] = {-1, -1};
        bool fine = make_pipe(ends);
        ours[i] = ends[i == 0];
        theirs[i] = ends[i != 0];
        if (!fine) return false;
    }
    return true;
}

static bool refuse(struct refusal *refusal, const char *kind, const char *first, const char *second) {
    struct text text = {0};
    text_add(&text, first);
    text_add(&text, second);
    *refusal = (struct refusal){kind, text.data};
    return false;
}

static bool check(const struct order *order, const struct account *account, bool known, struct refusal *refusal) {
    if (!known) return refuse(refusal, "user-unknown", "no such user or group in the container: ", order->user);
    if (geteuid() != 0 && account->uid != geteuid())
        return refuse(refusal, "user-denied", "the image's user is not root and may not become ", order->user);
    if (memchr(order->command, 0, order->command_length) != NULL)
        return refuse(refusal, "command", "the command holds a NUL byte, which no shell can read", "");
    return true;
}

/* Who signals a group that is not there yet ends nobody: the order to end a command may follow on the heels of its
   beginning. A child that dies before it says so closes the pipe. */
static void await_group(int report) {
    char said;
    while (read(report, &said, 1) < 0 && errno == EINTR) continue;
}

bool process_start(const struct order *order, const struct surroundings *around, struct child *child,
                   struct refusal *refusal) {
    struct account account;
    int ours[3] = {-1, -1, -1};
    int theirs[3] = {-1, -1, -1};
    int report[2] = {-1, -1};
    bool known = account_find(order->user, &account);
    bool fine = check(order, &account, known, refusal);
    *child = (struct child){-1, -1, -1, -1, -1};
    if (fine && (!make_ends(order, &account, ours, theirs) || !make_pipe(report)))
        fine = refuse(refusal, "resources", "no pipes or terminal for the command: ", strerror(errno));
    if (fine && (child->pid = fork()) == 0) run_child(order, around, &account, theirs, report[1]);
    if (fine && child->pid < 0) fine = refuse(refusal, "resources", "the container can start no process: ", strerror(errno));
    for (int i = 0; i < 3; i++) close_fd(&theirs[i]);
    close_fd(&report[1]);
    account_free(&account);
    if (!fine) {
        for (int i = 0; i < 3; i++) close_fd(&ours[i]);
        close_fd(&report[0]);
        return false;
    }
    await_group(report[0]);
    child->in = ours[0];
    child->out = ours[1];
    child->err = ours[2];
    child->report = report[0];
    set_nonblocking(child->in);
    set_nonblocking(child->out);
    if (child->err >= 0) set_nonblocking(child->err);
    set_nonblocking(child->report);
    return true;
}

void process_explain(const struct order *order, const uint8_t *report, size_t size, struct refusal *refusal) {
    int problem = size == 5 ? (int)get32(report + 1) : EIO;
    const char *said = strerror(problem);
    switch (size == 5 ? report[0] : 0) {
        case STAGE_USER:
            refuse(refusal, "user-denied", "the container does not allow to change the user: ", said);
            break;
        case STAGE_FOLDER: {
            struct text text = {0};
            text_add(&text, "the working folder ");
            text_add(&text, *order->folder != 0 ? order->folder : "/");
            text_add(&text, " cannot be entered: ");
            refuse(refusal, "folder", text.data, said);
            text_free(&text);
            break;
        }
        case STAGE_EXEC:
            if (problem == E2BIG)
                refuse(refusal, "too-big", "the environment is larger than the container's kernel allows: ", said);
            else refuse(refusal, "exec", "/bin/sh cannot be run: ", said);
            break;
        default:
            refuse(refusal, "resources", "the command could not be started: ", said);
            break;
    }
}
