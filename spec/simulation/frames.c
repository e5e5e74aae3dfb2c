/* frames.c -- one buffer, in network order. */
#include "frames.h"

#include <string.h>

static struct pile frame;

void frame_8(unsigned value)
{
    unsigned char byte = (unsigned char)value;

    pile_add(&frame, &byte, 1);
}

void frame_16(unsigned value)
{
    frame_8(value >> 8 & 255);
    frame_8(value & 255);
}

void frame_32(uint32_t value)
{
    frame_16(value >> 16);
    frame_16(value & 65535);
}

void frame_64(uint64_t value)
{
    frame_32((uint32_t)(value >> 32));
    frame_32((uint32_t)value);
}

void frame_bytes(const void *data, size_t len)
{
    pile_add(&frame, data, len);
}

void frame_short(const char *text)
{
    frame_8((unsigned)strlen(text));
    frame_bytes(text, strlen(text));
}

void frame_long(const char *text)
{
    frame_32((uint32_t)strlen(text));
    frame_bytes(text, strlen(text));
}

void frame_begin(int type, int channel)
{
    frame.len = 0;
    frame_8((unsigned)type);
    frame_16((unsigned)channel);
    frame_32(0);
}

void frame_method(int channel, unsigned method)
{
    frame_begin(FRAME_METHOD, channel);
    frame_32(method);
}

void frame_send(struct end *end)
{
    uint32_t len = (uint32_t)frame.len - FRAME_HEAD;

    for (int i = 0; i < 4; i++)
        frame.data[3 + i] = (unsigned char)(len >> (24 - 8 * i));
    frame_8(FRAME_END);
    network_send(end, frame.data, frame.len);
}

unsigned read_16(const unsigned char *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

uint32_t read_32(const unsigned char *at)
{
    return (uint32_t)read_16(at) << 16 | read_16(at + 2);
}

uint64_t read_64(const unsigned char *at)
{
    return (uint64_t)read_32(at) << 32 | read_32(at + 4);
}

const unsigned char *read_short(const unsigned char *at, char *text)
{
    memcpy(text, at + 1, *at);
    text[*at] = '\0';
    return at + 1 + *at;
}

bool frame_is_publish(const unsigned char *data, size_t len)
{
    return len >= FRAME_HEAD + 4 && data[0] == FRAME_METHOD &&
           read_32(data + FRAME_HEAD) == BASIC_PUBLISH;
}
