/* events.h -- stdin as events: a JSON document, or one a line.
 *
 * Where the first line that is not blank is a whole JSON object or array, each line is an
 * event and blank ones are skipped; otherwise all of stdin is one event, valid or not, so
 * that bad input can be tried too. Owns what it read. Valid when zeroed, but for
 * input.max. */
#ifndef PIGEON_TOOLS_LAMBDA_EVENTS_H
#define PIGEON_TOOLS_LAMBDA_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

struct events {
    struct buffer input;
    size_t taken; /* bytes of it that are used */
    enum { EVENTS_UNDECIDED, EVENTS_LINES, EVENTS_WHOLE } kind;
    bool raw;   /* all of stdin is one event, even where it is empty */
    bool ended; /* there is no more to read */
    const char
        *data; /* the event that events_take() gave, until the next events_read() */
    size_t len;
};

/* Reads what stdin has; waits where it has nothing yet. */
void events_read(struct events *events);

/* Takes the next event of what was read. False: there is none, and where stdin has not
 * ended, more has to be read. */
bool events_take(struct events *events);

#endif
