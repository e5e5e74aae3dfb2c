/* events.c -- stdin as events. A line is an event as soon as it arrives, so that the
 * writer can look at one answer before the next event. */
#include "tools/lambda/events.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

void events_read(struct events *events)
{
    char piece[65536];
    ssize_t len;

    if (events->taken > 0) {
        events->input.len -= events->taken;
        memmove(events->input.data, events->input.data + events->taken,
                events->input.len);
        events->taken = 0;
    }
    len = read(0, piece, sizeof(piece));
    if (len < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (len <= 0 || !buffer_append(&events->input, piece, (size_t)len))
        events->ended = true;
}

static bool is_blank(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        if (!memchr(" \t\r\n", text[i], 4))
            return false;
    return true;
}

/* Whether a line is a whole JSON object or array. */
static bool is_whole(const char *text, size_t len)
{
    json_t *json = json_loadb(text, len, JSON_ALLOW_NUL, NULL);

    json_decref(json);
    return json != NULL;
}

static bool take(struct events *events, size_t len)
{
    events->data = len > 0 ? events->input.data + events->taken : "";
    events->len = len;
    events->taken += len;
    return true;
}

/* Skips blank lines. False: a whole line that is not blank has not come yet. */
static bool find_line(struct events *events, size_t *len)
{
    const char *start, *end;
    size_t left;

    while (events->taken < events->input.len) {
        start = events->input.data + events->taken;
        left = events->input.len - events->taken;
        end = memchr(start, '\n', left);
        if (!end && !events->ended)
            return false;
        *len = end ? (size_t)(end - start) : left;
        if (!is_blank(start, *len))
            return true;
        events->taken += end ? *len + 1 : *len;
    }
    return false;
}

bool events_take(struct events *events)
{
    size_t len = 0;

    if (events->raw) {
        if (!events->ended)
            return false;
        events->raw = false;
        return take(events, events->input.len);
    }
    if (events->kind != EVENTS_WHOLE && !find_line(events, &len))
        return false;
    if (events->kind == EVENTS_UNDECIDED)
        events->kind = is_whole(events->input.data + events->taken, len) ? EVENTS_LINES
                                                                         : EVENTS_WHOLE;
    if (events->kind == EVENTS_LINES)
        return take(events, len);
    len = events->input.len - events->taken;
    return events->ended && len > 0 && take(events, len);
}
