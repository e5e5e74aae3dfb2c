/* check_broker.c -- asks the broker for each queue, and reports what it answers. */
#include "desk/check_broker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/delivery_check.h"

#define CONNECT_MS 10000
#define ACCESS_REFUSED 403 /* AMQP */

/* Where one of the broker's variables is set, all must be right. */
bool check_broker_settings(struct config *config, bool connect, struct err *err)
{
    if (!connect && !config->host && !config->port_text && !config->virtual_host &&
        !config->user && !config->password && !config->aws_region)
        return true;
    return config_check(config, err) && delivery_check(config, err);
}

static bool append(struct buffer *found, const char *word, const char *queue,
                   const char *what)
{
    return buffer_append(found, word, strlen(word) + 1) &&
           buffer_append(found, queue, strlen(queue) + 1) &&
           buffer_append(found, what, strlen(what) + 1);
}

static bool append_fault(struct buffer *found, const char *queue, const struct err *err)
{
    struct err shown = *err;
    char code[16] = "", what[sizeof(shown.text) + 64];

    err_advise(&shown);
    if (err->code != 0)
        snprintf(code, sizeof(code), "%d ", err->code);
    snprintf(what, sizeof(what), "%s: %s%s", err->stage, code, shown.text);
    return append(found, "fault", queue, what);
}

/* Asks for one queue. A user who may not ask may be allowed to publish. */
static bool ask(struct delivery *delivery, const char *queue, struct buffer *found)
{
    struct deadline deadline = deadline_in(CONNECT_MS);
    struct err fault = {0};

    if (delivery_check_queue(delivery, queue, &deadline, &fault))
        return append(found, "ok", queue, "there");
    if (fault.code == ACCESS_REFUSED && strcmp(fault.stage, "ask") == 0)
        return append(found, "ok", queue, "may not ask");
    return append_fault(found, queue, &fault);
}

bool check_broker_queues(struct delivery *delivery, const char *queues,
                         struct buffer *found, struct err *err)
{
    char *names = strdup(queues), *rest = names;
    char *name = names ? strsep(&rest, ",") : NULL;
    struct deadline deadline = deadline_in(CONNECT_MS);
    struct err fault = {0};
    bool resolved = delivery_check_secrets(delivery, &deadline, &fault);
    bool ok = names != NULL;

    for (; ok && name; name = strsep(&rest, ","))
        ok = resolved ? ask(delivery, name, found) : append_fault(found, name, &fault);
    free(names);
    return ok || err_set(err, CAUSE_MEMORY, "out of memory");
}
