/* Runs the helper's own codec over the shared test vectors; with -DFUZZ it is libFuzzer's entry point. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "armour.h"
#include "inflate.h"
#include "parser.h"
#include "process.h"

static char said[1 << 20];
static size_t said_length;

static void say(const char *text) {
    size_t length = strlen(text);
    if (said_length + length + 1 > sizeof said) return;
    memcpy(said + said_length, text, length + 1);
    said_length += length;
}

static void say_hex(const uint8_t *data, size_t size) {
    char pair[3];
    if (size == 0) say("-");
    for (size_t i = 0; i < size; i++) {
        snprintf(pair, sizeof pair, "%02x", data[i]);
        say(pair);
    }
}

static void on_packet(void *context, struct packet *packet) {
    char text[64];
    (void)context;
    snprintf(text, sizeof text, " %u:%u:", packet_type(packet), packet_number(packet));
    say(text);
    say_hex(packet_payload(packet), packet_length(packet));
    packet_free(packet);
}

static void on_probe(void *context, const struct bad_bytes *bad) { (void)context, (void)bad; }
static void on_pad(void *context, size_t count) { (void)context, (void)count; }
static const struct parser_events events = {on_packet, on_probe, on_pad};

/* Feed in pieces of one size, or put in place what may be; what comes out must not depend on either. */
static void run_events(bool lenient, bool probing, bool in_place, const uint8_t *data, size_t size, size_t piece) {
    static struct parser parser;
    parser_reset(&parser, lenient);
    parser.probing = probing;
    said_length = 0;
    said[0] = 0;
    for (size_t at = 0; at < size; at += piece) {
        size_t count = size - at < piece ? size - at : piece;
        uint8_t *copy = malloc(count); /* exactly as large: a read past its end is found */
        memcpy(copy, data + at, count);
        struct iovec room = in_place ? parser_room(&parser) : (struct iovec){0};
        size_t placed = count < room.iov_len ? count : room.iov_len;
        if (placed > 0) memcpy(room.iov_base, copy, placed);
        bool fine = parser_filled(&parser, &events, NULL, placed) &&
                    parser_feed(&parser, &events, NULL, copy + placed, count - placed);
        free(copy);
        if (!fine) {
            say(" !");
            break;
        }
    }
    parser_free(&parser);
}

#ifdef FUZZ
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct order order;
    if (size < 2) return 0;
    run_events(data[0] & 1, data[0] & 2, data[0] & 4, data + 2, size - 2, (size_t)data[1] + 1);
    uint8_t *copy = malloc(size);
    memcpy(copy, data, size);
    if (order_parse(&order, copy, size)) order_free(&order);
    free(copy);
    return 0;
}
#else
static uint8_t *unhex(const char *text, size_t *size) {
    *size = strcmp(text, "-") == 0 ? 0 : strlen(text) / 2;
    uint8_t *data = malloc(*size + 1);
    for (size_t i = 0; i < *size; i++) {
        unsigned value;
        if (sscanf(text + 2 * i, "%2x", &value) != 1) abort();
        data[i] = (uint8_t)value;
    }
    return data;
}

static void expect(bool fine, int line) {
    if (fine) return;
    printf("vector in line %d does not hold%s\n", line, said);
    exit(1);
}

static void check_packet(char **words, int line) {
    size_t length, size;
    uint8_t *payload = unhex(words[5], &length);
    uint8_t *raw = unhex(words[6], &size);
    struct packet *packet = packet_new((uint8_t)atoi(words[1]), (uint32_t)strtoul(words[3], NULL, 10), payload, length);
    packet->bytes[2] = (uint8_t)atoi(words[2]);
    packet_seal(packet, (uint32_t)strtoul(words[4], NULL, 10));
    expect(packet->size == size && memcmp(packet->bytes, raw, size) == 0 && packet_intact(packet), line);
    packet_free(packet);
    free(payload);
    free(raw);
}

static void check_encoding(enum armour armour, const uint8_t *bits, const char *raw_hex, const uint8_t *wanted,
                           size_t wanted_size, int line) {
    struct bad_bytes bad = {{0}};
    size_t size, encoded;
    uint8_t *raw = unhex(raw_hex, &size);
    if (bits != NULL) memcpy(bad.bits, bits, 32);
    uint8_t *out = armour_encode(armour, &bad, raw, size, &encoded);
    expect(encoded == wanted_size && memcmp(out, wanted, encoded) == 0, line);
    free(out);
    free(raw);
}

static void check_events(char **words, int count, int line) {
    size_t size;
    uint8_t *data = unhex(words[2], &size);
    char wanted[4096] = "";
    for (int i = 3; i < count; i++) {
        strcat(wanted, " ");
        strcat(wanted, words[i]);
    }
    for (size_t piece = 1; piece <= size; piece++) {
        for (int in_place = 0; in_place < 2; in_place++) {
            run_events(words[1][0] == '1', false, in_place, data, size, piece);
            expect(strcmp(said, wanted) == 0, line);
        }
    }
    free(data);
}

/* Packets of one stream, each with what it expands to: PACKET:OUT, or PACKET:! for one that does not. */
static void check_inflate(char **words, int count, int line) {
    static struct inflater inflater;
    inflater.have = 0;
    for (int i = 1; i < count; i++) {
        size_t size, wanted_size = 0;
        char *wanted_hex = strchr(words[i], ':');
        if (wanted_hex == NULL) abort();
        *wanted_hex++ = 0;
        bool malformed = *wanted_hex == '!';
        uint8_t *data = unhex(words[i], &size);
        uint8_t *wanted = malformed ? NULL : unhex(wanted_hex, &wanted_size);
        expect(inflate_packet(&inflater, data, size) != malformed, line);
        expect(malformed || (inflater.size == wanted_size && memcmp(inflater.out, wanted, wanted_size) == 0), line);
        free(wanted);
        free(data);
    }
}

static void check(char **words, int count, int line) {
    size_t size, other;
    /* The first word of these kinds is data. */
    bool has_data = strcmp(words[0], "packet") != 0 && strcmp(words[0], "events") != 0 && strcmp(words[0], "inflate") != 0;
    uint8_t *first = has_data ? unhex(words[1], &size) : NULL;
    if (strcmp(words[0], "packet") == 0) {
        check_packet(words, line);
    } else if (strcmp(words[0], "base64") == 0) {
        char text[4096];
        snprintf(text, sizeof text, "~%s\n", words[2] + 1);
        check_encoding(ARMOUR_BASE64, NULL, words[1], (uint8_t *)text, strlen(text), line);
    } else if (strcmp(words[0], "escape") == 0) {
        uint8_t *wanted = unhex(words[3], &other);
        check_encoding(ARMOUR_ESCAPE, first, words[2], wanted, other, line);
        free(wanted);
    } else if (strcmp(words[0], "choose") == 0) {
        struct bad_bytes bad;
        memcpy(bad.bits, first, 32);
        expect((int)armour_for(&bad) == atoi(words[2]), line);
    } else if (strcmp(words[0], "judge") == 0) {
        struct bad_bytes bad;
        uint8_t *wanted = unhex(words[2], &other);
        probe_judge(first, size, &bad);
        expect(memcmp(bad.bits, wanted, 32) == 0, line);
        free(wanted);
    } else if (strcmp(words[0], "events") == 0) {
        check_events(words, count, line);
    } else if (strcmp(words[0], "inflate") == 0) {
        check_inflate(words, count, line);
    }
    free(first);
}

int main(int count, char **arguments) {
    static char text[1 << 16];
    FILE *file = fopen(count > 1 ? arguments[1] : "vectors.txt", "r");
    int line = 0, checked = 0;
    if (file == NULL) return 2;
    while (fgets(text, sizeof text, file) != NULL) {
        char *words[32];
        int found = 0;
        line++;
        if (text[0] == '#') continue;
        for (char *word = strtok(text, " \n"); word != NULL && found < 32; word = strtok(NULL, " \n"))
            words[found++] = word;
        if (found == 0) continue;
        check(words, found, line);
        checked++;
    }
    fclose(file);
    printf("%d vectors hold\n", checked);
    return 0;
}
#endif
