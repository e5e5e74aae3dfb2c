/* store.c -- a list of values, and AWS's errors for wrong requests. */
#include "tools/aws/store.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/aws/sts.h"

struct entry {
    struct entry *next;
    enum service service;
    bool binary; /* a SecretBinary */
    char *
        function; /* the LambdaFunctionName of a ciphertext's context; NULL: no context */
    char *id;
    char *value;
    size_t len;
};

static const struct {
    const char *name;
    const char *target;
    const char *id; /* the member of a request that names the value */
    const char *missing;
} services[] = {
    [KMS] = {"kms", "TrentService.Decrypt", "CiphertextBlob",
             "InvalidCiphertextException"},
    [SSM] = {"ssm", "AmazonSSM.GetParameter", "Name", "ParameterNotFound"},
    [SECRETS_MANAGER] = {"secretsmanager", "secretsmanager.GetSecretValue", "SecretId",
                         "ResourceNotFoundException"},
    [STS] = {"sts", "", "", ""}, /* sts.c */
};

/* The errors that some faults give in place of a value. */
static const struct {
    const char *name;
    int status;
    const char *code;
    const char *message;
} faults[] = {
    [FAULT_NONE] = {.name = "none"},
    [FAULT_DENIED] = {"denied", 400, "AccessDeniedException",
                      "User: arn:aws:sts::123456789012:assumed-role/pigeon/pigeon is not "
                      "authorized to perform this on this resource"},
    [FAULT_THROTTLED] = {"throttled", 400, "ThrottlingException", "Rate exceeded"},
    [FAULT_BUSY] = {"busy", 429, "TooManyRequestsException", "Slow down"},
    [FAULT_BROKEN] = {"broken", 500, "InternalServiceError",
                      "An error on the server side"},
    [FAULT_FOREIGN] = {.name = "foreign"},
    [FAULT_TRUNCATED] = {.name = "truncated"},
    [FAULT_SLOW] = {.name = "slow"},
    [FAULT_SILENT] = {.name = "silent"},
};

const char *service_name(enum service service)
{
    return services[service].name;
}

bool service_named(const char *name, enum service *service)
{
    for (int i = 0; i < SERVICES; i++)
        if (strcmp(name, services[i].name) == 0 ||
            strcmp(name, services[i].target) == 0) {
            *service = (enum service)i;
            return true;
        }
    return false;
}

/* ------------------------------------------------------------- commands */

static struct entry *find(const struct store *store, enum service service, const char *id)
{
    for (struct entry *entry = store->entries; entry; entry = entry->next)
        if (entry->service == service && strcmp(entry->id, id) == 0)
            return entry;
    return NULL;
}

/* "\0" in the value is a NUL. */
static bool set_value(struct entry *entry, const char *text)
{
    char *value = malloc(strlen(text) + 1);
    size_t len = 0;

    if (!value)
        return false;
    for (; *text; text++) {
        bool nul = text[0] == '\\' && text[1] == '0';

        value[len++] = nul ? '\0' : *text;
        text += nul;
    }
    free(entry->value);
    entry->value = value;
    entry->len = len;
    return true;
}

static bool learn(struct store *store, enum service service, const char *id,
                  const char *function, bool binary, const char *value)
{
    struct entry *entry = id && value ? find(store, service, id) : NULL;

    if (!id || !value)
        return false;
    if (!entry) {
        entry = calloc(1, sizeof(*entry));
        if (!entry)
            return false;
        *entry = (struct entry){.next = store->entries,
                                .service = service,
                                .binary = binary,
                                .id = strdup(id),
                                .function = function ? strdup(function) : NULL};
        store->entries = entry;
    }
    return entry->id && set_value(entry, value);
}

static bool set_fault(struct store *store, enum service service, const char *kind,
                      const char *ms)
{
    for (size_t i = 0; kind && i < sizeof(faults) / sizeof(faults[0]); i++)
        if (strcmp(kind, faults[i].name) == 0) {
            store->faults[service].kind = (enum fault)i;
            store->faults[service].ms = ms ? strtol(ms, NULL, 10) : 0;
            return true;
        }
    return false;
}

bool store_obey(struct store *store, const struct order *order)
{
    const char *verb = order->verb, *second = order->second;
    enum service service;

    if (!second)
        return false;
    if (strcmp(verb, "context") == 0)
        return learn(store, KMS, order->first, second, false, order->rest);
    if (!service_named(order->first, &service))
        return false;
    if (strcmp(verb, "value") == 0 || strcmp(verb, "binary") == 0)
        return learn(store, service, second, NULL, verb[0] == 'b', order->rest);
    return strcmp(verb, "fault") == 0 && set_fault(store, service, second, order->rest);
}

/* ------------------------------------------------------------- answers */

void reply_error(struct reply *reply, enum service service, int status, const char *code,
                 const char *message)
{
    if (service == STS) {
        sts_error(reply, status == 400 ? 403 : status, code, message);
        return;
    }
    reply->status = status;
    reply->code = code;
    buffer_append_text(&reply->body, "{\"__type\":\"com.amazonaws.local#");
    buffer_append_text(&reply->body, code);
    buffer_append_text(&reply->body, "\",\"message\":");
    buffer_append_json_string(&reply->body, message, strlen(message));
    buffer_append_text(&reply->body, "}");
}

/* What AWS gives as a blob is base64. */
static json_t *value_of(const struct entry *entry)
{
    unsigned char *text;
    json_t *value;

    if (entry->service != KMS && !entry->binary)
        return json_stringn(entry->value, entry->len);
    text = malloc(entry->len * 2 + 8);
    EVP_EncodeBlock(text, (const unsigned char *)entry->value, (int)entry->len);
    value = json_string((const char *)text);
    free(text);
    return value;
}

static void reply_value(struct reply *reply, const struct entry *entry)
{
    json_t *answer, *value = value_of(entry);
    char *text;

    if (entry->service == KMS)
        answer = json_pack("{s:s, s:o}", "EncryptionAlgorithm", "SYMMETRIC_DEFAULT",
                           "Plaintext", value);
    else if (entry->service == SSM)
        answer =
            json_pack("{s:{s:s, s:o}}", "Parameter", "Name", entry->id, "Value", value);
    else
        answer = json_pack("{s:s, s:o}", "Name", entry->id,
                           entry->binary ? "SecretBinary" : "SecretString", value);
    text = json_dumps(answer, JSON_COMPACT);
    reply->status = 200;
    buffer_append_text(&reply->body, text ? text : "");
    free(text);
    json_decref(answer);
}

static void answer(const struct store *store, enum service service, const json_t *request,
                   const char *id, struct reply *reply)
{
    const struct entry *entry = find(store, service, id);
    const json_t *context = json_object_get(request, "EncryptionContext");
    const char *function =
        json_string_value(json_object_get(context, "LambdaFunctionName"));

    if (service == SSM && !json_is_true(json_object_get(request, "WithDecryption")))
        reply_error(reply, service, 400, "ValidationException", "ask WithDecryption");
    else if (!entry ||
             (service == KMS &&
              (json_object_size(context) == 1) != (entry->function != NULL)) ||
             (entry->function && (!function || strcmp(function, entry->function) != 0)))
        reply_error(reply, service, 400, services[service].missing, "");
    else
        reply_value(reply, entry);
}

bool store_misbehave(const struct store *store, enum service service, struct reply *reply)
{
    enum fault fault = store->faults[service].kind;

    if (fault == FAULT_FOREIGN) {
        reply->status = 403;
        return buffer_append_text(&reply->body, "<html>The proxy says no</html>");
    }
    if (faults[fault].code)
        reply_error(reply, service, faults[fault].status, faults[fault].code,
                    faults[fault].message);
    return faults[fault].code != NULL;
}

void store_answer(const struct store *store, enum service service,
                  const struct buffer *body, struct reply *reply, char *id, size_t size)
{
    json_t *request = json_loadb(body->data ? body->data : "", body->len, 0, NULL);
    const char *wanted =
        json_string_value(json_object_get(request, services[service].id));

    snprintf(id, size, "%s", wanted ? wanted : "-");
    if (!wanted)
        reply_error(reply, service, 400, "SerializationException",
                    "no JSON, or nothing wanted");
    else if (!store_misbehave(store, service, reply))
        answer(store, service, request, wanted, reply);
    json_decref(request);
}

void store_free(struct store *store)
{
    while (store->entries) {
        struct entry *entry = store->entries;

        store->entries = entry->next;
        free(entry->function);
        free(entry->id);
        free(entry->value);
        free(entry);
    }
}
