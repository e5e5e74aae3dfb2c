/* The spec of host/script.c: opening, deciding and concluding, with the embedded Lua and
 * rules of its own. Memory and time are in script_limits_spec.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <sys/syscall.h>
#include <time.h>

#include "../support/rules.h"

/* The last character of the key says what becomes of it. */
#define RULES                                                                         \
    "return function(object)\n"                                                       \
    "  local last = object.key:sub(-1)\n"                                             \
    "  if last == '!' then error('a bad key') end\n"                                  \
    "  if last == '0' then return defer('deferred') end\n"                            \
    "  if last == '1' then return accept('id of ' .. object.key, {'normal'}) end\n"   \
    "  if last == '2' then return accept(object.key, {'a b', exchange('x', 'r.k')}) " \
    "end\n"                                                                           \
    "  if last == '3' then return accept(object.key, {}) end\n"                       \
    "  return ignore('junk')\n"                                                       \
    "end\n"

static struct script *script;
static struct outbox outbox;
static struct facts facts;
static struct answer answer;
static struct buffer event;
static struct err err;

static int open_script(void **state)
{
    err = (struct err){0};
    facts = (struct facts){0};
    if (begin(state) != 0)
        return -1;
    script = open_rules(RULES);
    return 0;
}

static int close_script(void **state)
{
    outbox_clear(&outbox);
    buffer_free(&answer.body);
    buffer_free(&event);
    script_close(script);
    script = NULL;
    return end(state);
}

static bool decide(void)
{
    struct invocation invocation = invocation_of(&event);

    outbox_clear(&outbox);
    return script_decide(script, &invocation, &outbox, &err);
}

static bool conclude(void)
{
    return script_conclude(script, &outbox, &facts, &answer, &err);
}

static void tell(void)
{
    assert_true(script_tell(script, &err));
}

/* The whole way, with each message that has no other fate confirmed. */
static void run(void)
{
    assert_true(decide());
    facts.confirmed = confirm(&outbox);
    assert_true(conclude());
    tell();
}

static void assert_error(const char *type, const char *words)
{
    assert_string_equal(answer.error_type, type);
    assert_string_equal(member(&answer.body, "errorType"), type);
    if (!strstr(member(&answer.body, "errorMessage"), words))
        fail_msg("\"%s\" is not in %s", words, answer.body.data);
}

static void assert_success(void)
{
    assert_string_equal(answer.body.data, "null");
    assert_string_equal(answer.error_type, "");
}

static void assert_message(size_t i, const char *exchange, const char *routing_key,
                           const char *id)
{
    assert_true(i < outbox.count);
    assert_true(is(outbox.messages[i].exchange, exchange));
    assert_true(is(outbox.messages[i].routing_key, routing_key));
    assert_true(is(outbox.messages[i].message_id, id));
    assert_true(is(outbox.messages[i].body, id));
    assert_int_equal(outbox.messages[i].fate, FATE_NONE);
}

/* ---------------------------------------------------------------------- opening */

static void knows_the_queues_and_the_hash(void **state)
{
    (void)state;
    script_close(script);
    script = open_with("return function() return ignore(\"all\") end\n",
                       " normal, 15:submitter ", 0, &err);
    assert_non_null(script);
    assert_string_equal(script_queues(script), "normal,submitter");
    assert_string_equal(script_hash(script), "3b31020cb6f0");
    assert_false(script_exhausted(script));
}

static void what_is_wrong_is_told_when_opening(void **state)
{
    static const struct {
        const char *rules;
        const char *queue;
        const char *type;
        const char *words;
    } cases[] = {
        {RULES, "normal,,b", "ValueError", "PIGEON_QUEUE: entry 2"},
        {RULES, "101:q", "ValueError", "PIGEON_QUEUE: entry 1, \"101:q\""},
        {"syntax error", "101:q", "ValueError", "PIGEON_QUEUE"},
        {"\nreturn function( end", "q", "Runtime.RulesInvalid", "rules.lua:2:"},
        {"\n\nlocal x = nil .. 'a'", "q", "Runtime.RulesInvalid", "rules.lua:3:"},
        {"error('PIGEON_QUEUE: no')", "q", "Runtime.RulesInvalid", "rules.lua:1: PIG"},
        {"io.write('x')", "q", "Runtime.RulesInvalid", "rules.lua:1:"},
        {"return 7", "q", "Runtime.RulesInvalid", "rules.lua:"},
        {"", "q", "Runtime.RulesInvalid", "rules.lua:"},
        {"\033Lua", "q", "Runtime.RulesInvalid", "binary"},
        {"\nwhile true do end", "q", "Runtime.RulesInvalid",
         "rules.lua:2: spent its budget"},
        {"local s = 'x' for i = 1, 30 do s = s .. s end", "q", "Runtime.RulesInvalid",
         "not enough memory"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        err = (struct err){0};
        assert_null(open_with(cases[i].rules, cases[i].queue, 0, &err));
        assert_string_equal(err.type, cases[i].type);
        if (!strstr(err.text, cases[i].words))
            fail_msg("\"%s\" is not in %s", cases[i].words, err.text);
        assert_null(strstr(err.text, "traceback"));
    }
}

static void a_bad_environment_is_a_bad_value(void **state)
{
    struct script_settings settings = {
        .command = "lambda", .path = rules_path, .queue = "q", .env = "stage 2"};
    struct deadline deadline = deadline_in(600000);

    (void)state;
    assert_null(script_open(&settings, &deadline, &err));
    assert_string_equal(err.type, "ValueError");
    assert_non_null(strstr(err.text, "PIGEON_ENV"));
}

static void a_bad_list_of_sqs_queues_is_a_bad_value(void **state)
{
    struct script_settings settings = {
        .command = "lambda", .path = rules_path, .queue = "q", .batch_failures = "a,,b"};
    struct deadline deadline = deadline_in(600000);

    (void)state;
    assert_null(script_open(&settings, &deadline, &err));
    assert_string_equal(err.type, "ValueError");
    assert_non_null(strstr(err.text, "PIGEON_BATCH_FAILURES: entry 2"));
}

static void rules_that_are_not_there_are_invalid(void **state)
{
    struct script_settings settings = {.command = "lambda", .path = folder, .queue = "q"};
    struct deadline deadline = deadline_in(600000);

    (void)state;
    assert_null(script_open(&settings, &deadline, &err));
    assert_string_equal(err.type, "Runtime.RulesInvalid");
    assert_non_null(strstr(err.text, folder));
}

static void closing_nothing_is_allowed(void **state)
{
    (void)state;
    script_close(NULL);
}

/* --------------------------------------------------------------------- deciding */

static void what_is_accepted_is_in_the_outbox_byte_for_byte(void **state)
{
    (void)state;
    add_object(&event, "d0");
    add_object(&event, "a1");
    add_object(&event, "other");
    add_object(&event, "t3");
    add_object(&event, "b2");
    assert_true(decide());
    assert_int_equal(outbox.count, 3);
    assert_message(0, "", "normal", "id of a1");
    assert_message(1, "", "a b", "b2");
    assert_message(2, "x", "r.k", "b2");
    assert_string_equal(outbox.rules_version, script_hash(script));
    facts.confirmed = confirm(&outbox);
    assert_true(conclude());
    assert_success();
    tell();
    assert_non_null(strstr(logged(), "INFO  published: id of a1 to normal"));
    assert_non_null(strstr(logged(), "INFO  published: b2 to a b, x/r.k"));
    assert_non_null(strstr(logged(), "DEBUG deferred: d0"));
    assert_non_null(strstr(logged(), "DEBUG ignored: other"));
    assert_non_null(strstr(logged(), "INFO  throttled: t3"));
}

static void an_event_without_objects_succeeds(void **state)
{
    (void)state;
    event.max = 100;
    append(&event, "{\"Records\":[]}");
    run();
    assert_int_equal(outbox.count, 0);
    assert_success();
}

static void what_is_wrong_with_an_event_is_told_when_concluding(void **state)
{
    static const char *const events[] = {"", "not JSON", "[]", "{}", "{\"Records\":7}"};

    (void)state;
    event.max = 100;
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        buffer_clear(&event);
        append(&event, events[i]);
        run();
        assert_int_equal(outbox.count, 0);
        assert_error("Function.EventInvalid", "the event");
    }
}

static void a_record_that_cannot_be_read_fails_alone(void **state)
{
    (void)state;
    add_object(&event, "a1");
    add_object(&event, "");
    add_object(&event, "b1");
    run();
    assert_int_equal(outbox.count, 2);
    assert_error("Function.EventInvalid", "Records[1].s3.object.key");
}

static void hostile_keys_do_no_harm(void **state)
{
    (void)state;
    add_object(&event, "a%0Ab%00c\n\x1b[31m");
    add_object(&event, "\xff\xfe%ff%zz%");
    add_object(&event, "%00!");
    add_object(&event, "a+%C3%A41");
    run();
    assert_int_equal(outbox.count, 0);
    assert_error("Function.RulesFailed", "rules.lua:");
    assert_null(strchr(answer.body.data, '\n'));
    assert_null(strchr(logged(), '\x1b'));
}

static void one_of_2000_objects_fails_alone(void **state)
{
    char text[32];

    (void)state;
    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof(text), i == 1000 ? "%d!" : "%d/1", i);
        add_object(&event, text);
    }
    assert_true(decide());
    assert_int_equal(outbox.count, 1999);
    for (size_t i = 0; i < outbox.count; i++) {
        snprintf(text, sizeof(text), "id of %zu/1", i < 1000 ? i : i + 1);
        assert_message(i, "", "normal", text);
    }
    facts.confirmed = confirm(&outbox);
    assert_true(conclude());
    assert_error("Function.RulesFailed", "1 of 2000 objects failed");
    assert_error("Function.RulesFailed", "1000!");
    assert_error("Function.RulesFailed", "rules.lua:3: a bad key");
}

static void events_follow_each_other(void **state)
{
    (void)state;
    add_object(&event, "bad!");
    run();
    assert_error("Function.RulesFailed", "rules.lua:3: a bad key");
    buffer_clear(&event);
    add_object(&event, "a1");
    run();
    assert_success();
}

/* A message of SQS whose body says nothing that can be read. */
#define SQS_EVENT                                                      \
    "{\"Records\":[{\"messageId\":\"m1\",\"eventSource\":\"aws:sqs\"," \
    "\"eventSourceARN\":\"arn:aws:sqs:us-west-2:1:crashes\",\"body\":\"x\"}]}"

static void a_listed_queue_is_told_which_message_failed(void **state)
{
    struct script_settings settings = {.command = "lambda",
                                       .path = rules_path,
                                       .queue = "q",
                                       .batch_failures = "crashes"};
    struct deadline deadline = deadline_in(600000);

    (void)state;
    event.max = 1000;
    append(&event, SQS_EVENT);
    run();
    assert_error("Function.EventInvalid", "message m1: Records[0].body is not JSON");
    script_close(script);
    script = script_open(&settings, &deadline, &err);
    assert_non_null(script);
    run();
    assert_string_equal(answer.error_type, "");
    assert_string_equal(answer.body.data,
                        "{\"batchItemFailures\":[{\"itemIdentifier\":\"m1\"}]}");
}

/* --------------------------------------------------------------------------- the desk */

/* A command that needs no rules. */
static struct script *open_command(const char *command, int count, char *const *arguments)
{
    struct script_settings settings = {
        .command = command, .queue = "q", .count = count, .arguments = arguments};
    struct deadline deadline = deadline_in(600000);

    return script_open(&settings, &deadline, &err);
}

static void a_command_without_rules_says_all_at_its_end(void **state)
{
    char *const arguments[] = {"sqs", "--key", "a\xc3\xa4"};
    struct buffer text = {.max = SIZE_MAX};
    int status = 7;
    struct script *event_command = open_command("event", 3, arguments);

    (void)state;
    assert_non_null(event_command);
    assert_string_equal(script_queues(event_command), "");
    assert_true(script_finish(event_command, &text, &status, &err));
    assert_int_equal(status, 0);
    assert_memory_equal(text.data, "{\"Records\":[{", 13);
    assert_non_null(strstr(text.data, "a%C3%A4"));
    script_close(event_command);
    buffer_clear(&text);
    event_command = open_command("event", 0, NULL);
    assert_true(script_finish(event_command, &text, &status, &err));
    assert_int_equal(status, 2);
    assert_memory_equal(text.data, "pigeon event: which kind?", 25);
    script_close(event_command);
    buffer_free(&text);
}

static void what_the_desk_cannot_do_is_an_error(void **state)
{
    char *const many[] = {"s3", "--key", "k", "--count", "10000"};
    struct buffer text = {.max = 1000};
    int status = 7;
    struct script *event_command = open_command("event", 5, many);

    (void)state;
    assert_false(script_finish(event_command, &text, &status, &err));
    assert_non_null(strstr(err.text, "out of memory"));
    assert_int_equal(text.len, 0);
    script_close(event_command);
    assert_null(open_command("nonsense", 0, NULL));
    assert_non_null(strstr(err.text, "no embedded module 'pigeon.desk.nonsense'"));
    buffer_free(&text);
}

static void lines_are_explained(void **state)
{
    struct script_settings settings = {
        .command = "explain", .path = rules_path, .queue = "normal", .trace = true};
    struct deadline deadline = deadline_in(600000);
    struct invocation invocation = {
        .kind = "lines", .input = "k1\n\nk!\n", .input_len = 7, .line = 1};
    struct buffer text = {.max = SIZE_MAX};
    int status = 7;

    (void)state;
    invocation.deadline = deadline;
    script_close(script);
    script = script_open(&settings, &deadline, &err);
    assert_true(script_decide(script, &invocation, &outbox, &err));
    assert_int_equal(outbox.count, 1);
    facts.confirmed = confirm(&outbox);
    assert_true(conclude());
    assert_string_equal(answer.error_type, "");
    assert_string_equal(logged(), "");
    assert_non_null(strstr(answer.body.data, "k1\n  accept id of k1  (rules.lua:5)\n"));
    assert_non_null(strstr(answer.body.data, "  >>   5    if last == '1'"));
    assert_non_null(strstr(answer.body.data, "k!\n  fail: a bad key  (rules.lua:3)\n"));
    assert_true(script_finish(script, &text, &status, &err));
    assert_int_equal(status, 1);
    assert_int_equal(text.len, 0);
    buffer_free(&text);
}

/* ------------------------------------------------------------------ half of the time */

static int64_t jump_ms; /* how far each look at CLOCK_BOOTTIME moves it; 0: not at all */
static int64_t jumped_ms;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);

    if (clock == CLOCK_BOOTTIME) {
        jumped_ms += jump_ms;
        now->tv_sec += jumped_ms / 1000;
    }
    return result;
}

static void when_half_of_the_time_is_spent_the_rest_fails(void **state)
{
    char key[32];
    size_t decided;

    (void)state;
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "%d/1", i);
        add_object(&event, key);
    }
    jump_ms = 60000; /* of 600 s */
    assert_true(decide());
    jump_ms = 0;
    decided = outbox.count;
    assert_in_range(decided, 1, 6);
    facts.confirmed = confirm(&outbox);
    assert_true(conclude());
    assert_error("Function.OutOfTime", "objects failed");
    tell();
    assert_non_null(strstr(logged(), "INFO  published: id of 0/1 to normal"));
    jumped_ms = 0;

    run();
    assert_int_equal(outbox.count, 100);
    assert_success();
}

/* ------------------------------------------------------------------- concluding */

static void each_fate_reaches_the_answer(void **state)
{
    static const struct {
        enum fate fate;
        const char *stage;
        int code;
        const char *text;
        const char *type;
        const char *words;
    } cases[] = {
        {FATE_RETURNED, "publish", 312, "NO_ROUTE", "Function.MessageUnroutable",
         "returned at publish: 312 NO_ROUTE"},
        {FATE_NACKED, "confirm", 0, "a nack", "Function.MessageRefused", "a nack"},
        {FATE_UNKNOWN, "connect", 0, "it's \"gone\"\n\xff", "Function.BrokerUnavailable",
         "it's \"gone\" \xef\xbf\xbd"},
        {FATE_UNKNOWN, NULL, 0, NULL, "Function.BrokerUnavailable", "unknown"},
    };

    (void)state;
    add_object(&event, "a1");
    add_object(&event, "b2");
    add_object(&event, "c1");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(decide());
        assert_int_equal(outbox.count, 4);
        outbox_settle(&outbox.messages[2], cases[i].fate, cases[i].stage, cases[i].code,
                      cases[i].text);
        facts.confirmed = confirm(&outbox);
        assert_true(conclude());
        assert_error(cases[i].type, cases[i].words);
        assert_error(cases[i].type, "1 of 3 objects failed");
        assert_error(cases[i].type, "b2 to x/r.k");
        assert_null(strstr(answer.body.data, "id of"));
    }
    run();
    assert_success();
}

static void a_cause_for_all_is_named(void **state)
{
    (void)state;
    add_object(&event, "a1");
    assert_true(decide());
    outbox_settle(&outbox.messages[0], FATE_UNKNOWN, "connect", 0, NULL);
    snprintf(facts.broker_wide, sizeof(facts.broker_wide), "connect: refused");
    assert_true(conclude());
    assert_error("Function.BrokerUnavailable", "connect: refused");
}

static void assert_broken(const char *words)
{
    static const char file[] = "lua/pigeon/init.lua:";
    const char *place;

    answer.error_type[0] = 'x';
    assert_false(conclude());
    if (!strstr(err.text, words))
        fail_msg("\"%s\" is not in %s", words, err.text);
    assert_non_null(strstr(err.text, "stack traceback:"));
    place = strstr(err.text, file);
    assert_non_null(place);
    assert_in_range(place[strlen(file)], '1', '9');
    assert_int_equal(answer.body.len, 0);
    assert_string_equal(answer.error_type, "");
}

static void nothing_is_told_before_the_answer(void **state)
{
    (void)state;
    add_object(&event, "a1");
    assert_true(decide());
    facts.confirmed = confirm(&outbox);
    assert_true(conclude());
    assert_string_equal(logged(), "");
    tell();
    assert_non_null(strstr(logged(), "INFO  published: id of a1 to normal"));
    assert_success();
}

static void assert_logged(const char *words)
{
    if (!strstr(logged(), words))
        fail_msg("\"%s\" is not in %s", words, logged());
}

static void a_lines_facts_are_json(void **state)
{
    (void)state;
    add_object(&event, "72");
    add_object(&event, "a1");
    add_object(&event, "%22%5C%00%0A%C2%85%FF%E2%82%AC+2");
    add_object(&event, "a0");
    run();
    assert_logged(
        "published: 72 to a b, x/r.k {\"crash_id\":\"72\",\"verdict\":\"accept\","
        "\"queue\":[\"a b\",\"x/r.k\"],\"source\":\"aws:s3\","
        "\"bucket\":\"crashes\",\"key\":\"72\"}\n");
    assert_logged(",\"queue\":[\"normal\"],\"source\":\"aws:s3\",\"bucket\":\"crashes\","
                  "\"key\":\"a1\"}\n");
    assert_logged("\"reason\":\"rule error\",");
    assert_logged(
        ",\"rule\":\"rules.lua:6\",\"source\":\"aws:s3\",\"bucket\":\"crashes\","
        "\"key\":\"\\\"\\\\   \xef\xbf\xbd\xe2\x82\xac 2\"}\n");
    assert_logged(
        "deferred: a0 (deferred) {\"verdict\":\"defer\",\"reason\":\"deferred\","
        "\"source\":\"aws:s3\",\"bucket\":\"crashes\",\"key\":\"a0\"}\n");
}

static void a_long_fact_is_cut_between_two_characters(void **state)
{
    static const struct {
        int length; /* of what is plain */
        const char *tail, *shown;
    } cases[] = {
        {1023, "0", "0\"}\n"},
        {1023, "k0", "k...\"}\n"},
        {1022, "\xe2\x82\xac-0", "...\"}\n"},
        {1023, "%FF-0", "\xef\xbf\xbd...\"}\n"},
    };
    char key[1100], wanted[1100];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(key, sizeof(key), "%01022d%.*s%s", 0, cases[i].length - 1022, "k",
                 cases[i].tail);
        snprintf(wanted, sizeof(wanted), "\"key\":\"%.*s%s", cases[i].length, key,
                 cases[i].shown);
        buffer_clear(&event);
        add_object(&event, key);
        run();
        assert_logged(wanted);
    }
}

static void what_breaks_the_telling_is_named(void **state)
{
    (void)state;
    add_object(&event, "a1");
    run();
    assert_false(script_tell(script, &err)); /* there is nothing any more */
    assert_non_null(
        strstr(err.text, "the event is answered, but not all is told of it: "));
    assert_non_null(strstr(err.text, "stack traceback:"));
    assert_success();
    run();
    assert_success();
}

static void fates_that_do_not_add_up_break_it(void **state)
{
    (void)state;
    add_object(&event, "a1");
    add_object(&event, "b1");

    assert_true(decide());
    confirm(&outbox);
    facts.confirmed = 1;
    assert_broken("1 confirmed and 0 other fates, but 2 messages");

    assert_true(decide());
    confirm(&outbox);
    facts.confirmed = 3;
    assert_broken("3 confirmed");

    assert_true(decide());
    confirm(&outbox);
    outbox_settle(&outbox.messages[1], FATE_NACKED, NULL, 0, NULL);
    facts.confirmed = 2;
    assert_broken("2 confirmed and 1 other fates");

    run();
    assert_success();
}

static void a_message_without_a_fate_is_no_success(void **state)
{
    (void)state;
    add_object(&event, "a1");
    add_object(&event, "b1");
    assert_true(decide());
    outbox_settle(&outbox.messages[0], FATE_CONFIRMED, NULL, 0, NULL);
    facts.confirmed = 1;
    assert_true(!conclude() || answer.error_type[0]);
}

static void to_conclude_without_an_event_breaks_it(void **state)
{
    (void)state;
    assert_broken("");
    add_object(&event, "a1");
    run();
    assert_success();
    outbox_clear(&outbox);
    facts.confirmed = 0;
    assert_broken("");
}

/* The least that was in use after each of some events: collections come in between. */
static size_t least_in_use(int events)
{
    size_t least = SIZE_MAX;

    for (int i = 0; i < events; i++) {
        struct mallinfo2 info;

        run();
        info = mallinfo2();
        if (info.uordblks < least)
            least = info.uordblks;
    }
    return least;
}

/* Where malloc is another (a sanitizer's) mallinfo2() is all zero, and its own look for
 * leaks has to do. */
static void thousands_of_events_leave_nothing_behind(void **state)
{
    size_t before;

    (void)state;
    log_open(LOG_LEVEL_ERROR);
    add_object(&event, "a1");
    add_object(&event, "b2");
    add_object(&event, "junk");
    add_object(&event, "d0");
    for (int i = 0; i < 8; i++)
        least_in_use(1000); /* the first collections find Lua still growing */
    before = least_in_use(1000);
    for (int i = 0; i < 3; i++)
        least_in_use(1000);
    assert_in_range(least_in_use(1000), 0, before + 16000);
}

/* Each leaves some 3 MB, until a collection. */
static void nor_do_big_batches(void **state)
{
    size_t before;

    (void)state;
    log_open(LOG_LEVEL_ERROR);
    for (int i = 0; i < 1000; i++)
        add_object(&event, "a1");
    before = least_in_use(5);
    assert_in_range(least_in_use(5), 0, before + 4000000);
}

#define OPENED(name) cmocka_unit_test_setup_teardown(name, open_script, close_script)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPENED(knows_the_queues_and_the_hash),
        OPENED(what_is_wrong_is_told_when_opening),
        OPENED(a_bad_environment_is_a_bad_value),
        OPENED(a_bad_list_of_sqs_queues_is_a_bad_value),
        OPENED(rules_that_are_not_there_are_invalid),
        cmocka_unit_test(closing_nothing_is_allowed),
        OPENED(what_is_accepted_is_in_the_outbox_byte_for_byte),
        OPENED(an_event_without_objects_succeeds),
        OPENED(what_is_wrong_with_an_event_is_told_when_concluding),
        OPENED(a_record_that_cannot_be_read_fails_alone),
        OPENED(hostile_keys_do_no_harm),
        OPENED(one_of_2000_objects_fails_alone),
        OPENED(events_follow_each_other),
        OPENED(a_listed_queue_is_told_which_message_failed),
        OPENED(a_command_without_rules_says_all_at_its_end),
        OPENED(lines_are_explained),
        OPENED(what_the_desk_cannot_do_is_an_error),
        OPENED(when_half_of_the_time_is_spent_the_rest_fails),
        OPENED(each_fate_reaches_the_answer),
        OPENED(a_cause_for_all_is_named),
        OPENED(nothing_is_told_before_the_answer),
        OPENED(a_lines_facts_are_json),
        OPENED(a_long_fact_is_cut_between_two_characters),
        OPENED(what_breaks_the_telling_is_named),
        OPENED(fates_that_do_not_add_up_break_it),
        OPENED(a_message_without_a_fate_is_no_success),
        OPENED(to_conclude_without_an_event_breaks_it),
        OPENED(thousands_of_events_leave_nothing_behind),
        OPENED(nor_do_big_batches),
    };

    return cmocka_run_group_tests_name("script", tests, NULL, NULL);
}
