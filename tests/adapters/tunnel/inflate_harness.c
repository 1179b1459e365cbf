/* The helper's inflate, alone: expands what it is told on stdin; with -DFUZZ it is libFuzzer's entry point.

   A line of input is one stream: its packets as hexadecimal words, - for an empty one. A line of output is what each expanded to, up to
   the first that does not, which is !. With -DZLIB, zlib itself must agree with whatever is accepted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inflate.h"

#ifdef ZLIB
#include <zlib.h>
#endif

static struct inflater inflater;

#ifdef ZLIB
static z_stream other;

static void begin_other(void) {
    memset(&other, 0, sizeof other);
    if (inflateInit2(&other, -15) != Z_OK) abort();
}

static void end_other(void) { inflateEnd(&other); }

static void compare(const uint8_t *data, size_t size) {
    static uint8_t out[INFLATE_MOST + 1];
    other.next_in = (uint8_t *)data;
    other.avail_in = (unsigned)size;
    other.next_out = out;
    other.avail_out = sizeof out;
    int said = inflate(&other, Z_SYNC_FLUSH);
    if (said != Z_OK && said != Z_BUF_ERROR) abort();
    if (other.avail_in != 0 || sizeof out - other.avail_out != inflater.size) abort();
    if (memcmp(out, inflater.out, inflater.size) != 0) abort();
}
#else
static void begin_other(void) {}
static void end_other(void) {}
static void compare(const uint8_t *data, size_t size) { (void)data, (void)size; }
#endif

/* From a copy exactly as large, so that a read past its end is found. */
static bool expand(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size + (size == 0));
    memcpy(copy, data, size);
    bool fine = inflate_packet(&inflater, copy, size);
    free(copy);
    if (!fine) return false;
    if (inflater.size > INFLATE_MOST || inflater.out + inflater.size > inflater.room + sizeof inflater.room) abort();
    compare(data, size);
    return true;
}

#ifdef FUZZ
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Packets, each behind two bytes of length. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t at = 0;
    bool fine = true;
    inflater.have = 0;
    begin_other();
    while (fine && size - at >= 2) {
        size_t length = data[at] | (size_t)data[at + 1] << 8;
        at += 2;
        if (length > size - at) length = size - at;
        fine = expand(data + at, length);
        at += length;
    }
    end_other();
    return 0;
}
#else
static bool expand_word(const char *word) {
    size_t size = strcmp(word, "-") == 0 ? 0 : strlen(word) / 2;
    uint8_t *data = malloc(size + 1);
    for (size_t at = 0; at < size; at++) {
        unsigned value;
        if (sscanf(word + 2 * at, "%2x", &value) != 1) abort();
        data[at] = (uint8_t)value;
    }
    bool fine = expand(data, size);
    free(data);
    if (!fine) {
        printf("!");
        return false;
    }
    if (inflater.size == 0) printf("-");
    for (size_t at = 0; at < inflater.size; at++) printf("%02x", inflater.out[at]);
    printf(" ");
    return true;
}

int main(void) {
    static char line[1 << 22];
    while (fgets(line, sizeof line, stdin) != NULL) {
        bool fine = true;
        inflater.have = 0;
        begin_other();
        for (char *word = strtok(line, " \n"); word != NULL && fine; word = strtok(NULL, " \n")) fine = expand_word(word);
        end_other();
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
#endif
