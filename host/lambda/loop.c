/* loop.c -- the order of work for each event. */
#include "lambda/loop.h"

#include <string.h>

#include "base/log.h"
#include "base/log_output.h"

static bool log_error(const struct err *err)
{
    log_message(LOG_LEVEL_ERROR, "%s", err->text);
    return false;
}

/* The answer where Lua itself broke. */
static void post_broken(struct runtime *runtime, const struct err *broken)
{
    struct buffer body = {.max = 65536};
    struct err ignored;

    buffer_append_text(&body,
                       "{\"errorType\":\"Function.ScriptBroken\",\"errorMessage\":");
    buffer_append_json_string(&body, broken->text, strlen(broken->text));
    buffer_append_text(&body, ",\"stackTrace\":[]}");
    runtime_answer(runtime, "Function.ScriptBroken", body.data, body.len);
    runtime_await(runtime, &ignored);
    buffer_free(&body);
}

/* False: the process should end. */
static bool serve(struct runtime *runtime, struct handler *handler,
                  const struct runtime_event *event, struct answer *answer)
{
    struct invocation invocation = {.kind = "event",
                                    .input = event->payload,
                                    .input_len = event->payload_len,
                                    .deadline =
                                        deadline_of_invocation(event->deadline_ms)};
    struct err err;
    bool answered, told;

    log_output_deadline(&invocation.deadline);

    if (!handler_event(handler, &invocation, answer, &err)) {
        post_broken(runtime, &err);
        return log_error(&err);
    }
    runtime_answer(runtime, answer->error_type[0] ? answer->error_type : NULL,
                   answer->body.data, answer->body.len);
    /* while it is on its way, the event is logged */
    told = script_tell(handler->script, &err) || log_error(&err);
    answered = runtime_await(runtime, &err) || log_error(&err);
    if (answered && told && script_exhausted(handler->script)) {
        err_set(&err, CAUSE_OTHER,
                "the rules hold too much memory: this process ends, and Lambda "
                "starts a fresh one");
        return log_error(&err);
    }
    return answered && told;
}

bool loop_run(struct runtime *runtime, struct handler *handler)
{
    struct answer answer = {0};
    struct runtime_event event;
    struct err err = {0};
    enum runtime_next next;
    bool ok = true;

    do {
        next = runtime_next(runtime, &event, &err);
        if (next == RUNTIME_EVENT) {
            log_context(event.request_id);
            ok = serve(runtime, handler, &event, &answer);
            log_context(NULL);
        }
    } while (ok && next == RUNTIME_EVENT);
    buffer_free(&answer.body);
    return next == RUNTIME_GONE ? log_error(&err) : ok;
}
