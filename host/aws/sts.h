/* sts.h -- sts:GetWebIdentityToken, the token with which a role logs in elsewhere: its
 * request and its answer.
 *
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html */
#ifndef PIGEON_AWS_STS_H
#define PIGEON_AWS_STS_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/err.h"

#define STS_LIFE_MIN_S 60 /* that STS gives a token */
#define STS_LIFE_MAX_S 3600
#define STS_AUDIENCE_MAX 1000 /* characters */

/* Appends the form that asks for a token for `audience` that lives for so many seconds.
 * False: out of memory. */
bool sts_append_request(struct buffer *body, const char *audience, int64_t seconds);

/* Puts the token of an answer into `token`. *seconds is how long it lives: from
 * `answered_s`, the answer's own Date in seconds since 1970, so that this machine's clock
 * does not matter; where that is 0 or the end is not in the answer, `asked_s`. False: the
 * answer has no token. */
bool sts_read(const struct buffer *reply, int64_t answered_s, int64_t asked_s,
              struct buffer *token, int64_t *seconds);

#endif
