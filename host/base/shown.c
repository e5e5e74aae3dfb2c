/* shown.c -- bytes to printable text. */
#include "base/shown.h"

#include <stddef.h>
#include <stdio.h>

#define SHOWN_BYTES 40

struct shown show(const char *value)
{
    struct shown shown = {.text = ""};
    size_t used = 0, i;

    for (i = 0; value[i] != '\0' && i < SHOWN_BYTES; i++)
        used += (size_t)snprintf(shown.text + used, sizeof(shown.text) - used,
                                 value[i] < 0x20 || value[i] > 0x7e ? "\\x%02x" : "%c",
                                 (unsigned char)value[i]);
    if (value[i] != '\0')
        snprintf(shown.text + used, sizeof(shown.text) - used, "...");
    return shown;
}
