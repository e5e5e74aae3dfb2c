/* source.h -- a rules script as a file: its bytes, its name and its hash.
 *
 * The source owns its bytes; source_free() gives them back. */
#ifndef PIGEON_SOURCE_H
#define PIGEON_SOURCE_H

#include <stdbool.h>

#include "buffer.h"
#include "err.h"

struct source {
    char name[256]; /* the path without its folders, as errors name it */
    char hash[13];  /* the first 12 hex digits of its SHA-256: the rules' version */
    struct buffer text;
};

/* Reads the file, 1 MiB at most. False: it cannot be read, or is a program. */
bool source_read(struct source *source, const char *path, struct err *err);

/* The same of the script that the function's handler setting names; err names that. */
bool source_read_handler(struct source *source, const char *path, struct err *err);

void source_free(struct source *source);

#endif
