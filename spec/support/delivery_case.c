/* delivery_case.c -- fills the outbox and publishes it. */
#include "delivery_case.h"

#include <string.h>

#include "asserts.h"

struct delivery delivery;

const struct turn good[] = {{.fates = "ccc"}};
const struct turn no_turn[1];

int delivery_case_setup(void **state)
{
    (void)state;
    world_begin();
    delivery = (struct delivery){0};
    return 0;
}

int delivery_case_teardown(void **state)
{
    (void)state;
    outbox_clear(&outbox);
    return 0;
}

static void fill(const char *messages)
{
    outbox_clear(&outbox);
    for (const char *m = messages; *m; m += strcspn(m, " ") + (strchr(m, ' ') != NULL)) {
        size_t len = strcspn(m, " ");
        struct bytes exchange = {m + 2, len > 2 ? 1 : 0};
        struct bytes key = len > 4 ? (struct bytes){m + 4, 1} : bytes_of("q");
        struct bytes id = {m, 1};

        assert_true(outbox_add(&outbox, exchange, key, id, id));
    }
}

void deliver(const char *messages, int64_t deadline_ms, const struct turn *turns)
{
    struct deadline deadline = deadline_in(deadline_ms);

    fill(messages);
    world.turn = turns;
    facts = (struct facts){0};
    delivery_publish(&delivery, &outbox, &deadline, &facts);
}
