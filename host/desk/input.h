/* input.h -- stdin, a batch of lines at a time, numbered from 1.
 *
 * The text of a batch stays until the next one is read. Plain data, valid when zeroed;
 * input_free() frees what it owns. */
#ifndef PIGEON_DESK_INPUT_H
#define PIGEON_DESK_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/err.h"

struct input {
    struct buffer text; /* the batch, each line with its end */
    int64_t first;      /* the number of its first line */
    int64_t count;      /* how many lines it has; 0: the input has ended */
    int64_t bytes;      /* read so far */

    char *line;
    size_t capacity;
};

/* Reads up to `most` lines, fewer where they are long. False: stdin could not be read. */
bool input_read(struct input *input, int64_t most, struct err *err);

/* Passes over lines until number `from` is the next. */
bool input_skip(struct input *input, int64_t from, struct err *err);

/* How many bytes stdin has, 0 where that is unknown. */
int64_t input_size(void);

void input_free(struct input *input);

#endif
