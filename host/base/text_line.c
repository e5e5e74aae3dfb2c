/* text_line.c -- text and time, byte by byte. */
#include "base/text_line.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

size_t text_line_left(const struct text_line *line)
{
    return line->max - line->len;
}

void text_line_put(struct text_line *line, const char *bytes, size_t len)
{
    if (len > text_line_left(line))
        return;
    memcpy(line->data + line->len, bytes, len);
    line->len += len;
}

void text_line_put_string(struct text_line *line, const char *text)
{
    text_line_put(line, text, strlen(text));
}

static void write_number(char *at, int64_t number, int digits)
{
    while (digits-- > 0) {
        at[digits] = (char)('0' + number % 10);
        number /= 10;
    }
}

/* By hand: gmtime_r() takes a lock, and a signal may have interrupted its holder. The
 * date's arithmetic: https://howardhinnant.github.io/date_algorithms.html */
void text_line_put_time(struct text_line *line, const struct timespec *time)
{
    char text[] = "YYYY-MM-DDThh:mm:ss.mmmZ";
    int64_t days = time->tv_sec / 86400 + 719468;
    int64_t seconds = time->tv_sec % 86400;
    int64_t era_day = days % 146097;
    int64_t year = (era_day - era_day / 1460 + era_day / 36524 - era_day / 146096) / 365;
    int64_t year_day = era_day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * year_day + 2) / 153; /* 0 is March */

    year += days / 146097 * 400 + (month >= 10);
    write_number(text, year, 4);
    write_number(text + 5, month < 10 ? month + 3 : month - 9, 2);
    write_number(text + 8, year_day - (153 * month + 2) / 5 + 1, 2);
    write_number(text + 11, seconds / 3600, 2);
    write_number(text + 14, seconds / 60 % 60, 2);
    write_number(text + 17, seconds % 60, 2);
    write_number(text + 20, time->tv_nsec / 1000000, 3);
    text_line_put_string(line, text);
}

static bool is_control(const unsigned char *character)
{
    return character[0] < 0x20 || character[0] == 0x7f ||
           (character[0] == 0xc2 && character[1] < 0xa0);
}

/* How many bytes at the beginning need no change: usually all. */
static size_t plain_len(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len && text[i] >= 0x20 && text[i] < 0x7f && text[i] != '"' &&
           text[i] != '\\')
        i++;
    return i;
}

void text_line_put_text(struct text_line *line, const char *text, size_t len, bool json)
{
    size_t i = plain_len(text, len < text_line_left(line) ? len : text_line_left(line));

    text_line_put(line, text, i);
    while (i < len) {
        const char *shown = text + i;
        size_t size = utf8_size((const unsigned char *)shown, len - i);
        size_t shown_len = size;

        i += size > 0 ? size : 1;
        if (size == 0) {
            shown = "\xef\xbf\xbd"; /* U+FFFD */
            shown_len = 3;
        } else if (is_control((const unsigned char *)shown)) {
            shown = " ";
            shown_len = 1;
        } else if (json && (*shown == '"' || *shown == '\\')) {
            shown = *shown == '"' ? "\\\"" : "\\\\";
            shown_len = 2;
        }
        if (shown_len > text_line_left(line))
            return;
        text_line_put(line, shown, shown_len);
    }
}
