/* Users and groups of the container, read from its own files: a static binary has no name service. */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { GROUPS_MOST = 256 };

struct account {
    uid_t uid;
    gid_t gid;
    gid_t groups[GROUPS_MOST];
    size_t group_count;
    char *name;  /* allocated; the number when there is no entry */
    char *home;  /* allocated; "/" when there is no entry */
    char *shell; /* allocated; "/bin/sh" when there is no entry */
};

/* wanted is "name", "uid", "name:group" or "uid:gid"; empty means the user we are. */
bool account_find(const char *wanted, struct account *account);
void account_free(struct account *account);

#endif
