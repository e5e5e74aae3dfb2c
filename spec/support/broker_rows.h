/* broker_rows.h -- cases of host/amqp/broker.c as rows of a table: a script, and how it
 * ends for three messages. Each row is run twice, the second time with reads of single
 * bytes.
 *
 * A spec that includes this includes fake/recv.h, too, and has rows[], and single_cases[]
 * for the tests that are not rows. */
#ifndef PIGEON_SPEC_BROKER_ROWS_H
#define PIGEON_SPEC_BROKER_ROWS_H

#include "asserts.h"
#include "broker_case.h"
#include "fake/recv.h"

#define LOG "; next: see the broker's log; AWS retries the event"
#define CLOSED                                                                        \
    "; next: an operator closed the connection or stopped the node; AWS retries the " \
    "event"

#define ROWS (sizeof(rows) / sizeof(rows[0]))
#define SINGLE_CASES (sizeof(single_cases) / sizeof(single_cases[0]))

struct row {
    const char *name;
    void (*script)(struct session *session);
    int64_t deadline_ms;
    const char *fates; /* of three messages; NULL: the login fails */
    const char *stage; /* NULL: all goes well */
    int code;
    const char *text;
    bool final;
};

int broker_rows_setup(void **state);

/* Fills in twice as many tests as rows; `names` is for those of the second time. */
void broker_rows_add(const struct row *rows, size_t count, struct CMUnitTest *tests,
                     char (*names)[100]);

#endif
