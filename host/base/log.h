/* log.h -- the one way out for what Pigeon has to say: whole lines on stdout.
 *
 * log.c alone adds the timestamp, level, request id and the rules' version, drops what is
 * below the level asked for, and writes. A line is text unless JSON is asked for: the
 * desk speaks to people, Lambda to programs. No line has more than 256 KiB, and each is
 * valid UTF-8 without control characters. State is one per process, as stdout is; strings
 * are copied. */
#ifndef PIGEON_BASE_LOG_H
#define PIGEON_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

/* AWS_LAMBDA_LOG_LEVEL's words in any case (TRACE counts as DEBUG, FATAL as ERROR) to
 * a level; NULL or an unknown word is INFO, Lambda's default. */
enum log_level log_level_named(const char *name);

/* AWS_LAMBDA_LOG_FORMAT's words in any case; NULL or an unknown word is JSON. */
enum log_format log_format_named(const char *name);

/* Lines below `level` are dropped from now on (INFO until this is called). */
void log_open(enum log_level level);

/* That level's name, in upper case. */
const char *log_level(void);

/* What lines are from now on (text until this is called). */
void log_as(enum log_format format);

/* The request id that later lines carry; NULL or "": none. At most 64 bytes are kept. */
void log_context(const char *request_id);

/* The rules' version, which later lines of JSON carry, in the same way. */
void log_rules(const char *hash);

/* One line. */
void log_message(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* One line with facts: `fields` is a JSON object as text, or NULL, on one line and valid
 * UTF-8 (script.c sees to that). Facts that are longer than half of a line are left
 * out. */
void log_line(enum log_level level, const char *message, size_t message_len,
              const char *fields, size_t fields_len);

/* A line of metrics, at every level. To a JSON object is added what a line begins with,
 * at the level asked for, so that no filter behind us drops it; else it is written as it
 * is. */
void log_metrics(const char *text, size_t len);

/* Between the two, lines are gathered and written some at a time: always whole ones, and
 * no more than a pipe takes at once. */
void log_hold(void);
void log_flush(void);

/* One ERROR line, cut to 2 KiB, of a signal handler's: async-signal-safe. */
void log_from_signal(const char *text, size_t len);

#endif
