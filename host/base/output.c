/* output.c -- a write and a flush, and what errno says after them. */
#include "base/output.h"

#include <errno.h>
#include <string.h>

bool output_write(const char *text, size_t len, FILE *stream, struct err *err)
{
    size_t written = len ? fwrite(text, 1, len, stream) : 0;

    if (written == len && fflush(stream) == 0)
        return true;
    if (errno == EPIPE)
        return err_set(err, CAUSE_OTHER, "%s", "");
    return err_set(err, CAUSE_OTHER, "the output could not be written completely: %s",
                   strerror(errno));
}

int output_print(const char *program, const char *text)
{
    struct err err;

    if (output_write(text, strlen(text), stdout, &err))
        return 0;
    if (err.text[0])
        fprintf(stderr, "%s: %s\n", program, err.text);
    return 1;
}
