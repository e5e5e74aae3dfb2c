/* err.h -- one fault: its cause, where it happened, and words for a person on call.
 *
 * A function that can fail returns bool and takes a `struct err *` last. It fills all of
 * it exactly once, where the fault is known; callers on the way up only add context with
 * err_wrap() and err_at(). What an operator should do next, and what AWS is told, follow
 * from the cause, never from the words. Nothing below main() exits. Plain data, owns
 * nothing; zeroed, it holds no fault. */
#ifndef PIGEON_BASE_ERR_H
#define PIGEON_BASE_ERR_H

#include <stdbool.h>

/* err.c has the advice for each, and the error type for AWS. */
enum cause {
    CAUSE_OTHER,
    CAUSE_MEMORY,
    /* the function's settings and rules */
    CAUSE_MISSING_SETTING,
    CAUSE_BAD_SETTING,
    CAUSE_RULES,
    /* secrets in AWS */
    CAUSE_SECRET,
    CAUSE_SECRET_DENIED,
    CAUSE_SECRET_SWITCHED_OFF,
    CAUSE_SECRET_CLOCK,
    /* the way to the broker */
    CAUSE_LOOK_UP,
    CAUSE_CONNECT,
    CAUSE_CONNECT_REFUSED,
    CAUSE_NO_TIME,
    /* TLS */
    CAUSE_TLS,
    CAUSE_TLS_SILENCE,
    CAUSE_TLS_EXPIRED,
    CAUSE_TLS_TOO_EARLY,
    CAUSE_TLS_ISSUER,
    CAUSE_TLS_INTERMEDIATE,
    CAUSE_TLS_NAME,
    CAUSE_TLS_NOT_SPOKEN,
    CAUSE_TLS_EXPECTED,
    CAUSE_TLS_NO_CERTIFICATE,
    CAUSE_TLS_CERTIFICATE,
    CAUSE_TLS_NOTHING_IN_COMMON,
    CAUSE_TLS_FILE,
    CAUSE_TLS_CA_FILE,
    /* the login */
    CAUSE_LOGIN,
    CAUSE_LOGIN_UNANSWERED,
    CAUSE_LOGIN_REFUSED,
    CAUSE_TOKEN_REFUSED,
    CAUSE_TOKEN_EXPIRED,
    CAUSE_TOKEN_NO_RIGHT,
    CAUSE_CERTIFICATE_REFUSED,
    CAUSE_PASSWORD_TOO_LONG,
    CAUSE_NO_PLAIN,
    CAUSE_NO_EXTERNAL,
    CAUSE_VHOST_MISSING,
    CAUSE_VHOST_REFUSED,
    CAUSE_VHOST_DOWN,
    CAUSE_CONNECTION_LIMIT,
    /* the broker */
    CAUSE_BROKER,
    CAUSE_BROKER_SILENCE,
    CAUSE_BLOCKED,
    CAUSE_CLOSED_BY_OPERATOR,
    CAUSE_NO_ROUTE,
    CAUSE_NO_QUEUE,
    CAUSE_MAY_NOT_ASK,
    CAUSE_NO_EXCHANGE,
    CAUSE_NO_WRITE,
    CAUSE_NO_TOPIC,
    CAUSE_NOT_RETURNED,
    CAUSE_NACKED,
    CAUSES
};

struct err {
    enum cause cause;
    const char *stage; /* "secrets", "resolve", "connect", "tls", "login", "channel",
                          "publish", "confirm", "ask"; NULL: before any of these */
    int code;          /* AMQP's reply code, 0: none */
    bool final;        /* to connect again would not help */
    bool silent;       /* the broker sent nothing, and was given up */
    char text[2048];   /* one line, cut where it is too long */
};

/* These return false, so that a failing path reads `return err_set(err, ...)`. */

/* A fault, without stage and code. */
bool err_set(struct err *err, enum cause cause, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, with where it happened. */
bool err_set_at(struct err *err, enum cause cause, const char *stage, int code,
                const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Where it happened, for words that a part below has set. */
bool err_at(struct err *err, const char *stage);

/* Puts the new words, and a colon, before those that are there. */
bool err_wrap(struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends words to those that are there. */
void err_add(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Before it is shown: appends "; next: " and what an operator should do, where there is
 * such advice. Long words are cut to make room for it. */
void err_advise(struct err *err);

/* What an operator should do, one clause without a full stop; NULL: nothing is known. */
const char *err_advice(const struct err *err);

/* The errorType for AWS, a constant: "KeyError", "Runtime.InitFailed". */
const char *err_type(const struct err *err);

#endif
