/* service.h -- one signed call to an AWS service: KMS, SSM and Secrets Manager, which
 * speak JSON, and STS, which takes a form and answers in XML.
 *
 * The config stays the caller's, and must live as long as this. */
#ifndef PIGEON_AWS_SERVICE_H
#define PIGEON_AWS_SERVICE_H

#include <stdint.h>

#include "aws/credentials.h"
#include "base/buffer.h"
#include "config.h"

enum service { AWS_KMS, AWS_SSM, AWS_SECRETS_MANAGER, AWS_STS, AWS_SERVICES };

enum service_result {
    AWS_DONE,
    AWS_LATER, /* throttled, failed, silent: a retry may work */
    AWS_REFUSED,
    AWS_INVALID_CIPHERTEXT, /* refused by KMS: another encryption context may work */
    AWS_TOO_LONG            /* refused by STS: a token that lives less long may work */
};

struct https;

struct service_client {
    const struct config *config;
    char url[AWS_SERVICES][512];
    const char *bundle;  /* the CAs for https */
    struct https *https; /* NULL: no call was made since service_hang_up() */
    int64_t answered_s;  /* the last answer's Date, since 1970; 0: it had none */
    struct credentials credentials;
};

/* "kms", as references and signatures name it. */
const char *service_name(enum service service);

/* Prepares for calls to these services, and calls none. The config passed config_check().
 * False: an endpoint is wrong, or no CAs were found. */
bool service_open(struct service_client *client, const struct config *config,
                  const bool services[AWS_SERVICES], struct err *err);

/* Calls for `timeout_ms` at most: KMS' Decrypt, SSM's GetParameter, Secrets Manager's
 * GetSecretValue, STS' GetWebIdentityToken. The answer goes into `reply`, which is empty
 * unless it is AWS_DONE. Otherwise err has the service, and AWS's own code and message
 * where it gave them. */
enum service_result service_call(struct service_client *client, enum service service,
                                 const struct buffer *body, int64_t timeout_ms,
                                 struct buffer *reply, struct err *err);

/* Closes the connection, and wipes credentials that were fetched for it. */
void service_hang_up(struct service_client *client);

#endif
