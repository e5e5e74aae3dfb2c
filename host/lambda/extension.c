/* extension.c -- two requests: register, and the next event, which never comes.
 *
 * An answer that is late is waited for beside the runtime's own /next: Lambda may count
 * the extension as registered, and then hands out no event before it has asked. */
#include "lambda/extension.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

#define API "/2020-01-01/extension"
#define REGISTER API "/register"
#define NEXT API "/event/next"
#define NAME "pigeon-good-end"
#define EVENTS "{\"events\":[]}"
#define REPLY_MAX 512 /* only for people */

struct extension {
    struct http *http;
    struct buffer reply;
    bool late; /* registering is not answered yet */
};

struct extension *extension_open(const struct http *api)
{
    struct extension *extension = calloc(1, sizeof(*extension));

    if (!extension)
        return NULL;
    extension->reply.max = REPLY_MAX;
    extension->http = http_open_beside(api, EXTENSION_REGISTER_MS);
    if (!extension->http) {
        extension_close(extension);
        return NULL;
    }
    http_post(extension->http, REGISTER, "Lambda-Extension-Name: " NAME, EVENTS,
              sizeof(EVENTS) - 1);
    return extension;
}

/* The answer is here: asks for the next event. */
static bool ask_for_next(struct extension *extension, struct err *err)
{
    const char *id = http_header(extension->http, "Lambda-Extension-Identifier");
    char header[256];

    if (!id || snprintf(header, sizeof(header), "Lambda-Extension-Identifier: %s", id) >=
                   (int)sizeof(header))
        return err_set(err, CAUSE_OTHER,
                       REGISTER ": the answer's header Lambda-Extension-Identifier is %s",
                       id ? "longer than 200 bytes" : "missing");
    http_ask(extension->http, NEXT, header);
    return true;
}

bool extension_settle(struct extension *extension, struct err *err)
{
    struct http_outcome outcome = http_await(extension->http, &extension->reply);

    extension->late = outcome.late;
    if (outcome.arrived && outcome.status == 200)
        return ask_for_next(extension, err);
    return http_explain(extension->http, &outcome, &extension->reply, err);
}

void extension_settle_late(struct extension *extension, const struct http *api)
{
    struct err err = {0};

    if (!extension || !extension->late || !http_hears_first(extension->http, api))
        return;
    if (extension_settle(extension, &err))
        log_message(LOG_LEVEL_INFO, "registered as an internal extension after all");
    else
        log_message(LOG_LEVEL_WARN, "still not registered as an internal extension: %s",
                    err.text);
    extension->late = false;
}

void extension_close(struct extension *extension)
{
    if (!extension)
        return;
    http_close(extension->http);
    buffer_free(&extension->reply);
    free(extension);
}
