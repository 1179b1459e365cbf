/* Starting one command: user, environment, working directory, pipes or a terminal. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the first exec session of a link found: the container's own environment. */
struct surroundings {
    char **environment; /* NULL at its end */
};
void surroundings_free(struct surroundings *surroundings);

/* What OPEN asks for; the pointers lead into the message. */
struct order {
    char *user;
    char *folder;
    char *command;
    size_t command_length;
    char **environment; /* allocated array, NULL at its end */
    bool terminal;
    uint16_t rows, columns;
};
/* False when the message is not an order. Texts are ended by NUL in place. */
bool order_parse(struct order *order, uint8_t *message, size_t size);
void order_free(struct order *order);

struct child {
    pid_t pid;
    int in, out, err; /* with a terminal: out is its master, in a copy of it, err is -1 */
    int report;       /* end of file: the command runs; else what went wrong */
};

/* NULL, or why it did not start: "kind" and text. */
struct refusal {
    const char *kind;
    char *text; /* allocated */
};
bool process_start(const struct order *order, const struct surroundings *surroundings, struct child *child,
                   struct refusal *refusal);
/* What the child wrote to its report before it ended. */
void process_explain(const struct order *order, const uint8_t *report, size_t size, struct refusal *refusal);

void terminal_resize(int fd, uint16_t rows, uint16_t columns);

#endif
