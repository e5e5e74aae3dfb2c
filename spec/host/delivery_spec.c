/* The spec of host/delivery.c: how often, how long, and when to stop.
 *
 * Clock, sleep, dial and broker are fakes, so that hours pass at once and every wait can
 * be told exactly. What the fakes are asked is written into a diary, a word each:
 *
 *   dial:1   a connect to host number 1        publish:ac   with messages a and c
 *   login    over the connected socket         sleep:50     milliseconds
 *   resolve  what secrets are not known        as:new       the password from now on
 *   refresh  all of them
 *
 * A case says what happens and reads the diary. reconnect_spec has the same parts in one
 * piece, with sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "delivery.h"

#define MINUTE_MS 60000
#define NO_TIME                                                                        \
    "no time left before the deadline to connect; next: give the function more time, " \
    "or smaller batches"
#define REFUSED                                                                         \
    "127.0.0.1: Connection refused; next: is RabbitMQ running, and is PIGEON_PORT its " \
    "port?"
#define NACKED                                                   \
    "basic.nack: refused by the queue; next: is the queue full " \
    "(overflow=reject-publish), or its leader gone?"
#define LOG "; next: see the broker's log; the event comes again by itself"

/* ------------------------------------------------------------- the world */

static int64_t now_us;
static char diary[4096];
static int connects; /* how often a host was dialled */

/* The next publish gives the messages that have no fate these, a letter each: confirmed,
 * nacked, returned, or - for none. `words` is why it fails, NULL: it does not. */
struct turn {
    const char *fates;
    const char *words;
    int code;
    bool final;
    int64_t takes_ms;
};

static const struct turn *turn;

static struct {
    size_t hosts;
    const char *words[3]; /* why host number i cannot be connected to; NULL: it can */
    const char *login;    /* why a login fails */
    int code;             /* of that; 0: 403 */
    const char *tls;      /* what the host's certificate must have */
    int64_t takes_ms[3];  /* a host that is silent takes its whole share: -1 */
    int64_t share_ms[3];  /* what it was given */
    bool connected;
    bool begun; /* a begun connect is there at once */
} world;

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *fmt, ...)
{
    size_t used = strlen(diary);
    va_list ap;

    va_start(ap, fmt);
    if (used > 0 && used < sizeof(diary) - 1)
        diary[used++] = ' ';
    vsnprintf(diary + used, sizeof(diary) - used, fmt, ap);
    va_end(ap);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    (void)clock;
    *now =
        (struct timespec){.tv_sec = now_us / 1000000, .tv_nsec = now_us % 1000000 * 1000};
    return 0;
}

int nanosleep(const struct timespec *time, struct timespec *left)
{
    int64_t us = time->tv_sec * 1000000 + time->tv_nsec / 1000;

    (void)left;
    note("sleep:%" PRId64, us / 1000);
    now_us += us;
    return 0;
}

size_t dial_count(const struct dial *dial)
{
    (void)dial;
    return world.hosts;
}

const char *dial_name(const struct dial *dial, size_t i)
{
    static const char *const names[] = {"a:1", "b:2", "c:3"};

    (void)dial;
    return names[i];
}

const char *dial_tls(const struct dial *dial, size_t i)
{
    (void)dial, (void)i;
    return world.tls;
}

int dial_connect(struct dial *dial, size_t i, const struct deadline *deadline,
                 const char **stage, struct err *err)
{
    (void)dial;
    note("dial:%zu", i);
    connects++;
    *stage = "connect";
    world.share_ms[i] = deadline_left_ms(deadline);
    now_us += 1000 * (world.takes_ms[i] < 0 ? world.share_ms[i] : world.takes_ms[i]);
    if (!world.words[i])
        return 7;
    err_set(err, "%s", world.words[i]);
    return -1;
}

int dial_begin(struct dial *dial, size_t i)
{
    (void)dial;
    note("begin:%zu", i);
    return world.begun ? 7 : -1;
}

void broker_greet(struct broker *broker, int fd)
{
    (void)broker;
    assert_int_equal(fd, 7);
    note("greet");
}

bool broker_connect(struct broker *broker, int fd, const char *tls_name,
                    const struct deadline *deadline, struct failure *failure)
{
    (void)broker;
    assert_int_equal(fd, 7);
    assert_true(deadline_left_ms(deadline) > 0);
    note(tls_name ? "login:%s" : "login", tls_name);
    if (world.login)
        return failure_set(failure, "login", world.code ? world.code : 403, "%s",
                           world.login);
    world.connected = true;
    return true;
}

bool broker_connected(struct broker *broker)
{
    (void)broker;
    return world.connected;
}

static void settle(struct message *message, char fate)
{
    if (fate == 'c')
        outbox_settle(message, FATE_CONFIRMED, NULL, 0, NULL);
    if (fate == 'n')
        outbox_settle(message, FATE_NACKED, "confirm", 0, NULL);
    if (fate == 'r')
        outbox_settle(message, FATE_RETURNED, "publish", 312, "NO_ROUTE");
}

bool broker_publish(struct broker *broker, struct outbox *outbox,
                    const struct deadline *deadline, struct failure *failure)
{
    const struct turn *this = turn++;
    const char *fate = this->fates;
    char ids[64] = "";

    (void)broker;
    (void)deadline;
    for (size_t i = 0; i < outbox->count; i++) {
        if (outbox->messages[i].fate != FATE_NONE)
            continue;
        strcat(ids, outbox->messages[i].message_id.data);
        assert_true(*fate != '\0');
        settle(&outbox->messages[i], *fate++);
    }
    note("publish:%s", ids);
    assert_true(*fate == '\0');
    now_us += this->takes_ms * 1000;
    if (!this->words)
        return true;
    world.connected = false;
    failure_set(failure, "confirm", this->code, "%s", this->words);
    failure->final = this->final;
    return false;
}

struct broker *broker_open(const struct broker_settings *settings)
{
    (void)settings;
    return NULL;
}

void broker_log_in_as(struct broker *broker, const char *virtual_host, const char *user,
                      const char *password)
{
    (void)broker;
    assert_string_equal(virtual_host, "crashes");
    assert_string_equal(user, "pigeon");
    note("as:%s", password);
}

/* What AWS has to say. */
struct secrets {
    enum secrets_result result;
    const char *password;
    const char *rotated; /* what it is after a refresh; NULL: the same */
    bool refers;         /* the virtual host */
};

enum secrets_result secrets_resolve(struct secrets *secrets,
                                    const struct deadline *deadline, struct err *err)
{
    (void)deadline;
    note("resolve");
    if (secrets->result != SECRETS_READY)
        err_set(err, "PIGEON_PASSWORD: ssm GetParameter: Throttled");
    return secrets->result;
}

bool secrets_refresh(struct secrets *secrets, const struct deadline *deadline,
                     struct err *err)
{
    (void)deadline;
    note("refresh");
    if (!secrets->rotated)
        return err_set(err, "AWS has the same values still");
    secrets->password = secrets->rotated;
    world.login = NULL;
    return true;
}

const char *secrets_value(const struct secrets *secrets, enum secret which)
{
    return which == SECRET_PASSWORD ? secrets->password
           : which == SECRET_USER   ? "pigeon"
                                    : "crashes";
}

bool secrets_refers(const struct secrets *secrets, enum secret which)
{
    return secrets->refers && which == SECRET_VIRTUAL_HOST;
}

void secrets_hide(const struct secrets *secrets, char *text, size_t size)
{
    char *secret = strstr(text, "sesame");

    (void)secrets;
    (void)size;
    if (secret)
        memcpy(secret, "hidden", 6);
}

void broker_drop(struct broker *broker)
{
    (void)broker;
    note("drop");
    world.connected = false;
}

void broker_close(struct broker *broker)
{
    (void)broker;
}

/* ------------------------------------------------------------- a case */

static struct delivery delivery;
static struct outbox outbox;
static struct facts facts;

static int set_up(void **state)
{
    (void)state;
    now_us = 3100000000; /* what makes the jitter 0 */
    memset(&world, 0, sizeof(world));
    memset(&delivery, 0, sizeof(delivery));
    world.hosts = 1;
    diary[0] = '\0';
    connects = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    outbox_clear(&outbox);
    return 0;
}

static struct bytes bytes_of(const char *text, size_t len)
{
    return (struct bytes){.data = text, .len = len};
}

/* "a, b:x": message a for a queue, message b for exchange x. */
static void fill(const char *messages)
{
    outbox_clear(&outbox);
    for (const char *m = messages; *m; m += strcspn(m, " ") + (strchr(m, ' ') != NULL)) {
        size_t len = strcspn(m, " ");
        struct bytes exchange = len > 2 ? bytes_of(m + 2, len - 2) : bytes_of("", 0);

        assert_true(outbox_add(&outbox, exchange, bytes_of("q", 1), bytes_of(m, 1),
                               bytes_of(m, 1)));
    }
}

/* An event with these messages, this long before its deadline, and these turns. */
static void deliver(const char *messages, int64_t deadline_ms, const struct turn *turns)
{
    struct deadline deadline = deadline_in(deadline_ms);

    fill(messages);
    turn = turns;
    memset(&facts, 0, sizeof(facts));
    delivery_publish(&delivery, &outbox, &deadline, &facts);
}

/* The fates, a letter each, u for unknown. */
static const char *fates(void)
{
    static char letters[64];
    size_t i;

    for (i = 0; i < outbox.count; i++)
        letters[i] = fate_name(outbox.messages[i].fate)[0];
    letters[i] = '\0';
    return letters;
}

static void assert_words(size_t i, const char *stage, int code, const char *text)
{
    const struct message *message = &outbox.messages[i];

    assert_non_null(message->stage);
    assert_string_equal(message->stage, stage);
    assert_int_equal(message->code, code);
    assert_non_null(message->text);
    assert_string_equal(message->text, text);
}

static const struct turn good[] = {{.fates = "ccc"}};
static const struct turn no_turn[1];

/* ------------------------------------------------------------- ordinary */

static void everything_is_confirmed_over_one_connection(void **state)
{
    (void)state;
    world.takes_ms[0] = 3;
    deliver("a b c", MINUTE_MS, (const struct turn[]){{.fates = "ccc", .takes_ms = 2}});
    assert_string_equal(fates(), "ccc");
    assert_int_equal(facts.confirmed, 3);
    assert_int_equal(facts.reconnects, 0);
    assert_int_equal(facts.connect_us, 3000);
    assert_int_equal(facts.publish_us, 5000);
    assert_string_equal(facts.broker_wide, "");
    deliver("a b c", MINUTE_MS, good);
    assert_int_equal(facts.connect_us, 0);
    assert_string_equal(diary, "dial:0 login publish:abc publish:abc");
}

static void an_empty_outbox_touches_nothing(void **state)
{
    (void)state;
    deliver("", MINUTE_MS, no_turn);
    assert_string_equal(diary, "");
    assert_int_equal(facts.publish_us, 0);
}

static void a_return_is_final(void **state)
{
    (void)state;
    deliver("a b c", MINUTE_MS, (const struct turn[]){{.fates = "crc"}});
    assert_string_equal(fates(), "crc");
    assert_words(1, "publish", 312, "NO_ROUTE");
    assert_int_equal(facts.confirmed, 2);
    assert_string_equal(facts.broker_wide, "");
    assert_string_equal(diary, "dial:0 login publish:abc");
}

/* ------------------------------------------------------------- reconnecting */

static void what_has_no_fate_is_published_again_over_a_new_connection(void **state)
{
    const struct turn turns[] = {{.fates = "c-r-", .words = "gone"}, {.fates = "cc"}};

    (void)state;
    deliver("a b c d", MINUTE_MS, turns);
    assert_string_equal(fates(), "ccrc");
    assert_int_equal(facts.reconnects, 1);
    assert_string_equal(facts.broker_wide, "");
    assert_string_equal(diary, "dial:0 login publish:abcd dial:0 login publish:bd");
}

static void not_a_third_time(void **state)
{
    const struct turn turns[] = {{.fates = "c--", .words = "gone"},
                                 {.fates = "c-", .words = "gone again"},
                                 {.fates = "c"}};

    (void)state;
    deliver("a b c", MINUTE_MS, turns);
    assert_string_equal(fates(), "ccu");
    assert_words(2, "confirm", 0, "gone again" LOG);
    assert_int_equal(facts.confirmed, 2);
    assert_int_equal(facts.reconnects, 1);
    assert_string_equal(facts.broker_wide, "confirm: gone again" LOG);
    assert_string_equal(diary, "dial:0 login publish:abc dial:0 login publish:bc");
}

static void a_reconnect_that_fails_says_why(void **state)
{
    const struct turn turns[] = {{.fates = "c-", .words = "gone"}};

    (void)state;
    deliver("", MINUTE_MS, no_turn);
    world.connected = true;
    world.words[0] = "127.0.0.1: Connection refused";
    deliver("a b", MINUTE_MS, turns);
    assert_string_equal(fates(), "cu");
    assert_words(1, "connect", 0, "a:1: " REFUSED);
    assert_string_equal(diary, "publish:ab dial:0");
}

static void what_cannot_be_mended_is_not_tried_again(void **state)
{
    const struct turn turns[] = {{.fates = "c-", .words = "blocked", .final = true}};

    (void)state;
    deliver("a b", MINUTE_MS, turns);
    assert_string_equal(fates(), "cu");
    assert_words(1, "confirm", 0, "blocked" LOG);
    assert_string_equal(diary, "dial:0 login publish:ab");
}

static void too_late_to_reconnect_keeps_the_first_cause(void **state)
{
    const struct turn late[] = {{.fates = "-", .words = "gone", .takes_ms = 950}};
    const struct turn too_late[] = {{.fates = "-", .words = "gone", .takes_ms = 1000}};

    (void)state;
    deliver("a", 1000, late);
    assert_words(0, "confirm", 0, "gone" LOG);
    set_up(NULL);
    deliver("a", 1000, too_late);
    assert_words(0, "confirm", 0, "gone" LOG);
    assert_string_equal(diary, "dial:0 login publish:a");
}

static void a_deadline_that_has_passed_touches_nothing(void **state)
{
    (void)state;
    deliver("a", 0, no_turn);
    assert_words(0, "connect", 0, NO_TIME);
    assert_string_equal(facts.broker_wide, "connect: " NO_TIME);
    world.words[0] = "127.0.0.1: Connection refused";
    deliver("a", MINUTE_MS, no_turn);
    now_us += 100000000; /* longer than any pause */
    deliver("a", -5000, no_turn);
    assert_words(0, "connect", 0, NO_TIME);
    assert_string_equal(diary, "dial:0");
}

/* ------------------------------------------------------------- nacks */

static void a_nack_is_tried_five_times_more(void **state)
{
    const struct turn turns[] = {{.fates = "cnrn"}, {.fates = "nn"}, {.fates = "cn"},
                                 {.fates = "n"},    {.fates = "n"},  {.fates = "n"}};

    (void)state;
    deliver("a b c d", MINUTE_MS, turns);
    assert_string_equal(fates(), "ccrn");
    assert_words(3, "confirm", 0, NACKED);
    assert_int_equal(facts.confirmed, 2);
    assert_string_equal(facts.broker_wide, "");
    assert_string_equal(diary, "dial:0 login publish:abcd sleep:50 publish:bd sleep:100 "
                               "publish:bd drop sleep:200 dial:0 login publish:d "
                               "drop sleep:400 dial:0 login publish:d "
                               "drop sleep:800 dial:0 login publish:d");
}

static void nacks_end_after_three_seconds(void **state)
{
    const struct turn turns[] = {{.fates = "n", .takes_ms = 5000},
                                 {.fates = "n", .takes_ms = 1400},
                                 {.fates = "n", .takes_ms = 1400}};

    (void)state;
    deliver("a", MINUTE_MS, turns);
    assert_string_equal(fates(), "n");
    assert_words(0, "confirm", 0, NACKED);
    assert_string_equal(diary,
                        "dial:0 login publish:a sleep:50 publish:a sleep:100 publish:a");
}

static void nacks_end_with_the_deadline(void **state)
{
    const struct turn turns[] = {{.fates = "n"}, {.fates = "n"}, {.fates = "n"}};

    (void)state;
    deliver("a", 300, turns);
    assert_words(0, "confirm", 0, NACKED);
    assert_string_equal(diary,
                        "dial:0 login publish:a sleep:50 publish:a sleep:100 publish:a");
    assert_int_equal(facts.publish_us, 150000);
}

static void a_nacked_message_whose_connection_then_ends_is_unknown(void **state)
{
    const struct turn turns[] = {{.fates = "nn"},
                                 {.fates = "n-", .words = "gone"},
                                 {.fates = "-", .words = "gone"}};

    (void)state;
    deliver("a b", MINUTE_MS, turns);
    assert_string_equal(fates(), "nu");
    assert_words(0, "confirm", 0, NACKED);
    assert_words(1, "confirm", 0, "gone" LOG);
}

/* ------------------------------------------------------------- exchanges */

#define WRITE                                                                  \
    "; next: give the user write permission on the exchange (amq.default for " \
    "queues)"
#define MISSING "; next: declare the exchange, or mend its name in the rules"

static void a_missing_exchange_harms_only_those_that_name_it(void **state)
{
    static const char x[] = "NOT_FOUND - no exchange 'x' in vhost '/'";
    static const char y[] = "NOT_FOUND - no exchange 'y' in vhost '/'";
    const struct turn turns[] = {{.fates = "c-----", .words = x, .code = 404},
                                 {.fates = "c--", .words = y, .code = 404},
                                 {.fates = "c"}};

    (void)state;
    deliver("a b:x c d:y e f:x", MINUTE_MS, turns);
    assert_string_equal(fates(), "cucucu");
    assert_words(1, "confirm", 404, "NOT_FOUND - no exchange 'x' in vhost '/'" MISSING);
    assert_words(3, "confirm", 404, "NOT_FOUND - no exchange 'y' in vhost '/'" MISSING);
    assert_words(5, "confirm", 404, "NOT_FOUND - no exchange 'x' in vhost '/'" MISSING);
    assert_string_equal(facts.broker_wide, "");
    assert_int_equal(delivery.pause_ms, 0);
    assert_string_equal(diary, "dial:0 login publish:abcdef dial:0 login publish:cde "
                               "dial:0 login publish:e");
}

static void a_refused_default_exchange_harms_the_queues(void **state)
{
    static const char words[] = "ACCESS_REFUSED - access to exchange 'amq.default' in "
                                "vhost '/' refused for user 'u'";
    const struct turn turns[] = {{.fates = "---", .words = words, .code = 403},
                                 {.fates = "c"}};

    (void)state;
    deliver("a b:x c", MINUTE_MS, turns);
    assert_string_equal(fates(), "ucu");
    assert_words(0, "confirm", 403,
                 "ACCESS_REFUSED - access to exchange 'amq.default' in vhost '/' refused "
                 "for user 'u'" WRITE);
    assert_string_equal(facts.broker_wide, "");
}

static void a_user_who_may_write_nowhere_is_the_brokers_cause(void **state)
{
    static const char words[] = "ACCESS_REFUSED - access to exchange 'amq.default' in "
                                "vhost '/' refused for user 'u'";
    const struct turn turns[] = {{.fates = "--", .words = words, .code = 403}};

    (void)state;
    deliver("a b", MINUTE_MS, turns);
    assert_string_equal(fates(), "uu");
    assert_string_equal(facts.broker_wide,
                        "confirm: 403 ACCESS_REFUSED - access to exchange 'amq.default' "
                        "in vhost '/' refused for user 'u'" WRITE);
}

static void an_exchange_that_nothing_names_is_an_ordinary_failure(void **state)
{
    static const char words[] = "NOT_FOUND - no exchange 'xy' in vhost '/'";
    const struct turn turns[] = {{.fates = "--", .words = words, .code = 404},
                                 {.fates = "--", .words = words, .code = 404}};

    (void)state;
    deliver("a b:x", MINUTE_MS, turns);
    assert_string_equal(fates(), "uu");
    assert_string_equal(diary, "dial:0 login publish:ab dial:0 login publish:ab");
}

/* ------------------------------------------------------------- pauses */

static void refuse(void)
{
    world.words[0] = "127.0.0.1: Connection refused";
}

/* A new event each 10 ms, for a minute, none with the time to wait. */
static void connects_become_rare_while_the_broker_refuses(void **state)
{
    int64_t end_us = now_us + 60000000;

    (void)state;
    refuse();
    while (now_us < end_us) {
        deliver("a b", 105, no_turn);
        assert_string_equal(fates(), "uu");
        assert_words(0, "connect", 0, "a:1: " REFUSED);
        assert_string_equal(facts.broker_wide, "connect: a:1: " REFUSED);
        now_us += 10000;
    }
    assert_in_range(connects, 14, 19); /* at 0, 0.25, 0.75, 1.75, 3.75, 7.75, 11.75 ... */
}

static void an_event_with_time_waits_for_the_pause(void **state)
{
    (void)state;
    refuse();
    deliver("a", MINUTE_MS, no_turn);
    now_us += 30000;
    deliver("a", 319, no_turn); /* a millisecond too little */
    deliver("a", 320, no_turn);
    world.words[0] = NULL;
    deliver("a b c", MINUTE_MS, good);
    assert_string_equal(fates(), "ccc");
    assert_string_equal(diary,
                        "dial:0 sleep:220 dial:0 sleep:500 dial:0 login publish:abc");
}

static void a_pause_is_over_after_a_success(void **state)
{
    (void)state;
    refuse();
    for (int i = 0; i < 3; i++)
        deliver("a", MINUTE_MS, no_turn);
    world.words[0] = NULL;
    deliver("a b c", MINUTE_MS, good);
    assert_int_equal(delivery.pause_ms, 0);
    world.connected = false;
    deliver("a b c", MINUTE_MS, good);
    world.connected = false;
    refuse();
    deliver("a", MINUTE_MS, no_turn);
    assert_int_equal(delivery.pause_ms, 250);
    assert_string_equal(diary,
                        "dial:0 sleep:250 dial:0 sleep:500 dial:0 sleep:1000 dial:0 "
                        "login publish:abc dial:0 login publish:abc dial:0");
}

static void an_empty_outbox_does_not_end_a_pause(void **state)
{
    (void)state;
    refuse();
    deliver("a", MINUTE_MS, no_turn);
    deliver("", MINUTE_MS, no_turn);
    deliver("a", 200, no_turn);
    assert_string_equal(diary, "dial:0");
    assert_words(0, "connect", 0, "a:1: " REFUSED);
}

static void the_broker_is_told_whose_certificate_to_expect(void **state)
{
    struct deadline deadline = deadline_in(MINUTE_MS);
    struct failure failure = {0};

    (void)state;
    world.tls = "a";
    assert_true(delivery_connect(&delivery, &deadline, &failure));
    assert_string_equal(diary, "dial:0 login:a");
}

static void login_and_publish_failures_pause_too(void **state)
{
    const struct turn turns[] = {{.fates = "-", .words = "gone"},
                                 {.fates = "-", .words = "gone"}};

    (void)state;
    world.login = "ACCESS_REFUSED";
    deliver("a", MINUTE_MS, no_turn);
    assert_string_equal(facts.broker_wide,
                        "login: 403 a:1: ACCESS_REFUSED; next: check PIGEON_USER and "
                        "PIGEON_PASSWORD (guest may log in from the broker's own machine "
                        "alone)");
    assert_int_equal(delivery.pause_ms, 250);
    world.login = NULL;
    deliver("a", MINUTE_MS, turns);
    assert_int_equal(delivery.pause_ms, 500);
    deliver("a", 200, no_turn);
    assert_words(0, "confirm", 0, "gone" LOG);
    assert_string_equal(diary, "dial:0 login sleep:250 dial:0 login publish:a dial:0 "
                               "login publish:a");
}

/* The jitter is drawn from the microseconds. */
static void a_pause_is_up_to_a_quarter_longer(void **state)
{
    int64_t longest = 0;

    (void)state;
    refuse();
    for (int i = 0; i < 2000; i++) {
        memset(&delivery, 0, sizeof(delivery));
        delivery.pause_ms = 4000;
        now_us += 1007;
        deliver("a", MINUTE_MS, no_turn);
        assert_in_range(delivery.next_try_ms - clock_ms(), 4000, 4999);
        if (delivery.next_try_ms - clock_ms() > longest)
            longest = delivery.next_try_ms - clock_ms();
    }
    assert_true(longest > 4900);
}

/* ------------------------------------------------------------- hosts */

static void hosts_are_tried_in_order_from_the_last_that_worked(void **state)
{
    (void)state;
    world.hosts = 3;
    world.words[0] = "no route";
    deliver("a b c", MINUTE_MS, good);
    world.connected = false;
    deliver("a b c", MINUTE_MS, good);
    world.connected = false;
    world.words[1] = world.words[2] = "no route";
    world.words[0] = NULL;
    deliver("a b c", MINUTE_MS, good);
    assert_string_equal(fates(), "ccc");
    assert_string_equal(diary, "dial:0 dial:1 login publish:abc dial:1 login publish:abc "
                               "dial:1 dial:2 dial:0 login publish:abc");
}

static void a_silent_host_does_not_eat_the_time_of_the_others(void **state)
{
    (void)state;
    world.hosts = 3;
    world.words[0] = "no answer to the connect";
    world.takes_ms[0] = -1;
    deliver("a b c", 6000, good);
    assert_string_equal(fates(), "ccc");
    assert_int_equal(world.share_ms[0], 2000);
    assert_int_equal(world.share_ms[1], 2000);
    assert_int_equal(facts.publish_us, 2000000);
    assert_string_equal(diary, "dial:0 dial:1 login publish:abc");
}

static void a_host_that_refuses_leaves_its_share_to_the_others(void **state)
{
    (void)state;
    world.hosts = 3;
    world.words[0] = "127.0.0.1: Connection refused";
    deliver("a b c", 6000, good);
    assert_int_equal(world.share_ms[0], 2000);
    assert_int_equal(world.share_ms[1], 3000);
}

static void all_hosts_together_get_ten_seconds(void **state)
{
    (void)state;
    world.hosts = 2;
    for (int i = 0; i < 2; i++) {
        world.words[i] = "no answer to the connect";
        world.takes_ms[i] = -1;
    }
    deliver("a", MINUTE_MS, no_turn);
    assert_int_equal(facts.publish_us, 10000000);
    assert_int_equal(world.share_ms[1], 5000);
    assert_string_equal(diary, "dial:0 dial:1");
}

static void every_host_has_its_words(void **state)
{
    (void)state;
    world.hosts = 2;
    world.words[0] = "127.0.0.1: Connection refused";
    world.words[1] = "no answer to the connect";
    deliver("a", MINUTE_MS, no_turn);
    assert_words(0, "connect", 0,
                 "a:1: " REFUSED " | b:2: no answer to the connect; next: check "
                 "PIGEON_HOST, security groups and routes");
}

static void connecting_ahead_of_the_first_event(void **state)
{
    struct deadline deadline = deadline_in(MINUTE_MS);
    struct failure failure = {0};

    (void)state;
    refuse();
    assert_false(delivery_connect(&delivery, &deadline, &failure));
    assert_string_equal(failure.text, "a:1: " REFUSED);
    world.words[0] = NULL;
    assert_true(delivery_connect(&delivery, &deadline, &failure));
    assert_true(delivery_connect(&delivery, &deadline, &failure));
    deliver("a b c", MINUTE_MS, good);
    assert_int_equal(facts.reconnects, 0);
    assert_string_equal(diary, "dial:0 sleep:250 dial:0 login publish:abc");
}

static void a_head_start_says_what_needs_no_answer(void **state)
{
    (void)state;
    delivery_begin(&delivery);
    world.begun = true;
    delivery_begin(&delivery);
    world.tls = "rabbit";
    delivery_begin(&delivery);
    assert_string_equal(diary, "begin:0 begin:0 greet begin:0");
}

/* ------------------------------------------------------------- secrets */

static void a_head_start_does_not_wait_for_secrets(void **state)
{
    struct secrets secrets = {0};

    (void)state;
    delivery.secrets = &secrets;
    delivery_begin(&delivery);
    secrets.refers = true;
    delivery_begin(&delivery);
    assert_string_equal(diary, "begin:0");
}

#define SAME " (AWS has the same values still)"
#define CHECK_USER                                                              \
    "; next: check PIGEON_USER and PIGEON_PASSWORD (guest may log in from the " \
    "broker's own machine alone)"

static void secrets_are_resolved_before_a_connect(void **state)
{
    struct secrets secrets = {.password = "old"};

    (void)state;
    delivery.secrets = &secrets;
    deliver("a b c", MINUTE_MS, good);
    assert_string_equal(fates(), "ccc");
    deliver("a b c", MINUTE_MS, good);
    assert_string_equal(diary, "resolve as:old dial:0 login publish:abc publish:abc");
}

static void
without_secrets_nothing_is_dialled_and_the_next_event_tries_again(void **state)
{
    struct secrets secrets = {.result = SECRETS_LATER, .password = "old"};

    (void)state;
    delivery.secrets = &secrets;
    deliver("a", MINUTE_MS, no_turn);
    assert_words(0, "secrets", 0,
                 "PIGEON_PASSWORD: ssm GetParameter: Throttled; next: see the variable's "
                 "value, the role, and whether the function reaches AWS");
    assert_non_null(strstr(facts.broker_wide, "secrets: PIGEON_PASSWORD"));
    secrets.result = SECRETS_READY;
    deliver("a b c", MINUTE_MS, good);
    assert_string_equal(fates(), "ccc");
    assert_string_equal(diary,
                        "resolve sleep:250 resolve as:old dial:0 login publish:abc");
}

static void a_refused_login_is_tried_once_more_with_a_rotated_password(void **state)
{
    struct secrets secrets = {.password = "old", .rotated = "new"};

    (void)state;
    delivery.secrets = &secrets;
    world.login = "ACCESS_REFUSED";
    deliver("a b c", MINUTE_MS, good);
    assert_string_equal(fates(), "ccc");
    assert_string_equal(
        diary, "resolve as:old dial:0 login refresh as:new dial:0 login publish:abc");
}

static void the_same_password_is_not_tried_again(void **state)
{
    struct secrets secrets = {.password = "old"};

    (void)state;
    delivery.secrets = &secrets;
    world.login = "ACCESS_REFUSED";
    deliver("a", MINUTE_MS, no_turn);
    assert_words(0, "login", 403, "a:1: ACCESS_REFUSED" CHECK_USER SAME);
    assert_string_equal(diary, "resolve as:old dial:0 login refresh as:old");
}

static void one_host_of_several_that_refuses_the_login_is_enough(void **state)
{
    struct secrets secrets = {.password = "old", .rotated = "new"};

    (void)state;
    delivery.secrets = &secrets;
    world.hosts = 2;
    world.words[1] = "b: Connection refused";
    world.login = "ACCESS_REFUSED";
    deliver("a b c", MINUTE_MS, good);
    assert_string_equal(
        diary,
        "resolve as:old dial:0 login dial:1 refresh as:new dial:0 login publish:abc");
}

static void other_failures_refresh_nothing(void **state)
{
    struct secrets secrets = {.password = "old", .rotated = "new"};

    (void)state;
    delivery.secrets = &secrets;
    world.words[0] = "127.0.0.1: Connection refused";
    deliver("a", MINUTE_MS, no_turn);
    assert_string_equal(diary, "resolve as:old dial:0");
    set_up(NULL);
    delivery.secrets = &secrets;
    world.login = "NOT_ALLOWED - vhost crashes not found";
    world.code = 530;
    deliver("a", MINUTE_MS, no_turn);
    assert_string_equal(diary, "resolve as:old dial:0 login");
}

static void a_virtual_host_that_is_a_reference_is_refreshed_too(void **state)
{
    struct secrets secrets = {.password = "old", .refers = true};

    (void)state;
    delivery.secrets = &secrets;
    world.login = "NOT_ALLOWED - vhost crashes not found";
    world.code = 530;
    deliver("a", MINUTE_MS, no_turn);
    assert_string_equal(diary, "resolve as:old dial:0 login refresh as:old");
}

static void the_brokers_words_show_no_secret(void **state)
{
    struct secrets secrets = {.password = "old"};
    const struct turn turns[] = {{.fates = "-", .words = "vhost sesame", .final = true}};

    (void)state;
    delivery.secrets = &secrets;
    world.login = "user sesame";
    deliver("a", MINUTE_MS, no_turn);
    assert_words(0, "login", 403, "a:1: user hidden" CHECK_USER SAME);
    world.login = NULL;
    deliver("a", MINUTE_MS, turns);
    assert_words(0, "confirm", 0, "vhost hidden" LOG);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(everything_is_confirmed_over_one_connection),
        CASE(an_empty_outbox_touches_nothing),
        CASE(a_return_is_final),
        CASE(what_has_no_fate_is_published_again_over_a_new_connection),
        CASE(not_a_third_time),
        CASE(a_reconnect_that_fails_says_why),
        CASE(what_cannot_be_mended_is_not_tried_again),
        CASE(too_late_to_reconnect_keeps_the_first_cause),
        CASE(a_deadline_that_has_passed_touches_nothing),
        CASE(a_nack_is_tried_five_times_more),
        CASE(nacks_end_after_three_seconds),
        CASE(nacks_end_with_the_deadline),
        CASE(a_nacked_message_whose_connection_then_ends_is_unknown),
        CASE(a_missing_exchange_harms_only_those_that_name_it),
        CASE(a_refused_default_exchange_harms_the_queues),
        CASE(a_user_who_may_write_nowhere_is_the_brokers_cause),
        CASE(an_exchange_that_nothing_names_is_an_ordinary_failure),
        CASE(connects_become_rare_while_the_broker_refuses),
        CASE(an_event_with_time_waits_for_the_pause),
        CASE(a_pause_is_over_after_a_success),
        CASE(an_empty_outbox_does_not_end_a_pause),
        CASE(the_broker_is_told_whose_certificate_to_expect),
        CASE(login_and_publish_failures_pause_too),
        CASE(a_pause_is_up_to_a_quarter_longer),
        CASE(hosts_are_tried_in_order_from_the_last_that_worked),
        CASE(a_silent_host_does_not_eat_the_time_of_the_others),
        CASE(a_host_that_refuses_leaves_its_share_to_the_others),
        CASE(all_hosts_together_get_ten_seconds),
        CASE(every_host_has_its_words),
        CASE(connecting_ahead_of_the_first_event),
        CASE(a_head_start_says_what_needs_no_answer),
        CASE(a_head_start_does_not_wait_for_secrets),
        CASE(secrets_are_resolved_before_a_connect),
        CASE(without_secrets_nothing_is_dialled_and_the_next_event_tries_again),
        CASE(a_refused_login_is_tried_once_more_with_a_rotated_password),
        CASE(the_same_password_is_not_tried_again),
        CASE(one_host_of_several_that_refuses_the_login_is_enough),
        CASE(other_failures_refresh_nothing),
        CASE(a_virtual_host_that_is_a_reference_is_refreshed_too),
        CASE(the_brokers_words_show_no_secret),
    };

    return cmocka_run_group_tests_name("delivery", tests, NULL, NULL);
}
