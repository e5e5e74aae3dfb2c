/* check_broker.c -- asks the broker for each queue, and whether it takes messages. */
#include "desk/check_broker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/delivery_check.h"

#define CONNECT_MS 10000

/* Where one of the broker's variables is set, all must be right. */
bool check_broker_settings(struct config *config, bool connect, struct err *err)
{
    if (!connect && !config->host && !config->port_text && !config->virtual_host &&
        !config->user && !config->password && !config->aws_region)
        return config_check_switches(config, err);
    return config_check(config, err) && delivery_check(config, err);
}

/* ------------------------------------------------------------- queues */

/* Makes a row for each name in a list with commas, and has room for some more. */
static bool make_rows(struct queue_answers *answers, const char *queues, size_t more)
{
    char *names = strdup(queues), *rest = names, *name;
    size_t most = 1;

    for (const char *at = queues; *at; at++)
        most += *at == ',';
    answers->rows = calloc(most + more, sizeof(*answers->rows));
    while (answers->rows && (name = strsep(&rest, ",")) != NULL)
        answers->rows[answers->count++].queue = strdup(name);
    free(names);
    return answers->count == most;
}

/* What the broker lacks, for lua/pigeon/desk/repairs.lua. */
static const char *missing(enum cause cause)
{
    switch (cause) {
    case CAUSE_NO_QUEUE:
        return "queue";
    case CAUSE_MAY_NOT_ASK:
    case CAUSE_NO_WRITE:
    case CAUSE_VHOST_REFUSED:
        return "right";
    case CAUSE_VHOST_MISSING:
        return "vhost";
    case CAUSE_CONNECTION_LIMIT:
        return "limit";
    default:
        return NULL;
    }
}

static void set_fault(struct queue_answer *row, const struct err *err)
{
    const char *fix = err_advice(err);
    char code[16] = "", what[sizeof(err->text) + 64];

    if (err->code != 0)
        snprintf(code, sizeof(code), "%d ", err->code);
    snprintf(what, sizeof(what), "%s: %s%s", err->stage, code, err->text);
    row->what = strdup(what);
    row->fix = fix ? strdup(fix) : NULL;
    row->missing = missing(err->cause);
}

static void ask(struct delivery *delivery, struct queue_answer *row)
{
    struct deadline deadline = deadline_in(CONNECT_MS);
    struct err fault = {0};

    row->ok = delivery_check_queue(delivery, row->queue, &deadline, &fault);
    if (row->ok)
        row->what = strdup("there");
    else
        set_fault(row, &fault);
}

/* Appends a row where the broker takes no message, unless the last row says already why
 * nobody can ask. False: out of memory. */
static bool ask_for_messages(struct delivery *delivery, struct queue_answers *answers)
{
    struct deadline deadline = deadline_in(CONNECT_MS);
    struct queue_answer *row = &answers->rows[answers->count];
    struct err fault = {0};
    bool known = !answers->rows[answers->count - 1].ok;

    if (delivery_check_publish(delivery, &deadline, &fault))
        return true;
    if (known && strcmp(fault.stage, "publish") != 0 &&
        strcmp(fault.stage, "confirm") != 0)
        return true;
    answers->count++;
    set_fault(row, &fault);
    return row->what != NULL;
}

/* Appends a row for each host where there are several: what was asked so far went to one
 * of them. Where none could be reached, the rows have the answers of all. False: out of
 * memory. */
static bool ask_hosts(struct delivery *delivery, struct queue_answers *answers)
{
    const struct queue_answer *first = &answers->rows[0];
    size_t count = delivery_check_hosts(delivery);
    bool ok = true;

    if (count < 2 || (!first->ok && strncmp(first->what, "ask: ", 5) != 0))
        return true;
    for (size_t i = 0; ok && i < count; i++) {
        struct deadline deadline = deadline_in(CONNECT_MS);
        struct queue_answer *row = &answers->rows[answers->count++];
        struct err fault = {0};
        char what[300];

        snprintf(what, sizeof(what), "%s: there", delivery_check_label(delivery, i));
        row->ok = delivery_check_host(delivery, i, &deadline, &fault);
        if (row->ok)
            row->what = strdup(what);
        else
            set_fault(row, &fault);
        ok = row->what != NULL;
    }
    return ok;
}

bool check_broker_queues(struct delivery *delivery, const char *queues,
                         struct queue_answers *answers, struct err *err)
{
    struct deadline deadline = deadline_in(CONNECT_MS);
    struct err fault = {0};
    bool resolved = delivery_check_secrets(delivery, &deadline, &fault);
    bool ok = make_rows(answers, queues, 1 + delivery_check_hosts(delivery));

    for (size_t i = 0; ok && i < answers->count; i++) {
        struct queue_answer *row = &answers->rows[i];

        if (row->queue && resolved)
            ask(delivery, row);
        else if (row->queue)
            set_fault(row, &fault);
        ok = row->what != NULL;
    }
    ok = ok && (!resolved ||
                (ask_for_messages(delivery, answers) && ask_hosts(delivery, answers)));
    answers->virtual_host = delivery_check_name(delivery, SECRET_VIRTUAL_HOST);
    answers->user = delivery_check_name(delivery, SECRET_USER);
    return ok || err_set(err, CAUSE_MEMORY, "out of memory");
}

void queue_answers_free(struct queue_answers *answers)
{
    for (size_t i = 0; i < answers->count; i++) {
        free(answers->rows[i].queue);
        free(answers->rows[i].what);
        free(answers->rows[i].fix);
    }
    free(answers->rows);
    *answers = (struct queue_answers){0};
}
