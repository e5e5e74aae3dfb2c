/* session.c -- opens and closes the three parts in their order. */
#include "session.h"

bool session_open(struct session *session, const struct login *settings,
                  const char *hosts, int port)
{
    struct err err;

    session->connector = connector_open(hosts, port, NULL, &err);
    session->broker = broker_open(settings);
    session->delivery =
        (struct delivery){.broker = session->broker, .connector = session->connector};
    if (session->connector && session->broker)
        return true;
    session_close(session);
    return false;
}

void session_close(struct session *session)
{
    broker_close(session->broker);
    connector_close(session->connector);
}
