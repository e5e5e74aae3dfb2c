/* tls.h -- TLS to the broker: what is verified, and words for what fails.
 *
 * rabbitmq-c owns the connection and its SSL_CTX. This sets that up, so that OpenSSL
 * itself verifies chain and name within the handshake, before a password is sent; this
 * cannot be turned off. It watches the handshake, to report afterwards what
 * happened. Plain data; strings stay the caller's. */
#ifndef PIGEON_NET_TLS_H
#define PIGEON_NET_TLS_H

#include <stdbool.h>

#include "base/err.h"
#include "config.h"

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

struct tls_settings {
    const char *bundle;      /* the CAs, a path of ca_find() */
    const char *certificate; /* PIGEON_TLS_CERT_FILE; NULL: no client certificate */
    const char *key;         /* PIGEON_TLS_KEY_FILE */
};

/* One connection. The contexts that it is used with must not outlive it. */
struct tls {
    const struct tls_settings *settings;
    const char *name; /* what the peer's certificate must have: a name or an address */
    bool by_address;  /* it is an address */
    bool asked; /* the peer asked for a client certificate, and has not accepted it yet */
    char version[16];   /* "1.3"; empty before the handshake is over */
    struct err refusal; /* of the peer's certificate; without text: there was none */
};

/* The settings of this configuration, after a look at each file. False: err names the
 * variable, the file, what is wrong with it and what to do next. */
bool tls_open(struct tls_settings *settings, const struct config *config,
              struct err *err);

/* Prepares a context for one connection to `name`. */
bool tls_start(struct tls *tls, const struct tls_settings *settings, const char *name,
               struct ssl_ctx_st *context, struct err *err);

/* The name for SNI; NULL for an address, which SNI does not allow (RFC 6066). */
const char *tls_server_name(const struct tls *tls);

/* Why the last operation on the connection failed, from the handshake, OpenSSL's errors
 * and errno; to be called right after it. */
void tls_explain(const struct tls *tls, struct err *err);

#endif
