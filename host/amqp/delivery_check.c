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
                            struct err *err)
{
    return !delivery->secrets ||
           secrets_resolve(delivery->secrets, deadline, err) == SECRETS_READY ||
           err_at(err, "secrets");
}

bool delivery_check_queue(struct delivery *delivery, const char *queue,
                          const struct deadline *deadline, struct err *err)
{
    if (delivery_connect(delivery, deadline, err) &&
        broker_ask(delivery->broker, queue, deadline, err))
        return true;
    if (delivery->secrets)
        secrets_hide(delivery->secrets, err->text, sizeof(err->text));
    return false;
}
