/* credentials.h -- what calls to AWS are signed with: the three variables that Lambda
 * sets, or, where they are absent, what the service at AWS_CONTAINER_CREDENTIALS_FULL_URI
 * gives, as on managed instances and in containers:
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html.
 *
 * They are fetched for each round of calls and wiped after it, so none is kept that has
 * expired. Zeroed, there are none. */
#ifndef PIGEON_AWS_CREDENTIALS_H
#define PIGEON_AWS_CREDENTIALS_H

#include "aws/https.h"
#include "base/buffer.h"
#include "config.h"

enum credentials_result {
    CREDENTIALS_READY,
    CREDENTIALS_LATER, /* their service failed or was silent: a retry may work */
    CREDENTIALS_NONE
};

struct credentials {
    const char *key_id, *secret_key;
    const char *token;        /* NULL or empty: none */
    struct buffer fetched[3]; /* the same, where they are not the config's */
};

/* Whether the URI, where it is needed, may be called: https, or http to loopback or to
 * one of the addresses that AWS's containers have for it. False: err names the variable
 * and the reason. */
bool credentials_check(const struct config *config, struct err *err);

/* Fills them in for timeout_ms at most, unless they are. Otherwise err has the reason. */
enum credentials_result credentials_get(struct credentials *credentials,
                                        const struct config *config, struct https *https,
                                        int64_t timeout_ms, struct err *err);

/* Wipes them. */
void credentials_forget(struct credentials *credentials);

#endif
