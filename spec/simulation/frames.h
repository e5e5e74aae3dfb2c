/* frames.h -- AMQP 0-9-1 as bytes
 * (https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, 4.2), for a server. */
#ifndef SIMULATION_FRAMES_H
#define SIMULATION_FRAMES_H

#include <stdint.h>

#include "network.h"

enum { FRAME_METHOD = 1, FRAME_HEADER = 2, FRAME_BODY = 3, FRAME_HEARTBEAT = 8 };
#define FRAME_END 0xce
#define FRAME_HEAD 7

#define METHOD(class, method) ((unsigned)(class) << 16 | (method))
enum {
    CONNECTION_START = METHOD(10, 10),
    CONNECTION_START_OK = METHOD(10, 11),
    CONNECTION_TUNE = METHOD(10, 30),
    CONNECTION_TUNE_OK = METHOD(10, 31),
    CONNECTION_OPEN = METHOD(10, 40),
    CONNECTION_OPEN_OK = METHOD(10, 41),
    CONNECTION_CLOSE = METHOD(10, 50),
    CONNECTION_CLOSE_OK = METHOD(10, 51),
    CONNECTION_BLOCKED = METHOD(10, 60),
    CONNECTION_UNBLOCKED = METHOD(10, 61),
    CHANNEL_OPEN = METHOD(20, 10),
    CHANNEL_OPEN_OK = METHOD(20, 11),
    CHANNEL_CLOSE = METHOD(20, 40),
    CHANNEL_CLOSE_OK = METHOD(20, 41),
    BASIC_PUBLISH = METHOD(60, 40),
    BASIC_RETURN = METHOD(60, 50),
    BASIC_ACK = METHOD(60, 80),
    BASIC_NACK = METHOD(60, 120),
    CONFIRM_SELECT = METHOD(85, 10),
    CONFIRM_SELECT_OK = METHOD(85, 11)
};

/* Begins a frame; what is put follows, and frame_send() ends it. One at a time. */
void frame_begin(int type, int channel);
void frame_method(int channel, unsigned method);
void frame_8(unsigned value);
void frame_16(unsigned value);
void frame_32(uint32_t value);
void frame_64(uint64_t value);
void frame_short(const char *text);
void frame_long(const char *text);
void frame_bytes(const void *data, size_t len);
void frame_send(struct end *end);

/* Whether bytes begin with a publish. */
bool frame_is_publish(const unsigned char *data, size_t len);

unsigned read_16(const unsigned char *at);
uint32_t read_32(const unsigned char *at);
uint64_t read_64(const unsigned char *at);

/* A short string into `text` (256 bytes); where it ends. */
const unsigned char *read_short(const unsigned char *at, char *text);

#endif
