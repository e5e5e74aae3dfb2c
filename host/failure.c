/* failure.c -- one table of advice, read from the top: the first row that fits speaks. */
#include "failure.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define ANY (-1)

struct row {
    const char *stage; /* NULL: any */
    int code;          /* 0: the broker gave none */
    const char *words; /* part of the text; NULL: any */
    const char *advice;
};

static const struct row rows[] = {
    {"resolve", 0, NULL,
     "check PIGEON_HOST, and the name servers that the function sees"},
    {"connect", 0, "refused", "is RabbitMQ running, and is PIGEON_PORT its port?"},
    {"connect", 0, "no time left", "give the function more time, or smaller batches"},
    {"connect", 0, NULL, "check PIGEON_HOST, security groups and routes"},
    {NULL, 0, "connection.blocked",
     "free memory or disk on the broker; the event comes again by itself"},
    {NULL, 320, NULL,
     "somebody closed the connection or stopped the node; the event comes again"},
    {"login", 403, NULL,
     "check PIGEON_USER and PIGEON_PASSWORD (guest may log in from the broker's own "
     "machine alone)"},
    {NULL, 530, "not found", "check PIGEON_VIRTUAL_HOST"},
    {NULL, 530, "connection limit (",
     "raise the limit on the broker, or lower the function's concurrency"},
    {NULL, 530, "refused for user",
     "give the user permissions there: rabbitmqctl set_permissions -p VHOST USER '^$' "
     "'^amq\\.default$' '^$'"},
    {NULL, 541, NULL, "start the vhost: rabbitmqctl restart_vhost -p VHOST"},
    {"login", 0, "sasl", "allow the mechanism PLAIN on the broker (auth_mechanisms)"},
    {"login", 0, NULL,
     "is PIGEON_PORT an AMQP port without TLS, and is the broker below its connection "
     "limit?"},
    {"publish", 312, NULL,
     "declare the queue, or mend its name in PIGEON_QUEUE or the rules"},
    {"ask", 404, NULL, "declare the queue, or mend its name in PIGEON_QUEUE"},
    {NULL, 403, NULL,
     "give the user write permission on the exchange (amq.default for queues)"},
    {NULL, 404, NULL, "declare the exchange, or mend its name in the rules"},
    {NULL, 0, "refused by the queue",
     "is the queue full (overflow=reject-publish), or its leader gone?"},
    {NULL, 0, "time", /* no answer in time, Connection timed out */
     "is the broker overloaded, frozen or cut off from its cluster? see its log"},
    {NULL, ANY, NULL, "see the broker's log; the event comes again by itself"},
};

static bool fits(const struct row *row, const char *stage, int code, const char *cause)
{
    return (!row->stage || strcmp(row->stage, stage) == 0) &&
           (row->code == ANY || row->code == code) &&
           (!row->words || strstr(cause, row->words));
}

const char *failure_advice(const char *stage, int code, const char *cause)
{
    const struct row *row = rows;

    while (!fits(row, stage, code, cause))
        row++;
    return row->advice;
}

bool failure_set(struct failure *failure, const char *stage, int code, const char *fmt,
                 ...)
{
    char cause[sizeof(failure->text) / 2];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(cause, sizeof(cause), fmt, ap);
    va_end(ap);
    failure->stage = stage;
    failure->code = code;
    failure->final = false;
    snprintf(failure->text, sizeof(failure->text), "%s; next: %s", cause,
             failure_advice(stage, code, cause));
    return false;
}
