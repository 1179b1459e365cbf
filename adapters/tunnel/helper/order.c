/* Reading OPEN: every length is checked against what is there before anything is touched. */
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "util.h"

struct reader {
    uint8_t *at;
    size_t left;
    bool fine;
};

static uint32_t read_number(struct reader *reader) {
    if (reader->left < 4) reader->fine = false;
    if (!reader->fine) return 0;
    uint32_t value = get32(reader->at);
    reader->at += 4;
    reader->left -= 4;
    return value;
}

/* The byte after a text is the next one's length; its end is marked once that has been read. */
static char *read_text(struct reader *reader, size_t *length) {
    *length = read_number(reader);
    if (!reader->fine || *length > reader->left) {
        reader->fine = false;
        return NULL;
    }
    char *text = (char *)reader->at;
    /* Move the text over its own length field: that leaves room for a NUL behind it. */
    memmove(text - 4, text, *length);
    text[-4 + (ptrdiff_t)*length] = 0;
    reader->at += *length;
    reader->left -= *length;
    return text - 4;
}

bool order_parse(struct order *order, uint8_t *message, size_t size) {
    struct reader reader = {message, size, true};
    size_t length;
    memset(order, 0, sizeof *order);
    if (size < 6 || message[0] != 1) return false;
    order->terminal = message[1] != 0;
    order->rows = get16(message + 2);
    order->columns = get16(message + 4);
    reader.at += 6;
    reader.left -= 6;
    order->user = read_text(&reader, &length);
    if (reader.fine && strlen(order->user) != length) return false;
    order->folder = read_text(&reader, &length);
    if (reader.fine && strlen(order->folder) != length) return false;
    order->command = read_text(&reader, &order->command_length);
    uint32_t count = read_number(&reader);
    if (!reader.fine || count > reader.left / 4) return false;
    order->environment = must_allocate((count + 1) * sizeof *order->environment);
    for (uint32_t i = 0; i < count; i++) {
        order->environment[i] = read_text(&reader, &length);
        if (reader.fine && (strlen(order->environment[i]) != length || strchr(order->environment[i], '=') == NULL))
            reader.fine = false;
        if (!reader.fine) break;
    }
    order->environment[reader.fine ? count : 0] = NULL;
    if (!reader.fine || reader.left != 0) {
        order_free(order);
        return false;
    }
    return true;
}

void order_free(struct order *order) {
    free(order->environment);
    order->environment = NULL;
}
