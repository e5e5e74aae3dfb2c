/* setup.c -- findings are printed as they come. */
#include "setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 10000
#define ACCESS_REFUSED 403 /* AMQP */

/* Where any of the variables for the broker is set, all have to be right. */
bool setup_check(struct config *config, bool connect)
{
    struct err err = {0};
    struct dial *dial = NULL;
    bool ok;

    if (!connect && !config->host && !config->port_text && !config->virtual_host &&
        !config->user && !config->password && !config->aws_region)
        return true;
    ok = config_check(config, &err);
    if (ok)
        dial = dial_open(config->host, config->port, &err);
    dial_close(dial);
    if (!dial)
        printf("%s\n", err.text);
    return dial != NULL;
}

/* Asks for one queue. A user who may not ask may be allowed to publish. */
static bool ask(struct delivery *delivery, const char *queue)
{
    struct deadline deadline = deadline_in(CONNECT_MS);
    struct failure failure = {0};

    if (delivery_connect(delivery, &deadline, &failure) &&
        broker_ask(delivery->broker, queue, &deadline, &failure)) {
        printf("queue %s: there\n", queue);
        return true;
    }
    if (failure.code == ACCESS_REFUSED && strcmp(failure.stage, "ask") == 0) {
        printf("queue %s: may not ask\n", queue);
        return true;
    }
    printf("queue %s: %s: %d %s\n", queue, failure.stage, failure.code, failure.text);
    return false;
}

bool setup_ask(struct delivery *delivery, const char *queues)
{
    char *names = strdup(queues), *rest = NULL;
    bool ok = names != NULL;

    for (char *name = strtok_r(names, ",", &rest); name;
         name = strtok_r(NULL, ",", &rest))
        ok = ask(delivery, name) && ok;
    free(names);
    return ok;
}
