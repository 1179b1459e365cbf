#include "reaper.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"
#include "util.h"

enum { PATIENCE_MS = 2000 };

struct condemned {
    struct condemned *next;
    pid_t leader;
    int stage;
    uint64_t due;
};

static struct condemned *condemned;

/* Process group and session of a process, from /proc/PID/stat; the name in it may hold anything. */
static bool group_and_session(const char *pid, uint32_t *group, uint32_t *session) {
    struct text path = {0};
    size_t size;
    bool fine = false;
    text_add(&path, "/proc/");
    text_add(&path, pid);
    text_add(&path, "/stat");
    char *data = read_file(path.data, 4096, &size);
    text_free(&path);
    char *at = data != NULL ? strrchr(data, ')') : NULL;
    if (at != NULL && at[1] == ' ') {
        const char *fields[4]; /* state, parent, group, session */
        size_t lengths[4];
        at += 2;
        for (int i = 0; i < 4; i++) {
            fields[i] = at;
            lengths[i] = strcspn(at, " ");
            at += lengths[i];
            if (*at == ' ') at++;
        }
        bool alive = *fields[0] != 'Z' && *fields[0] != 'X';
        fine = alive && parse_number(fields[2], lengths[2], group) && parse_number(fields[3], lengths[3], session);
    }
    free(data);
    return fine;
}

/* Signal everything in the command's group or session; false when nothing was there. */
static bool signal_all(pid_t leader, int number) {
    bool found = kill(-leader, number) == 0;
    DIR *folder = opendir("/proc");
    struct dirent *entry;
    if (folder == NULL) return found;
    bool any = false;
    while ((entry = readdir(folder)) != NULL) {
        uint32_t pid, group, session;
        if (!parse_number(entry->d_name, strlen(entry->d_name), &pid)) continue;
        if (!group_and_session(entry->d_name, &group, &session)) continue;
        if (group != (uint32_t)leader && session != (uint32_t)leader) continue;
        any = true;
        if (group != (uint32_t)leader) kill((pid_t)pid, number);
    }
    closedir(folder);
    return any;
}

bool reaper_pursues(pid_t leader) {
    for (struct condemned *item = condemned; item != NULL; item = item->next)
        if (item->leader == leader) return true;
    return false;
}

void reaper_condemn(pid_t leader) {
    if (reaper_pursues(leader)) return;
    bool any = signal_all(leader, SIGHUP);
    signal_all(leader, SIGCONT);
    if (!any) return;
    struct condemned *item = must_allocate(sizeof *item);
    *item = (struct condemned){condemned, leader, 0, now_ms() + PATIENCE_MS};
    condemned = item;
}

bool reaper_tick(void) {
    static const int signals[] = {SIGTERM, SIGKILL, SIGKILL};
    uint64_t now = now_ms();
    for (struct condemned **link = &condemned; *link != NULL;) {
        struct condemned *item = *link;
        if (now >= item->due) {
            bool any = signal_all(item->leader, signals[item->stage]);
            item->due = now + PATIENCE_MS;
            if (!any || ++item->stage == 3) {
                *link = item->next;
                guard_ended(item->leader);
                free(item);
                continue;
            }
        }
        link = &item->next;
    }
    return condemned != NULL;
}
