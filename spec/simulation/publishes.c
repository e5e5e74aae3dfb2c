/* publishes.c -- what a publish leads to: an ack, a nack, a return and then an ack, or a
 * close of the channel.
 *
 * A message that no queue takes is returned, where it is mandatory, and acked all the
 * same (rabbit_channel:process_routing_mandatory, process_routing_confirm); a missing
 * exchange, or one that the user may not write to, closes the channel
 * (rabbit_exchange:lookup_or_die, check_write_permitted). */
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "chance.h"
#include "events.h"
#include "faults.h"
#include "frames.h"
#include "network.h"
#include "oracle.h"
#include "plan.h"
#include "schedule.h"
#include "trace.h"

static bool to_exchange(const struct publish *publish)
{
    return strcmp(publish->exchange, "events") == 0;
}

/* The item that it is, or -1: nobody asked for this. */
static int item_published(const struct publish *publish)
{
    char id[ID_BYTES + 1] = "";
    enum destination destination = TO_NORMAL;
    int object;

    if (publish->body.len != ID_BYTES || !publish->mandatory)
        return -1;
    memcpy(id, publish->body.data, ID_BYTES);
    object = (int)strtol(id, NULL, 16);
    if (to_exchange(publish) && strcmp(publish->routing_key, "crash") == 0)
        destination = TO_EXCHANGE;
    else if (publish->exchange[0] != '\0')
        return -1;
    else if (strcmp(publish->routing_key, "other") == 0)
        destination = TO_OTHER;
    else if (strcmp(publish->routing_key, "normal") != 0)
        return -1;
    if (object < 0 || object >= objects_count || !object_goes_to(object, destination))
        return -1;
    return item_of(object, destination);
}

/* Where the channel is closed for it. */
static bool is_refused(struct session *session)
{
    const struct publish *publish = &session->publish;

    if (to_exchange(publish) && fault_active(EXCHANGE_GONE) > 0) {
        oracle_no_exchange();
        broker_close_channel(session, 404,
                             "NOT_FOUND - no exchange 'events' in vhost '/'");
        return true;
    }
    if (fault_active(NO_PERMISSION) > 0 && !to_exchange(publish)) {
        broker_close_channel(session, 403,
                             plan.version_4
                                 ? "ACCESS_REFUSED - write access to exchange "
                                   "'amq.default' in vhost '/' refused for user 'pigeon'"
                                 : "ACCESS_REFUSED - access to exchange 'amq.default' in "
                                   "vhost '/' refused for user 'pigeon'");
        return true;
    }
    return false;
}

static enum outcome outcome_of(const struct session *session)
{
    const char *key = session->publish.routing_key;

    if (fault_active(NACKS) > 0 || fault_active(NACKS_BRIEFLY) > 0 || session->nacks_all)
        return OUTCOME_NACK;
    if (fault_active(QUEUE_GONE) > 0 &&
        (strcmp(key, "other") == 0 ||
         (!plan.two_queues && !to_exchange(&session->publish))))
        return OUTCOME_RETURN;
    return OUTCOME_ACK;
}

/* The return leaves before the ack of that message does. */
static void send_return(struct session *session)
{
    const struct publish *publish = &session->publish;

    trace("broker", session->end->number, "returns it");
    frame_method(1, BASIC_RETURN);
    frame_16(312);
    frame_short("NO_ROUTE");
    frame_short(publish->exchange);
    frame_short(publish->routing_key);
    frame_send(session->end);
    frame_begin(FRAME_HEADER, 1);
    frame_bytes(publish->header.data, publish->header.len);
    frame_send(session->end);
    frame_begin(FRAME_BODY, 1);
    frame_bytes(publish->body.data, publish->body.len);
    frame_send(session->end);
}

void publish_arrived(struct session *session)
{
    const struct publish *publish = &session->publish;
    struct pending pending = {.item = item_published(publish)};

    trace("broker", session->end->number, "takes publish %d: %.*s to %s%s%s",
          (int)session->tags + 1, (int)publish->body.len, (char *)publish->body.data,
          publish->exchange, publish->exchange[0] != '\0' ? "/" : "",
          publish->routing_key);
    if (pending.item < 0) {
        violation("a publish that nobody asked for: '%.*s' to '%s' '%s'%s",
                  (int)publish->body.len, (char *)publish->body.data, publish->exchange,
                  publish->routing_key, publish->mandatory ? "" : ", not mandatory");
        return;
    }
    oracle_published(pending.item, session->end->number);
    if (fault_active(PUBLISH_RESETS) > 0) {
        network_reset(session->end);
        return;
    }
    if (is_refused(session))
        return;
    pending.tag = ++session->tags;
    pending.outcome = outcome_of(session);
    pending.ready =
        now + plan.ack_delay + short_or_long(&broker_chance, 0, plan.ack_jitter);
    if (pending.outcome == OUTCOME_RETURN) {
        oracle_returned(pending.item);
        send_return(session);
    }
    confirming_add(session, pending);
    faults_at_publish(session->end);
}
