/* sts.c -- a form, and two elements of the answer. */
#include "aws/sts.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "aws/element.h"

/* Every byte that is not unreserved (RFC 3986, 2.3) as %XX. */
static bool append_encoded(struct buffer *body, const char *text)
{
    char encoded[4];
    bool ok = true;

    for (; ok && *text; text++) {
        bool plain = isalnum((unsigned char)*text) || strchr("-._~", *text);

        snprintf(encoded, sizeof(encoded), plain ? "%c" : "%%%02X", (unsigned char)*text);
        ok = buffer_append_text(body, encoded);
    }
    return ok;
}

bool sts_append_request(struct buffer *body, const char *audience, int64_t seconds)
{
    char end[80];

    snprintf(end, sizeof(end), "&SigningAlgorithm=ES384&DurationSeconds=%" PRId64,
             seconds);
    return buffer_append_text(body, "Action=GetWebIdentityToken&Version=2011-06-15"
                                    "&Audience.member.1=") &&
           append_encoded(body, audience) && buffer_append_text(body, end);
}

/* Whether it has the letters of a JWT alone: base64 for URLs, and dots. */
static bool is_token(const struct buffer *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789-_.";

    return text->len > 0 && strspn(text->data, letters) == text->len;
}

bool sts_read(const struct buffer *reply, int64_t answered_s, int64_t asked_s,
              struct buffer *token, int64_t *seconds)
{
    struct buffer expiration = {.max = 64};
    struct tm tm = {0};
    const char *end = NULL;

    *seconds = asked_s;
    if (!element_text(reply, "WebIdentityToken", token) || !is_token(token))
        return false;
    if (answered_s > 0 && element_text(reply, "Expiration", &expiration) &&
        expiration.len > 0)
        end = strptime(expiration.data, "%Y-%m-%dT%H:%M:%S", &tm); /* a fraction, Z */
    if (end)
        *seconds = (int64_t)timegm(&tm) - answered_s;
    buffer_free(&expiration);
    return true;
}
