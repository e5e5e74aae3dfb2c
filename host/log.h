/* log.h -- the one way out for what Pigeon has to say: whole lines on stdout.
 *
 * log.c alone adds the timestamp, level and request id, drops what is below the
 * level asked for, and writes each line with one write(2). State is one per process,
 * as stdout is; strings given to log_context() are copied. */
#ifndef PIGEON_LOG_H
#define PIGEON_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* AWS_LAMBDA_LOG_LEVEL's words in any case (TRACE counts as DEBUG, FATAL as ERROR) to
 * a level; NULL or an unknown word is INFO, Lambda's default. */
enum log_level log_level_named(const char *name);

/* Lines below `level` are dropped from now on (INFO until this is called). */
void log_open(enum log_level level);

/* The request id that later lines carry; NULL or "": none. At most 64 bytes are kept. */
void log_context(const char *request_id);

/* One line. Control characters in the text become spaces. */
void log_say(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* One line with facts: `fields` is a JSON object as text, or NULL. Both are bytes with
 * a length, already valid UTF-8 (telemetry.lua sees to that). */
void log_line(enum log_level level, const char *message, size_t message_len,
              const char *fields, size_t fields_len);

/* One ERROR line, cut to 2 KiB, of a signal handler's: async-signal-safe. */
void log_from_signal(const char *text, size_t len);

#endif
