/* sts.c -- a form in, XML out, and between them a JWT (RFC 7519, RFC 7518 3.4).
 *
 * Parameters, limits, errors and claims:
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html */
#include "tools/aws/sts.h"

#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEY_ID "EC384_0"
#define HALF 48 /* bytes of each number of a signature with P-384 */
#define LIFETIME_ASKED (-1000000)
#define LIFETIME_MIN_S 60
#define LIFETIME_MAX_S 3600

bool sts_open(struct sts *sts)
{
    *sts = (struct sts){.key = EVP_EC_gen("P-384"),
                        .role = "arn:aws:iam::123456789012:role/pigeon",
                        .lifetime_s = LIFETIME_ASKED,
                        .announced_s = LIFETIME_ASKED,
                        .session_s = 12 * 3600};
    return sts->key != NULL;
}

void sts_close(struct sts *sts)
{
    EVP_PKEY_free(sts->key);
}

int64_t sts_now(const struct sts *sts)
{
    return (int64_t)time(NULL) + sts->clock_off;
}

/* ------------------------------------------------------------- the token */

/* Base64 for URLs, without padding (RFC 7515, appendix C). */
static void append_base64url(struct buffer *text, const void *data, size_t len)
{
    unsigned char *encoded = malloc(len / 3 * 4 + 5);
    int n = encoded ? EVP_EncodeBlock(encoded, data, (int)len) : 0;

    for (int i = 0; i < n; i++)
        encoded[i] = encoded[i] == '+' ? '-' : encoded[i] == '/' ? '_' : encoded[i];
    while (n > 0 && encoded[n - 1] == '=')
        n--;
    buffer_append(text, encoded, (size_t)n);
    free(encoded);
}

static void append_part(struct buffer *text, json_t *part)
{
    char *json = json_dumps(part, JSON_COMPACT);

    append_base64url(text, json, strlen(json));
    free(json);
    json_decref(part);
}

/* The two numbers of the DER signature, side by side. */
static void append_signature(const struct sts *sts, struct buffer *text)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char der[256], numbers[2 * HALF];
    const unsigned char *at = der;
    size_t len = sizeof(der);
    ECDSA_SIG *signature = NULL;

    if (EVP_DigestSignInit(context, NULL, EVP_sha384(), NULL, sts->key) == 1 &&
        EVP_DigestSign(context, der, &len, (const unsigned char *)text->data,
                       text->len) == 1)
        signature = d2i_ECDSA_SIG(NULL, &at, (long)len);
    EVP_MD_CTX_free(context);
    if (!signature)
        abort(); /* it has made its key, so it can sign */
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), numbers, HALF);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), numbers + HALF, HALF);
    ECDSA_SIG_free(signature);
    buffer_append_text(text, ".");
    append_base64url(text, numbers, sizeof(numbers));
}

static void append_token(const struct sts *sts, const char *audience, int64_t now,
                         int64_t end, struct buffer *text)
{
    static const char issuer[] = "https://local.tokens.sts.global.api.aws";
    json_t *own =
        json_pack("{s:s, s:s, s:s, s:s}", "aws_account", "123456789012", "source_region",
                  "us-west-2", "principal_id", sts->role, "lambda_source_function_arn",
                  "arn:aws:lambda:us-west-2:123456789012:function:pigeon");

    append_part(
        text, json_pack("{s:s, s:s, s:s}", "kid", KEY_ID, "typ", "JWT", "alg", "ES384"));
    buffer_append_text(text, ".");
    append_part(text,
                json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:o}", "aud", audience, "sub",
                          sts->role, "iss", issuer, "iat", (json_int_t)now, "exp",
                          (json_int_t)end, "jti", "0f5d1c7e-6d8e-4d6c-9a64-5f0f0c6c3f7a",
                          "https://sts.amazonaws.com/", own));
    append_signature(sts, text);
}

/* ------------------------------------------------------------- commands */

static bool write_key(const struct sts *sts, const char *path)
{
    FILE *file = path ? fopen(path, "w") : NULL;
    bool ok = file && PEM_write_PUBKEY(file, sts->key) == 1;

    return file && fclose(file) == 0 && ok;
}

static bool write_token(const struct sts *sts, const char *path, const char *audience)
{
    struct buffer token = {.max = 16384};
    FILE *file = path && audience ? fopen(path, "w") : NULL;
    int64_t now = sts_now(sts);
    bool ok = file != NULL;

    if (file) {
        append_token(
            sts, audience, now,
            now + (sts->lifetime_s == LIFETIME_ASKED ? LIFETIME_MAX_S : sts->lifetime_s),
            &token);
        ok = fputs(token.data, file) >= 0;
        ok = fclose(file) == 0 && ok;
    }
    buffer_free(&token);
    return ok;
}

bool sts_obey(struct sts *sts, const struct order *order)
{
    const char *verb = order->verb, *first = order->first, *second = order->second;
    long number = first ? strtol(first, NULL, 10) : 0;

    if (!first)
        return false;
    if (strcmp(verb, "key") == 0)
        return write_key(sts, first);
    if (strcmp(verb, "token") == 0)
        return write_token(sts, first, second);
    if (strcmp(verb, "role") == 0)
        snprintf(sts->role, sizeof(sts->role), "%s", first);
    else if (strcmp(verb, "session") == 0)
        sts->session_s = number;
    else if (strcmp(verb, "clock") == 0)
        sts->clock_off = number;
    else if (strcmp(verb, "federation") == 0)
        sts->off = strcmp(first, "off") == 0;
    else if (strcmp(verb, "lifetime") == 0) {
        sts->lifetime_s = strcmp(first, "asked") == 0 ? LIFETIME_ASKED : number;
        sts->announced_s = second ? strtol(second, NULL, 10) : LIFETIME_ASKED;
    } else {
        return false;
    }
    return true;
}

/* ------------------------------------------------------------- answers */

static void append_escaped(struct buffer *text, const char *words)
{
    for (; *words; words++)
        switch (*words) {
        case '&':
            buffer_append_text(text, "&amp;");
            break;
        case '<':
            buffer_append_text(text, "&lt;");
            break;
        case '\'':
            buffer_append_text(text, "&#39;");
            break;
        default:
            buffer_append(text, words, 1);
        }
}

static void append_element(struct buffer *text, const char *name, const char *words)
{
    buffer_append_text(text, "<");
    buffer_append_text(text, name);
    buffer_append_text(text, ">");
    append_escaped(text, words);
    buffer_append_text(text, "</");
    buffer_append_text(text, name);
    buffer_append_text(text, ">");
}

#define NAMESPACE " xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"

void sts_error(struct reply *reply, int status, const char *code, const char *message)
{
    static const char *const names[][2] = {
        {"InvalidSignatureException", "SignatureDoesNotMatch"},
        {"UnrecognizedClientException", "InvalidClientTokenId"},
        {"MissingAuthenticationTokenException", "MissingAuthenticationToken"},
        {"AccessDeniedException", "AccessDenied"},
        {"ThrottlingException", "Throttling"},
        {"InternalServiceError", "InternalFailure"}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(code, names[i][0]) == 0)
            code = names[i][1];
    reply->status = status;
    reply->code = code;
    buffer_append_text(&reply->body, "<ErrorResponse" NAMESPACE "\n  <Error>\n    ");
    append_element(&reply->body, "Type", "Sender");
    append_element(&reply->body, "Code", code);
    append_element(&reply->body, "Message", message);
    buffer_append_text(&reply->body, "\n  </Error>\n</ErrorResponse>\n");
}

static void reply_token(const struct sts *sts, const char *audience, long seconds,
                        struct reply *reply)
{
    struct buffer token = {.max = 16384};
    int64_t now = sts_now(sts);
    long lifetime = sts->lifetime_s == LIFETIME_ASKED ? seconds : sts->lifetime_s;
    long announced = sts->announced_s == LIFETIME_ASKED ? lifetime : sts->announced_s;
    time_t end = (time_t)(now + announced);
    char expiration[40];
    struct tm tm;

    append_token(sts, audience, now, now + lifetime, &token);
    strftime(expiration, sizeof(expiration), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&end, &tm));
    reply->status = 200;
    buffer_append_text(&reply->body, "<GetWebIdentityTokenResponse" NAMESPACE
                                     "\n  <GetWebIdentityTokenResult>\n    ");
    append_element(&reply->body, "WebIdentityToken", token.data);
    append_element(&reply->body, "Expiration", expiration);
    buffer_append_text(&reply->body, "\n  </GetWebIdentityTokenResult>\n"
                                     "</GetWebIdentityTokenResponse>\n");
    buffer_free(&token);
}

/* The value of a parameter of the form, decoded; "" where it is missing. */
static void parameter(const struct buffer *body, const char *name, char *value,
                      size_t size)
{
    size_t len = strlen(name), used = 0;
    const char *at = body->data;

    while (at && !(strncmp(at, name, len) == 0 && at[len] == '='))
        at = strchr(at, '&') ? strchr(at, '&') + 1 : NULL;
    for (at = at ? at + len + 1 : ""; *at && *at != '&' && used + 1 < size; at++) {
        const char digits[] = {at[0] == '%' ? at[1] : '0', at[0] == '%' ? at[2] : '0', 0};

        value[used++] = at[0] == '%'   ? (char)strtol(digits, NULL, 16)
                        : at[0] == '+' ? ' '
                                       : at[0];
        at += at[0] == '%' && isxdigit(at[1]) && isxdigit(at[2]) ? 2 : 0;
    }
    value[used] = '\0';
}

void sts_answer(const struct sts *sts, const struct buffer *body, struct reply *reply,
                char *audience, size_t size)
{
    char action[40], version[20], algorithm[20], duration[20];
    long seconds;

    parameter(body, "Action", action, sizeof(action));
    parameter(body, "Version", version, sizeof(version));
    parameter(body, "Audience.member.1", audience, size);
    parameter(body, "SigningAlgorithm", algorithm, sizeof(algorithm));
    parameter(body, "DurationSeconds", duration, sizeof(duration));
    seconds = duration[0] ? strtol(duration, NULL, 10) : 300;
    if (strcmp(action, "GetWebIdentityToken") != 0 || strcmp(version, "2011-06-15") != 0)
        sts_error(reply, 400, "InvalidAction", "no such action, or version");
    else if (audience[0] == '\0' || strcmp(algorithm, "ES384") != 0 ||
             seconds < LIFETIME_MIN_S || seconds > LIFETIME_MAX_S)
        sts_error(reply, 400, "ValidationError",
                  "audience, algorithm (here ES384 alone) or duration is not allowed");
    else if (sts->off)
        sts_error(reply, 403, "OutboundWebIdentityFederationDisabledException",
                  "Outbound web identity federation is not enabled for this account");
    else if (seconds > sts->session_s)
        sts_error(reply, 403, "SessionDurationEscalationException",
                  "The requested token's duration is longer than the caller's session");
    else
        reply_token(sts, audience, seconds, reply);
}
