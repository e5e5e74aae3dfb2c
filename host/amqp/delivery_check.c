/* delivery_check.c -- opens what a delivery needs, and closes it again. */
#include "amqp/delivery_check.h"

/* It is the body, too, for whoever finds it. */
#define NO_QUEUE "pigeon check --connect: no queue has this name"

/* False; err has no secrets. */
static bool hide(const struct delivery *delivery, struct err *err)
{
    if (delivery->secrets)
        secrets_hide(delivery->secrets, err->text, sizeof(err->text));
    return false;
}

bool delivery_check(const struct config *config, struct err *err)
{
    struct secrets *secrets = NULL;
    struct tls_settings tls;
    struct connector *connector =
        connector_open(config->host, config->port, config->tls, err);
    bool ok = connector && (!connector_any_tls(connector) || tls_open(&tls, config, err));

    connector_close(connector);
    if (ok)
        secrets = secrets_open(config, err);
    secrets_close(secrets);
    return secrets != NULL;
}

bool delivery_check_secrets(struct delivery *delivery, const struct deadline *deadline,
                            struct err *err)
{
    return !delivery->secrets ||
           secrets_resolve(delivery->secrets, deadline, err) == SECRETS_READY ||
           err_at(err, "secrets");
}

bool delivery_check_queue(struct delivery *delivery, const char *queue,
                          const struct deadline *deadline, struct err *err)
{
    return (delivery_connect(delivery, deadline, err) &&
            broker_ask(delivery->broker, queue, deadline, err)) ||
           hide(delivery, err);
}

/* Where no message comes back, a confirm does not prove that a queue has it. */
static bool fail_return(struct err *err)
{
    return err_set_at(err, CAUSE_NOT_RETURNED, "confirm", 0,
                      "no queue has the name `%s`, but a mandatory message for it did "
                      "not come back, so no confirm proves that a queue has a message",
                      NO_QUEUE);
}

bool delivery_check_publish(struct delivery *delivery, const struct deadline *deadline,
                            struct err *err)
{
    const struct bytes name = {NO_QUEUE, sizeof(NO_QUEUE) - 1};
    struct outbox outbox = {0};
    bool ok = outbox_add(&outbox, (struct bytes){"", 0}, name, name, name) ||
              err_set(err, CAUSE_MEMORY, "out of memory");

    ok = ok && delivery_connect(delivery, deadline, err) &&
         broker_publish(delivery->broker, &outbox, deadline, deadline, err) &&
         (outbox.messages[0].fate == FATE_RETURNED || fail_return(err));
    outbox_clear(&outbox);
    return ok || hide(delivery, err);
}

size_t delivery_check_hosts(const struct delivery *delivery)
{
    return connector_count(delivery->connector);
}

const char *delivery_check_label(const struct delivery *delivery, size_t i)
{
    return connector_label(delivery->connector, i);
}

bool delivery_check_host(struct delivery *delivery, size_t i,
                         const struct deadline *deadline, struct err *err)
{
    struct connector *connector = delivery->connector;
    int fd;

    broker_hang_up(delivery->broker, deadline);
    fd = connector_connect(connector, i, deadline, err);
    if (fd >= 0 && broker_connect(delivery->broker, fd, connector_tls_name(connector, i),
                                  deadline, err))
        return true;
    err_wrap(err, "%s", connector_label(connector, i));
    return hide(delivery, err);
}

const char *delivery_check_name(const struct delivery *delivery, enum secret which)
{
    const struct secrets *secrets = delivery->secrets;

    return secrets && !secrets_refers(secrets, which) ? secrets_value(secrets, which)
                                                      : NULL;
}
