/* log.c -- one line: time, level, request, version of the rules, message, facts.
 *
 * A line is built without stdio and without malloc, so that signal handlers use the same
 * code. */
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/log_output.h"
#include "base/text_line.h"

#define LINE_MAX_BYTES ((size_t)256 * 1024) /* with the newline */
#define SIGNAL_LINE_BYTES 2048
#define NOTICE_BYTES 512

/* What one event may write: lines, then metrics, then how many lines were left out. */
#define EVENT_BYTES ((size_t)1000000)
#define METRICS_BYTES ((size_t)100000)

static const char *const levels[] = {"DEBUG", "INFO", "WARN", "ERROR"};

static enum log_level threshold = LOG_LEVEL_INFO;
static enum log_format format = LOG_TEXT;
static char request[64 + 1];
static char rules[64 + 1];
static char line_bytes[LINE_MAX_BYTES];

/* Of the request, if there is one. */
static struct {
    size_t bytes;    /* that it has written */
    size_t left_out; /* lines */
} event;

static size_t lost; /* lines that nobody read in time */

/* Whole lines; `len` changes when one is complete, because a signal may write them. A
 * write(2) for each line would take 5 % more CPU of a batch, 2 % of a lone event. */
static struct {
    bool holding;
    volatile sig_atomic_t len;
    char data[PIPE_BUF];
} held;

/* ------------------------------------------------------------ building a line */

/* With room for the newline. */
static struct text_line line_in(char *bytes, size_t size)
{
    return (struct text_line){.data = bytes, .max = size - 1};
}

static void put_member(struct text_line *line, const char *name, const char *value)
{
    text_line_put_string(line, name);
    text_line_put_text(line, value, strlen(value), true);
    text_line_put_string(line, "\"");
}

static void put_now(struct text_line *line)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_REALTIME, &now);
    text_line_put_time(line, &now);
}

/* A JSON object's beginning. */
static void put_json_head(struct text_line *line, enum log_level level)
{
    text_line_put_string(line, "{\"timestamp\":\"");
    put_now(line);
    put_member(line, "\",\"level\":\"", levels[level]);
    if (request[0] != '\0')
        put_member(line, ",\"requestId\":\"", request);
    if (rules[0] != '\0')
        put_member(line, ",\"rules\":\"", rules);
}

static void put_text_head(struct text_line *line, enum log_level level)
{
    put_now(line);
    text_line_put_string(line, " ");
    text_line_put_string(line, levels[level]);
    text_line_put(line, "  ", 6 - strlen(levels[level]));
    if (request[0] != '\0') {
        text_line_put_string(line, request);
        text_line_put_string(line, " ");
    }
}

static void put_all(struct text_line *line, enum log_level level, const char *message,
                    size_t message_len, const char *fields, size_t fields_len)
{
    bool json = format == LOG_JSON;
    size_t tail;

    if (!fields || fields_len <= 2 || fields_len > line->max / 2)
        fields_len = 0;
    tail = fields_len > 0 ? fields_len + 1 : json ? 2 : 0;
    if (json) {
        put_json_head(line, level);
        text_line_put_string(line, ",\"message\":\"");
    } else {
        put_text_head(line, level);
    }
    line->max -= tail; /* the message is cut so that these bytes fit behind it */
    text_line_put_text(line, message, message_len, json);
    line->max += tail;
    if (json)
        text_line_put_string(line, "\"");
    if (fields_len > 0) { /* in JSON without their brace, which is written already */
        text_line_put_string(line, json ? "," : " ");
        text_line_put(line, fields + json, fields_len - json);
    } else if (json) {
        text_line_put_string(line, "}");
    }
}

/* ------------------------------------------------------------ writing */

static size_t lines_in(const char *text, size_t len)
{
    size_t count = 0;

    for (size_t i = 0; i < len; i++)
        count += text[i] == '\n';
    return count;
}

/* A WARN line about the log itself: "N lines <what>". */
static bool write_notice(size_t count, const char *one, const char *many)
{
    char bytes[NOTICE_BYTES], text[128];
    struct text_line line = line_in(bytes, sizeof(bytes));
    int len = snprintf(text, sizeof(text), "%zu %s", count, count == 1 ? one : many);

    put_all(&line, LOG_LEVEL_WARN, text, (size_t)len, NULL, 0);
    line.data[line.len++] = '\n';
    return log_output(line.data, line.len);
}

static void write_all(const char *bytes, size_t len)
{
    if (len == 0)
        return;
    if (lost > 0 && log_output_ready() &&
        write_notice(lost, "line of the log is lost: nobody read it",
                     "lines of the log are lost: nobody read it"))
        lost = 0;
    if (lost > 0 || !log_output(bytes, len))
        lost += lines_in(bytes, len);
}

static void write_held(void)
{
    write_all(held.data, (size_t)held.len);
    held.len = 0;
}

/* Whether an event may write one more line; `kept` bytes are for later ones. */
static bool takes(size_t len, size_t kept)
{
    if (request[0] == '\0')
        return true;
    if (event.bytes + len > EVENT_BYTES - kept) {
        event.left_out++;
        return false;
    }
    event.bytes += len;
    return true;
}

/* Writes a line, or keeps it. */
static void end_line(struct text_line *line, size_t kept)
{
    int saved = errno;

    line->data[line->len++] = '\n';
    if (!takes(line->len, kept))
        return;
    if (line->len > sizeof(held.data) - (size_t)held.len)
        write_held();
    if (held.holding && line->len <= sizeof(held.data)) {
        memcpy(held.data + held.len, line->data, line->len);
        held.len += (sig_atomic_t)line->len;
    } else {
        write_all(line->data, line->len);
    }
    errno = saved;
}

/* ------------------------------------------------------------------- the verbs */

enum log_level log_level_named(const char *name)
{
    static const struct {
        const char *name;
        enum log_level level;
    } names[] = {
        {"TRACE", LOG_LEVEL_DEBUG}, {"DEBUG", LOG_LEVEL_DEBUG},
        {"INFO", LOG_LEVEL_INFO},   {"WARN", LOG_LEVEL_WARN},
        {"ERROR", LOG_LEVEL_ERROR}, {"FATAL", LOG_LEVEL_ERROR},
    };
    size_t i;

    for (i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcasecmp(name, names[i].name) == 0)
            return names[i].level;
    return LOG_LEVEL_INFO;
}

enum log_format log_format_named(const char *name)
{
    return name && strcasecmp(name, "Text") == 0 ? LOG_TEXT : LOG_JSON;
}

void log_set_level(enum log_level level)
{
    threshold = level;
}

const char *log_level(void)
{
    return levels[threshold];
}

void log_set_format(enum log_format wanted)
{
    format = wanted;
}

bool log_writes_json(enum log_level level)
{
    return level >= threshold && format == LOG_JSON;
}

static void keep(char *kept, size_t size, const char *text)
{
    struct text_line line = line_in(kept, size);

    if (text)
        text_line_put_text(&line, text, strlen(text), false);
    kept[line.len] = '\0';
}

void log_context(const char *request_id)
{
    if (event.left_out > 0)
        write_notice(event.left_out,
                     "more line of this event is not written: its log has 1 MB",
                     "more lines of this event are not written: its log has 1 MB");
    event.bytes = event.left_out = 0;
    keep(request, sizeof(request), request_id);
}

void log_rules(const char *hash)
{
    keep(rules, sizeof(rules), hash);
}

void log_message(enum log_level level, const char *fmt, ...)
{
    static char text[LINE_MAX_BYTES];
    int len;
    va_list ap;

    if (level < threshold)
        return;
    va_start(ap, fmt);
    len = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if ((size_t)len >= sizeof(text))
        len = (int)sizeof(text) - 1;
    log_line(level, text, (size_t)len, NULL, 0);
}

void log_line(enum log_level level, const char *message, size_t message_len,
              const char *fields, size_t fields_len)
{
    struct text_line line = line_in(line_bytes, sizeof(line_bytes));

    if (level < threshold)
        return;
    put_all(&line, level, message, message_len, fields, fields_len);
    end_line(&line, METRICS_BYTES);
}

void log_metrics(const char *text, size_t len)
{
    struct text_line line = line_in(line_bytes, sizeof(line_bytes));

    if (len > 0 && text[0] == '{') {
        put_json_head(&line, threshold);
        text_line_put_string(&line, ",");
        text++;
        len--;
    }
    if (len > text_line_left(&line))
        return;
    text_line_put(&line, text, len);
    end_line(&line, NOTICE_BYTES);
}

void log_hold(void)
{
    held.holding = true;
}

void log_flush(void)
{
    int saved = errno;

    held.holding = false;
    write_held();
    errno = saved;
}

void log_from_signal(const char *text, size_t len)
{
    char bytes[SIGNAL_LINE_BYTES];
    struct text_line line = line_in(bytes, sizeof(bytes));

    log_output_last(STDOUT_FILENO, held.data, (size_t)held.len);
    held.len = 0;
    put_all(&line, LOG_LEVEL_ERROR, text, len, NULL, 0);
    line.data[line.len++] = '\n';
    log_output_last(STDOUT_FILENO, line.data, line.len);
}
