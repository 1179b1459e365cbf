#include "packet.h"

#include <stdlib.h>
#include <string.h>

#include "crc.h"
#include "util.h"

enum { POOL_FROM = 4096, POOL_MOST = 64 };

static struct packet *pool;
static size_t pooled;

struct packet *packet_new(uint8_t type, uint32_t stream, const void *payload, size_t length) {
    bool large = length > POOL_FROM;
    struct packet *packet = large ? pool : NULL;
    if (packet != NULL) {
        pool = packet->next;
        pooled--;
    } else {
        packet = must_allocate(sizeof *packet + PACKET_HEADER + (large ? PACKET_PAYLOAD : length));
    }
    memset(packet, 0, sizeof *packet + PACKET_HEADER);
    packet->large = large;
    packet->size = PACKET_HEADER + length;
    packet->bytes[0] = PACKET_MAGIC;
    packet->bytes[1] = type;
    put32(packet->bytes + 4, stream);
    if (payload != NULL && length > 0) memcpy(packet->bytes + PACKET_HEADER, payload, length);
    return packet;
}

void packet_free(struct packet *packet) {
    if (packet == NULL || !packet->large || pooled >= POOL_MOST) {
        free(packet);
        return;
    }
    packet->next = pool;
    pool = packet;
    pooled++;
}

uint32_t packet_stream(const struct packet *packet) { return get32(packet->bytes + 4); }

uint32_t packet_number(const struct packet *packet) { return get32(packet->bytes + 8); }

static uint32_t checksum(const struct packet *packet) {
    uint32_t crc = crc32_more(0, packet->bytes, 16);
    return crc32_more(crc, packet->bytes + PACKET_HEADER, packet_length(packet));
}

void packet_seal(struct packet *packet, uint32_t number) {
    put32(packet->bytes + 8, number);
    put32(packet->bytes + 12, (uint32_t)packet_length(packet));
    put32(packet->bytes + 16, checksum(packet));
}

bool packet_intact(const struct packet *packet) { return get32(packet->bytes + 16) == checksum(packet); }
