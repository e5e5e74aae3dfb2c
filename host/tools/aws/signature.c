/* signature.c -- parse the Authorization header, make the canonical request, sign it. */
#include "tools/aws/signature.h"

#include <ctype.h>
#include <microhttpd.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define HASH 32
#define HEX (HASH * 2 + 1)
#define SKEW_S 300 /* that AWS allows */

/* The parts of the Authorization header. */
struct claim {
    char key_id[129];
    char date[9];
    char region[65];
    char service[65];
    char headers[513];
    char signature[HEX];
};

static bool refuse(struct refusal *refusal, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(struct refusal *refusal, const char *code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(refusal->message, sizeof(refusal->message), fmt, ap);
    va_end(ap);
    refusal->code = code;
    return false;
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static void hex(const unsigned char hash[HASH], char text[HEX])
{
    for (int i = 0; i < HASH; i++)
        snprintf(text + i * 2, 3, "%02x", hash[i]);
}

static void hash_hex(const void *data, size_t len, char text[HEX])
{
    unsigned char hash[HASH];

    EVP_Digest(data, len, hash, NULL, EVP_sha256(), NULL);
    hex(hash, text);
}

static void sign(const void *key, size_t key_len, const char *text,
                 unsigned char hash[HASH])
{
    HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text), hash,
         NULL);
}

static bool parse(const char *text, struct claim *claim)
{
    return text && sscanf(text,
                          "AWS4-HMAC-SHA256 Credential=%128[^/]/%8[0-9]/%64[^/]/%64[^/]/"
                          "aws4_request, SignedHeaders=%512[a-z0-9;-], "
                          "Signature=%64[0-9a-f]",
                          claim->key_id, claim->date, claim->region, claim->service,
                          claim->headers, claim->signature) == 6;
}

/* Whether the list "a;b;c" has the name. */
static bool lists(const char *headers, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = headers; (at = strstr(at, name)); at += len)
        if ((at == headers || at[-1] == ';') && (at[len] == '\0' || at[len] == ';'))
            return true;
    return false;
}

/* "name:value\n", the value without the white space around it. */
static bool append_header(struct buffer *text, struct MHD_Connection *connection,
                          const char *name)
{
    const char *value = header(connection, name);
    size_t len = value ? strlen(value) : 0;

    for (; len > 0 && isspace((unsigned char)*value); value++)
        len--;
    while (len > 0 && isspace((unsigned char)value[len - 1]))
        len--;
    return value && buffer_append_text(text, name) && buffer_append_text(text, ":") &&
           buffer_append(text, value, len) && buffer_append_text(text, "\n");
}

/* False: a header of the signed ones is missing, or their order is wrong. */
static bool canonical_request(struct MHD_Connection *connection, const char *path,
                              const struct buffer *body, const struct claim *claim,
                              struct buffer *text)
{
    char names[sizeof(claim->headers)];
    char hash[HEX];
    char *rest = NULL;
    const char *before = "";
    bool ok = buffer_append_text(text, "POST\n") && buffer_append_text(text, path) &&
              buffer_append_text(text, "\n\n"); /* no query */

    snprintf(names, sizeof(names), "%s", claim->headers);
    for (char *name = strtok_r(names, ";", &rest); ok && name;
         name = strtok_r(NULL, ";", &rest)) {
        ok = strcmp(before, name) < 0 && append_header(text, connection, name);
        before = name;
    }
    hash_hex(body->data ? body->data : "", body->len, hash);
    return ok && buffer_append_text(text, "\n") &&
           buffer_append_text(text, claim->headers) && buffer_append_text(text, "\n") &&
           buffer_append_text(text, hash);
}

static void signature(const struct claim *claim, const char *date, const char *canonical,
                      const char *secret_key, char text[HEX])
{
    char key[256], string[512], hash[HEX];
    unsigned char step[HASH];

    hash_hex(canonical, strlen(canonical), hash);
    snprintf(string, sizeof(string), "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s",
             date, claim->date, claim->region, claim->service, hash);
    snprintf(key, sizeof(key), "AWS4%s", secret_key);
    sign(key, strlen(key), claim->date, step);
    sign(step, HASH, claim->region, step);
    sign(step, HASH, claim->service, step);
    sign(step, HASH, "aws4_request", step);
    sign(step, HASH, string, step);
    hex(step, text);
}

static bool check_date(const struct claim *claim, const char *date, int64_t now_s,
                       struct refusal *refusal)
{
    struct tm tm = {0};
    const char *end = date ? strptime(date, "%Y%m%dT%H%M%SZ", &tm) : NULL;
    double skew = end && *end == '\0' ? difftime(timegm(&tm), (time_t)now_s) : SKEW_S + 1;

    if (skew > -SKEW_S && skew < SKEW_S && strncmp(claim->date, date, 8) == 0)
        return true;
    return refuse(refusal, "InvalidSignatureException", "Signature %s: %s",
                  skew > 0 && end ? "not yet current" : "expired",
                  date ? date : "no date");
}

static bool check_scope(const struct claim *claim, const char *service,
                        const struct identity *identity, struct refusal *refusal)
{
    if (strcmp(claim->key_id, identity->key_id) != 0)
        return refuse(refusal, "UnrecognizedClientException",
                      "The security token included in the request is invalid.");
    if (strcmp(claim->region, identity->region) != 0)
        return refuse(refusal, "InvalidSignatureException",
                      "Credential should be scoped to a valid region, not '%s'.",
                      claim->region);
    if (strcmp(claim->service, service) != 0)
        return refuse(refusal, "InvalidSignatureException",
                      "Credential should be scoped to correct service: '%s'.", service);
    return true;
}

static bool check_token(struct MHD_Connection *connection,
                        const struct identity *identity, struct refusal *refusal)
{
    const char *token = header(connection, "X-Amz-Security-Token");
    const char *wanted = identity->session_token ? identity->session_token : "";

    if (strcmp(token ? token : "", wanted) == 0 && (!token || token[0]))
        return true;
    return refuse(refusal, "UnrecognizedClientException",
                  "The security token included in the request is invalid.");
}

static bool check_headers(struct MHD_Connection *connection, const struct claim *claim,
                          struct refusal *refusal)
{
    static const char *const signed_ones[] = {"content-type", "host", "x-amz-date",
                                              "x-amz-security-token", "x-amz-target"};

    for (size_t i = 0; i < sizeof(signed_ones) / sizeof(signed_ones[0]); i++)
        if (header(connection, signed_ones[i]) && !lists(claim->headers, signed_ones[i]))
            return refuse(refusal, "InvalidSignatureException",
                          "'%s' must be a signed header.", signed_ones[i]);
    return true;
}

static bool check_signature(struct MHD_Connection *connection, const char *path,
                            const struct buffer *body, const struct claim *claim,
                            const struct identity *identity, struct refusal *refusal)
{
    struct buffer canonical = {.max = 65536};
    char wanted[HEX] = "";
    bool ok = canonical_request(connection, path, body, claim, &canonical);

    if (ok) {
        signature(claim, header(connection, "X-Amz-Date"), canonical.data,
                  identity->secret_key, wanted);
        ok = strcmp(wanted, claim->signature) == 0;
    }
    if (!ok)
        refuse(refusal, "InvalidSignatureException",
               "The request signature we calculated does not match the signature you "
               "provided. Check your AWS Secret Access Key and signing method. Consult "
               "the service documentation for details.\n\nThe Canonical String for this "
               "request should have been\n'%s'\n",
               canonical.data ? canonical.data : "");
    buffer_free(&canonical);
    return ok;
}

bool signature_check(struct MHD_Connection *connection, const char *path,
                     const struct buffer *body, const char *service,
                     const struct identity *identity, struct refusal *refusal)
{
    struct claim claim = {0};

    if (!parse(header(connection, "Authorization"), &claim))
        return refuse(refusal, "MissingAuthenticationTokenException",
                      "Missing Authentication Token");
    return check_date(&claim, header(connection, "X-Amz-Date"), identity->now_s,
                      refusal) &&
           check_scope(&claim, service, identity, refusal) &&
           check_token(connection, identity, refusal) &&
           check_headers(connection, &claim, refusal) &&
           check_signature(connection, path, body, &claim, identity, refusal);
}
