/* The spec of host/amqp/confirms.c: a few cases by hand, and random schedules, checked
 * against a model that is as simple as possible.
 *
 *   SEED=17 SCHEDULES=1 build/spec/host/amqp/confirms_spec    the schedule of a failure
 * once more */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "amqp/confirms.h"

#define SCHEDULES 1000000
#define SMALL 8    /* messages of most schedules */
#define BIG 2500   /* messages of one schedule in RARE: more than two windows */
#define RARE 20000 /* so that the big ones take as long as the small ones */

static struct confirms confirms;
static struct outbox outbox;

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){.data = text, .len = strlen(text)};
}

/* ------------------------------------------------------------- the model */

/* Keeps an entry for every tag; no ring, and each search is a loop. */
static struct {
    size_t message[3 * BIG + 1]; /* by tag, from 1 */
    bool open[3 * BIG + 1];
    uint64_t last; /* tag */
    enum fate fate[BIG];
    int code[BIG];
} model;

static size_t model_open(void)
{
    size_t open = 0;

    for (uint64_t tag = 1; tag <= model.last; tag++)
        open += model.open[tag];
    return open;
}

/* The number of tags from the first open one to the last. */
static uint64_t model_span(void)
{
    uint64_t tag = 1;

    while (tag <= model.last && !model.open[tag])
        tag++;
    return model.last + 1 - tag;
}

static void model_publish(size_t message)
{
    model.last++;
    model.message[model.last] = message;
    model.open[model.last] = true;
}

static bool model_settle(uint64_t up_to, bool multiple, enum fate fate)
{
    if (up_to == 0 || up_to > model.last)
        return false;
    for (uint64_t tag = multiple ? 1 : up_to; tag <= up_to; tag++) {
        size_t message = model.message[tag];

        if (model.open[tag] && model.fate[message] == FATE_NONE)
            model.fate[message] = fate;
        model.open[tag] = false;
    }
    return true;
}

static bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static bool model_return(const struct message *like, int code)
{
    for (uint64_t tag = 1; tag <= model.last; tag++) {
        size_t i = model.message[tag];
        const struct message *message = &outbox.messages[i];

        if (model.open[tag] && model.fate[i] == FATE_NONE &&
            bytes_equal(message->exchange, like->exchange) &&
            bytes_equal(message->routing_key, like->routing_key) &&
            bytes_equal(message->message_id, like->message_id)) {
            model.fate[i] = FATE_RETURNED;
            model.code[i] = code;
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------- schedules */

/* splitmix64 (https://prng.di.unimi.it/splitmix64.c) */
static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    uint64_t z = (seed += 0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (z ^ (z >> 31)) % below;
}

/* Few different names, so that many messages are alike. */
static void fill_outbox(void)
{
    static const char *const names[] = {"", "a", "b", "ab"};

    for (int i = 0; i < BIG; i++)
        assert_true(outbox_add(&outbox, bytes_of(names[i / 2 % 2]),
                               bytes_of(names[1 + i / 4 % 3]), bytes_of(names[1 + i % 2]),
                               bytes_of("body")));
}

static void start(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        outbox_settle(&outbox.messages[i], FATE_NONE, NULL, 0, NULL);
        model.fate[i] = FATE_NONE;
        model.code[i] = 0;
    }
    outbox.count = count;
    model.last = 0;
    confirms_start(&confirms, &outbox);
}

/* Mostly an open tag or one near it; rarely a tag that no publish had. */
static uint64_t draw_tag(void)
{
    if (draw(16) == 0)
        return draw(4) ? model.last + 1 + draw(2000) : draw(2) ? 0 : UINT64_MAX;
    return draw(4) && confirms.first <= model.last
               ? confirms.first + draw(model.last + 1 - confirms.first)
               : draw(model.last + 1);
}

/* One ack, nack or return, for confirms and model alike. */
static void receive(size_t count)
{
    struct err err;
    const char *text = "NO_ROUTE";
    const struct message *like = &outbox.messages[draw(count)];
    uint64_t tag = draw_tag();
    bool multiple = draw(4) == 0;
    enum fate fate = draw(3) ? FATE_CONFIRMED : FATE_NACKED;
    int code = 312 + (int)draw(2);

    if (draw(3) == 0)
        assert_int_equal(confirms_return(&confirms, like->exchange, like->routing_key,
                                         like->message_id, code, text, &err),
                         model_return(like, code));
    else
        assert_int_equal(confirms_settle(&confirms, tag, multiple, fate, &err),
                         model_settle(tag, multiple, fate));
}

/* Where a message of that fate failed. */
static const char *stage_of(enum fate fate)
{
    return fate == FATE_RETURNED ? "publish" : fate == FATE_NACKED ? "confirm" : "";
}

static void compare(size_t count)
{
    assert_int_equal(confirms.open, model_open());
    assert_int_equal(confirms_full(&confirms), model_span() >= CONFIRMS_WINDOW);
    for (size_t i = 0; i < count; i++) {
        const struct message *message = &outbox.messages[i];

        assert_int_equal(message->fate, model.fate[i]);
        assert_int_equal(message->code, model.code[i]);
        assert_int_equal(message->text != NULL, message->fate == FATE_RETURNED);
        assert_string_equal(message->stage ? message->stage : "",
                            stage_of(message->fate));
    }
}

/* A batch is published while frames come; then more frames come. It may end with open
 * tags. Nacked messages are in the next batch of the channel. */
static void run_batch(size_t count, uint64_t frames)
{
    for (size_t i = 0; i < count; i++) {
        if (model.fate[i] != FATE_NONE)
            continue;
        for (uint64_t turn = 0; confirms_full(&confirms) || turn < draw(3); turn++) {
            assert_int_equal(confirms_full(&confirms), model_span() >= CONFIRMS_WINDOW);
            receive(count);
        }
        assert_true(model_span() < CONFIRMS_WINDOW);
        confirms_publish(&confirms, i);
        model_publish(i);
    }
    for (uint64_t i = 0; i < frames && confirms.open > 0; i++)
        receive(count);
    compare(count);
}

static void reopen_nacked(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (model.fate[i] != FATE_NACKED)
            continue;
        model.fate[i] = FATE_NONE;
        outbox_settle(&outbox.messages[i], FATE_NONE, NULL, 0, NULL);
    }
}

static void run_schedule(void)
{
    bool big = draw(RARE) == 0;
    size_t count = big ? BIG - draw(BIG / 2) : 1 + draw(SMALL);
    uint64_t batches = 1 + draw(3);

    start(count);
    for (uint64_t batch = 0; batch < batches; batch++) {
        run_batch(count, draw(3 * count));
        memset(model.open, 0, (model.last + 1) * sizeof(model.open[0]));
        confirms_continue(&confirms, &outbox);
        assert_int_equal(confirms.open, 0);
        assert_false(confirms_full(&confirms));
        reopen_nacked(count);
    }
}

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);

    return text ? strtoull(text, NULL, 10) : otherwise;
}

static uint64_t running; /* the seed of the schedule that runs; 0: none */

static void equals_the_model(void **state)
{
    uint64_t first = number_of("SEED", (uint64_t)time(NULL) * SCHEDULES);
    uint64_t count = number_of("SCHEDULES", SCHEDULES);

    (void)state;
    print_message("# %" PRIu64 " schedules from SEED=%" PRIu64 "\n", count, first);
    fill_outbox();
    for (uint64_t i = 0; i < count; i++) {
        running = first + i;
        seed =
            running *
            0x9e3779b97f4a7c15; /* or neighbouring seeds would give similar schedules */
        run_schedule();
    }
    running = 0;
}

static int clear(void **state)
{
    (void)state;
    if (running != 0)
        print_message("# it was SEED=%" PRIu64 " SCHEDULES=1\n", running);
    outbox.count = outbox.capacity ? BIG : 0;
    outbox_clear(&outbox);
    return 0;
}

/* ------------------------------------------------------------- by hand */

static void publish(const char *exchange, const char *routing_key, const char *message_id)
{
    assert_true(outbox_add(&outbox, bytes_of(exchange), bytes_of(routing_key),
                           bytes_of(message_id), bytes_of("body")));
    if (outbox.count == 1)
        confirms_start(&confirms, &outbox);
    confirms_publish(&confirms, outbox.count - 1);
}

static void a_return_needs_all_three_names(void **state)
{
    struct err err;

    (void)state;
    publish("x", "q", "id");
    publish("", "q", "id");
    publish("", "p", "id");
    publish("", "q", "di");
    assert_true(confirms_return(&confirms, bytes_of(""), bytes_of("q"), bytes_of("di"),
                                312, "NO_ROUTE", &err));
    assert_int_equal(outbox.messages[3].fate, FATE_RETURNED);
    assert_int_equal(outbox.messages[3].code, 312);
    assert_string_equal(outbox.messages[3].stage, "publish");
    assert_string_equal(outbox.messages[3].text, "NO_ROUTE");
    assert_false(confirms_return(&confirms, bytes_of(""), bytes_of("q"), bytes_of("di"),
                                 312, "NO_ROUTE", &err));
    assert_string_equal(err.text,
                        "the broker returned a message that is not waiting: di");
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(outbox.messages[i].fate, FATE_NONE);
    outbox_clear(&outbox);
}

static void a_tag_that_was_never_given_out_is_an_error_with_words(void **state)
{
    struct err err;

    (void)state;
    publish("", "q", "id");
    assert_false(confirms_settle(&confirms, 2, true, FATE_CONFIRMED, &err));
    assert_string_equal(err.text,
                        "the broker settled delivery tag 2, but the last publish was 1");
    assert_false(confirms_settle(&confirms, 0, true, FATE_CONFIRMED, &err));
    assert_string_equal(err.text,
                        "the broker settled delivery tag 0, but the last publish was 1");
    assert_int_equal(outbox.messages[0].fate, FATE_NONE);
    assert_int_equal(confirms.open, 1);
    outbox_clear(&outbox);
}

/* The window is full while its first tag is open, even if all others are settled. */
static void the_window_has_a_thousand_tags(void **state)
{
    struct err err;

    (void)state;
    for (int i = 0; i < CONFIRMS_WINDOW; i++) {
        assert_false(i > 0 && confirms_full(&confirms));
        publish("", "q", "id");
    }
    assert_true(confirms_full(&confirms));
    for (uint64_t tag = 2; tag <= CONFIRMS_WINDOW; tag++)
        assert_true(confirms_settle(&confirms, tag, false, FATE_CONFIRMED, &err));
    assert_true(confirms_full(&confirms));
    assert_int_equal(confirms.open, 1);
    assert_true(confirms_settle(&confirms, 1, false, FATE_CONFIRMED, &err));
    assert_false(confirms_full(&confirms));
    assert_int_equal(confirms.open, 0);
    outbox_clear(&outbox);
}

static void an_old_tag_does_not_touch_the_next_batch(void **state)
{
    struct outbox gone = {0};
    struct err err;

    (void)state;
    publish("", "q", "id");
    confirms_continue(&confirms, &gone);
    assert_true(confirms_settle(&confirms, 1, true, FATE_CONFIRMED, &err));
    assert_false(confirms_return(&confirms, bytes_of(""), bytes_of("q"), bytes_of("id"),
                                 312, "NO_ROUTE", &err));
    assert_int_equal(outbox.messages[0].fate, FATE_NONE);
    outbox_clear(&outbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_return_needs_all_three_names),
        cmocka_unit_test(a_tag_that_was_never_given_out_is_an_error_with_words),
        cmocka_unit_test(the_window_has_a_thousand_tags),
        cmocka_unit_test(an_old_tag_does_not_touch_the_next_batch),
        cmocka_unit_test_teardown(equals_the_model, clear),
    };

    return cmocka_run_group_tests_name("confirms", tests, NULL, NULL);
}
