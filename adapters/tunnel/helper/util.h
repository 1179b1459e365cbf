/* Small things everything else needs: memory, time, numbers, text, descriptors. */
#ifndef UTIL_H
#define UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Out of memory ends the process: the far side then sees a lost session, never a wrong byte. */
void *must_allocate(size_t size);
void *must_resize(void *memory, size_t size);
char *must_copy(const char *text);

uint64_t now_ms(void);

uint16_t get16(const uint8_t *from);
uint32_t get32(const uint8_t *from);
uint64_t get64(const uint8_t *from);
void put16(uint8_t *to, uint16_t value);
void put32(uint8_t *to, uint32_t value);
void put64(uint8_t *to, uint64_t value);

/* Decimal without a sign; the result of parse is false for anything but digits that fit. */
bool parse_number(const char *text, size_t length, uint32_t *value);

/* A growing text, always ended by NUL. */
struct text {
    char *data;
    size_t length;
};
void text_add(struct text *text, const char *more);
void text_add_bytes(struct text *text, const char *more, size_t length);
void text_add_number(struct text *text, uint64_t value);
void text_add_hex(struct text *text, const uint8_t *bytes, size_t count);
void text_free(struct text *text);

/* Write all or fail; for blocking descriptors. */
bool write_all(int fd, const void *data, size_t size);
bool read_all(int fd, void *data, size_t size);

/* Whole file (at most limit bytes), NUL appended; NULL with errno set when it cannot be read. */
char *read_file(const char *path, size_t limit, size_t *size);

void set_nonblocking(int fd);
void close_fd(int *fd);

/* The server's own descriptors begin here: those below are what a command gets. */
enum { FIRST_FD = 10 };
/* The same open file among them; the descriptor given is closed. -1 when it is none, or none is left. */
int move_high(int fd);

#endif
