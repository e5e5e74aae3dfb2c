/* sts.h -- the local Security Token Service: GetWebIdentityToken, whose tokens are real.
 *
 * A token is a JWT with the claims of AWS's (its rights are in none of them), signed with
 * ES384 by a key of this process. The caller locks. */
#ifndef PIGEON_TOOLS_AWS_STS_H
#define PIGEON_TOOLS_AWS_STS_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "tools/aws/store.h"

struct sts {
    EVP_PKEY *key;
    char role[300];    /* the ARN of who calls; it is the tokens' `sub` */
    long lifetime_s;   /* of the tokens; LIFETIME_ASKED: as the caller asks */
    long announced_s;  /* what the answer says of it; LIFETIME_ASKED: the truth */
    long session_s;    /* what is left of the caller's own session */
    bool off;          /* the account has not switched it on */
    int64_t clock_off; /* seconds by which the clock of AWS is ahead of ours */
};

/* Makes the key. False: OpenSSL could not. */
bool sts_open(struct sts *sts);

/* Seconds since 1970, as AWS's clock shows. */
int64_t sts_now(const struct sts *sts);

/* Executes what follows "sts " in a line; the usage of aws.c lists it. */
bool sts_obey(struct sts *sts, const struct order *order);

/* Answers a request with a valid signature; `audience` becomes the audience asked for. */
void sts_answer(const struct sts *sts, const struct buffer *body, struct reply *reply,
                char *audience, size_t size);

/* An error in STS's shape, under STS's name for it. */
void sts_error(struct reply *reply, int status, const char *code, const char *message);

void sts_close(struct sts *sts);

#endif
