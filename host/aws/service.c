/* service.c -- where a service is, how it is called, and what its errors mean.
 *
 * AWS's JSON 1.1 protocol: a POST to "/", the operation in X-Amz-Target. An error's code
 * is its __type, or the header x-amzn-ErrorType. STS has the older Query protocol: a
 * form, the operation in it, and answers in XML. Two traps of SigV4 in curl 7.88: a
 * header that is empty or removed ("Expect:") is signed and not sent. */
#include "aws/service.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "aws/element.h"
#include "aws/https.h"
#include "aws/member.h"
#include "base/deadline.h"
#include "base/shown.h"
#include "net/ca.h"

#define SHOWN_BYTES 300 /* of AWS's message */
#define SERVER_ERROR 500
#define TOO_MANY_REQUESTS 429

static const struct {
    const char *name;
    const char *operation;
    const char *target;   /* NULL: the Query protocol */
    const char *variable; /* of its endpoint */
} services[] = {
    [AWS_KMS] = {"kms", "Decrypt", "X-Amz-Target: TrentService.Decrypt",
                 "AWS_ENDPOINT_URL_KMS"},
    [AWS_SSM] = {"ssm", "GetParameter", "X-Amz-Target: AmazonSSM.GetParameter",
                 "AWS_ENDPOINT_URL_SSM"},
    [AWS_SECRETS_MANAGER] = {"secretsmanager", "GetSecretValue",
                             "X-Amz-Target: secretsmanager.GetSecretValue",
                             "AWS_ENDPOINT_URL_SECRETS_MANAGER"},
    [AWS_STS] = {"sts", "GetWebIdentityToken", NULL, "AWS_ENDPOINT_URL_STS"},
};

const char *service_name(enum service service)
{
    return services[service].name;
}

/* ------------------------------------------------------------- opening */

static bool place(struct service_client *client, enum service service, struct err *err)
{
    const struct config *config = client->config;
    const char *own[] = {[AWS_KMS] = config->endpoint_kms,
                         [AWS_SSM] = config->endpoint_ssm,
                         [AWS_SECRETS_MANAGER] = config->endpoint_secrets,
                         [AWS_STS] = config->endpoint_sts};
    const char *variable =
        is_set(own[service]) ? services[service].variable : "AWS_ENDPOINT_URL";
    const char *url = is_set(own[service]) ? own[service] : config->endpoint;
    char *place = client->url[service];
    int len;

    if (is_set(url))
        len = snprintf(place, sizeof(client->url[0]), "%s", url);
    else
        len = snprintf(place, sizeof(client->url[0]), "https://%s.%s.amazonaws.com%s/",
                       services[service].name, config->aws_region,
                       strncmp(config->aws_region, "cn-", 3) == 0 ? ".cn" : "");
    if (len >= (int)sizeof(client->url[0]))
        return err_set(err, CAUSE_BAD_SETTING, "%s is too long", variable);
    if (https_check_url(place, err))
        return true;
    if (strpbrk(place, "@?#")) /* a password, or the credentials of a query */
        return err_wrap(err, "%s", variable);
    return err_wrap(err, "%s is \"%s\"", variable, show(place).text);
}

bool service_open(struct service_client *client, const struct config *config,
                  const bool wanted[AWS_SERVICES], struct err *err)
{
    bool tls = false;

    *client = (struct service_client){.config = config};
    if (!credentials_check(config, err))
        return false;
    for (int service = 0; service < AWS_SERVICES; service++) {
        if (!wanted[service])
            continue;
        if (!place(client, (enum service)service, err))
            return false;
        tls = tls || strncasecmp(client->url[service], "http:", 5) != 0;
    }
    if (tls)
        client->bundle = ca_find(NULL, config->ssl_cert_file, err);
    return !tls || client->bundle;
}

/* ------------------------------------------------------------- errors */

/* Whether a retry of the same call may work. */
static bool may_pass(long status, const char *code)
{
    static const char *const words[] = {"Throttl", "TooManyRequests", "LimitExceeded",
                                        "RequestTimeout", "SlowDown"};

    if (status >= SERVER_ERROR || status == TOO_MANY_REQUESTS)
        return true;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strstr(code, words[i]))
            return true;
    return false;
}

/* "com.amazonaws.kms#AccessDeniedException:http://..." is AccessDeniedException. */
static void read_code(const struct https *https, const struct buffer *reply, char *code,
                      size_t size)
{
    struct buffer text = {.max = 512};
    const char *header = https_header(https, "x-amzn-ErrorType");
    const char *start = header ? header : "";
    size_t len;

    if ((member_text(reply, NULL, "__type", &text) == MEMBER_FOUND ||
         element_text(reply, "Code", &text)) &&
        text.len > 0)
        start = text.data;
    if (strchr(start, '#'))
        start = strchr(start, '#') + 1;
    for (len = 0; isalnum((unsigned char)start[len]) || start[len] == '.'; len++)
        ;
    snprintf(code, size, "%.*s", (int)len, start);
    buffer_free(&text);
}

static bool holds(const char *text, const char *secret)
{
    return is_set(secret) && strstr(text, secret);
}

/* AWS's message, its first line, for people. For a wrong signature the lines after the
 * first have all that was signed, the session token too. */
static void read_message(const struct credentials *credentials,
                         const struct buffer *reply, char *message, size_t size)
{
    struct buffer text = {.max = reply->max, .secret = true};
    size_t i;

    message[0] = '\0';
    if (member_text(reply, NULL, "message", &text) != MEMBER_FOUND &&
        member_text(reply, NULL, "Message", &text) != MEMBER_FOUND &&
        !element_text(reply, "Message", &text))
        buffer_clear(&text);
    if (text.len > 0) {
        for (i = 0; i < text.len && i < size - 1 && (unsigned char)text.data[i] >= ' ';
             i++)
            message[i] = (unsigned char)text.data[i] < 0x7f ? text.data[i] : '?';
        message[i] = '\0';
    }
    if (holds(text.data ? text.data : "", credentials->secret_key) ||
        holds(message, credentials->token))
        message[0] = '\0';
    buffer_free(&text);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The codes of JSON end in "Exception", those of XML mostly do not. */
static enum cause cause_of(const char *code, const char *message)
{
    if (begins(code, "AccessDenied"))
        return CAUSE_SECRET_DENIED;
    if (begins(code, "OutboundWebIdentityFederationDisabled"))
        return CAUSE_SECRET_SWITCHED_OFF;
    if (begins(message, "Signature expired") ||
        begins(message, "Signature not yet current"))
        return CAUSE_SECRET_CLOCK;
    return CAUSE_SECRET;
}

static enum service_result judge(struct service_client *client,
                                 const struct https_outcome *outcome,
                                 struct buffer *reply, struct err *err)
{
    char code[128];
    char message[SHOWN_BYTES + 1];

    if (outcome->code != 0) {
        https_tell(client->https, outcome, err);
        return https_may_pass(outcome) ? AWS_LATER : AWS_REFUSED;
    }
    if (outcome->status == 200)
        return AWS_DONE;
    read_code(client->https, reply, code, sizeof(code));
    read_message(&client->credentials, reply, message, sizeof(message));
    if (!code[0])
        err_set(err, CAUSE_SECRET, "status %ld without an error code of AWS",
                outcome->status);
    else
        err_set(err, cause_of(code, message), "%s%s%s", code, message[0] ? ": " : "",
                message);
    if (strcmp(code, "InvalidCiphertextException") == 0)
        return AWS_INVALID_CIPHERTEXT;
    if (begins(code, "SessionDurationEscalation"))
        return AWS_TOO_LONG;
    return may_pass(outcome->status, code) ? AWS_LATER : AWS_REFUSED;
}

/* ------------------------------------------------------------- calls */

/* "Mon, 30 Nov 2026 16:00:00 GMT"; 0: none of these. */
static int64_t read_date(const char *date)
{
    struct tm tm = {0};
    const char *end = date ? strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &tm) : NULL;

    return end ? (int64_t)timegm(&tm) : 0;
}

static void call(struct service_client *client, enum service service,
                 const struct buffer *body, int64_t timeout_ms, const char *token,
                 struct buffer *reply, struct https_outcome *outcome)
{
    const struct config *config = client->config;
    char signed_for[256];
    const char *target = services[service].target;
    const char *const headers[] = {
        target ? "Content-Type: application/x-amz-json-1.1"
               : "Content-Type: application/x-www-form-urlencoded; charset=utf-8",
        target ? target : token, target ? token : NULL, NULL};
    const struct https_request request = {.url = client->url[service],
                                          .headers = headers,
                                          .body = body->data,
                                          .len = body->len,
                                          .timeout_ms = timeout_ms,
                                          .signed_for = signed_for,
                                          .key_id = client->credentials.key_id,
                                          .secret_key = client->credentials.secret_key,
                                          .bundle = client->bundle};

    snprintf(signed_for, sizeof(signed_for), "aws:amz:%s:%s", config->aws_region,
             services[service].name);
    *outcome = https_call(client->https, &request, reply);
    client->answered_s = read_date(https_header(client->https, "Date"));
}

enum service_result service_call(struct service_client *client, enum service service,
                                 const struct buffer *body, int64_t timeout_ms,
                                 struct buffer *reply, struct err *err)
{
    const struct deadline deadline = deadline_in(timeout_ms);
    const struct credentials *credentials = &client->credentials;
    enum credentials_result known;
    struct buffer token = {.max = 16384, .secret = true};
    struct https_outcome outcome;
    enum service_result result = AWS_REFUSED;

    if (!client->https)
        client->https = https_open(err);
    if (!client->https)
        return AWS_LATER;
    known = credentials_get(&client->credentials, client->config, client->https,
                            timeout_ms, err);
    if (known != CREDENTIALS_READY) {
        result = known == CREDENTIALS_LATER ? AWS_LATER : AWS_REFUSED;
    } else if (is_set(credentials->token) &&
               (!buffer_append_text(&token, "X-Amz-Security-Token: ") ||
                !buffer_append_text(&token, credentials->token))) {
        err_set(err, CAUSE_SECRET, "AWS_SESSION_TOKEN is too long");
    } else if (deadline_left_ms(&deadline) == 0) {
        err_set(err, CAUSE_SECRET, "no time left after fetching credentials");
        result = AWS_LATER;
    } else {
        call(client, service, body, deadline_left_ms(&deadline), token.data, reply,
             &outcome);
        result = judge(client, &outcome, reply, err);
    }
    buffer_free(&token);
    if (result == AWS_DONE)
        return AWS_DONE;
    buffer_clear(reply);
    err_wrap(err, "%s %s", services[service].name, services[service].operation);
    return result;
}

void service_hang_up(struct service_client *client)
{
    https_close(client->https);
    client->https = NULL;
    credentials_forget(&client->credentials);
}
