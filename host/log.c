/* log.c -- one line: time, level, request id, message, facts.
 *
 * A line is built by hand in memory of a fixed size and written at once, without stdio
 * and without malloc, so the same code serves signal handlers. put_head() and put_text()
 * are all that knows the format. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES ((size_t)256 * 1024) /* with the newline */
#define SIGNAL_LINE_BYTES 2048

struct line {
    char *data;
    size_t len;
    size_t max; /* without the newline, for which there is room */
};

static enum log_level threshold = LOG_LEVEL_INFO;
static char request[64 + 1];
static char line_bytes[LINE_MAX_BYTES];

/* ------------------------------------------------------------ building a line */

/* What is too long is cut between two characters, and the line takes no more. */
static void put(struct line *line, const char *text, size_t len)
{
    if (len > line->max - line->len) {
        len = line->max - line->len;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
        line->max = line->len + len;
    }
    if (len > 0)
        memmove(line->data + line->len, text, len);
    line->len += len;
}

static void put_string(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

static void put_number(struct line *line, int64_t number, int digits)
{
    char text[20];
    int i;

    for (i = digits - 1; i >= 0; i--) {
        text[i] = (char)('0' + number % 10);
        number /= 10;
    }
    put(line, text, (size_t)digits);
}

/* By hand: gmtime_r() takes a lock, and a signal may have interrupted its holder. The
 * date's arithmetic: https://howardhinnant.github.io/date_algorithms.html */
static void put_time(struct line *line)
{
    struct timespec now = {0};
    int64_t days, seconds, era_day, year, year_day, month;

    clock_gettime(CLOCK_REALTIME, &now);
    days = now.tv_sec / 86400 + 719468;
    seconds = now.tv_sec % 86400;
    era_day = days % 146097;
    year = (era_day - era_day / 1460 + era_day / 36524 - era_day / 146096) / 365;
    year_day = era_day - (365 * year + year / 4 - year / 100);
    month = (5 * year_day + 2) / 153; /* 0 is March */
    year += days / 146097 * 400 + (month >= 10);

    put_number(line, year, 4);
    put(line, "-", 1);
    put_number(line, month < 10 ? month + 3 : month - 9, 2);
    put(line, "-", 1);
    put_number(line, year_day - (153 * month + 2) / 5 + 1, 2);
    put(line, "T", 1);
    put_number(line, seconds / 3600, 2);
    put(line, ":", 1);
    put_number(line, seconds / 60 % 60, 2);
    put(line, ":", 1);
    put_number(line, seconds % 60, 2);
    put(line, ".", 1);
    put_number(line, now.tv_nsec / 1000000, 3);
    put(line, "Z ", 2);
}

static void put_head(struct line *line, enum log_level level)
{
    static const char words[][7] = {"DEBUG ", "INFO  ", "WARN  ", "ERROR "};

    put_time(line);
    put_string(line, words[level]);
    if (request[0] != '\0') {
        put_string(line, request);
        put(line, " ", 1);
    }
}

/* Control characters, U+0080 to U+009F among them, become spaces: a line stays a line,
 * and a terminal is told nothing. */
static void put_text(struct line *line, const char *text, size_t len)
{
    size_t i = line->len;
    unsigned char *at;

    put(line, text, len);
    for (; i < line->len; i++) {
        at = (unsigned char *)line->data + i;
        if (*at < 0x20 || *at == 0x7f)
            *at = ' ';
        if (*at == 0xc2 && i + 1 < line->len && at[1] >= 0x80 && at[1] <= 0x9f) {
            at[0] = ' ';
            at[1] = ' ';
        }
    }
}

/* One write(2); more only where the kernel took a part. */
static void write_line(struct line *line)
{
    size_t done = 0;
    ssize_t n;

    line->data[line->len++] = '\n';
    while (done < line->len) {
        n = write(STDOUT_FILENO, line->data + done, line->len - done);
        if (n < 0 && errno != EINTR)
            return; /* there is no other place to tell of it */
        if (n > 0)
            done += (size_t)n;
    }
}

/* ------------------------------------------------------------------- the verbs */

enum log_level log_level_named(const char *name)
{
    static const struct {
        const char *name;
        enum log_level level;
    } levels[] = {
        {"TRACE", LOG_LEVEL_DEBUG}, {"DEBUG", LOG_LEVEL_DEBUG},
        {"INFO", LOG_LEVEL_INFO},   {"WARN", LOG_LEVEL_WARN},
        {"ERROR", LOG_LEVEL_ERROR}, {"FATAL", LOG_LEVEL_ERROR},
    };
    size_t i;

    for (i = 0; name && i < sizeof(levels) / sizeof(levels[0]); i++)
        if (strcasecmp(name, levels[i].name) == 0)
            return levels[i].level;
    return LOG_LEVEL_INFO;
}

void log_open(enum log_level level)
{
    threshold = level;
}

void log_context(const char *request_id)
{
    struct line kept = {.data = request, .max = sizeof(request) - 1};

    if (request_id)
        put_text(&kept, request_id, strlen(request_id));
    request[kept.len] = '\0';
}

void log_say(enum log_level level, const char *fmt, ...)
{
    static char text[LINE_MAX_BYTES];
    int len;
    va_list ap;

    if (level < threshold)
        return;
    va_start(ap, fmt);
    len = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (len < 0)
        len = 0;
    if ((size_t)len >= sizeof(text))
        len = (int)sizeof(text) - 1;
    log_line(level, text, (size_t)len, NULL, 0);
}

void log_line(enum log_level level, const char *message, size_t message_len,
              const char *fields, size_t fields_len)
{
    struct line line = {.data = line_bytes, .max = sizeof(line_bytes) - 1};
    int saved = errno;

    if (level < threshold)
        return;
    put_head(&line, level);
    put_text(&line, message, message_len);
    if (fields) {
        put(&line, " ", 1);
        put_text(&line, fields, fields_len);
    }
    write_line(&line);
    errno = saved;
}

void log_from_signal(const char *text, size_t len)
{
    char bytes[SIGNAL_LINE_BYTES];
    struct line line = {.data = bytes, .max = sizeof(bytes) - 1};

    put_head(&line, LOG_LEVEL_ERROR);
    put_text(&line, text, len);
    write_line(&line);
}
