/* text_line.h -- one line of text, built by hand in memory of a fixed size.
 *
 * Without stdio, malloc and locks, so that a signal handler can build one too; with JSON,
 * because there are log lines where no Lua runs. The memory is the caller's. */
#ifndef PIGEON_BASE_TEXT_LINE_H
#define PIGEON_BASE_TEXT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct text_line {
    char *data;
    size_t len;
    size_t max; /* how many bytes it may hold */
};

/* How many bytes more fit. */
size_t text_line_left(const struct text_line *line);

/* Our own bytes, unchanged: all of them, or none where they do not fit. */
void text_line_put(struct text_line *line, const char *bytes, size_t len);
void text_line_put_string(struct text_line *line, const char *text);

/* 2026-11-24T12:00:00.123Z */
void text_line_put_time(struct text_line *line, const struct timespec *time);

/* Text from outside, cut between two characters where it does not fit. Control
 * characters, U+0080 to U+009F included, become spaces, so that a line stays one line and
 * a terminal gets no commands; bytes that are not UTF-8 become U+FFFD. With `json` the
 * result is the inside of a JSON string. */
void text_line_put_text(struct text_line *line, const char *text, size_t len, bool json);

#endif
