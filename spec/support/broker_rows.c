/* broker_rows.c -- runs one row, and makes tests of all. */
#include "broker_rows.h"

#include <stdio.h>

#include "asserts.h"

#define NO_ROUTE                                                                     \
    "NO_ROUTE; next: declare the queue, or correct its name in PIGEON_QUEUE or the " \
    "rules"

int broker_rows_setup(void **state)
{
    fake_recv = (struct fake_recv){0};
    return broker_case_setup(state);
}

static void ends_as_the_row_says(const struct row *row)
{
    int64_t start = clock_ms();
    bool ok;

    play_broker(row->script);
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
    assert_false(failure.silent); /* it had the whole time */
    for (size_t i = 0; i < outbox.count; i++)
        if (outbox.messages[i].fate == FATE_RETURNED) {
            assert_string_equal(outbox.messages[i].text, NO_ROUTE);
            assert_string_equal(outbox.messages[i].stage, "publish");
            assert_int_equal(outbox.messages[i].code, 312);
        }
    assert_int_equal(broker_connected(broker), ok);
}

static void ends_as_its_row_says(void **state)
{
    ends_as_the_row_says(*state);
}

/* However the network splits the bytes, they mean the same. */
static void ends_so_over_one_byte_reads(void **state)
{
    fake_recv.most = 1;
    ends_as_the_row_says(*state);
}

void broker_rows_add(const struct row *rows, size_t count, struct CMUnitTest *tests,
                     char (*names)[100])
{
    for (size_t i = 0; i < count; i++) {
        void *row = (void *)(uintptr_t)&rows[i];

        snprintf(names[i], sizeof(names[i]), "%s, read in single bytes", rows[i].name);
        tests[i] = (struct CMUnitTest){rows[i].name, ends_as_its_row_says,
                                       broker_rows_setup, broker_case_teardown, row};
        tests[count + i] =
            (struct CMUnitTest){names[i], ends_so_over_one_byte_reads, broker_rows_setup,
                                broker_case_teardown, row};
    }
}
