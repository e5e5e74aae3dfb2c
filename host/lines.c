/* lines.c -- getline, and what bounds a batch. */
#include "lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENOUGH (1 << 20)         /* bytes after which a batch takes no further line */
#define LINE_MAX_BYTES (8 << 20) /* an event that Lambda takes has 6 MB */

/* One more line into lines->line. 0: the end. */
static bool read_line(struct lines *lines, size_t *len, struct err *err)
{
    ssize_t got;

    errno = 0;
    got = getline(&lines->line, &lines->capacity, stdin);
    *len = got > 0 ? (size_t)got : 0;
    lines->bytes += (int64_t)*len;
    if (got < 0 && (ferror(stdin) || errno == ENOMEM))
        return err_set(err, "stdin: %s", strerror(errno));
    return true;
}

bool lines_read(struct lines *lines, int64_t most, struct err *err)
{
    size_t len;

    buffer_clear(&lines->text);
    lines->text.max = ENOUGH + LINE_MAX_BYTES;
    lines->first = lines->first ? lines->first + lines->count : 1;
    lines->count = 0;
    while (lines->count < most && lines->text.len < ENOUGH) {
        if (!read_line(lines, &len, err))
            return false;
        if (len == 0)
            return true;
        if (!buffer_append(&lines->text, lines->line, len))
            return err_set(err, "line %lld is too long: %zu bytes",
                           (long long)(lines->first + lines->count), len);
        lines->count++;
    }
    return true;
}

bool lines_skip(struct lines *lines, int64_t from, struct err *err)
{
    size_t len = 1;

    for (int64_t line = 1; line < from && len > 0; line++)
        if (!read_line(lines, &len, err))
            return false;
    lines->first = from;
    return true;
}

int64_t lines_size(void)
{
    struct stat info;

    return fstat(STDIN_FILENO, &info) == 0 && S_ISREG(info.st_mode) ? info.st_size : 0;
}

void lines_free(struct lines *lines)
{
    buffer_free(&lines->text);
    free(lines->line);
    lines->line = NULL;
}
