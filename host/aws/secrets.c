/* secrets.c -- which values are in AWS, and when they are fetched.
 *
 * Up to three references. References to the same secret are one call, also where they
 * name different members. Each call has its share of the time, so that one silent
 * service leaves some for the others. */
#include "aws/secrets.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/member.h"
#include "aws/reference.h"
#include "aws/service.h"
#include "base/wipe.h"

#define CALL_MS 2500        /* for one reference at most */
#define REFRESH_MS 60000    /* between two refreshes */
#define REPLY_MAX (1 << 19) /* 64 KB of secret, escaped as far as JSON can */

/* One setting: itself, or a reference and the text that AWS gave for it. */
struct value {
    const char *setting; /* the config's */
    struct reference reference;
    char *text; /* what AWS gave; NULL: not known */
};

struct secrets {
    struct value values[SECRET_COUNT];
    struct service_client client;
    int64_t next_refresh_ms;
};

static bool is_reference(const struct value *value)
{
    return value->reference.id != NULL;
}

/* ------------------------------------------------------------- calls */

static enum service_result ask(struct secrets *secrets, const struct value *value,
                               bool with_context, int64_t timeout_ms,
                               struct buffer *reply, struct err *err)
{
    static const char *const before[] = {[AWS_KMS] = "{\"CiphertextBlob\":",
                                         [AWS_SSM] = "{\"WithDecryption\":true,\"Name\":",
                                         [AWS_SECRETS_MANAGER] = "{\"SecretId\":"};
    const char *function = secrets->client.config->function_name;
    struct buffer body = {.max = 16384};
    enum service_result result = AWS_LATER;
    bool ok = buffer_append_text(&body, before[value->reference.service]) &&
              buffer_append_json_string(&body, value->reference.id,
                                        strlen(value->reference.id));

    if (with_context)
        ok = ok &&
             buffer_append_text(&body,
                                ",\"EncryptionContext\":{\"LambdaFunctionName\":") &&
             buffer_append_json_string(&body, function, strlen(function)) &&
             buffer_append_text(&body, "}");
    if (ok && buffer_append_text(&body, "}"))
        result = service_call(&secrets->client, value->reference.service, &body,
                              timeout_ms, reply, err);
    else
        err_set(err, CAUSE_MEMORY, "out of memory");
    buffer_free(&body);
    return result;
}

/* KMS a second time with the encryption context that Lambda's console helper adds. */
static enum service_result ask_both_ways(struct secrets *secrets,
                                         const struct value *value,
                                         const struct deadline *deadline,
                                         struct buffer *reply, struct err *err)
{
    enum service_result result =
        ask(secrets, value, false, deadline_left_ms(deadline), reply, err);

    if (result != AWS_INVALID_CIPHERTEXT || !secrets->client.config->function_name ||
        deadline_left_ms(deadline) == 0)
        return result;
    return ask(secrets, value, true, deadline_left_ms(deadline), reply, err);
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

/* The value in the answer. */
static enum service_result read_reply(enum service service, const struct buffer *reply,
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

static enum service_result fetch(struct secrets *secrets, const struct value *value,
                                 const struct deadline *deadline, struct buffer *text,
                                 struct err *err)
{
    struct buffer reply = {.max = REPLY_MAX, .secret = true};
    enum service_result result = AWS_LATER;

    if (deadline_left_ms(deadline) == 0)
        err_set(err, CAUSE_SECRET, "%s: no time left to ask",
                service_name(value->reference.service));
    else
        result = ask_both_ways(secrets, value, deadline, &reply, err);
    if (result == AWS_DONE)
        result = read_reply(value->reference.service, &reply, text, err);
    buffer_free(&reply);
    return result;
}

/* ------------------------------------------------------------- values */

/* The member that the reference names. */
static bool pick(const struct value *value, const struct buffer *text,
                 struct buffer *member, struct err *err)
{
    switch (member_text(text, NULL, value->reference.key, member)) {
    case MEMBER_FOUND:
        return true;
    case MEMBER_BROKEN:
        return err_set(err, CAUSE_SECRET,
                       "the secret is not a JSON object, so it has no member \"%s\"",
                       value->reference.key);
    case MEMBER_NO_TEXT:
        return err_set(
            err, CAUSE_SECRET,
            "member \"%s\" of the secret is not a string; put its value in quotes",
            value->reference.key);
    case MEMBER_NO_ROOM:
    case MEMBER_MISSING:
        break;
    }
    return err_set(err, CAUSE_SECRET, "the secret has no member \"%s\"",
                   value->reference.key);
}

static bool keep(struct value *value, const struct buffer *text, bool *changed,
                 struct err *err)
{
    char *copy;

    if (text->len == 0)
        return err_set(err, CAUSE_SECRET, "the value is empty");
    if (memchr(text->data, '\0', text->len))
        return err_set(err, CAUSE_SECRET, "the value has a NUL in it");
    if (value->text && strcmp(value->text, text->data) == 0)
        return true;
    copy = strdup(text->data);
    if (!copy)
        return err_set(err, CAUSE_MEMORY, "out of memory");
    wipe_free(value->text);
    value->text = copy;
    *changed = true;
    return true;
}

static bool take(struct value *value, const struct buffer *text, bool *changed,
                 struct err *err)
{
    struct buffer member = {.max = REPLY_MAX, .secret = true};
    bool ok = !value->reference.key || pick(value, text, &member, err);

    ok = ok && keep(value, value->reference.key ? &member : text, changed, err);
    buffer_free(&member);
    return ok;
}

/* ------------------------------------------------------------- a pass */

/* The references that are to be resolved: one call for each distinct reference. */
struct pass {
    bool due[SECRET_COUNT];
    bool asked; /* AWS was called */
    bool changed;
    enum secrets_result result;
    struct err *err;
};

static void note(struct pass *pass, const struct value *value, enum service_result result,
                 const struct err *err)
{
    enum secrets_result worse = result == AWS_LATER ? SECRETS_LATER : SECRETS_REFUSED;

    if (worse <= pass->result)
        return; /* the first of its kind is reported */
    pass->result = worse;
    *pass->err = *err;
    err_wrap(pass->err, "%s", value->reference.variable);
}

/* Resolves number `first` and those that the same call answers. */
static void resolve(struct secrets *secrets, size_t first,
                    const struct deadline *deadline, struct pass *pass)
{
    const struct value *asked = &secrets->values[first];
    struct buffer text = {.max = REPLY_MAX, .secret = true};
    struct err err = {0};
    enum service_result result;

    pass->asked = pass->asked || deadline_left_ms(deadline) > 0;
    result = fetch(secrets, asked, deadline, &text, &err);
    for (size_t i = first; i < SECRET_COUNT; i++) {
        struct value *value = &secrets->values[i];

        if (!pass->due[i] || !reference_same_call(&asked->reference, &value->reference))
            continue;
        pass->due[i] = false;
        if (result != AWS_DONE)
            note(pass, value, result, &err);
        else if (!take(value, &text, &pass->changed, &err)) {
            err_wrap(&err, "%s", service_name(value->reference.service));
            note(pass, value, AWS_REFUSED, &err);
        }
    }
    buffer_free(&text);
}

static int64_t count_due(const struct pass *pass)
{
    int64_t count = 0;

    for (size_t i = 0; i < SECRET_COUNT; i++)
        count += pass->due[i];
    return count;
}

static void run(struct secrets *secrets, const struct deadline *deadline,
                struct pass *pass)
{
    for (size_t i = 0; i < SECRET_COUNT; i++) {
        int64_t share_ms;
        struct deadline share;

        if (!pass->due[i])
            continue;
        share_ms = deadline_left_ms(deadline) / count_due(pass);
        share = deadline_within(deadline, share_ms < CALL_MS ? share_ms : CALL_MS);
        resolve(secrets, i, &share, pass);
    }
    service_hang_up(&secrets->client);
}

/* ------------------------------------------------------------- hiding */

/* Replaces a name that follows `what`, in quotes or not, by "(hidden)". */
static void hide(char *text, size_t size, const char *what, const char *name)
{
    struct buffer shown = {.max = size - 1};
    const char *rest = text;
    const char *at;

    for (at = strstr(rest, what); at; at = strstr(rest, what)) {
        at += strlen(what);
        at += *at == '\'';
        buffer_append(&shown, rest, (size_t)(at - rest));
        rest = at;
        if (strncmp(at, name, strlen(name)) == 0) {
            buffer_append_text(&shown, "(hidden)");
            rest += strlen(name);
        }
    }
    if (shown.len > 0) {
        buffer_append(&shown, rest, strnlen(rest, shown.max - shown.len));
        snprintf(text, size, "%s", shown.data);
    }
    buffer_free(&shown);
}

void secrets_hide(const struct secrets *secrets, char *text, size_t size)
{
    const struct value *vhost = &secrets->values[SECRET_VIRTUAL_HOST];
    const struct value *user = &secrets->values[SECRET_USER];

    if (vhost->text)
        hide(text, size, "vhost ", vhost->text);
    if (user->text)
        hide(text, size, "user ", user->text);
}

/* ------------------------------------------------------------- public */

struct secrets *secrets_open(const struct config *config, struct err *err)
{
    const struct {
        const char *variable;
        const char *setting;
    } settings[SECRET_COUNT] = {
        [SECRET_VIRTUAL_HOST] = {"PIGEON_VIRTUAL_HOST", config->virtual_host},
        [SECRET_USER] = {"PIGEON_USER", config->user},
        [SECRET_PASSWORD] = {"PIGEON_PASSWORD", config->password},
    };
    struct secrets *secrets = calloc(1, sizeof(*secrets));
    bool services[AWS_SERVICES] = {false};
    bool ok = secrets || err_set(err, CAUSE_MEMORY, "out of memory");
    bool any = false;

    for (size_t i = 0; ok && i < SECRET_COUNT; i++) {
        struct value *value = &secrets->values[i];

        value->setting = settings[i].setting;
        ok =
            reference_parse(&value->reference, settings[i].variable, value->setting, err);
        if (is_reference(value))
            services[value->reference.service] = any = true;
    }
    if (ok && (!any || service_open(&secrets->client, config, services, err)))
        return secrets;
    secrets_close(secrets);
    return NULL;
}

enum secrets_result secrets_resolve(struct secrets *secrets,
                                    const struct deadline *deadline, struct err *err)
{
    struct pass pass = {.err = err};

    for (size_t i = 0; i < SECRET_COUNT; i++)
        pass.due[i] = is_reference(&secrets->values[i]) && !secrets->values[i].text;
    run(secrets, deadline, &pass);
    return pass.result;
}

bool secrets_refresh(struct secrets *secrets, const struct deadline *deadline,
                     struct err *err)
{
    struct pass pass = {.err = err};
    int64_t start_ms = clock_ms();

    for (size_t i = 0; i < SECRET_COUNT; i++)
        pass.due[i] = is_reference(&secrets->values[i]);
    if (count_due(&pass) == 0)
        return err_set(err, CAUSE_SECRET, "no setting is a reference to AWS");
    if (start_ms < secrets->next_refresh_ms)
        return err_set(err, CAUSE_SECRET, "AWS was asked less than a minute ago");
    run(secrets, deadline, &pass);
    if (pass.asked)
        secrets->next_refresh_ms = start_ms + REFRESH_MS;
    if (!pass.changed && pass.result == SECRETS_READY)
        err_set(err, CAUSE_SECRET, "AWS still has the same values");
    return pass.changed;
}

const char *secrets_value(const struct secrets *secrets, enum secret which)
{
    const struct value *value = &secrets->values[which];

    return is_reference(value) ? value->text : reference_literal(value->setting);
}

bool secrets_refers(const struct secrets *secrets, enum secret which)
{
    return is_reference(&secrets->values[which]);
}

void secrets_close(struct secrets *secrets)
{
    if (!secrets)
        return;
    for (size_t i = 0; i < SECRET_COUNT; i++) {
        reference_free(&secrets->values[i].reference);
        wipe_free(secrets->values[i].text);
    }
    free(secrets);
}
