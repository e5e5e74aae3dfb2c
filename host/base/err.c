/* err.c -- words, and what follows from a cause.
 *
 * The situations, and RabbitMQ's own words for them:
 * https://www.rabbitmq.com/docs/access-control, /docs/alarms, /docs/connections. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What an operator should do next. */
static const char *const advices[CAUSES] = {
    [CAUSE_MEMORY] = "give the function more memory",

    [CAUSE_SECRET] = "check the variable's value, the role, and the way from the "
                     "function to AWS",
    [CAUSE_SECRET_DENIED] = "allow the function's role to read it: "
                            "deploy/CONFIGURATION.md has the statements",
    [CAUSE_SECRET_SWITCHED_OFF] = "switch it on, once for the account: aws iam "
                                  "enable-outbound-web-identity-federation",
    [CAUSE_SECRET_CLOCK] = "set the clock of this machine",

    [CAUSE_LOOK_UP] = "check PIGEON_HOST, and the name servers of the function's "
                      "network",
    [CAUSE_CONNECT] = "check PIGEON_HOST, security groups and routes",
    [CAUSE_CONNECT_REFUSED] = "is RabbitMQ running, and is PIGEON_PORT its port?",
    [CAUSE_NO_TIME] = "give the function more time, or smaller batches",

    [CAUSE_TLS] = "see the broker's log; is PIGEON_PORT its port for TLS?",
    [CAUSE_TLS_SILENCE] = "is PIGEON_PORT a port with TLS, and the broker alive?",
    [CAUSE_TLS_EXPIRED] = "renew the broker's certificate",
    [CAUSE_TLS_TOO_EARLY] = "is the broker's clock right, and its certificate?",
    [CAUSE_TLS_ISSUER] = "put the issuer's certificate into a file, and its path into "
                         "PIGEON_TLS_CA_FILE",
    [CAUSE_TLS_INTERMEDIATE] = "append the intermediate certificate to the broker's "
                               "ssl_options.certfile, or put the issuer's certificate "
                               "into a file, and its path into PIGEON_TLS_CA_FILE",
    [CAUSE_TLS_NAME] = "set PIGEON_HOST to a name in the certificate, or give the "
                       "broker a certificate with this name",
    [CAUSE_TLS_NOT_SPOKEN] = "is PIGEON_PORT a port without TLS? Set PIGEON_TLS=off, or "
                             "use the TLS port",
    [CAUSE_TLS_EXPECTED] = "set PIGEON_TLS=on",
    [CAUSE_TLS_NO_CERTIFICATE] = "set PIGEON_TLS_CERT_FILE and PIGEON_TLS_KEY_FILE",
    [CAUSE_TLS_CERTIFICATE] = "check PIGEON_TLS_CERT_FILE, and the CAs that the broker "
                              "trusts",
    [CAUSE_TLS_NOTHING_IN_COMMON] = "allow TLS 1.2 or 1.3 on the broker "
                                    "(ssl_options.versions)",
    [CAUSE_TLS_FILE] = "correct the file, or the variable; a file of the zip is in "
                       "/var/task/, and all must be allowed to read it",
    [CAUSE_TLS_CA_FILE] = "correct the file of CAs, or PIGEON_TLS_CA_FILE",

    [CAUSE_LOGIN] = "is PIGEON_PORT an AMQP port, and is the broker below its "
                    "connection limit?",
    [CAUSE_LOGIN_UNANSWERED] = "is PIGEON_PORT a port for TLS? Then set PIGEON_TLS=on; "
                               "or is the broker at its connection limit?",
    [CAUSE_LOGIN_REFUSED] = "check PIGEON_USER and PIGEON_PASSWORD (guest may log in "
                            "only from the broker's own machine)",
    [CAUSE_TOKEN_REFUSED] = "see the broker's log: has the token expired by the "
                            "broker's clock, is its audience the broker's "
                            "resource_server_id, and does the broker have its issuer's "
                            "keys?",
    [CAUSE_TOKEN_EXPIRED] = "put a new one where PIGEON_PASSWORD has it from, or let it "
                            "be sts:AUDIENCE; are the clocks of both sides right?",
    [CAUSE_TOKEN_NO_RIGHT] = "give the token's owner a scope on the broker "
                             "(auth_oauth2.scope_aliases), write:VHOST/amq.default for "
                             "queues: deploy/CONFIGURATION.md",
    [CAUSE_CERTIFICATE_REFUSED] =
        "see the broker's log: does it have a user with the name in the client "
        "certificate (ssl_cert_login_from: its whole subject, unless set), and is its "
        "ssl_options.verify verify_peer?",
    [CAUSE_PASSWORD_TOO_LONG] =
        "take a shorter password or token; RabbitMQ 4.1 and later take longer ones "
        "where initial_frame_max is set (8192, unless set)",
    [CAUSE_NO_PLAIN] = "allow the mechanism PLAIN on the broker (auth_mechanisms)",
    [CAUSE_NO_EXTERNAL] =
        "enable rabbitmq_auth_mechanism_ssl on the broker, and EXTERNAL in its "
        "auth_mechanisms; or set PIGEON_USER and PIGEON_PASSWORD",
    [CAUSE_VHOST_MISSING] = "check PIGEON_VIRTUAL_HOST",
    [CAUSE_VHOST_REFUSED] =
        "give the user permissions there: rabbitmqctl "
        "set_permissions -p VHOST USER '^$' '^(amq\\.default|QUEUE)$' "
        "'^$', with the names of PIGEON_QUEUE",
    [CAUSE_VHOST_DOWN] = "start the vhost: rabbitmqctl restart_vhost -p VHOST",
    [CAUSE_CONNECTION_LIMIT] = "raise the limit on the broker, or lower the function's "
                               "concurrency",

    [CAUSE_BROKER] = "see the broker's log; AWS retries the event",
    [CAUSE_BROKER_SILENCE] = "is the broker overloaded, frozen or cut off from its "
                             "cluster? see its log",
    [CAUSE_BLOCKED] = "free memory or disk space on the broker; AWS retries the event",
    [CAUSE_CLOSED_BY_OPERATOR] = "an operator closed the connection or stopped the "
                                 "node; AWS retries the event",
    [CAUSE_NO_ROUTE] = "declare the queue, or correct its name in PIGEON_QUEUE or the "
                       "rules",
    [CAUSE_NO_QUEUE] = "declare the queue, or correct its name in PIGEON_QUEUE",
    [CAUSE_MAY_NOT_ASK] = "give the user the right to write to it (RabbitMQ 4.2.6 and "
                          "4.3.0: to configure it), and check again: it is not known "
                          "yet whether the queue exists",
    [CAUSE_NO_EXCHANGE] = "declare the exchange, or correct its name in the rules",
    [CAUSE_NO_WRITE] = "give the user write permission on the exchange (amq.default for "
                       "queues)",
    [CAUSE_NO_TOPIC] = "let the user write this routing key: rabbitmqctl "
                       "set_topic_permissions -p VHOST USER EXCHANGE WRITE READ",
    [CAUSE_NOT_RETURNED] = "is a proxy or another program in the way that answers for "
                           "RabbitMQ? connect to RabbitMQ itself",
    [CAUSE_NACKED] = "is the queue full (overflow=reject-publish), or its leader gone?",
};

/* The errorType; the others are Runtime.InitFailed. */
static const char *const types[CAUSES] = {
    [CAUSE_MISSING_SETTING] = "KeyError",
    [CAUSE_BAD_SETTING] = "ValueError",
    [CAUSE_RULES] = "Runtime.RulesInvalid",

    [CAUSE_SECRET] = "Runtime.SecretUnavailable",
    [CAUSE_SECRET_DENIED] = "Runtime.SecretUnavailable",
    [CAUSE_SECRET_SWITCHED_OFF] = "Runtime.SecretUnavailable",
    [CAUSE_SECRET_CLOCK] = "Runtime.SecretUnavailable",
    [CAUSE_TLS_FILE] = "ValueError",
};

static void set(struct err *err, enum cause cause, const char *fmt, va_list ap)
{
    vsnprintf(err->text, sizeof(err->text), fmt, ap);
    err->cause = cause;
    err->stage = NULL;
    err->code = 0;
    err->final = err->silent = false;
}

bool err_set(struct err *err, enum cause cause, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set(err, cause, fmt, ap);
    va_end(ap);
    return false;
}

bool err_set_at(struct err *err, enum cause cause, const char *stage, int code,
                const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set(err, cause, fmt, ap);
    va_end(ap);
    err->code = code;
    return err_at(err, stage);
}

bool err_at(struct err *err, const char *stage)
{
    err->stage = stage;
    return false;
}

bool err_wrap(struct err *err, const char *fmt, ...)
{
    char inner[sizeof(err->text)];
    size_t used;
    va_list ap;

    memcpy(inner, err->text, sizeof(inner));
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    used = strlen(err->text);
    snprintf(err->text + used, sizeof(err->text) - used, ": %s", inner);
    return false;
}

void err_add(struct err *err, const char *fmt, ...)
{
    size_t used = strlen(err->text);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(err->text + used, sizeof(err->text) - used, fmt, ap);
    va_end(ap);
}

void err_advise(struct err *err)
{
    static const char next[] = "; next: ";
    const char *advice = err_advice(err);
    size_t room;

    if (!advice)
        return;
    room = sizeof(err->text) - sizeof(next) - strlen(advice);
    if (strlen(err->text) > room)
        err->text[room] = '\0';
    err_add(err, "%s%s", next, advice);
}

const char *err_advice(const struct err *err)
{
    return advices[err->cause];
}

const char *err_type(const struct err *err)
{
    const char *type = types[err->cause];

    return type ? type : "Runtime.InitFailed";
}
