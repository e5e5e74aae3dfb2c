/* delivery_check.c -- opens what a delivery needs, and closes it again. */
#include "amqp/delivery_check.h"

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
                            struct failure *failure)
{
    struct err err = {0};

    if (!delivery->secrets ||
        secrets_resolve(delivery->secrets, deadline, &err) == SECRETS_READY)
        return true;
    return failure_set(failure, "secrets", 0, "%s", err.text);
}

bool delivery_check_queue(struct delivery *delivery, const char *queue,
                          const struct deadline *deadline, struct failure *failure)
{
    if (delivery_connect(delivery, deadline, failure) &&
        broker_ask(delivery->broker, queue, deadline, failure))
        return true;
    if (delivery->secrets)
        secrets_hide(delivery->secrets, failure->text, sizeof(failure->text));
    return false;
}
