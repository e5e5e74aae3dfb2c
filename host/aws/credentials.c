/* credentials.c -- a GET, an authorization token, and three members of the answer. */
#include "aws/credentials.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "aws/member.h"
#include "base/shown.h"
#include "net/ca.h"

#define URI "AWS_CONTAINER_CREDENTIALS_FULL_URI"
#define TOKEN_FILE "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
#define TOKEN_MAX 8192 /* bytes; that of EKS is a JWT */
#define REPLY_MAX 65536

static bool in_variables(const struct config *config)
{
    return is_set(config->aws_key_id) && is_set(config->aws_secret_key);
}

bool credentials_check(const struct config *config, struct err *err)
{
    const char *uri = config->credentials_uri;

    if (in_variables(config) || !is_set(uri) || https_check_container_url(uri, err))
        return true;
    if (strpbrk(uri, "@?#")) /* a password, or a token in a query */
        return err_wrap(err, URI);
    return err_wrap(err, URI " is \"%s\"", show(uri).text);
}

/* ------------------------------------------------------------- the token */

/* The header, or nothing where no token is needed. */
static bool write_authorization(const struct config *config, struct buffer *header,
                                struct err *err)
{
    struct buffer file = {.max = TOKEN_MAX, .secret = true};
    const char *token = config->credentials_token;
    bool ok = true;

    if (is_set(config->credentials_token_file)) {
        ok = buffer_read_file(&file, config->credentials_token_file, err) ||
             err_wrap(err, TOKEN_FILE);
        token = file.data;
    }
    if (ok && is_set(token)) {
        size_t len = strcspn(token, "\r\n");

        if (token[len + strspn(token + len, "\r\n")] != '\0')
            ok = err_set(err, CAUSE_SECRET, "the authorization token has several lines");
        else
            ok = (buffer_append_text(header, "Authorization: ") &&
                  buffer_append(header, token, len)) ||
                 err_set(err, CAUSE_SECRET, "the authorization token is too long");
    }
    buffer_free(&file);
    return ok;
}

/* ------------------------------------------------------------- the answer */

static enum credentials_result read_reply(struct credentials *credentials,
                                          const struct buffer *reply, struct err *err)
{
    static const char *const names[] = {"AccessKeyId", "SecretAccessKey", "Token"};
    struct buffer *fetched = credentials->fetched;

    for (size_t i = 0; i < 3; i++) {
        fetched[i] = (struct buffer){.max = REPLY_MAX, .secret = true};
        if (member_text(reply, NULL, names[i], &fetched[i]) == MEMBER_FOUND &&
            fetched[i].len > 0)
            continue;
        if (i == 2) /* keys that last need none */
            break;
        err_set(err, CAUSE_SECRET, "the answer has no %s", names[i]);
        return CREDENTIALS_NONE;
    }
    credentials->key_id = fetched[0].data;
    credentials->secret_key = fetched[1].data;
    credentials->token = fetched[2].data;
    return CREDENTIALS_READY;
}

/* The body of a refusal is not shown: whose service this is, is not known. */
static enum credentials_result judge(struct credentials *credentials, struct https *https,
                                     const struct https_outcome *outcome,
                                     const struct buffer *reply, struct err *err)
{
    if (outcome->code != 0) {
        https_tell(https, outcome, err);
        return https_may_pass(outcome) ? CREDENTIALS_LATER : CREDENTIALS_NONE;
    }
    if (outcome->status == 200)
        return read_reply(credentials, reply, err);
    err_set(err, CAUSE_SECRET, "status %ld", outcome->status);
    return outcome->status >= 500 || outcome->status == 429 ? CREDENTIALS_LATER
                                                            : CREDENTIALS_NONE;
}

static enum credentials_result fetch(struct credentials *credentials,
                                     const struct config *config, struct https *https,
                                     int64_t timeout_ms, struct err *err)
{
    struct buffer header = {.max = TOKEN_MAX + 64, .secret = true};
    struct buffer reply = {.max = REPLY_MAX, .secret = true};
    enum credentials_result result = CREDENTIALS_NONE;
    struct https_outcome outcome;
    bool ok = write_authorization(config, &header, err);
    const char *const headers[] = {"Accept: application/json", header.data, NULL};
    struct https_request request = {
        .url = config->credentials_uri, .headers = headers, .timeout_ms = timeout_ms};

    if (ok && strncasecmp(request.url, "http:", 5) != 0) {
        request.bundle = ca_find(NULL, config->ssl_cert_file, err);
        ok = request.bundle != NULL;
    }
    if (ok) {
        outcome = https_call(https, &request, &reply);
        result = judge(credentials, https, &outcome, &reply, err);
    }
    buffer_free(&header);
    buffer_free(&reply);
    return result;
}

/* ------------------------------------------------------------- public */

enum credentials_result credentials_get(struct credentials *credentials,
                                        const struct config *config, struct https *https,
                                        int64_t timeout_ms, struct err *err)
{
    enum credentials_result result;

    if (credentials->key_id)
        return CREDENTIALS_READY;
    if (in_variables(config)) {
        credentials->key_id = config->aws_key_id;
        credentials->secret_key = config->aws_secret_key;
        credentials->token = config->aws_session_token;
        return CREDENTIALS_READY;
    }
    if (!is_set(config->credentials_uri)) {
        err_set(err, CAUSE_SECRET,
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set; Lambda "
                "sets them, `aws configure export-credentials --format env` prints "
                "yours");
        return CREDENTIALS_NONE;
    }
    result = fetch(credentials, config, https, timeout_ms, err);
    if (result == CREDENTIALS_READY)
        return result;
    credentials_forget(credentials);
    err_wrap(err, "credentials from " URI);
    return result;
}

void credentials_forget(struct credentials *credentials)
{
    for (size_t i = 0; i < 3; i++)
        buffer_free(&credentials->fetched[i]);
    *credentials = (struct credentials){0};
}
