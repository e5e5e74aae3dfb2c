/* delivery.c -- all retrying is here: reconnects, nacks, pauses, and when to stop.
 *
 * The loop of delivery_publish() ends: every turn either settles a message for good, or
 * uses up the one reconnect or one of the rounds for nacks. */
#include "amqp/delivery.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "amqp/blame.h"

#define NACK_ROUNDS 5
/* A channel whose first message finds a quorum queue without a leader can be nacked for
 * as long as it lives (RabbitMQ 3.10), so each later round opens a new channel. */
#define NACK_ROUNDS_WARM 2
#define NACK_MS 3000       /* for all rounds together */
#define NACK_FIRST_MS 50   /* the pause before the first round, then twice as long */
#define PAUSE_FIRST_MS 250 /* before the next connect, then twice as long */
#define PAUSE_LAST_MS 4000 /* at most */
#define CONNECT_MS 10000   /* for all hosts, where the deadline is later */
#define ACCESS_REFUSED 403 /* AMQP: the user may not write, no message is to blame */
#define NOT_ALLOWED 530    /* AMQP: the virtual host is not there, or not for the user */
#define PRECONDITION_FAILED 406 /* AMQP: the message is larger than the broker takes */
#define NOT_FOUND 404           /* AMQP: no such exchange */
#define CONNECT_WORTH_MS 100    /* with less left, a connect is not worth a try */

static size_t count_of(const struct outbox *outbox, enum fate fate)
{
    size_t count = 0;

    for (size_t i = 0; i < outbox->count; i++)
        count += outbox->messages[i].fate == fate;
    return count;
}

static void sleep_ms(int64_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    while (nanosleep(&left, &left) != 0) /* a signal interrupts it */
        continue;
}

/* ------------------------------------------------------------- pauses */

/* The next connect has to wait, longer each time, and with jitter, so that the sandboxes
 * of the function do not connect at the same moment. */
static void pause_connects(struct delivery *delivery, const struct err *err)
{
    int64_t pause = delivery->pause_ms ? delivery->pause_ms * 2 : PAUSE_FIRST_MS;
    int64_t now_ms = clock_ms();

    delivery->pause_ms = pause < PAUSE_LAST_MS ? pause : PAUSE_LAST_MS;
    delivery->next_try_ms =
        now_ms + delivery->pause_ms + clock_us() % (delivery->pause_ms / 4);
    delivery->err = *err;
}

/* Waits until a connect is allowed. False: the deadline comes first, and err is the
 * cause of the pause. */
static bool wait_for_try(struct delivery *delivery, const struct deadline *deadline,
                         struct err *err)
{
    int64_t wait = delivery->pause_ms ? delivery->next_try_ms - clock_ms() : 0;

    if (wait < 0)
        wait = 0;
    if (wait + CONNECT_WORTH_MS > deadline_left_ms(deadline)) {
        if (wait == 0)
            return err_set_at(err, CAUSE_NO_TIME, "connect", 0,
                              "no time left before the deadline to connect");
        *err = delivery->err;
        return false;
    }
    if (wait > 0)
        sleep_ms(wait);
    return true;
}

/* The broker's texts name users and virtual hosts. */
static void hide_names(const struct delivery *delivery, struct err *err)
{
    if (delivery->secrets)
        secrets_hide(delivery->secrets, err->text, sizeof(err->text));
}

/* One host, with one of `shares` equal parts of the time. */
static bool connect_host(struct delivery *delivery, size_t host,
                         const struct deadline *all, size_t shares, struct err *err)
{
    int64_t share_ms = deadline_left_ms(all) / (int64_t)shares;
    struct deadline share = deadline_within(all, share_ms);
    int fd = connector_connect(delivery->connector, host, &share, err);

    if (fd < 0)
        return false;
    if (broker_connect(delivery->broker, fd,
                       connector_tls_name(delivery->connector, host), &share, err)) {
        delivery->host = host;
        return true;
    }
    if (delivery->secrets && strcmp(err->stage, "login") == 0 &&
        err->cause != CAUSE_CERTIFICATE_REFUSED)
        delivery->refused |= err->code == ACCESS_REFUSED ||
                             (err->code == NOT_ALLOWED &&
                              secrets_refers(delivery->secrets, SECRET_VIRTUAL_HOST));
    hide_names(delivery, err);
    return false;
}

static void log_in_as_known(struct delivery *delivery)
{
    const struct secrets *secrets = delivery->secrets;

    broker_log_in_as(delivery->broker, secrets_value(secrets, SECRET_VIRTUAL_HOST),
                     secrets_value(secrets, SECRET_USER),
                     secrets_value(secrets, SECRET_PASSWORD));
}

/* After a refused login the secrets may have changed since they were read. True: they
 * have, and the next login has the new values. */
static bool refresh(struct delivery *delivery, const struct deadline *deadline,
                    struct err *err)
{
    bool changed = secrets_refresh(delivery->secrets, deadline, err);

    log_in_as_known(delivery);
    return changed;
}

/* Tries every host once, the last one that worked first, each with its share. At the
 * first refused login AWS is asked, before time goes to other hosts; where it has new
 * values, that host is tried once more. */
static bool connect_any(struct delivery *delivery, const struct deadline *deadline,
                        struct err *err)
{
    struct deadline all = deadline_within(deadline, CONNECT_MS);
    size_t count = connector_count(delivery->connector);
    struct err words = {0}, unchanged = {0};
    bool asked = false;

    delivery->refused = false;
    for (size_t tried = 0; tried < count; tried++) {
        size_t host = (delivery->host + tried) % count;
        size_t shares = count - tried;
        bool ok = connect_host(delivery, host, &all, shares, err);

        if (!ok && delivery->refused && !asked) {
            asked = true;
            ok = refresh(delivery, &all, &unchanged) &&
                 connect_host(delivery, host, &all, shares, err);
        }
        if (ok) {
            *err = (struct err){0}; /* what failed before is cured */
            return true;
        }
        if (tried)
            err_add(&words, " | ");
        if (tried + 1 < count) /* the last one's comes when it is shown */
            err_advise(err);
        err_add(&words, "%s: %s", connector_label(delivery->connector, host), err->text);
    }
    if (unchanged.text[0])
        err_add(&words, " (%s)", unchanged.text);
    memcpy(err->text, words.text, sizeof(err->text));
    return false;
}

/* ------------------------------------------------------------- secrets */

static bool resolve(struct delivery *delivery, const struct deadline *deadline,
                    struct err *err)
{
    if (!delivery->secrets)
        return true;
    if (secrets_resolve(delivery->secrets, deadline, err) != SECRETS_READY)
        return err_at(err, "secrets");
    log_in_as_known(delivery);
    return true;
}

/* ------------------------------------------------------------- connecting */

/* Whether there is a connection that can be used until the deadline. RabbitMQ ends one
 * whose token has ended, or refuses what it publishes. */
static bool is_connected(struct delivery *delivery, const struct deadline *deadline)
{
    if (!broker_connected(delivery->broker))
        return false;
    if (!delivery->secrets || secrets_last(delivery->secrets, deadline))
        return true;
    broker_hang_up(delivery->broker, deadline);
    return false;
}

bool delivery_connect(struct delivery *delivery, const struct deadline *deadline,
                      struct err *err)
{
    if (is_connected(delivery, deadline))
        return true;
    if (!wait_for_try(delivery, deadline, err))
        return false;
    if (!resolve(delivery, deadline, err) || !connect_any(delivery, deadline, err)) {
        pause_connects(delivery, err);
        return false;
    }
    delivery->connected_before = true;
    return true;
}

/* ------------------------------------------------------------- fates */

static void settle(struct message *message, enum fate fate, const struct err *err)
{
    struct err shown = *err;

    err_advise(&shown);
    outbox_settle(message, fate, err->stage, err->code, shown.text);
    message->lasting = err->cause != CAUSE_CONNECTION_LIMIT &&
                       (err->code == ACCESS_REFUSED || err->code == NOT_ALLOWED ||
                        err->code == PRECONDITION_FAILED);
}

/* Each message with one fate gets the other. */
static void settle_all(struct outbox *outbox, enum fate from, enum fate to,
                       const struct err *err)
{
    for (size_t i = 0; i < outbox->count; i++)
        if (outbox->messages[i].fate == from)
            settle(&outbox->messages[i], to, err);
}

/* A missing exchange, or one that may not be written to, closes the channel for all
 * messages. Those that it is about are settled, so that the rest can be published without
 * them. True: at least one was settled. */
static bool settle_exchange(struct outbox *outbox, const struct err *err)
{
    bool found = false;

    if (err->cause == CAUSE_TOKEN_EXPIRED ||
        (err->code != ACCESS_REFUSED && err->code != NOT_FOUND))
        return false;
    for (size_t i = 0; i < outbox->count; i++) {
        struct message *message = &outbox->messages[i];

        if (message->fate == FATE_NONE && blame(err->text, message)) {
            settle(message, FATE_UNKNOWN, err);
            found = true;
        }
    }
    return found;
}

/* The cause that kept everything from being published, as in the answer's text for each
 * message. */
static void note_broker_wide(struct facts *facts, const struct err *err)
{
    struct err shown = *err;
    char code[16] = "";

    err_advise(&shown);
    if (err->code)
        snprintf(code, sizeof(code), "%d ", err->code);
    snprintf(facts->broker_wide, sizeof(facts->broker_wide), "%s: %s%s", err->stage, code,
             shown.text);
}

static void reopen_nacked(struct outbox *outbox)
{
    for (size_t i = 0; i < outbox->count; i++)
        if (outbox->messages[i].fate == FATE_NACKED)
            outbox_settle(&outbox->messages[i], FATE_NONE, NULL, 0, NULL);
}

/* ------------------------------------------------------------- public */

/* One turn: a connection, and one publish of the messages without a fate. Where another
 * host could be tried, a silent one is given up when half of the time has passed. */
static bool attempt(struct delivery *delivery, struct outbox *outbox,
                    const struct deadline *deadline, struct facts *facts, struct err *err,
                    bool retried, bool *connected)
{
    bool others = connector_count(delivery->connector) > 1 && !retried;
    struct deadline patience;
    int64_t start_us = clock_us();
    bool again = delivery->connected_before;
    bool warm = is_connected(delivery, deadline);

    *connected = warm || delivery_connect(delivery, deadline, err);
    if (!warm)
        facts->connect_us += clock_us() - start_us;
    if (!*connected)
        return false;
    facts->reconnects += again && !warm;
    patience = deadline_within(deadline, deadline_left_ms(deadline) / (others ? 2 : 1));
    if (broker_publish(delivery->broker, outbox, &patience, deadline, err))
        return true;
    if (err->silent) /* its kernel would still take a connect */
        delivery->host = (delivery->host + 1) % connector_count(delivery->connector);
    hide_names(delivery, err);
    return false;
}

/* What a warm connection may no longer do, the broker says with 403 or, where a token has
 * ended, by a close: then the secrets may have changed since the login. True: they have.
 * Where that would have been the cure and is not to be had, err has the reason. */
static bool renew(struct delivery *delivery, const struct deadline *deadline,
                  struct err *err)
{
    bool expired = err->cause == CAUSE_TOKEN_EXPIRED;
    struct err unchanged = {0};

    if (!delivery->secrets || (!expired && err->code != ACCESS_REFUSED))
        return false;
    if (refresh(delivery, deadline, &unchanged) ||
        (expired && !secrets_last(delivery->secrets, deadline)))
        return true;
    if (expired)
        err_add(err, " (%s)", unchanged.text);
    return false;
}

/* Publishes until every message has a fate, or nothing more can be done now. */
static bool publish_all(struct delivery *delivery, struct outbox *outbox,
                        const struct deadline *deadline, struct facts *facts,
                        struct err *err, bool *retried)
{
    bool connected;

    while (count_of(outbox, FATE_NONE) > 0) {
        if (attempt(delivery, outbox, deadline, facts, err, *retried, &connected))
            continue;
        if (!connected)
            return false;
        if (!*retried && renew(delivery, deadline, err)) {
            *retried = true;
            continue;
        }
        if (settle_exchange(outbox, err))
            continue;
        if (err->cause == CAUSE_TOKEN_EXPIRED || err->final || *retried ||
            deadline_left_ms(deadline) < CONNECT_WORTH_MS) {
            pause_connects(delivery, err);
            return false;
        }
        *retried = true;
    }
    return true;
}

void delivery_publish(struct delivery *delivery, struct outbox *outbox,
                      const struct deadline *deadline, struct facts *facts)
{
    int64_t start_us = clock_us();
    struct deadline nacks = {0};
    int64_t pause = NACK_FIRST_MS;
    struct err err = {0}, nack;
    bool retried = false; /* the one reconnect of an event was made */
    bool given_up;

    if (outbox->count == 0)
        return;
    for (int round = 0; publish_all(delivery, outbox, deadline, facts, &err, &retried);
         round++) {
        delivery->pause_ms = 0;
        if (count_of(outbox, FATE_NACKED) == 0 || round == NACK_ROUNDS)
            break;
        if (round == 0)
            nacks = deadline_within(deadline, NACK_MS);
        if (deadline_left_ms(&nacks) <= pause)
            break;
        if (round >= NACK_ROUNDS_WARM)
            broker_drop(delivery->broker);
        sleep_ms(pause);
        pause *= 2;
        reopen_nacked(outbox);
    }
    given_up = count_of(outbox, FATE_NONE) > 0;
    settle_all(outbox, FATE_NONE, FATE_UNKNOWN, &err);
    err_set_at(&nack, CAUSE_NACKED, "confirm", 0, "basic.nack: refused by the queue");
    settle_all(outbox, FATE_NACKED, FATE_NACKED, &nack); /* their final text */
    facts->confirmed += count_of(outbox, FATE_CONFIRMED);
    if (given_up || (facts->confirmed == 0 && err.code == ACCESS_REFUSED))
        note_broker_wide(facts, &err);
    facts->publish_us = clock_us() - start_us;
}
