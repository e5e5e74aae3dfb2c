/* publish.c -- what a broker sends after a good login: to three publishes, or unasked. */
#include "amqp.h"

#define FRAME_END 0xce

/* start (mechanism PLAIN), tune (channel 2047, frame 131072, heartbeat 60), open-ok; on
 * channel 1 open-ok and confirm.select-ok. */
static const uint8_t logged_in[] = {
    1,         0,   0, 0,         0, 0, 28,  0,         10,  0,   10,  0,
    9,         0,   0, 0,         0, 0, 0,   0,         5,   'P', 'L', 'A',
    'I',       'N', 0, 0,         0, 5, 'e', 'n',       '_', 'U', 'S', FRAME_END, //
    1,         0,   0, 0,         0, 0, 12,  0,         10,  0,   30,  0x07,
    0xff,      0,   2, 0,         0, 0, 60,  FRAME_END, //
    1,         0,   0, 0,         0, 0, 5,   0,         10,  0,   41,  0,
    FRAME_END, //
    1,         0,   1, 0,         0, 0, 8,   0,         20,  0,   11,  0,
    0,         0,   0, FRAME_END, //
    1,         0,   1, 0,         0, 0, 4,   0,         85,  0,   11,  FRAME_END};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *all = malloc(sizeof(logged_in) + size);

    memcpy(all, logged_in, sizeof(logged_in));
    if (size > 0)
        memcpy(all + sizeof(logged_in), data, size);
    fuzz_conversation(all, sizeof(logged_in) + size, sizeof(logged_in));
    free(all);
    return 0;
}
