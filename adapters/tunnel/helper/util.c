#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void *must_resize(void *memory, size_t size) {
    void *result = realloc(memory, size != 0 ? size : 1);
    if (result == NULL) _exit(70);
    return result;
}

void *must_allocate(size_t size) { return must_resize(NULL, size); }

char *must_copy(const char *text) {
    size_t size = strlen(text) + 1;
    return memcpy(must_allocate(size), text, size);
}

uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint16_t get16(const uint8_t *from) { return (uint16_t)(from[0] | from[1] << 8); }

uint32_t get32(const uint8_t *from) {
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

uint64_t get64(const uint8_t *from) { return get32(from) | (uint64_t)get32(from + 4) << 32; }

void put16(uint8_t *to, uint16_t value) {
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

void put32(uint8_t *to, uint32_t value) {
    put16(to, (uint16_t)value);
    put16(to + 2, (uint16_t)(value >> 16));
}

void put64(uint8_t *to, uint64_t value) {
    put32(to, (uint32_t)value);
    put32(to + 4, (uint32_t)(value >> 32));
}

bool parse_number(const char *text, size_t length, uint32_t *value) {
    uint64_t number = 0;
    if (length == 0 || length > 10) return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    if (number >= UINT32_MAX) return false; /* (uid_t)-1 means "no change" to the kernel */
    *value = (uint32_t)number;
    return true;
}

void text_add_bytes(struct text *text, const char *more, size_t length) {
    text->data = must_resize(text->data, text->length + length + 1);
    memcpy(text->data + text->length, more, length);
    text->length += length;
    text->data[text->length] = 0;
}

void text_add(struct text *text, const char *more) { text_add_bytes(text, more, strlen(more)); }

void text_add_number(struct text *text, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    text_add_bytes(text, digits + at, sizeof digits - at);
}

void text_add_hex(struct text *text, const uint8_t *bytes, size_t count) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
        text_add_bytes(text, pair, 2);
    }
}

void text_free(struct text *text) {
    free(text->data);
    text->data = NULL;
    text->length = 0;
}

bool write_all(int fd, const void *data, size_t size) {
    const char *at = data;
    while (size > 0) {
        ssize_t count = write(fd, at, size);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        at += count;
        size -= (size_t)count;
    }
    return true;
}

bool read_all(int fd, void *data, size_t size) {
    char *at = data;
    while (size > 0) {
        ssize_t count = read(fd, at, size);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        at += count;
        size -= (size_t)count;
    }
    return true;
}

char *read_file(const char *path, size_t limit, size_t *size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return NULL;
    size_t room = 4096;
    size_t have = 0;
    char *data = must_allocate(room);
    while (have < limit) {
        if (room - have < 2) data = must_resize(data, room *= 2);
        ssize_t count = read(fd, data + have, room - have - 1);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        have += (size_t)count;
    }
    close(fd);
    data[have] = 0;
    *size = have;
    return data;
}

void set_nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

int move_high(int fd) {
    if (fd < 0) return -1;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
    close(fd);
    return high;
}
