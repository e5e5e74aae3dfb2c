/* confirms.c -- the bookkeeping of publisher confirms.
 *
 * A ring of CONFIRMS_WINDOW slots, indexed by delivery tag. `first` moves up over
 * settled slots, so that "multiple" costs what it settles, and a tag below it needs no
 * slot: it was settled before. */
#include "amqp/confirms.h"

#include <inttypes.h>
#include <string.h>

static bool same(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static struct message *message_of(const struct confirms *confirms, uint64_t tag)
{
    size_t message = confirms->slots[tag % CONFIRMS_WINDOW].message;

    return &confirms->outbox->messages[message];
}

static void settle_tag(struct confirms *confirms, uint64_t tag, enum fate fate)
{
    struct message *message = message_of(confirms, tag);

    if (!confirms->slots[tag % CONFIRMS_WINDOW].open)
        return;
    confirms->slots[tag % CONFIRMS_WINDOW].open = false;
    confirms->open--;
    if (message->fate == FATE_NONE)
        outbox_settle(message, fate, fate == FATE_NACKED ? "confirm" : NULL, 0, NULL);
}

void confirms_start(struct confirms *confirms, struct outbox *outbox)
{
    confirms->next = 1;
    confirms_continue(confirms, outbox);
}

void confirms_continue(struct confirms *confirms, struct outbox *outbox)
{
    confirms->outbox = outbox;
    confirms->first = confirms->next;
    confirms->open = 0;
}

bool confirms_full(const struct confirms *confirms)
{
    return confirms->next - confirms->first >= CONFIRMS_WINDOW;
}

void confirms_publish(struct confirms *confirms, size_t message)
{
    confirms->slots[confirms->next % CONFIRMS_WINDOW].message = message;
    confirms->slots[confirms->next % CONFIRMS_WINDOW].open = true;
    confirms->next++;
    confirms->open++;
}

bool confirms_settle(struct confirms *confirms, uint64_t tag, bool multiple,
                     enum fate fate, struct err *err)
{
    if (tag == 0 || tag >= confirms->next)
        return err_set_at(err, CAUSE_BROKER, "confirm", 0,
                          "the broker settled delivery tag %" PRIu64
                          ", but the last publish was %" PRIu64,
                          tag, confirms->next - 1);
    for (uint64_t t = multiple ? confirms->first : tag; t <= tag; t++)
        if (t >= confirms->first)
            settle_tag(confirms, t, fate);
    while (confirms->first < confirms->next &&
           !confirms->slots[confirms->first % CONFIRMS_WINDOW].open)
        confirms->first++;
    return true;
}

bool confirms_return(struct confirms *confirms, struct bytes exchange,
                     struct bytes routing_key, struct bytes message_id, int code,
                     const char *text, struct err *err)
{
    for (uint64_t tag = confirms->first; tag < confirms->next; tag++) {
        struct message *message = message_of(confirms, tag);

        if (confirms->slots[tag % CONFIRMS_WINDOW].open && message->fate == FATE_NONE &&
            same(message->message_id, message_id) &&
            same(message->routing_key, routing_key) &&
            same(message->exchange, exchange)) {
            outbox_settle(message, FATE_RETURNED, "publish", code, text);
            return true;
        }
    }
    return err_set_at(err, CAUSE_BROKER, "confirm", 0,
                      "the broker returned a message that is not waiting: %.*s",
                      (int)message_id.len, message_id.data);
}
