/* login.c -- everything that a broker sends, from its first byte on. */
#include "amqp.h"

#define LOGIN_FRAMES 5 /* start, tune, open-ok, channel.open-ok, confirm.select-ok */
#define FRAME_HEAD 7   /* type, channel, and the length in 4 bytes */

/* The length of a login's frames, where the input has so many. */
static size_t login_len(const uint8_t *data, size_t size)
{
    size_t at = 0;

    for (int i = 0; i < LOGIN_FRAMES && size - at > FRAME_HEAD; i++) {
        size_t len = (size_t)data[at + 3] << 24 | (size_t)data[at + 4] << 16 |
                     (size_t)data[at + 5] << 8 | data[at + 6];

        if (len >= size - at - FRAME_HEAD)
            return size;
        at += FRAME_HEAD + len + 1;
    }
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_conversation(data, size, login_len(data, size));
    return 0;
}
