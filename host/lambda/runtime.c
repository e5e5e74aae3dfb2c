/* runtime.c -- the Lambda Runtime API: which call, and what its status code means.
 * It does not know what is in a payload or an answer. */
#include "lambda/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "lambda/extension.h"
#include "lambda/http.h"

#define PAYLOAD_MAX (6 * 1024 * 1024 + 100 + 64 * 1024) /* Lambda's limit, and slack */
#define REPLY_MAX 512 /* of the reply to a POST, which is only for people */
#define TRIES 3       /* of /next, which gives the same event again */
#define FIRST_PAUSE_MS 100
#define API "/2018-06-01/runtime"
#define INVOCATION_ID "Lambda-Runtime-Invocation-Id"

struct runtime {
    struct http *http;
    struct extension *extension; /* NULL: none */
    struct buffer payload;
    struct buffer reply;
    struct given {        /* the last answer */
        const char *type; /* of the error; NULL: none */
        const char *body;
        size_t len;
    } given;
    char *path;       /* of the answer; NULL: none */
    char *request_id; /* of the last event; NULL: none */
    char *echo;       /* a header of the last event, to send back; NULL: none */
};

/* ------------------------------------------------------------------------- /next */

static void forget_event(struct runtime *runtime)
{
    free(runtime->request_id);
    free(runtime->echo);
    runtime->request_id = NULL;
    runtime->echo = NULL;
    buffer_clear(&runtime->payload);
}

/* Lambda tells by it whether an answer is to this try of the invocation, or to an earlier
 * one with the same request id that went on after its timeout. */
static bool keep_invocation_id(struct runtime *runtime)
{
    const char *id = http_header(runtime->http, INVOCATION_ID);

    if (!id || asprintf(&runtime->echo, INVOCATION_ID ": %s", id) >= 0)
        return true;
    runtime->echo = NULL;
    return false;
}

static bool read_event(struct runtime *runtime, struct runtime_event *event,
                       struct err *err)
{
    const char *id = http_header(runtime->http, "Lambda-Runtime-Aws-Request-Id");
    const char *deadline = http_header(runtime->http, "Lambda-Runtime-Deadline-Ms");

    runtime->request_id = id && id[0] ? strdup(id) : NULL;
    *event = (struct runtime_event){
        .request_id = runtime->request_id,
        .deadline_ms = deadline ? strtoll(deadline, NULL, 10) : 0,
        .payload = runtime->payload.data ? runtime->payload.data : "",
        .payload_len = runtime->payload.len,
    };
    if (event->deadline_ms < 0)
        event->deadline_ms = 0;
    if (!runtime->request_id)
        return err_set(err, CAUSE_OTHER,
                       "the Runtime API gave an event without the header "
                       "Lambda-Runtime-Aws-Request-Id, so it cannot be answered");
    return keep_invocation_id(runtime) || err_set(err, CAUSE_MEMORY, "out of memory");
}

enum runtime_next runtime_next(struct runtime *runtime, struct runtime_event *event,
                               struct err *err)
{
    struct http_outcome outcome = {0};
    int pause_ms = 0;
    int tries;

    forget_event(runtime);
    for (tries = 1; tries <= TRIES && !outcome.arrived; tries++) {
        if (http_stop_asked(runtime->http, pause_ms))
            return RUNTIME_STOP;
        http_ask(runtime->http, API "/invocation/next", NULL);
        extension_settle_late(runtime->extension, runtime->http);
        outcome = http_hear(runtime->http, &runtime->payload);
        if (outcome.stopped)
            return RUNTIME_STOP;
        pause_ms = pause_ms ? pause_ms * 2 : FIRST_PAUSE_MS;
        if (!outcome.arrived) {
            http_explain(runtime->http, &outcome, &runtime->payload, err);
            log_message(LOG_LEVEL_WARN, "no event from the Runtime API, try %d of %d: %s",
                        tries, TRIES, err->text);
        }
    }
    if (outcome.arrived && outcome.status == 200)
        return read_event(runtime, event, err) ? RUNTIME_EVENT : RUNTIME_GONE;
    http_explain(runtime->http, &outcome, &runtime->payload, err);
    err_wrap(err, "no event from the Runtime API");
    return RUNTIME_GONE;
}

/* ------------------------------------------------------------------------- posts */

/* `type` is the error type's header, NULL: no error. */
static void post(struct runtime *runtime, const char *path, const char *type,
                 const char *body, size_t len)
{
    const char *echo = runtime->echo;
    char *headers = NULL;

    if (type && asprintf(&headers, "Lambda-Runtime-Function-Error-Type: %s%s%s", type,
                         echo ? "\r\n" : "", echo ? echo : "") < 0)
        headers = NULL;
    http_post(runtime->http, path, type ? headers : echo, body, len);
    free(headers);
}

/* What the status of an answer means; err has the words. After a second
 * try 403 means that the first one had arrived: the API is already in the next state. */
static bool answer_counts(const struct http_outcome *outcome, bool second,
                          struct err *err)
{
    if (outcome->arrived && outcome->status == 413) {
        log_message(LOG_LEVEL_WARN, "the answer was too big: %s", err->text);
        return true;
    }
    if (outcome->arrived && (outcome->status == 400 || outcome->status == 410 ||
                             (second && outcome->status == 403))) {
        log_message(LOG_LEVEL_WARN, "the answer came too late, or twice: %s", err->text);
        return true;
    }
    return err_wrap(err, "the Runtime API did not take the answer");
}

static void post_answer(struct runtime *runtime)
{
    const struct given *given = &runtime->given;

    free(runtime->path);
    runtime->path = NULL;
    if (!runtime->request_id)
        return;
    if (asprintf(&runtime->path, API "/invocation/%s/%s", runtime->request_id,
                 given->type ? "error" : "response") < 0)
        runtime->path = NULL;
    else
        post(runtime, runtime->path, given->type, given->body, given->len);
}

void runtime_answer(struct runtime *runtime, const char *type, const char *body,
                    size_t len)
{
    runtime->given = (struct given){.type = type, .body = body, .len = len};
    post_answer(runtime);
}

bool runtime_await(struct runtime *runtime, struct err *err)
{
    struct http_outcome outcome;
    bool second = false;

    if (!runtime->request_id)
        return err_set(err, CAUSE_OTHER, "there is no event to answer");
    if (!runtime->path)
        return err_set(err, CAUSE_MEMORY, "out of memory");
    outcome = http_await(runtime->http, &runtime->reply);
    if (!outcome.arrived) {
        http_explain(runtime->http, &outcome, &runtime->reply, err);
        log_message(LOG_LEVEL_WARN, "the answer may not have arrived, trying again: %s",
                    err->text);
        post_answer(runtime);
        outcome = http_await(runtime->http, &runtime->reply);
        second = true;
    }
    if (outcome.arrived && outcome.status / 100 == 2)
        return true;
    http_explain(runtime->http, &outcome, &runtime->reply, err);
    return answer_counts(&outcome, second || outcome.again, err);
}

static bool write_error(struct buffer *body, const char *type, const char *message)
{
    return buffer_append_text(body, "{\"errorMessage\":") &&
           buffer_append_json_string(body, message, strlen(message)) &&
           buffer_append_text(body, ",\"errorType\":") &&
           buffer_append_json_string(body, type, strlen(type)) &&
           buffer_append_text(body, ",\"stackTrace\":[]}");
}

/* One try: the process ends anyway. */
bool runtime_init_error(struct runtime *runtime, const char *type, const char *message,
                        struct err *err)
{
    struct buffer body = {.max = 64 * 1024};
    struct http_outcome outcome = {0};
    bool ok = write_error(&body, type, message);

    if (!ok) {
        err_set(err, CAUSE_MEMORY, "out of memory");
    } else {
        post(runtime, API "/init/error",
             strchr(type, '.') ? type : "Runtime.ConfigInvalid", body.data, body.len);
        outcome = http_await(runtime->http, &runtime->reply);
        ok = outcome.arrived && outcome.status / 100 == 2;
        if (!ok)
            http_explain(runtime->http, &outcome, &runtime->reply, err);
    }
    buffer_free(&body);
    return ok || err_wrap(err, "the Runtime API did not take the init error");
}

/* ------------------------------------------------------------- the extension */

void runtime_extend(struct runtime *runtime)
{
    runtime->extension = extension_open(runtime->http);
}

bool runtime_extended(struct runtime *runtime, struct err *err)
{
    if (!runtime->extension)
        return err_set(err, CAUSE_MEMORY, "out of memory");
    return extension_settle(runtime->extension, err);
}

/* ----------------------------------------------------------------- open and close */

struct runtime *runtime_open(const char *api, struct err *err)
{
    struct runtime *runtime = calloc(1, sizeof(*runtime));

    if (!runtime) {
        err_set(err, CAUSE_MEMORY, "out of memory");
        return NULL;
    }
    runtime->payload.max = PAYLOAD_MAX;
    runtime->reply.max = REPLY_MAX;
    runtime->http = http_open(api, err);
    if (runtime->http)
        return runtime;
    runtime_close(runtime);
    return NULL;
}

void runtime_close(struct runtime *runtime)
{
    if (!runtime)
        return;
    forget_event(runtime);
    free(runtime->path);
    buffer_free(&runtime->payload);
    buffer_free(&runtime->reply);
    extension_close(runtime->extension);
    http_close(runtime->http);
    free(runtime);
}
