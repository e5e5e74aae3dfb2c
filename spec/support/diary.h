/* For the specs of host/amqp/delivery.c: its neighbours, made up, and a diary.
 *
 * Clock, sleep, connector and broker are fakes, so that hours pass at once and every wait
 * can be told exactly. What the fakes are asked is written into the diary, a word each:
 *
 *   connect:1   a connect to host number 1        publish:ac   with messages a and c
 *   begin:1  the same, without waiting         sleep:50     milliseconds
 *   login    over the connected socket         as:new       the password from now on
 *   greet    what a login begins with          drop         the connection
 *
 * A case says what happens and reads the diary. Include it after cmocka.h, in one file of
 * a program: the fakes are what delivery.c is linked with. */
#ifndef PIGEON_SUPPORT_DIARY_H
#define PIGEON_SUPPORT_DIARY_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "amqp/delivery.h"

#define MINUTE_MS 60000
#define REFUSED                                                                         \
    "127.0.0.1: Connection refused; next: is RabbitMQ running, and is PIGEON_PORT its " \
    "port?"
#define LOG "; next: see the broker's log; AWS retries the event"

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

static inline void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static inline void note(const char *fmt, ...)
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

size_t connector_count(const struct connector *connector)
{
    (void)connector;
    return world.hosts;
}

const char *connector_label(const struct connector *connector, size_t i)
{
    static const char *const names[] = {"a:1", "b:2", "c:3"};

    (void)connector;
    return names[i];
}

const char *connector_tls_name(const struct connector *connector, size_t i)
{
    (void)connector, (void)i;
    return world.tls;
}

int connector_connect(struct connector *connector, size_t i,
                      const struct deadline *deadline, const char **stage,
                      struct err *err)
{
    (void)connector;
    note("connect:%zu", i);
    connects++;
    *stage = "connect";
    world.share_ms[i] = deadline_left_ms(deadline);
    now_us += 1000 * (world.takes_ms[i] < 0 ? world.share_ms[i] : world.takes_ms[i]);
    if (!world.words[i])
        return 7;
    err_set(err, "%s", world.words[i]);
    return -1;
}

int connector_begin(struct connector *connector, size_t i)
{
    (void)connector;
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

static inline void settle(struct message *message, char fate)
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

void broker_log_in_as(struct broker *broker, const char *virtual_host, const char *user,
                      const char *password)
{
    (void)broker;
    assert_string_equal(virtual_host, "crashes");
    assert_string_equal(user, "pigeon");
    note("as:%s", password);
}

void broker_drop(struct broker *broker)
{
    (void)broker;
    note("drop");
    world.connected = false;
}

/* ------------------------------------------------------------- a case */

static struct delivery delivery;
static struct outbox outbox;
static struct facts facts;

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
{
    (void)state;
    outbox_clear(&outbox);
    return 0;
}

static inline struct bytes bytes_of(const char *text, size_t len)
{
    return (struct bytes){.data = text, .len = len};
}

/* "a, b:x": message a for a queue, message b for exchange x. */
static inline void fill(const char *messages)
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
static inline void deliver(const char *messages, int64_t deadline_ms,
                           const struct turn *turns)
{
    struct deadline deadline = deadline_in(deadline_ms);

    fill(messages);
    turn = turns;
    memset(&facts, 0, sizeof(facts));
    delivery_publish(&delivery, &outbox, &deadline, &facts);
}

/* The fates, a letter each, u for unknown. */
static inline const char *fates(void)
{
    static char letters[64];
    size_t i;

    for (i = 0; i < outbox.count; i++)
        letters[i] = fate_name(outbox.messages[i].fate)[0];
    letters[i] = '\0';
    return letters;
}

static inline void assert_words(size_t i, const char *stage, int code, const char *text)
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

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
