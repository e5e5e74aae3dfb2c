/* login.h -- who logs in to the broker, and the conversation of the login.
 *
 * The strings stay the caller's. */
#ifndef PIGEON_AMQP_LOGIN_H
#define PIGEON_AMQP_LOGIN_H

#include <stdbool.h>

#include "base/deadline.h"
#include "base/err.h"
#include "net/tls.h"

struct connection;

struct login {
    const char *virtual_host;
    const char *user;
    const char *password;
    bool external; /* the client certificate logs in, user and password do not matter */
    const char *connection_name; /* shown in the broker's own list of connections */
    struct tls_settings tls;     /* where TLS is used */
};

/* Logs in over the connection's open socket, and opens its channel in confirm mode; the
 * guard is on. False: err names the stage ("login" or "channel") and the cause. */
bool login_run(struct connection *connection, const struct deadline *deadline,
               struct err *err);

#endif
