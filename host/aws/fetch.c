/* fetch.c -- what each service is asked, and where the value is in its answer. */
#include "aws/fetch.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "aws/member.h"
#include "aws/sts.h"
#include "base/wipe.h"

#define TOKEN_S 900 /* how long a token lives at least, where AWS allows that */

/* How a second try differs from the first. */
struct question {
    bool with_context; /* of KMS */
    int64_t seconds;   /* of STS */
};

static bool append_json(struct buffer *body, const struct service_client *client,
                        const struct reference *reference, bool with_context)
{
    static const char *const before[] = {[AWS_KMS] = "{\"CiphertextBlob\":",
                                         [AWS_SSM] = "{\"WithDecryption\":true,\"Name\":",
                                         [AWS_SECRETS_MANAGER] = "{\"SecretId\":"};
    const char *function = client->config->function_name;
    bool ok = buffer_append_text(body, before[reference->service]) &&
              buffer_append_json_string(body, reference->id, strlen(reference->id));

    if (with_context)
        ok =
            ok &&
            buffer_append_text(body, ",\"EncryptionContext\":{\"LambdaFunctionName\":") &&
            buffer_append_json_string(body, function, strlen(function)) &&
            buffer_append_text(body, "}");
    return ok && buffer_append_text(body, "}");
}

static enum service_result ask(struct service_client *client,
                               const struct reference *reference,
                               const struct question *question, int64_t timeout_ms,
                               struct buffer *reply, struct err *err)
{
    struct buffer body = {.max = 16384};
    enum service_result result = AWS_LATER;
    bool ok = reference->service == AWS_STS
                  ? sts_append_request(&body, reference->id, question->seconds)
                  : append_json(&body, client, reference, question->with_context);

    if (ok)
        result = service_call(client, reference->service, &body, timeout_ms, reply, err);
    else
        err_set(err, CAUSE_MEMORY, "out of memory");
    buffer_free(&body);
    return result;
}

/* Twice as long as it is needed now: a later event needs it as long. */
static int64_t life_of_token(int64_t needed_s)
{
    int64_t seconds = needed_s < STS_LIFE_MAX_S ? 2 * needed_s : STS_LIFE_MAX_S;

    return seconds < TOKEN_S          ? TOKEN_S
           : seconds > STS_LIFE_MAX_S ? STS_LIFE_MAX_S
                                      : seconds;
}

/* KMS a second time with the encryption context that Lambda's console helper adds; STS
 * with the shortest life that there is, because a token may not outlive the session of
 * the role. */
static enum service_result
ask_both_ways(struct service_client *client, const struct reference *reference,
              int64_t needed_s, const struct deadline *deadline,
              struct question *question, struct buffer *reply, struct err *err)
{
    enum service_result result;

    *question = (struct question){.seconds = life_of_token(needed_s)};
    result = ask(client, reference, question, deadline_left_ms(deadline), reply, err);
    if ((result == AWS_INVALID_CIPHERTEXT && !client->config->function_name) ||
        (result != AWS_INVALID_CIPHERTEXT && result != AWS_TOO_LONG) ||
        deadline_left_ms(deadline) == 0)
        return result;
    *question = (struct question){.with_context = true, .seconds = STS_LIFE_MIN_S};
    return ask(client, reference, question, deadline_left_ms(deadline), reply, err);
}

static bool decode_base64(struct buffer *text)
{
    unsigned char *bytes = text->len % 4 == 0 ? malloc(text->len + 1) : NULL;
    int len =
        bytes ? EVP_DecodeBlock(bytes, (unsigned char *)text->data, (int)text->len) : -1;

    for (size_t i = text->len; len > 0 && i > 0 && text->data[i - 1] == '='; i--)
        len--;
    buffer_clear(text);
    if (len > 0)
        buffer_append(text, bytes, (size_t)len); /* it is shorter than before */
    wipe_free(bytes);
    return len >= 0;
}

/* The value in the answer, where that is JSON. */
static enum service_result read_json(enum service service, const struct buffer *reply,
                                     struct buffer *text, struct err *err)
{
    enum member_result found;
    bool binary = service == AWS_KMS;

    if (service == AWS_KMS)
        found = member_text(reply, NULL, "Plaintext", text);
    else if (service == AWS_SSM)
        found = member_text(reply, "Parameter", "Value", text);
    else
        found = member_text(reply, NULL, "SecretString", text);
    if (service == AWS_SECRETS_MANAGER && found != MEMBER_FOUND &&
        found != MEMBER_BROKEN) {
        found = member_text(reply, NULL, "SecretBinary", text);
        binary = true;
    }
    if (found == MEMBER_BROKEN) { /* perhaps only a part arrived */
        err_set(err, CAUSE_SECRET, "%s: the answer is not JSON", service_name(service));
        return AWS_LATER;
    }
    if (found == MEMBER_FOUND && (!binary || decode_base64(text)))
        return AWS_DONE;
    err_set(err, CAUSE_SECRET, "%s: the answer has no value", service_name(service));
    return AWS_REFUSED;
}

static enum service_result read_token(const struct service_client *client,
                                      const struct question *question, int64_t asked_ms,
                                      const struct buffer *reply, struct fetched *fetched,
                                      struct err *err)
{
    int64_t seconds;

    if (!sts_read(reply, client->answered_s, question->seconds, &fetched->text,
                  &seconds)) {
        err_set(err, CAUSE_SECRET, "sts: the answer has no WebIdentityToken");
        return AWS_LATER;
    }
    fetched->end_ms = asked_ms + seconds * 1000;
    return AWS_DONE;
}

enum service_result fetch(struct service_client *client,
                          const struct reference *reference, int64_t life_ms,
                          const struct deadline *deadline, struct fetched *fetched,
                          struct err *err)
{
    struct buffer reply = {.max = FETCH_MAX, .secret = true};
    struct question question;
    int64_t asked_ms = clock_ms();
    enum service_result result = AWS_LATER;

    fetched->end_ms = 0;
    if (deadline_left_ms(deadline) == 0)
        err_set(err, CAUSE_SECRET, "%s: no time left to ask",
                service_name(reference->service));
    else
        result = ask_both_ways(client, reference, life_ms / 1000 + 1, deadline, &question,
                               &reply, err);
    if (result == AWS_DONE && reference->service == AWS_STS)
        result = read_token(client, &question, asked_ms, &reply, fetched, err);
    else if (result == AWS_DONE)
        result = read_json(reference->service, &reply, &fetched->text, err);
    buffer_free(&reply);
    return result;
}
