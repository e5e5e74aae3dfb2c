/* rules_file.h -- a rules script as a file: its bytes, its name and its hash.
 *
 * The source owns its bytes; rules_file_free() gives them back. */
#ifndef PIGEON_LUA_RULES_FILE_H
#define PIGEON_LUA_RULES_FILE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/err.h"

struct rules_file {
    char name[256]; /* the path without its folders, as errors name it */
    char hash[13];  /* the first 12 hex digits of its SHA-256: the rules' version */
    struct buffer text;
};

/* Reads the file, 1 MiB at most. False: it cannot be read, or is a program. */
bool rules_file_read(struct rules_file *source, const char *path, struct err *err);

/* The same of the script that the function's handler setting names; err names that. */
bool rules_file_read_handler(struct rules_file *source, const char *path,
                             struct err *err);

void rules_file_free(struct rules_file *source);

#endif
