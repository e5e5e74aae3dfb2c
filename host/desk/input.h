/* input.h -- stdin, a batch of lines at a time, numbered from 1.
 *
 * Whatever system wrote the lines, each ends with "\n" here. A JSON document over several
 * lines comes as one line, with "\r" where it had line ends (JSON takes that for white
 * space). The text of a batch stays until the next one is read. Plain data, valid when
 * zeroed; input_free() frees what it owns. */
#ifndef PIGEON_DESK_INPUT_H
#define PIGEON_DESK_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"

#define INPUT_BLOCK 65536 /* bytes that are read at once */

struct input {
    struct buffer text; /* the batch */
    int64_t first;      /* the number of its first line */
    int64_t count;      /* how many lines it has; 0: the input has ended */
    int64_t bytes;      /* read so far */

    char block[INPUT_BLOCK];
    size_t at, len; /* what is left of the block */
    bool carriage;  /* the last line ended with "\r": "\n" may follow */
    bool ended;
};

/* Reads up to `most` lines, fewer where they are long, and to the end of a document.
 * False: stdin could not be read, or a line or a document is longer than 64 MB. */
bool input_read(struct input *input, int64_t most, struct err *err);

/* How many bytes stdin has, 0 where that is unknown. */
int64_t input_size(void);

void input_free(struct input *input);

#endif
