/* fake/delivery_neighbours.c -- connector and broker, without a socket. */
#include "fake/delivery_neighbours.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "amqp/delivery.h"
#include "asserts.h"
#include "fake/clock.h"

#define NO_JITTER_US 3100000000 /* a time at which delivery.c draws a jitter of 0 */
#define FD 7                    /* of every connection */

struct world world;
char diary[4096];

void world_note(const char *fmt, ...)
{
    size_t used = strlen(diary);
    va_list ap;

    va_start(ap, fmt);
    if (used > 0 && used < sizeof(diary) - 1)
        diary[used++] = ' ';
    vsnprintf(diary + used, sizeof(diary) - used, fmt, ap);
    va_end(ap);
}

static void note_sleep(int64_t us)
{
    world_note("sleep:%" PRId64, us / 1000);
}

void world_begin(void)
{
    world = (struct world){.hosts = 1};
    diary[0] = '\0';
    fake_clock = (struct fake_clock){.stopped_us = NO_JITTER_US, .slept = note_sleep};
}

/* ------------------------------------------------------------- the connector */

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
                      const struct deadline *deadline, struct err *err)
{
    (void)connector;
    world_note("connect:%zu", i);
    world.connects++;
    world.share_ms[i] = deadline_left_ms(deadline);
    fake_clock.stopped_us +=
        1000 * (world.takes_ms[i] < 0 ? world.share_ms[i] : world.takes_ms[i]);
    if (!world.words[i])
        return FD;
    err_set_at(err, i == 0 ? CAUSE_CONNECT_REFUSED : CAUSE_CONNECT, "connect", 0, "%s",
               world.words[i]);
    return -1;
}

/* ------------------------------------------------------------- the broker */

static enum cause cause_of(int code)
{
    return code == 403   ? CAUSE_NO_WRITE
           : code == 404 ? CAUSE_NO_EXCHANGE
           : code == 530 ? CAUSE_VHOST_REFUSED
                         : CAUSE_BROKER;
}

bool broker_connect(struct broker *broker, int fd, const char *tls_name,
                    const struct deadline *deadline, struct err *failure)
{
    (void)broker;
    assert_int_equal(fd, FD);
    assert_true(deadline_left_ms(deadline) > 0);
    world_note(tls_name ? "login:%s" : "login", tls_name);
    if (world.login)
        return err_set_at(failure,
                          world.cause  ? world.cause
                          : world.code ? cause_of(world.code)
                                       : CAUSE_LOGIN_REFUSED,
                          "login", world.code ? world.code : 403, "%s", world.login);
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
                    const struct deadline *patience, const struct deadline *deadline,
                    struct err *failure)
{
    const struct turn *this = world.turn++;
    const char *fate = this->fates;
    char ids[64] = "";

    (void)broker;
    for (size_t i = 0; i < outbox->count; i++) {
        if (outbox->messages[i].fate != FATE_NONE)
            continue;
        strcat(ids, outbox->messages[i].message_id.data);
        assert_true(*fate != '\0');
        settle(&outbox->messages[i], *fate++);
    }
    world_note("publish:%s", ids);
    assert_true(*fate == '\0');
    fake_clock.stopped_us += this->takes_ms * 1000;
    if (this->silent)
        fake_clock.stopped_us += deadline_left_ms(patience) * 1000;
    if (!this->words)
        return true;
    world.connected = false;
    err_set_at(failure, this->cause ? this->cause : cause_of(this->code), "confirm",
               this->code, "%s", this->words);
    failure->silent = this->silent && deadline_left_ms(deadline) > 0;
    failure->final = this->final;
    return false;
}

void broker_log_in_as(struct broker *broker, const char *virtual_host, const char *user,
                      const char *password)
{
    (void)broker;
    assert_string_equal(virtual_host, "crashes");
    assert_string_equal(user, "pigeon");
    world_note("as:%s", password);
}

void broker_drop(struct broker *broker)
{
    (void)broker;
    world_note("drop");
    world.connected = false;
}

void broker_hang_up(struct broker *broker, const struct deadline *deadline)
{
    (void)broker, (void)deadline;
    world_note("hang-up");
    world.connected = false;
}
