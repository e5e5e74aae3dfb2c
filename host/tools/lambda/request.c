/* request.c -- the calls of the two APIs by method and URL. */
#include "tools/lambda/request.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The call that a URL below the version means; `id` gets the request id in it. */
static enum verb find_verb(const char *method, const char *url, char *id, size_t size)
{
    static const char invocation[] = "/runtime/invocation/";
    bool get = strcmp(method, "GET") == 0, post = strcmp(method, "POST") == 0;
    const char *last = strrchr(url, '/');
    const char *start;

    if (get && strcmp(url, "/runtime/invocation/next") == 0)
        return VERB_NEXT;
    if (get && strcmp(url, "/ping") == 0)
        return VERB_PING;
    if (post && strcmp(url, "/runtime/init/error") == 0)
        return VERB_INIT_ERROR;
    if (!post || strncmp(url, invocation, strlen(invocation)) != 0)
        return VERB_NONE;
    start = url + strlen(invocation);
    snprintf(id, size, "%.*s", last > start ? (int)(last - start) : 0, start);
    if (strcmp(last, "/response") == 0)
        return VERB_RESPONSE;
    return strcmp(last, "/error") == 0 ? VERB_ERROR : VERB_NONE;
}

static enum verb find_extension_verb(const char *method, const char *url)
{
    if (strcmp(method, "POST") == 0 && strcmp(url, "/register") == 0)
        return VERB_REGISTER;
    if (strcmp(method, "GET") == 0 && strcmp(url, "/event/next") == 0)
        return VERB_EXTENSION_NEXT;
    return VERB_NONE;
}

struct request *request_open(struct MHD_Connection *connection, const char *method,
                             const char *url, size_t max)
{
    static const char version[] = "/2018-06-01";
    static const char extension[] = "/2020-01-01/extension";
    struct request *request = calloc(1, sizeof(*request));

    if (!request)
        return NULL;
    request->connection = connection;
    request->body.max = max;
    if (strncmp(url, version, strlen(version)) == 0)
        request->verb =
            find_verb(method, url + strlen(version), request->id, sizeof(request->id));
    if (strncmp(url, extension, strlen(extension)) == 0)
        request->verb = find_extension_verb(method, url + strlen(extension));
    return request;
}

/* The excess is read and dropped, so that the client gets to read our 413. */
void request_take(struct request *request, const char *piece, size_t len)
{
    if (!request->too_large && !buffer_append(&request->body, piece, len))
        request->too_large = true;
}

const char *request_header(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

void request_refuse(struct request *request, unsigned code, const char *type,
                    const char *message)
{
    request->refused = code;
    snprintf(request->refusal, sizeof(request->refusal),
             "{\"errorMessage\":\"%s\",\"errorType\":\"%s\"}\n", message, type);
}

struct MHD_Response *request_json(const char *body, size_t len)
{
    /* libmicrohttpd takes read-only data as void *. */
    struct MHD_Response *response = MHD_create_response_from_buffer(
        len, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);

    MHD_add_response_header(response, "Content-Type", "application/json");
    return response;
}

enum MHD_Result request_reply(struct request *request, unsigned code, const char *body)
{
    struct MHD_Response *response = request_json(body, strlen(body));
    enum MHD_Result result = MHD_queue_response(request->connection, code, response);

    MHD_destroy_response(response);
    return result;
}

void request_new_id(char id[37])
{
    struct buffer uuid = {.max = 37};
    struct err err;

    if (!buffer_read_file(&uuid, "/proc/sys/kernel/random/uuid", &err))
        fprintf(stderr, "lambda: %s\n", err.text);
    snprintf(id, 37, "%s", uuid.len > 0 ? uuid.data : "");
    buffer_free(&uuid);
}

void request_close(struct request *request)
{
    buffer_free(&request->body);
    free(request);
}
