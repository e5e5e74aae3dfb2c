/* output.h -- text for people on stdout: all of it is written, or the caller is told.
 *
 * Nothing is kept in a buffer: a full disk shows at once. */
#ifndef PIGEON_BASE_OUTPUT_H
#define PIGEON_BASE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

/* Writes to the stream, at once. False: not all could be written, and err says why; its
 * text is empty where nobody reads on (`| head`), which is not worth a word. */
bool output_write(const char *text, size_t len, FILE *stream, struct err *err);

/* Prints a text, a program's usage, on stdout. Returns the exit status, after a line on
 * stderr where it is 1. */
int output_print(const char *program, const char *text);

#endif
