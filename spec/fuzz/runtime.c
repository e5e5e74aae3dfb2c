/* runtime.c -- everything that the Runtime API sends: events, and replies to answers. */
#include "lambda/runtime.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "net/connector.h"
#include "wire.h"

#define PIECE 4096

/* In place of connector.c: each connection is the wire. */
struct connector {
    int unused;
};

struct connector *connector_open(const char *hosts, int port, const char *tls,
                                 struct err *err)
{
    (void)hosts, (void)port, (void)tls, (void)err;
    return calloc(1, sizeof(struct connector));
}

const char *connector_label(const struct connector *connector, size_t i)
{
    (void)connector, (void)i;
    return "127.0.0.1:9001";
}

int connector_connect(struct connector *connector, size_t i,
                      const struct deadline *deadline, struct err *err)
{
    (void)connector, (void)i, (void)deadline, (void)err;
    return wire_connect();
}

void connector_close(struct connector *connector)
{
    free(connector);
}

static void silence_log(void)
{
    static bool silent;

    if (!silent)
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
    silent = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct runtime_event event;
    struct err err = {0};
    struct runtime *runtime;
    bool ok = true;

    silence_log();
    wire_set(data, size, PIECE);
    runtime = runtime_open("127.0.0.1:9001", &err);
    promise(runtime, err.text);
    while (ok && runtime_next(runtime, &event, &err) == RUNTIME_EVENT) {
        promise(event.request_id && event.request_id[0], "an event has an id");
        promise(event.deadline_ms >= 0, "no deadline is before the epoch");
        promise(event.payload[event.payload_len] == '\0', "a payload is a string");
        if (event.payload_len % 2)
            runtime_answer(runtime, "Function.EventInvalid", "{}", 2);
        else
            runtime_answer(runtime, NULL, "null", 4);
        ok = runtime_await(runtime, &err);
    }
    promise(err.text[0], "an end has a reason");
    runtime_close(runtime);
    return 0;
}
