/* extensions.c -- who registered, and who waits. */
#include "tools/lambda/extensions.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Answers with 403. */
static enum MHD_Result refuse(struct request *request, const char *type,
                              const char *message)
{
    char full[64];

    snprintf(full, sizeof(full), "Extension.%s", type);
    request_refuse(request, MHD_HTTP_FORBIDDEN, full, message);
    return request_reply(request, request->refused, request->refusal);
}

/* ------------------------------------------------------------- register */

/* Whether the body asks for no kind of event; `why` gets the reason that it cannot have
 * another. */
static bool wants_no_events(const struct request *request, char *why, size_t size)
{
    json_t *body = json_loadb(request->body.data ? request->body.data : "",
                              request->body.len, 0, NULL);
    const char *first =
        json_string_value(json_array_get(json_object_get(body, "events"), 0));

    why[0] = '\0';
    if (!json_is_object(body))
        snprintf(why, size, "the body is not a JSON object");
    else if (first && strcmp(first, "SHUTDOWN") == 0)
        snprintf(why, size, "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension");
    else if (first)
        snprintf(why, size, "%.60s: the local Lambda sends no such event", first);
    json_decref(body);
    return why[0] == '\0';
}

static bool is_taken(const struct extensions *extensions, const char *name)
{
    for (int i = 0; i < extensions->count; i++)
        if (strcmp(extensions->list[i].name, name) == 0)
            return true;
    return false;
}

static enum MHD_Result welcome(const struct extension *extension, struct request *request)
{
    char body[1024];
    int len = snprintf(body, sizeof(body),
                       "{\"functionName\":\"%.250s\",\"functionVersion\":\"%.250s\","
                       "\"handler\":\"%.250s\"}",
                       getenv("AWS_LAMBDA_FUNCTION_NAME"),
                       getenv("AWS_LAMBDA_FUNCTION_VERSION"), getenv("_HANDLER"));
    struct MHD_Response *response = request_json(body, (size_t)len);
    enum MHD_Result result;

    MHD_add_response_header(response, "Lambda-Extension-Identifier", extension->id);
    result = MHD_queue_response(request->connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result extensions_register(struct extensions *extensions,
                                    struct request *request, bool closed)
{
    const char *name = request_header(request, "Lambda-Extension-Name");
    struct extension *extension = &extensions->list[extensions->count];
    char why[160];

    if (!name || name[0] == '\0')
        return refuse(request, "InvalidExtensionName", "Empty extension name");
    if (!wants_no_events(request, why, sizeof(why)))
        return refuse(request, "InvalidEventType", why);
    if (closed)
        return refuse(request, "RegistrationClosed",
                      "Extension registration closed already");
    if (is_taken(extensions, name))
        return refuse(request, "InvalidExtensionState",
                      "Extension with this name already registered");
    if (extensions->count == EXTENSIONS_MAX)
        return refuse(request, "TooManyExtensions", "Extension limit (10) reached");
    *extension = (struct extension){0};
    snprintf(extension->name, sizeof(extension->name), "%s", name);
    request_new_id(extension->id);
    extensions->count++;
    return welcome(extension, request);
}

/* ------------------------------------------------------------- /event/next */

static void abandon(struct extension *extension)
{
    if (!extension->waiting)
        return;
    extension->waiting->abandoned = true;
    MHD_resume_connection(extension->waiting->connection);
    extension->waiting = NULL;
}

enum MHD_Result extensions_next(struct extensions *extensions, struct request *request)
{
    const char *id = request_header(request, "Lambda-Extension-Identifier");

    if (request->abandoned)
        return MHD_NO;
    if (!id)
        return refuse(request, "MissingExtensionIdentifier",
                      "Missing Lambda-Extension-Identifier header");
    for (int i = 0; i < extensions->count; i++) {
        struct extension *extension = &extensions->list[i];

        if (strcmp(extension->id, id) != 0)
            continue;
        abandon(extension);
        extension->waiting = request;
        MHD_suspend_connection(request->connection);
        return MHD_YES;
    }
    return refuse(request, "UnknownExtensionIdentifier", "Unknown extension");
}

bool extensions_idle(const struct extensions *extensions)
{
    for (int i = 0; i < extensions->count; i++)
        if (!extensions->list[i].waiting)
            return false;
    return true;
}

void extensions_lose(struct extensions *extensions, const struct request *request)
{
    for (int i = 0; i < extensions->count; i++)
        if (extensions->list[i].waiting == request)
            extensions->list[i].waiting = NULL;
}

void extensions_reset(struct extensions *extensions)
{
    for (int i = 0; i < extensions->count; i++)
        abandon(&extensions->list[i]);
    extensions->count = 0;
}
