/* confirming.c -- acks and nacks: singly, with `multiple`, shuffled, or mixed, as
 * https://www.rabbitmq.com/docs/confirms allows. A message is stored before its ack or
 * with it; a crash loses what was stored and not acked. */
#include <stdlib.h>

#include "broker.h"
#include "chance.h"
#include "faults.h"
#include "frames.h"
#include "network.h"
#include "oracle.h"
#include "plan.h"
#include "schedule.h"
#include "trace.h"

#define NONE SIZE_MAX
#define LATER (200 * MS) /* between looks, while no acks are written */

void confirming_store(struct pending *pending)
{
    if (pending->stored)
        return;
    pending->stored = true;
    oracle_stored(pending->item);
}

void confirming_lose(struct session *session)
{
    for (size_t i = 0; i < session->pending_count; i++) {
        struct pending *pending = &session->pending[i];

        if (pending->stored && !pending->settled && happens(&broker_chance, 500)) {
            pending->stored = false;
            oracle_lost(pending->item);
        }
    }
}

/* ------------------------------------------------------------- writing */

static void note_ack(struct session *session, int item)
{
    if (session->acks_count == session->acks_capacity) {
        session->acks_capacity = session->acks_capacity * 2 + 64;
        session->acks =
            realloc(session->acks, session->acks_capacity * sizeof(*session->acks));
        if (!session->acks)
            abort();
    }
    session->acks[session->acks_count].end = UINT64_MAX; /* until it is written */
    session->acks[session->acks_count++].item = item;
}

static void settle(struct session *session, struct pending *pending)
{
    pending->settled = true;
    oracle_settled(pending->item);
    if (pending->outcome == OUTCOME_NACK)
        return;
    if (pending->outcome == OUTCOME_ACK) {
        confirming_store(pending);
        oracle_acked(pending->item);
        note_ack(session, pending->item);
    }
}

static void write_settled(struct session *session, const struct pending *pending,
                          bool multiple)
{
    bool nack = pending->outcome == OUTCOME_NACK;

    trace("broker", session->end->number, "%s %d%s", nack ? "nacks" : "acks",
          (int)pending->tag, multiple ? " and all before it" : "");
    frame_method(1, nack ? BASIC_NACK : BASIC_ACK);
    frame_64(pending->tag);
    frame_8(multiple);
    frame_send(session->end);
    for (size_t i = session->acks_count; i > 0 && session->acks[i - 1].end == UINT64_MAX;
         i--)
        session->acks[i - 1].end = session->end->sent;
}

/* ------------------------------------------------------------- choosing */

/* As far as all is ready and of one kind. False: not even the first. */
static bool settle_multiple(struct session *session)
{
    struct pending *last = NULL;

    for (size_t i = session->pending_first; i < session->pending_count; i++) {
        struct pending *one = &session->pending[i];

        if (one->settled)
            continue;
        if (one->ready > now ||
            (last && (last->outcome == OUTCOME_NACK) != (one->outcome == OUTCOME_NACK)))
            break;
        settle(session, one);
        last = one;
        if (happens(&broker_chance, 50))
            break;
    }
    if (last)
        write_settled(session, last, true);
    return last != NULL;
}

/* The next one that is ready, any of them where acks are shuffled; NONE, and when the
 * first will be. */
static size_t pick(const struct session *session, bool shuffled, int64_t *soon)
{
    size_t chosen = NONE, ready = 0;

    *soon = INT64_MAX;
    for (size_t i = session->pending_first; i < session->pending_count; i++) {
        const struct pending *one = &session->pending[i];

        if (one->settled)
            continue;
        if (one->ready > now) {
            *soon = one->ready < *soon ? one->ready : *soon;
            continue;
        }
        ready++;
        if (chosen == NONE || (shuffled && below(&broker_chance, ready) == 0))
            chosen = i;
        if (!shuffled)
            break;
    }
    return chosen;
}

static void settle_ready(void *what, int64_t unused);

static void settle_at(struct session *session, int64_t when)
{
    session->settling = true;
    schedule_at(when, settle_ready, session, 0);
}

/* False: nothing was ready. */
static bool settle_some(struct session *session)
{
    enum ack_mode mode = plan.ack_mode == ACKS_MIXED
                             ? (enum ack_mode)below(&broker_chance, 3)
                             : plan.ack_mode;
    int64_t soon;
    size_t chosen;

    while (session->pending_first < session->pending_count &&
           session->pending[session->pending_first].settled)
        session->pending_first++;
    if (mode == ACKS_MULTIPLE && settle_multiple(session))
        return true;
    chosen = pick(session, mode == ACKS_SHUFFLED, &soon);
    if (chosen == NONE) {
        if (soon != INT64_MAX)
            settle_at(session, soon);
        return false;
    }
    settle(session, &session->pending[chosen]);
    write_settled(session, &session->pending[chosen], false);
    return true;
}

static bool can_write(const struct session *session)
{
    return !session->end->gone && !session->closing && session->channel_open;
}

static void settle_ready(void *what, int64_t unused)
{
    struct session *session = what;

    (void)unused;
    session->settling = false;
    if (can_write(session) &&
        (fault_active(NO_ACKS) > 0 || broker_stands_still(session->end)))
        settle_at(session, now + LATER);
    else
        while (can_write(session) && settle_some(session))
            continue;
}

void confirming_hurry(struct session *session)
{
    for (size_t i = session->pending_first; i < session->pending_count; i++)
        if (session->pending[i].ready > now)
            session->pending[i].ready = now;
    if (fault_active(NO_ACKS) == 0 && !broker_stands_still(session->end))
        while (can_write(session) && settle_some(session))
            continue;
}

void confirming_add(struct session *session, struct pending pending)
{
    if (pending.outcome == OUTCOME_ACK && happens(&broker_chance, 500))
        confirming_store(&pending);
    if (session->pending_count == session->pending_capacity) {
        session->pending_capacity = session->pending_capacity * 2 + 64;
        session->pending = realloc(session->pending,
                                   session->pending_capacity * sizeof(*session->pending));
        if (!session->pending)
            abort();
    }
    session->pending[session->pending_count++] = pending;
    if (!session->settling)
        settle_at(session, pending.ready);
}
