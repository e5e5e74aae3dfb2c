/* api.h -- the Runtime API
 * (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html), with the states,
 * status codes and words of AWS's own emulator (aws-lambda-runtime-interface-emulator,
 * internal/lambda/core/states.go). Each try of an invocation has an id of its own,
 * Lambda-Runtime-Invocation-Id: an answer that brings another one is refused with 410,
 * one without is taken (aws-lambda-rust-runtime 1155).
 *
 * No thread of its own: api_run() serves what has arrived, api_watch() adds what to wait
 * for. The event that is offered stays the caller's until the next api_offer(). */
#ifndef PIGEON_TOOLS_LAMBDA_API_H
#define PIGEON_TOOLS_LAMBDA_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/select.h>

#include "base/buffer.h"
#include "tools/lambda/extensions.h"

#define API_PAYLOAD_MAX 6291556 /* bytes, both ways */

enum api_state {
    API_STARTED,
    API_INIT_ERROR,
    API_READY,      /* waits in /next */
    API_RUNNING,    /* has an event */
    API_RESPONDING, /* its answer is on the way */
    API_FAILING,    /* the same, an error */
    API_ANSWERED
};

struct api_event {
    char id[37];
    char invocation_id[37];
    const char *data;
    size_t len;
    int64_t ends_unix_ms;
};

struct api {
    struct MHD_Daemon *http;
    struct request *waiting; /* in /next */
    struct extensions extensions;
    enum api_state state;

    struct api_event event;
    bool offered; /* the next /next takes it */

    bool answered;
    struct buffer answer; /* an init error is one too */
    char error_type[128]; /* "" for success, or Runtime.X, Function.X */
};

/* Listens on a free port of loopback and sets AWS_LAMBDA_RUNTIME_API to it. False: errno.
 */
bool api_open(struct api *api);

/* Whether init is over: the function, and each extension, has asked for an event. */
bool api_initialized(const struct api *api);

/* A process was started, or has ended. */
void api_reset(struct api *api);

/* The event for the next /next; its answer is still to come. */
void api_offer(struct api *api, const struct api_event *event);

/* Lambda's own answer in place of the function's. */
void api_answer_instead(struct api *api, const char *type, const char *message);

void api_run(struct api *api);

/* Adds to the sets, raises *max, shortens *wait_ms. */
void api_watch(struct api *api, fd_set *in, fd_set *out, fd_set *bad, int *max,
               int64_t *wait_ms);

void api_close(struct api *api);

#endif
