/* secrets.c -- which values are in AWS, and when they are fetched.
 *
 * Up to three references. References to the same secret are one call, also where they
 * name different members. Each call has its share of the time, so that one silent
 * service leaves some for the others. */
#include "aws/secrets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/fetch.h"
#include "aws/member.h"
#include "base/wipe.h"

#define CALL_MS 2500     /* for one reference at most */
#define REFRESH_MS 60000 /* between two refreshes */
#define SPARE_MS 10000   /* that a token outlives the need for it: clocks differ */

/* One setting: itself, or a reference and the text that AWS gave for it. */
struct value {
    const char *setting; /* the config's */
    struct reference reference;
    char *text;      /* what AWS gave; NULL: not known */
    int64_t end_ms;  /* clock_ms(): it ends then; 0: never */
    int64_t from_ms; /* when it was fetched */
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

/* Whether it will be good until then, clock_ms(). */
static bool lasts(const struct value *value, int64_t until_ms)
{
    return value->text && (value->end_ms == 0 || value->end_ms >= until_ms);
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

static bool take(struct value *value, const struct fetched *fetched, bool *changed,
                 struct err *err)
{
    const struct buffer *text = &fetched->text;
    struct buffer member = {.max = FETCH_MAX, .secret = true};
    bool ok = !value->reference.key || pick(value, text, &member, err);

    ok = ok && keep(value, value->reference.key ? &member : text, changed, err);
    if (ok) {
        value->end_ms = fetched->end_ms;
        value->from_ms = clock_ms();
    }
    buffer_free(&member);
    return ok;
}

/* ------------------------------------------------------------- a pass */

/* The references that are to be resolved: one call for each distinct reference. */
struct pass {
    bool due[SECRET_COUNT];
    int64_t until_ms; /* clock_ms(): so long they have to be good */
    bool patient;     /* a known value will do while it lasts */
    bool asked;       /* AWS was called */
    bool changed;
    enum secrets_result result;
    struct err *err;
};

static void note(struct pass *pass, const struct value *value, enum service_result result,
                 const struct err *err)
{
    enum secrets_result worse = result == AWS_LATER ? SECRETS_LATER : SECRETS_REFUSED;

    if (result == AWS_LATER && pass->patient && lasts(value, clock_ms()))
        return; /* the token that is known is still good */
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
    struct fetched fetched = {.text = {.max = FETCH_MAX, .secret = true}};
    struct err err = {0};
    enum service_result result;

    pass->asked = pass->asked || deadline_left_ms(deadline) > 0;
    result = fetch(&secrets->client, &asked->reference, pass->until_ms - clock_ms(),
                   deadline, &fetched, &err);
    for (size_t i = first; i < SECRET_COUNT; i++) {
        struct value *value = &secrets->values[i];

        if (!pass->due[i] || !reference_same_call(&asked->reference, &value->reference))
            continue;
        pass->due[i] = false;
        if (result != AWS_DONE)
            note(pass, value, result, &err);
        else if (!take(value, &fetched, &pass->changed, &err)) {
            err_wrap(&err, "%s", service_name(value->reference.service));
            note(pass, value, AWS_REFUSED, &err);
        }
    }
    buffer_free(&fetched.text);
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
        [SECRET_USER] = {"PIGEON_USER", config->user ? config->user : ""},
        [SECRET_PASSWORD] = {"PIGEON_PASSWORD", config->password ? config->password : ""},
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
    struct pass pass = {
        .err = err, .until_ms = deadline->end_ms + SPARE_MS, .patient = true};

    for (size_t i = 0; i < SECRET_COUNT; i++)
        pass.due[i] = is_reference(&secrets->values[i]) &&
                      !lasts(&secrets->values[i], pass.until_ms);
    run(secrets, deadline, &pass);
    return pass.result;
}

bool secrets_refresh(struct secrets *secrets, const struct deadline *deadline,
                     struct err *err)
{
    struct pass pass = {.err = err, .until_ms = deadline->end_ms + SPARE_MS};
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

bool secrets_last(const struct secrets *secrets, const struct deadline *deadline)
{
    int64_t now_ms = clock_ms();

    for (size_t i = 0; i < SECRET_COUNT; i++) {
        const struct value *value = &secrets->values[i];

        if (!is_reference(value) || lasts(value, deadline->end_ms))
            continue;
        /* A token of this minute that still works is the best there is. */
        if (!lasts(value, now_ms) || value->from_ms + REFRESH_MS <= now_ms)
            return false;
    }
    return true;
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
