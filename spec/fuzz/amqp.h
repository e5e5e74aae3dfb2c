/* amqp.h -- a login and three publishes, over a wire (wire.h) that brings the input. */
#ifndef PIGEON_FUZZ_AMQP_H
#define PIGEON_FUZZ_AMQP_H

#include <string.h>

#include "amqp/broker.h"
#include "fuzz.h"
#include "wire.h"

#define MESSAGES 3
#define MINUTE_MS 60000

static inline struct bytes fuzz_bytes(const char *text)
{
    return (struct bytes){.data = text, .len = strlen(text)};
}

static inline void fuzz_fill(struct outbox *outbox)
{
    static const char *const ids[MESSAGES] = {"1", "2", "3"};

    outbox->rules_version = "0123456789ab";
    for (size_t i = 0; i < MESSAGES; i++)
        promise(outbox_add(outbox, fuzz_bytes(""), fuzz_bytes("q"), fuzz_bytes(ids[i]),
                           fuzz_bytes(ids[i])),
                "a message is added");
}

/* What every conversation has to keep, whatever the broker sends. */
static inline void fuzz_check(const struct outbox *outbox, bool published, bool may_ack)
{
    for (size_t i = 0; i < outbox->count; i++) {
        enum fate fate = outbox->messages[i].fate;

        promise(!published || fate != FATE_NONE, "a success leaves no message open");
        promise(may_ack || fate != FATE_CONFIRMED, "no ack, no confirmed message");
    }
}

/* What is behind the first `login_len` bytes comes when the messages are on their way. */
static inline void fuzz_conversation(const uint8_t *data, size_t size, size_t login_len)
{
    static const uint8_t ack[] = {0, 60, 0, 80};
    const struct login login = {
        .virtual_host = "v", .user = "u", .password = "p", .connection_name = "pigeon"};
    struct deadline deadline = deadline_in(MINUTE_MS);
    struct broker *broker = broker_open(&login);
    struct err failure = {0};
    struct outbox outbox = {0};
    bool connected, published = false;

    wire_set(data, size, 0);
    wire_hold(login_len);
    fuzz_fill(&outbox);
    connected = broker_connect(broker, wire_connect(), NULL, &deadline, &failure);
    if (connected)
        published = broker_publish(broker, &outbox, &deadline, &deadline, &failure);
    promise(published || failure.text[0], "a failure has a text");
    fuzz_check(&outbox, published, memmem(data, size, ack, sizeof(ack)) != NULL);
    if (connected && broker_connected(broker))
        broker_publish(broker, &outbox, &deadline, &deadline, &failure);
    broker_close(broker);
    outbox_clear(&outbox);
}

#endif
