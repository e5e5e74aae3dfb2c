/* For the specs of host/amqp/broker.c whose cases are rows of a table: a script, and how
 * it ends for three messages. Each row is run twice, the second time over reads of single
 * bytes.
 *
 * Include it after cmocka.h. rows[] and single_cases[], the tests that are no rows, are
 * the file's. recv() is defined here, so that reads can be made short. */
#ifndef PIGEON_ROW_H
#define PIGEON_ROW_H

#include <stdio.h>
#include <sys/socket.h>

#include "dialogue.h"

#define LOG "; next: see the broker's log; AWS retries the event"
#define CLOSED                                                                        \
    "; next: an operator closed the connection or stopped the node; AWS retries the " \
    "event"
#define NO_ROUTE                                                                     \
    "NO_ROUTE; next: declare the queue, or correct its name in PIGEON_QUEUE or the " \
    "rules"

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

static size_t recv_most; /* how much a recv() gives at most; 0: all */

ssize_t recv(int fd, void *bytes, size_t len, int flags)
{
    if (recv_most > 0 && len > recv_most)
        len = recv_most;
    return recvfrom(fd, bytes, len, flags, NULL, NULL);
}

static inline int set_up(void **state)
{
    recv_most = 0;
    return begin(state);
}

static inline void ends_as_the_row_says(const struct row *row)
{
    int64_t start = clock_ms();
    bool ok;

    start_peer(row->script);
    fill(3, 36);
    ok = log_in(row->fates ? MINUTE_MS : row->deadline_ms);
    assert_int_equal(ok, row->fates != NULL);
    if (ok)
        ok = publish(row->deadline_ms);
    assert_true(clock_ms() - start < HANG_MS);
    if (row->fates)
        assert_string_equal(fates(), row->fates);
    assert_int_equal(ok, row->stage == NULL);
    if (!ok)
        assert_failure(row->stage, row->code, row->text);
    assert_int_equal(failure.final, row->final);
    for (size_t i = 0; i < outbox.count; i++)
        if (outbox.messages[i].fate == FATE_RETURNED) {
            assert_string_equal(outbox.messages[i].text, NO_ROUTE);
            assert_string_equal(outbox.messages[i].stage, "publish");
            assert_int_equal(outbox.messages[i].code, 312);
        }
    assert_int_equal(broker_connected(broker), ok);
}

static inline void ends_as_its_row_says(void **state)
{
    ends_as_the_row_says(*state);
}

/* Whatever the network makes of the bytes, they mean the same. */
static inline void ends_so_over_one_byte_reads(void **state)
{
    recv_most = 1;
    ends_as_the_row_says(*state);
}

/* Twice as many tests as rows; `names` is for those of the second time. */
static inline void add_rows(const struct row *rows, size_t count,
                            struct CMUnitTest *tests, char (*names)[100])
{
    for (size_t i = 0; i < count; i++) {
        void *row = (void *)(uintptr_t)&rows[i];

        snprintf(names[i], sizeof(names[i]), "%s, read in single bytes", rows[i].name);
        tests[i] =
            (struct CMUnitTest){rows[i].name, ends_as_its_row_says, set_up, end, row};
        tests[count + i] =
            (struct CMUnitTest){names[i], ends_so_over_one_byte_reads, set_up, end, row};
    }
}

#endif
