#include "account.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

enum { FILE_MOST = 4 << 20, FIELDS_MOST = 7 };

/* Split one line at colons, in place. */
static size_t split(char *line, char *fields[FIELDS_MOST]) {
    size_t count = 0;
    while (count < FIELDS_MOST) {
        fields[count++] = line;
        char *colon = strchr(line, ':');
        if (colon == NULL || count == FIELDS_MOST) break;
        *colon = 0;
        line = colon + 1;
    }
    return count;
}

static char *next_line(char **rest) {
    char *line = *rest;
    if (line == NULL || *line == 0) return NULL;
    char *end = strchr(line, '\n');
    *rest = end != NULL ? end + 1 : NULL;
    if (end != NULL) *end = 0;
    return line;
}

static void set(char **field, const char *value) {
    free(*field);
    *field = must_copy(value);
}

static bool number_of(const char *text, uint32_t *value) { return parse_number(text, strlen(text), value); }

/* The first entry that has the name, or the number, wanted. */
static bool find_user(const char *wanted, struct account *account) {
    size_t size;
    char *data = read_file("/etc/passwd", FILE_MOST, &size);
    bool found = false;
    char *rest = data;
    char *line;
    while (!found && (line = next_line(&rest)) != NULL) {
        char *fields[FIELDS_MOST];
        uint32_t uid, gid, number;
        size_t count = split(line, fields);
        if (count < 6 || !number_of(fields[2], &uid) || !number_of(fields[3], &gid)) continue;
        bool by_number = number_of(wanted, &number) && number == uid;
        if (strcmp(fields[0], wanted) != 0 && !by_number) continue;
        found = true;
        account->uid = uid;
        account->gid = gid;
        set(&account->name, fields[0]);
        if (fields[5][0] == '/') set(&account->home, fields[5]);
        if (count > 6 && fields[6][0] == '/') set(&account->shell, fields[6]);
    }
    free(data);
    return found;
}

static bool find_group(const char *wanted, gid_t *gid) {
    size_t size;
    char *data = read_file("/etc/group", FILE_MOST, &size);
    char *rest = data;
    char *line;
    uint32_t number = 0;
    bool found = false;
    while (!found && (line = next_line(&rest)) != NULL) {
        char *fields[FIELDS_MOST];
        if (split(line, fields) < 3 || !number_of(fields[2], &number)) continue;
        found = strcmp(fields[0], wanted) == 0;
    }
    free(data);
    if (!found) found = number_of(wanted, &number);
    *gid = number;
    return found;
}

static bool is_member(const char *members, const char *name) {
    size_t length = strlen(name);
    while (*members != 0) {
        size_t span = strcspn(members, ",");
        if (span == length && memcmp(members, name, length) == 0) return true;
        members += span;
        if (*members == ',') members++;
    }
    return false;
}

static void find_groups(struct account *account) {
    size_t size;
    char *data = read_file("/etc/group", FILE_MOST, &size);
    char *rest = data;
    char *line;
    account->groups[0] = account->gid;
    account->group_count = 1;
    while ((line = next_line(&rest)) != NULL && account->group_count < GROUPS_MOST) {
        char *fields[FIELDS_MOST];
        uint32_t gid;
        if (split(line, fields) < 4 || !number_of(fields[2], &gid) || gid == account->gid) continue;
        if (is_member(fields[3], account->name)) account->groups[account->group_count++] = gid;
    }
    free(data);
}

bool account_find(const char *wanted, struct account *account) {
    struct text name = {0};
    const char *group = strchr(wanted, ':');
    bool fine = true;
    uint32_t number;
    memset(account, 0, sizeof *account);
    account->home = must_copy("/");
    account->shell = must_copy("/bin/sh");
    if (*wanted == 0) text_add_number(&name, geteuid());
    else text_add_bytes(&name, wanted, group != NULL ? (size_t)(group - wanted) : strlen(wanted));
    if (!find_user(name.data, account)) {
        fine = number_of(name.data, &number);
        account->uid = fine ? number : 0;
        account->gid = *wanted == 0 ? getegid() : 0;
        set(&account->name, name.data);
    }
    if (fine && group != NULL && group[1] != 0) fine = find_group(group + 1, &account->gid);
    find_groups(account);
    text_free(&name);
    return fine;
}

void account_free(struct account *account) {
    free(account->name);
    free(account->home);
    free(account->shell);
    memset(account, 0, sizeof *account);
}
