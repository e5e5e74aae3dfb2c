/* handler.c -- the way of an event: decide, publish, conclude; and how long each took. */
#include "handler.h"

/* The desk decides, and nobody publishes. */
static void count_as_confirmed(struct outbox *outbox, struct facts *facts)
{
    for (size_t i = 0; i < outbox->count; i++)
        outbox_settle(&outbox->messages[i], FATE_CONFIRMED, NULL, 0, NULL);
    facts->confirmed = outbox->count;
}

bool handler_event(struct handler *handler, const struct invocation *invocation,
                   struct answer *answer, struct err *err)
{
    struct outbox outbox = {0};
    struct facts facts = {.cold = !handler->warm};
    int64_t start_us = clock_us();
    bool ok = script_decide(handler->script, invocation, &outbox, err);

    facts.decide_us = clock_us() - start_us;
    if (ok) {
        if (handler->delivery)
            delivery_publish(handler->delivery, &outbox, &invocation->deadline, &facts);
        else
            count_as_confirmed(&outbox, &facts);
        script_shadow(handler->script, &invocation->deadline);
        ok = script_conclude(handler->script, &outbox, &facts, answer, err);
    }
    handler->warm = true;
    outbox_clear(&outbox);
    return ok;
}
