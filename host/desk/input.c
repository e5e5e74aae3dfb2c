/* input.c -- getline(), and the bounds of a batch. */
#include "desk/input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENOUGH (1 << 20)         /* bytes after which a batch takes no further line */
#define LINE_MAX_BYTES (8 << 20) /* Lambda's largest event is 6 MB */

/* One more line into input->line. 0: the end. */
static bool read_line(struct input *input, size_t *len, struct err *err)
{
    ssize_t got;

    errno = 0;
    got = getline(&input->line, &input->capacity, stdin);
    *len = got > 0 ? (size_t)got : 0;
    input->bytes += (int64_t)*len;
    if (got < 0 && (ferror(stdin) || errno == ENOMEM))
        return err_set(err, CAUSE_OTHER, "stdin: %s", strerror(errno));
    return true;
}

bool input_read(struct input *input, int64_t most, struct err *err)
{
    size_t len;

    buffer_clear(&input->text);
    input->text.max = ENOUGH + LINE_MAX_BYTES;
    input->first = input->first ? input->first + input->count : 1;
    input->count = 0;
    while (input->count < most && input->text.len < ENOUGH) {
        if (!read_line(input, &len, err))
            return false;
        if (len == 0)
            return true;
        if (!buffer_append(&input->text, input->line, len))
            return err_set(err, CAUSE_OTHER, "line %lld is too long: %zu bytes",
                           (long long)(input->first + input->count), len);
        input->count++;
    }
    return true;
}

bool input_skip(struct input *input, int64_t from, struct err *err)
{
    size_t len = 1;

    for (int64_t line = 1; line < from && len > 0; line++)
        if (!read_line(input, &len, err))
            return false;
    input->first = from;
    return true;
}

int64_t input_size(void)
{
    struct stat info;

    return fstat(STDIN_FILENO, &info) == 0 && S_ISREG(info.st_mode) ? info.st_size : 0;
}

void input_free(struct input *input)
{
    buffer_free(&input->text);
    free(input->line);
    input->line = NULL;
}
