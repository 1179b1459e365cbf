#include "inflate.h"

#include <string.h>

#include "util.h"

enum {
    CODE_MOST = 15, /* bits of the longest code */
    FAST_BITS = 10, /* codes up to here are looked up at once */
    LITERALS = 286,
    DISTANCES = 30,
    LENGTH_CODES = 19,
    END_OF_BLOCK = 256,
    NO_SYMBOL = -1,
};

enum block { BLOCK_STORED = 0, BLOCK_FIXED = 1, BLOCK_DYNAMIC = 2 };

/* Canonical: a code's symbols are sorted by length, then by value. */
struct code {
    uint16_t fast[1 << FAST_BITS]; /* symbol << 4 | length; 0: longer than FAST_BITS, or no code at all */
    uint16_t count[CODE_MOST + 1];
    uint16_t symbols[LITERALS + 2];
};

struct reader {
    const uint8_t *at, *end;
    uint64_t bits; /* the next bit is the lowest; above count all are zero */
    unsigned count;
};

struct writer {
    const uint8_t *start; /* of what may be referred to */
    uint8_t *at, *end;
};

static void refill(struct reader *reader) {
    if (reader->end - reader->at >= 8) {
        unsigned bytes = (63 - reader->count) >> 3; /* 7 at most */
        reader->bits |= (get64(reader->at) & ((1ULL << 8 * bytes) - 1)) << reader->count;
        reader->at += bytes;
        reader->count += 8 * bytes;
        return;
    }
    for (; reader->count <= 56 && reader->at < reader->end; reader->count += 8)
        reader->bits |= (uint64_t)*reader->at++ << reader->count;
}

static bool drop(struct reader *reader, unsigned count) {
    if (count > reader->count) return false;
    reader->bits >>= count;
    reader->count -= count;
    return true;
}

static bool take(struct reader *reader, unsigned count, unsigned *value) {
    if (reader->count < count) refill(reader);
    *value = (unsigned)(reader->bits & ((1U << count) - 1));
    return drop(reader, count);
}

/* Fill fast with all codes short enough; their bits come in reverse. */
static void make_fast(struct code *code, const uint8_t *lengths, size_t count) {
    unsigned next[CODE_MOST + 1] = {0};
    memset(code->fast, 0, sizeof code->fast);
    for (unsigned length = 1; length < CODE_MOST; length++) next[length + 1] = (next[length] + code->count[length]) << 1;
    for (size_t symbol = 0; symbol < count; symbol++) {
        unsigned length = lengths[symbol], reversed = 0;
        if (length == 0) continue;
        unsigned bits = next[length]++;
        if (length > FAST_BITS) continue;
        for (unsigned bit = 0; bit < length; bit++) reversed |= (bits >> bit & 1) << (length - 1 - bit);
        for (; reversed < 1 << FAST_BITS; reversed += 1U << length)
            code->fast[reversed] = (uint16_t)(symbol << 4 | length);
    }
}

/* False when two symbols would share a code, or when codes are left over: only a code of at most one symbol, of one
   bit, may be so, where the caller allows it. */
static bool make_code(struct code *code, const uint8_t *lengths, size_t count, bool may_lack) {
    uint16_t place[CODE_MOST + 1];
    unsigned longest = 0;
    int left = 1;
    memset(code->count, 0, sizeof code->count);
    for (size_t symbol = 0; symbol < count; symbol++) {
        code->count[lengths[symbol]]++;
        if (lengths[symbol] > longest) longest = lengths[symbol];
    }
    code->count[0] = 0;
    place[0] = place[1] = 0;
    for (unsigned length = 1; length <= CODE_MOST; length++) {
        left = (left << 1) - code->count[length];
        if (left < 0) return false;
        if (length < CODE_MOST) place[length + 1] = (uint16_t)(place[length] + code->count[length]);
    }
    if (left > 0 && !(may_lack && longest <= 1)) return false;
    for (size_t symbol = 0; symbol < count; symbol++)
        if (lengths[symbol] != 0) code->symbols[place[lengths[symbol]]++] = (uint16_t)symbol;
    make_fast(code, lengths, count);
    return true;
}

/* Bit by bit: for the few codes that are long, and those that are none. */
static int next_slowly(struct reader *reader, const struct code *code) {
    int bits = 0, first = 0, index = 0;
    for (unsigned length = 1; length <= CODE_MOST; length++) {
        int count = code->count[length];
        bits |= (int)(reader->bits >> (length - 1) & 1);
        if (bits - count < first) return drop(reader, length) ? code->symbols[index + bits - first] : NO_SYMBOL;
        index += count;
        first = (first + count) << 1;
        bits <<= 1;
    }
    return NO_SYMBOL;
}

static inline int next_symbol(struct reader *reader, const struct code *code) {
    if (reader->count < CODE_MOST) refill(reader);
    unsigned entry = code->fast[reader->bits & ((1 << FAST_BITS) - 1)];
    if (entry == 0) return next_slowly(reader, code);
    return drop(reader, entry & 15) ? (int)(entry >> 4) : NO_SYMBOL;
}

static bool copy_back(struct writer *writer, size_t distance, size_t length) {
    if (distance > (size_t)(writer->at - writer->start) || length > (size_t)(writer->end - writer->at)) return false;
    const uint8_t *from = writer->at - distance;
    if (distance >= length) {
        memcpy(writer->at, from, length);
        writer->at += length;
        return true;
    }
    while (length-- > 0) *writer->at++ = *from++; /* it repeats what it writes */
    return true;
}

static bool copy_match(struct reader *reader, struct writer *writer, unsigned symbol, const struct code *distances) {
    static const uint16_t length_base[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                           31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t length_extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    static const uint16_t distance_base[] = {1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
                                             193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    static const uint8_t distance_extra[] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                             6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};
    unsigned more;
    symbol -= END_OF_BLOCK + 1;
    if (!take(reader, length_extra[symbol], &more)) return false;
    size_t length = length_base[symbol] + more;
    int found = next_symbol(reader, distances);
    if (found < 0 || found >= DISTANCES || !take(reader, distance_extra[found], &more)) return false;
    return copy_back(writer, (size_t)distance_base[found] + more, length);
}

static bool expand_coded(struct reader *reader, struct writer *writer, const struct code *literals,
                         const struct code *distances) {
    for (;;) {
        int symbol = next_symbol(reader, literals);
        if (symbol < 0) return false;
        if (symbol < END_OF_BLOCK) {
            if (writer->at == writer->end) return false;
            *writer->at++ = (uint8_t)symbol;
        } else if (symbol == END_OF_BLOCK) {
            return true;
        } else if (symbol >= LITERALS || !copy_match(reader, writer, (unsigned)symbol, distances)) {
            return false; /* the fixed code has two symbols that mean nothing, and two distances */
        }
    }
}

static bool expand_stored(struct reader *reader, struct writer *writer) {
    unsigned padding, length, inverted;
    take(reader, reader->count & 7, &padding);
    if (!take(reader, 16, &length) || !take(reader, 16, &inverted) || (length ^ inverted) != 0xFFFF) return false;
    if (length > (size_t)(writer->end - writer->at)) return false;
    for (; length > 0 && reader->count > 0; length--) {
        unsigned byte;
        take(reader, 8, &byte);
        *writer->at++ = (uint8_t)byte;
    }
    if (length > (size_t)(reader->end - reader->at)) return false;
    memcpy(writer->at, reader->at, length);
    writer->at += length;
    reader->at += length;
    return true;
}

static bool expand_fixed(struct reader *reader, struct writer *writer) {
    static struct code literals, distances;
    static bool made;
    if (!made) {
        uint8_t lengths[LITERALS + 2];
        memset(lengths, 8, 144);
        memset(lengths + 144, 9, 112);
        memset(lengths + 256, 7, 24);
        memset(lengths + 280, 8, 8);
        make_code(&literals, lengths, sizeof lengths, false);
        memset(lengths, 5, DISTANCES + 2);
        make_code(&distances, lengths, DISTANCES + 2, false);
        made = true;
    }
    return expand_coded(reader, writer, &literals, &distances);
}

/* The lengths of both codes in one row, themselves coded: 16 repeats the last, 17 and 18 zero. */
static bool read_lengths(struct reader *reader, const struct code *code, uint8_t *lengths, size_t count) {
    static const uint8_t extra[] = {2, 3, 7};
    static const uint8_t least[] = {3, 3, 11};
    for (size_t at = 0; at < count;) {
        unsigned more;
        int symbol = next_symbol(reader, code);
        if (symbol < 0 || (symbol == 16 && at == 0)) return false;
        if (symbol < 16) {
            lengths[at++] = (uint8_t)symbol;
            continue;
        }
        if (!take(reader, extra[symbol - 16], &more)) return false;
        size_t times = least[symbol - 16] + more;
        if (times > count - at) return false;
        memset(lengths + at, symbol == 16 ? lengths[at - 1] : 0, times);
        at += times;
    }
    return true;
}

static bool expand_dynamic(struct reader *reader, struct writer *writer) {
    static const uint8_t order[LENGTH_CODES] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    static struct code literals, distances;
    uint8_t lengths[LITERALS + DISTANCES];
    unsigned literal_count, distance_count, count, value;
    if (!take(reader, 5, &literal_count) || !take(reader, 5, &distance_count) || !take(reader, 4, &count)) return false;
    literal_count += 257;
    distance_count += 1;
    if (literal_count > LITERALS || distance_count > DISTANCES) return false;
    memset(lengths, 0, LENGTH_CODES);
    for (unsigned at = 0; at < count + 4; at++) {
        if (!take(reader, 3, &value)) return false;
        lengths[order[at]] = (uint8_t)value;
    }
    if (!make_code(&literals, lengths, LENGTH_CODES, false)) return false;
    if (!read_lengths(reader, &literals, lengths, literal_count + distance_count)) return false;
    return make_code(&literals, lengths, literal_count, true) &&
           make_code(&distances, lengths + literal_count, distance_count, true) &&
           expand_coded(reader, writer, &literals, &distances);
}

static bool expand_block(struct reader *reader, struct writer *writer, enum block *kind) {
    unsigned head;
    if (!take(reader, 3, &head) || (head & 1) != 0) return false; /* the last block of a stream: it has none */
    *kind = (enum block)(head >> 1);
    switch (*kind) {
        case BLOCK_STORED:
            return expand_stored(reader, writer);
        case BLOCK_FIXED:
            return expand_fixed(reader, writer);
        case BLOCK_DYNAMIC:
            return expand_dynamic(reader, writer);
        default:
            return false;
    }
}

bool inflate_packet(struct inflater *inflater, const uint8_t *data, size_t size) {
    struct reader reader = {data, data + size, 0, 0};
    enum block kind;
    if (inflater->have > INFLATE_WINDOW) {
        memmove(inflater->room, inflater->room + inflater->have - INFLATE_WINDOW, INFLATE_WINDOW);
        inflater->have = INFLATE_WINDOW;
    }
    uint8_t *start = inflater->room + inflater->have;
    struct writer writer = {inflater->room, start, start + INFLATE_MOST};
    do {
        if (!expand_block(&reader, &writer, &kind)) return false;
    } while (reader.at < reader.end || reader.count > 0);
    inflater->out = start;
    inflater->size = (size_t)(writer.at - start);
    inflater->have += inflater->size;
    return kind == BLOCK_STORED;
}
