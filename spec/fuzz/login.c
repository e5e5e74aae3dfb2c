/* login.c -- everything that a broker sends, from its first byte on. */
#include "amqp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_conversation(data, size);
    return 0;
}
