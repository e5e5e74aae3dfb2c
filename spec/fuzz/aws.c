/* aws.c -- an answer of AWS, to each of three calls: the values of three settings are
 * read from it, or an error; once with a token of STS among them.
 *
 * The first line is the status, and behind a space the header x-amzn-ErrorType; the rest
 * is the body. */
#include <string.h>

#include "aws/https.h"
#include "aws/secrets.h"
#include "fuzz.h"

static struct {
    long status;
    char type[128];
    const char *body;
    size_t len;
} reply;

/* ------------------------------------------------------------- in place of https.c */

bool https_check_url(const char *url, struct err *err)
{
    (void)url, (void)err;
    return true;
}

bool https_check_container_url(const char *url, struct err *err)
{
    (void)url, (void)err;
    return true;
}

struct https *https_open(struct err *err)
{
    (void)err;
    return malloc(1);
}

struct https_outcome https_call(struct https *https, const struct https_request *request,
                                struct buffer *body)
{
    (void)https, (void)request;
    buffer_clear(body);
    return (struct https_outcome){.code = !buffer_append(body, reply.body, reply.len),
                                  .status = reply.status};
}

bool https_may_pass(const struct https_outcome *outcome)
{
    (void)outcome;
    return false;
}

const char *https_header(const struct https *https, const char *name)
{
    (void)https, (void)name;
    return reply.type[0] ? reply.type : NULL;
}

bool https_tell(const struct https *https, const struct https_outcome *outcome,
                struct err *err)
{
    (void)https, (void)outcome;
    return err_set(err, CAUSE_OTHER, "the answer is too long");
}

void https_close(struct https *https)
{
    free(https);
}

/* ------------------------------------------------------------- the target */

static void read_reply(const char *data, size_t size)
{
    const char *line = size > 0 ? memchr(data, '\n', size) : NULL;
    char head[160] = "";
    size_t len = line ? (size_t)(line - data) : 0;
    char *space;

    memcpy(head, data, len < sizeof(head) - 1 ? len : sizeof(head) - 1);
    space = strchr(head, ' ');
    snprintf(reply.type, sizeof(reply.type), "%.*s", (int)sizeof(reply.type) - 1,
             space ? space + 1 : "");
    reply.status = line ? strtol(head, NULL, 10) : 200;
    reply.body = line ? line + 1 : data;
    reply.len = size - (line ? len + 1 : 0);
}

/* Credentials that are fetched are read from the same answer. */
static void resolve(const char *data, size_t size, const char *password, bool fetched)
{
    const struct config config = {.virtual_host = "secretsmanager:broker#vhost",
                                  .user = "kms:AAAA",
                                  .password = password,
                                  .aws_region = "us-west-2",
                                  .endpoint = "http://127.0.0.1/",
                                  .function_name = "pigeon",
                                  .aws_key_id = fetched ? NULL : "AKID",
                                  .aws_secret_key = "SECRETKEY",
                                  .aws_session_token = "TOKEN",
                                  .credentials_uri = "http://127.0.0.1/role"};
    struct deadline deadline = deadline_in(60000);
    struct err err = {0};
    struct secrets *secrets = secrets_open(&config, &err);
    enum secrets_result result;
    char text[512];

    promise(secrets, err.text);
    read_reply(size > 0 ? data : "", size);
    result = secrets_resolve(secrets, &deadline, &err);
    promise(result == SECRETS_READY || err.text[0], "a refusal has a reason");
    for (int i = 0; i < SECRET_COUNT; i++) {
        const char *value = secrets_value(secrets, (enum secret)i);

        promise(result != SECRETS_READY || (value && value[0]), "each value is there");
    }
    snprintf(text, sizeof(text), "access to vhost '%.*s' refused for user '%.*s'",
             (int)(size < 200 ? size : 200), data, (int)(size < 200 ? size : 200), data);
    secrets_hide(secrets, text, sizeof(text));
    secrets_refresh(secrets, &deadline, &err);
    secrets_close(secrets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    resolve((const char *)data, size, "ssm:/broker/password", false);
    resolve((const char *)data, size, "sts:rabbitmq", true);
    return 0;
}
