/* log.h -- writes Pigeon's log to stdout, one complete line at a time.
 *
 * log.c alone adds the timestamp, level, request id and version of the rules, drops lines
 * below the configured level, and writes. A line is text unless JSON is configured: the
 * desk writes for people, Lambda for programs. No line is longer than 256 KiB, and each
 * is valid UTF-8 without control characters. Lines that nobody read in time
 * (log_output.h) are lost, and a line has their number once somebody reads again. There
 * is one log per process, as there is one stdout; strings are copied. */
#ifndef PIGEON_BASE_LOG_H
#define PIGEON_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

/* A word of AWS_LAMBDA_LOG_LEVEL, in any case (TRACE counts as DEBUG, FATAL as ERROR), to
 * a level; NULL or an unknown word is INFO, Lambda's default. */
enum log_level log_level_named(const char *name);

/* A word of AWS_LAMBDA_LOG_FORMAT, in any case; NULL or an unknown word is JSON. */
enum log_format log_format_named(const char *name);

/* Lines below `level` are dropped from now on (INFO until this is called). */
void log_set_level(enum log_level level);

/* The name of this level, in upper case. */
const char *log_level(void);

/* The format of lines from now on (text until this is called). */
void log_set_format(enum log_format format);

/* Whether a line of this level is written, and as JSON. */
bool log_writes_json(enum log_level level);

/* The request id that later lines carry; NULL or "": none. At most 64 bytes are kept. The
 * lines of a request have 1 MB in all; where there are more, the last line has their
 * number. */
void log_context(const char *request_id);

/* The version of the rules that later JSON lines carry; NULL or "": none. */
void log_rules(const char *hash);

/* One line. */
void log_message(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* One line with facts: `fields` is a JSON object as text, or NULL, on one line and valid
 * UTF-8 (script.c sees to that). Facts that are longer than half a line are left
 * out. */
void log_line(enum log_level level, const char *message, size_t message_len,
              const char *fields, size_t fields_len);

/* A line of metrics, written at every level. A JSON object gets the members that every
 * line begins with, at the configured level, so that Lambda's own filter does not drop
 * it; any other text is written as it is. */
void log_metrics(const char *text, size_t len);

/* Between the two calls lines are collected, and written several at a time: always whole
 * lines, and no more bytes than a pipe takes at once. */
void log_hold(void);
void log_flush(void);

/* One ERROR line, cut to 2 KiB, from a signal handler that ends the process:
 * async-signal-safe. It waits for a reader for a tenth of a second. */
void log_from_signal(const char *text, size_t len);

#endif
