/* advice.c -- one table, read from the top: the first row that fits is the advice. */
#include "amqp/advice.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define ANY (-1)

struct row {
    const char *stage; /* NULL: any */
    int code;          /* 0: the broker gave none */
    const char *words; /* part of the text; NULL: any */
    const char *advice;
};

static const struct row rows[] = {
    {"secrets", 0, "AccessDenied",
     "allow the function's role to read it: deploy/CONFIGURATION.md has the statements"},
    {"secrets", 0, NULL,
     "check the variable's value, the role, and the way from the function to AWS"},
    {"resolve", 0, NULL,
     "check PIGEON_HOST, and the name servers of the function's network"},
    {"connect", 0, "refused", "is RabbitMQ running, and is PIGEON_PORT its port?"},
    {"connect", 0, "no time left", "give the function more time, or smaller batches"},
    {"connect", 0, NULL, "check PIGEON_HOST, security groups and routes"},
    {"tls", 0, " expired on ", "renew the broker's certificate"},
    {"tls", 0, "not yet valid", "is the broker's clock right, and its certificate?"},
    {"tls", 0, "unknown issuer",
     "put the issuer's certificate into a file, and its path into PIGEON_TLS_CA_FILE"},
    {"tls", 0, "is not for",
     "set PIGEON_HOST to a name in the certificate, or give the broker a certificate "
     "with this name"},
    {"tls", 0, "not speak TLS",
     "is PIGEON_PORT a port without TLS? Set PIGEON_TLS=off, or use the TLS port"},
    {"tls", 0, "expects TLS", "set PIGEON_TLS=on"},
    {"tls", 0, "asks for a client", "set PIGEON_TLS_CERT_FILE and PIGEON_TLS_KEY_FILE"},
    {"tls", 0, "the client certificate",
     "check PIGEON_TLS_CERT_FILE, and the CAs that the broker trusts"},
    {"tls", 0, "in common", "allow TLS 1.2 or 1.3 on the broker (ssl_options.versions)"},
    {"tls", 0, "PIGEON_TLS_", "correct the file, or the variable"},
    {"tls", 0, "no certificate in it", "correct the file of CAs, or PIGEON_TLS_CA_FILE"},
    {"tls", 0, "time", "is PIGEON_PORT a port with TLS, and the broker alive?"},
    {"tls", 0, NULL, "see the broker's log; is PIGEON_PORT its port for TLS?"},
    {NULL, 0, "connection.blocked",
     "free memory or disk space on the broker; AWS retries the event"},
    {NULL, 320, NULL,
     "an operator closed the connection or stopped the node; AWS retries the event"},
    {"login", 403, NULL,
     "check PIGEON_USER and PIGEON_PASSWORD (guest may log in only from the broker's "
     "own machine)"},
    {NULL, 530, "not found", "check PIGEON_VIRTUAL_HOST"},
    {NULL, 530, "connection limit (",
     "raise the limit on the broker, or lower the function's concurrency"},
    {NULL, 530, "refused for user",
     "give the user permissions there: rabbitmqctl set_permissions -p VHOST USER '^$' "
     "'^amq\\.default$' '^$'"},
    {NULL, 541, NULL, "start the vhost: rabbitmqctl restart_vhost -p VHOST"},
    {"login", 0, "sasl", "allow the mechanism PLAIN on the broker (auth_mechanisms)"},
    {"login", 0, NULL,
     "is PIGEON_PORT an AMQP port, and is the broker below its connection "
     "limit?"},
    {"publish", 312, NULL,
     "declare the queue, or correct its name in PIGEON_QUEUE or the rules"},
    {"ask", 404, NULL, "declare the queue, or correct its name in PIGEON_QUEUE"},
    {NULL, 403, NULL,
     "give the user write permission on the exchange (amq.default for queues)"},
    {NULL, 404, NULL, "declare the exchange, or correct its name in the rules"},
    {NULL, 0, "refused by the queue",
     "is the queue full (overflow=reject-publish), or its leader gone?"},
    {NULL, 0, "time", /* no answer in time, Connection timed out */
     "is the broker overloaded, frozen or cut off from its cluster? see its log"},
    {NULL, ANY, NULL, "see the broker's log; AWS retries the event"},
};

static bool fits(const struct row *row, const char *stage, int code, const char *cause)
{
    return (!row->stage || strcmp(row->stage, stage) == 0) &&
           (row->code == ANY || row->code == code) &&
           (!row->words || strstr(cause, row->words));
}

const char *advice_for(const char *stage, int code, const char *cause)
{
    const struct row *row = rows;

    while (!fits(row, stage, code, cause))
        row++;
    return row->advice;
}
