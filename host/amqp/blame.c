/* blame.c -- the words for missing exchanges and missing rights of RabbitMQ 3.10 to 4.3
 * (rabbit_misc.erl, rabbit_access_control.erl). */
#include "amqp/blame.h"

#include <stdio.h>
#include <string.h>

#define EXCHANGE "exchange '"
#define CUT "..." /* behind 252 bytes of a longer text */

/* Whether the words begin with the name of the place, or end within it, cut. */
static bool begins(const char *words, const char *place)
{
    size_t len = strlen(words);

    if (strncmp(words, place, strlen(place)) == 0)
        return true;
    return len > strlen(CUT) && strcmp(words + len - strlen(CUT), CUT) == 0 &&
           strncmp(words, place, len - strlen(CUT)) == 0;
}

bool blame(const char *words, const struct message *message)
{
    struct bytes name = message->exchange, key = message->routing_key;
    const char *topic = strstr(words, BLAME_TOPIC);
    const char *exchange = strstr(words, EXCHANGE);
    char place[600]; /* two names of at most 255 bytes */

    if (name.len == 0)
        name = (struct bytes){"amq.default", sizeof("amq.default") - 1};
    if (topic) {
        snprintf(place, sizeof(place), BLAME_TOPIC "%.*s' in " EXCHANGE "%.*s' in",
                 (int)key.len, key.data, (int)name.len, name.data);
        return begins(topic, place);
    }
    snprintf(place, sizeof(place), EXCHANGE "%.*s' in", (int)name.len, name.data);
    return exchange && begins(exchange, place);
}
