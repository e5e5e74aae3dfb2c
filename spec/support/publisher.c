/* publisher.c -- opens and closes the three parts in their order. */
#include "publisher.h"

bool publisher_open(struct publisher *publisher, const struct login *settings,
                    const char *hosts, int port)
{
    struct err err;

    publisher->connector = connector_open(hosts, port, NULL, &err);
    publisher->broker = broker_open(settings);
    publisher->delivery =
        (struct delivery){.broker = publisher->broker, .connector = publisher->connector};
    if (publisher->connector && publisher->broker)
        return true;
    publisher_close(publisher);
    return false;
}

void publisher_close(struct publisher *publisher)
{
    broker_close(publisher->broker);
    connector_close(publisher->connector);
}
