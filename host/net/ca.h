/* ca.h -- the CAs that TLS trusts: a bundle file, of which a certificate is decoded only
 * when a peer's chain needs it.
 *
 * OpenSSL's own loading decodes all of a bundle, which takes 19 ms of each start and
 * reconnect over TLS with 145 CAs. The context owns what ca_use() puts into it; strings
 * stay the caller's. */
#ifndef PIGEON_NET_CA_H
#define PIGEON_NET_CA_H

#include <stdbool.h>

#include "base/err.h"

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

/* The bundle's path: ca_file (PIGEON_TLS_CA_FILE), else ssl_cert_file (SSL_CERT_FILE),
 * NULL or empty where they are not set, else Amazon Linux's, else Debian's. NULL: err
 * names the variable whose file cannot be read, and why; or the places that were tried.
 */
const char *ca_find(const char *ca_file, const char *ssl_cert_file, struct err *err);

/* From now on the context verifies chains against this bundle, as it is now. False: the
 * file cannot be read, or has no certificate in it. */
bool ca_use(struct ssl_ctx_st *context, const char *bundle, struct err *err);

#endif
