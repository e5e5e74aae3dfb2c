/* api.c -- the states of the Runtime API, and which request each of them takes.
 *
 * A /next without an event is a suspended connection. Whether an answer may come is
 * decided by its headers, as in AWS's emulator. */
#include "tools/lambda/api.h"

#include <netinet/in.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/lambda/request.h"

static const char *const state_names[] = {
    [API_STARTED] = "Started",
    [API_INIT_ERROR] = "InitError",
    [API_READY] = "Ready",
    [API_RUNNING] = "Running",
    [API_RESPONDING] = "InvocationResponse",
    [API_FAILING] = "InvocationErrorResponse",
    [API_ANSWERED] = "RuntimeResponseSentState",
};

static void refuse_state(const struct api *api, struct request *request,
                         enum api_state wanted)
{
    char message[160];

    snprintf(message, sizeof(message),
             "State transition from %s to %s failed for runtime. "
             "Error: State transition is not allowed",
             state_names[api->state], state_names[wanted]);
    request_refuse(request, MHD_HTTP_FORBIDDEN, "InvalidStateTransition", message);
}

static void keep_answer(struct api *api, const char *body, size_t len)
{
    buffer_clear(&api->answer);
    buffer_append(&api->answer, body, len);
    api->answered = true;
}

void api_answer_instead(struct api *api, const char *type, const char *message)
{
    char body[512];
    int len = snprintf(body, sizeof(body),
                       "{\"errorType\":\"%s\",\"errorMessage\":\"%s\"}", type, message);

    snprintf(api->error_type, sizeof(api->error_type), "%s", type);
    keep_answer(api, body, (size_t)len);
}

/* Lambda accepts only Runtime.X and Function.X. */
static void keep_error_type(struct api *api, const struct request *request)
{
    const char *type = request_header(request, "Lambda-Runtime-Function-Error-Type");
    regex_t known;

    if (!type)
        type = "";
    regcomp(&known, "(Runtime|Function)\\.[A-Z][a-zA-Z]+", REG_EXTENDED | REG_NOSUB);
    if (regexec(&known, type, 0, NULL, 0) != 0) {
        fprintf(stderr, "lambda: error type \"%s\" is not one that Lambda knows\n", type);
        type =
            strncmp(type, "Function.", 9) == 0 ? "Function.Unknown" : "Runtime.Unknown";
    }
    regfree(&known);
    snprintf(api->error_type, sizeof(api->error_type), "%s", type);
}

static enum MHD_Result send_event(const struct api *api, struct request *request)
{
    const struct api_event *event = &api->event;
    struct MHD_Response *response = request_json(event->data, event->len);
    char arn[256], trace[96], ends[24], hex[25];
    enum MHD_Result result;

    snprintf(hex, sizeof(hex), "%.8s%.4s%.12s", event->id, event->id + 9, event->id + 24);
    snprintf(trace, sizeof(trace), "Root=1-%08x-%s;Parent=%.16s;Sampled=0",
             (unsigned)(event->ends_unix_ms / 1000), hex, hex);
    snprintf(arn, sizeof(arn), "arn:aws:lambda:%s:012345678912:function:%s",
             getenv("AWS_REGION"), getenv("AWS_LAMBDA_FUNCTION_NAME"));
    snprintf(ends, sizeof(ends), "%lld", (long long)event->ends_unix_ms);
    MHD_add_response_header(response, "Lambda-Runtime-Aws-Request-Id", event->id);
    MHD_add_response_header(response, "Lambda-Runtime-Invocation-Id",
                            event->invocation_id);
    MHD_add_response_header(response, "Lambda-Runtime-Deadline-Ms", ends);
    MHD_add_response_header(response, "Lambda-Runtime-Trace-Id", trace);
    MHD_add_response_header(response, "Lambda-Runtime-Invoked-Function-Arn", arn);
    result = MHD_queue_response(request->connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

/* Closes the connection that waits in /next: its process has ended, or asks again. */
static void abandon_waiting(struct api *api)
{
    if (!api->waiting)
        return;
    api->waiting->abandoned = true;
    MHD_resume_connection(api->waiting->connection);
    api->waiting = NULL;
}

static enum MHD_Result answer_next(struct api *api, struct request *request)
{
    if (request->abandoned)
        return MHD_NO;
    if (api->state == API_RUNNING)
        return send_event(api, request);
    if (api->state == API_INIT_ERROR || api->state == API_RESPONDING ||
        api->state == API_FAILING) {
        refuse_state(api, request, API_READY);
        return request_reply(request, request->refused, request->refusal);
    }
    if (api->offered && extensions_idle(&api->extensions)) {
        api->offered = false;
        api->state = API_RUNNING;
        return send_event(api, request);
    }
    api->state = API_READY;
    abandon_waiting(api);
    api->waiting = request;
    MHD_suspend_connection(request->connection);
    return MHD_YES;
}

/* Hands the event that is offered to the function that waits, where nobody else has to
 * ask first. */
static void hand_out(struct api *api)
{
    if (!api->offered || !api->waiting || !extensions_idle(&api->extensions))
        return;
    MHD_resume_connection(api->waiting->connection);
    api->waiting = NULL;
}

static void take_answer(struct api *api, struct request *request)
{
    char message[160];

    request->sending = false;
    api->state = API_ANSWERED;
    if (request->too_large) {
        snprintf(
            message, sizeof(message),
            "Response payload size exceeded maximum allowed payload size (%d bytes).",
            API_PAYLOAD_MAX);
        api_answer_instead(api, "Function.ResponseSizeTooLarge", message);
        snprintf(message, sizeof(message),
                 "Exceeded maximum allowed payload size (%d bytes).", API_PAYLOAD_MAX);
        request_refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "RequestEntityTooLarge",
                       message);
        return;
    }
    if (request->verb == VERB_ERROR)
        keep_error_type(api, request);
    keep_answer(api, request->body.data, request->body.len);
}

static void take_init_error(struct api *api, struct request *request)
{
    if (api->state != API_STARTED) {
        refuse_state(api, request, API_INIT_ERROR);
        return;
    }
    api->state = API_INIT_ERROR;
    keep_error_type(api, request);
    keep_answer(api, request->body.data, request->body.len);
}

/* The whole request is here. */
static enum MHD_Result answer_request(struct api *api, struct request *request)
{
    enum MHD_Result result;

    switch (request->verb) {
    case VERB_NONE:
        return request_reply(request, MHD_HTTP_NOT_FOUND, "404 page not found\n");
    case VERB_PING:
        return request_reply(request, MHD_HTTP_OK, "pong");
    case VERB_NEXT:
        return answer_next(api, request);
    case VERB_INIT_ERROR:
        take_init_error(api, request);
        break;
    case VERB_REGISTER:
        return extensions_register(&api->extensions, request, api->state != API_STARTED);
    case VERB_EXTENSION_NEXT:
        result = extensions_next(&api->extensions, request);
        hand_out(api);
        return result;
    default:
        if (request->sending)
            take_answer(api, request);
    }
    if (request->refused)
        return request_reply(request, request->refused, request->refusal);
    return request_reply(request, MHD_HTTP_ACCEPTED, "{\"status\":\"OK\"}\n");
}

/* Whether a /response or /error may come now. */
static void admit_answer(struct api *api, struct request *request)
{
    enum api_state wanted = request->verb == VERB_ERROR ? API_FAILING : API_RESPONDING;
    const char *mode = request_header(request, "Lambda-Runtime-Function-Response-Mode");
    const char *invocation = request_header(request, "Lambda-Runtime-Invocation-Id");
    bool open = api->state == API_RUNNING || api->state == API_RESPONDING ||
                api->state == API_FAILING;

    if (!open || strcmp(request->id, api->event.id) != 0) {
        request_refuse(request, MHD_HTTP_BAD_REQUEST, "InvalidRequestID",
                       "Invalid request ID");
    } else if (invocation && strcmp(invocation, api->event.invocation_id) != 0) {
        fprintf(stderr, "lambda: an answer with the invocation id \"%s\" was refused\n",
                invocation);
        request_refuse(request, MHD_HTTP_GONE, "InvokeTimeout", "Invoke timeout");
    } else if (api->state != API_RUNNING) {
        refuse_state(api, request, wanted);
    } else if (mode && strcmp(mode, "streaming") != 0) {
        api->state = API_ANSWERED;
        api_answer_instead(api, "Runtime.InvalidResponseModeHeader", "");
        request_refuse(request, MHD_HTTP_BAD_REQUEST, "InvalidFunctionResponseMode",
                       "Invalid function response mode");
    } else {
        api->state = wanted;
        request->sending = true;
    }
}

/* libmicrohttpd calls this with the headers, with each piece of the body, and at its end;
 * after a resume once more as at the end. */
static enum MHD_Result on_request(void *api, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *piece,
                                  size_t *piece_len, void **opaque)
{
    struct request *request = *opaque;

    (void)version;
    if (!request) {
        request = request_open(connection, method, url, API_PAYLOAD_MAX);
        if (request && (request->verb == VERB_RESPONSE || request->verb == VERB_ERROR))
            admit_answer(api, request);
        *opaque = request;
        return request ? MHD_YES : MHD_NO;
    }
    if (*piece_len == 0)
        return answer_request(api, request);
    request_take(request, piece, *piece_len);
    *piece_len = 0;
    return MHD_YES;
}

static void on_request_end(void *context, struct MHD_Connection *connection,
                           void **opaque, enum MHD_RequestTerminationCode code)
{
    struct api *api = context;
    struct request *request = *opaque;

    (void)connection;
    (void)code;
    if (!request)
        return;
    if (request == api->waiting)
        api->waiting = NULL;
    extensions_lose(&api->extensions, request);
    if (request->sending) { /* the connection broke in the middle of the body */
        api->state = API_ANSWERED;
        api_answer_instead(api, "Runtime.TruncatedResponse", "");
    }
    request_close(request);
    *opaque = NULL;
}

bool api_open(struct api *api)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char text[32];

    *api = (struct api){.answer.max = API_PAYLOAD_MAX};
    /* Not by epoll: libmicrohttpd 0.9.75 would not notice a client that leaves in the
     * middle of a body. */
    api->http = MHD_start_daemon(
        MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, api, MHD_OPTION_SOCK_ADDR,
        &address, MHD_OPTION_NOTIFY_COMPLETED, on_request_end, api,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)256 * 1024, MHD_OPTION_END);
    if (!api->http)
        return false;
    snprintf(text, sizeof(text), "127.0.0.1:%d",
             MHD_get_daemon_info(api->http, MHD_DAEMON_INFO_BIND_PORT)->port);
    return setenv("AWS_LAMBDA_RUNTIME_API", text, 1) == 0;
}

bool api_initialized(const struct api *api)
{
    return api->state != API_STARTED && extensions_idle(&api->extensions);
}

void api_reset(struct api *api)
{
    api->state = API_STARTED;
    extensions_reset(&api->extensions);
    abandon_waiting(api);
}

void api_offer(struct api *api, const struct api_event *event)
{
    api->event = *event;
    api->offered = true;
    api->answered = false;
    api->error_type[0] = '\0';
    hand_out(api);
}

void api_run(struct api *api)
{
    MHD_run(api->http);
}

void api_watch(struct api *api, fd_set *in, fd_set *out, fd_set *bad, int *max,
               int64_t *wait_ms)
{
    unsigned long long http_ms;

    MHD_get_fdset(api->http, in, out, bad, max);
    if (MHD_get_timeout(api->http, &http_ms) == MHD_YES &&
        http_ms < (unsigned long long)*wait_ms)
        *wait_ms = (int64_t)http_ms;
}

void api_close(struct api *api)
{
    abandon_waiting(api);
    extensions_reset(&api->extensions);
    api_run(api);
    MHD_stop_daemon(api->http);
    buffer_free(&api->answer);
}
