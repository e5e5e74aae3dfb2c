/* reference.c -- tells a reference from a literal, and takes a reference apart. */
#include "aws/reference.h"

#include <stdlib.h>
#include <string.h>

#include "aws/sts.h"

/* The text after "kms:" and the like; NULL: not a reference. */
static const char *behind_prefix(const char *text, enum service *service)
{
    for (int i = 0; i < AWS_SERVICES; i++) {
        size_t len = strlen(service_name((enum service)i));

        if (strncmp(text, service_name((enum service)i), len) == 0 && text[len] == ':') {
            *service = (enum service)i;
            return text + len + 1;
        }
    }
    return NULL;
}

const char *reference_literal(const char *setting)
{
    const char *text = setting + strspn(setting, "\\");
    enum service service;

    return text > setting && behind_prefix(text, &service) ? setting + 1 : setting;
}

static bool check_base64(const struct reference *reference, struct err *err)
{
    size_t len = strlen(reference->id);
    size_t good =
        strspn(reference->id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                              "0123456789+/");
    size_t padding = strspn(reference->id + good, "=");

    if (good + padding == len && padding <= 2 && len % 4 == 0)
        return true;
    return err_set(err, CAUSE_BAD_SETTING,
                   "%s: the text after kms: is not the base64 of a ciphertext (%zu "
                   "characters; valid up to character %zu)",
                   reference->variable, len, good);
}

/* A token logs in by itself, so it is a password and nothing else. */
static bool check_token(const struct reference *reference, struct err *err)
{
    if (strcmp(reference->variable, "PIGEON_PASSWORD") != 0)
        return err_set(err, CAUSE_BAD_SETTING,
                       "%s: sts: gives a token, which only PIGEON_PASSWORD can be",
                       reference->variable);
    if (strlen(reference->id) <= STS_AUDIENCE_MAX)
        return true;
    return err_set(err, CAUSE_BAD_SETTING,
                   "%s: the audience after sts: has %zu characters, %d at most",
                   reference->variable, strlen(reference->id), STS_AUDIENCE_MAX);
}

bool reference_parse(struct reference *reference, const char *variable,
                     const char *setting, struct err *err)
{
    const char *id = behind_prefix(setting, &reference->service);
    size_t len;

    reference->variable = variable;
    if (!id)
        return true;
    len = reference->service == AWS_SECRETS_MANAGER ? strcspn(id, "#") : strlen(id);
    if (id[len] == '#')
        reference->key = id + len + 1;
    if (len == 0)
        return err_set(
            err, CAUSE_BAD_SETTING,
            "%s: nothing follows %s:; write behind it what to ask AWS for, or a "
            "backslash before it where it is the value",
            reference->variable, service_name(reference->service));
    if (reference->key && reference->key[0] == '\0')
        return err_set(err, CAUSE_BAD_SETTING,
                       "%s: no key follows the #; write secretsmanager:ID#KEY, or leave "
                       "the # out for the whole secret",
                       reference->variable);
    reference->id = strndup(id, len);
    if (!reference->id)
        return err_set(err, CAUSE_MEMORY, "out of memory");
    if (reference->service == AWS_STS)
        return check_token(reference, err);
    return reference->service != AWS_KMS || check_base64(reference, err);
}

bool reference_same_call(const struct reference *a, const struct reference *b)
{
    return a->service == b->service && strcmp(a->id, b->id) == 0;
}

void reference_free(struct reference *reference)
{
    free(reference->id);
    reference->id = NULL;
}
