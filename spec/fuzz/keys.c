/* keys.c -- a list for `pigeon simulate`: lines that are keys, rows of an inventory or
 * events. */
#include <string.h>

#include "fuzz.h"
#include "lua/script.h"

#define BATCH_LINES 1000 /* as the desk reads them */

/* The length of the next batch. */
static size_t batch_len(const uint8_t *data, size_t size)
{
    size_t len = 0;

    for (size_t lines = 0; lines < BATCH_LINES && len < size; lines++) {
        const uint8_t *end = memchr(data + len, '\n', size - len);

        len = end ? (size_t)(end - data) + 1 : size;
    }
    return len;
}

/* One batch of objects. */
static void walk(struct script *script, const struct invocation *invocation)
{
    struct outbox outbox = {0};
    struct facts facts = {0};
    struct answer answer = {0};
    struct err err = {0};

    promise(script_decide(script, invocation, &outbox, &err), err.text);
    for (size_t i = 0; i < outbox.count; i++)
        outbox_settle(&outbox.messages[i], FATE_CONFIRMED, NULL, 0, NULL);
    facts.confirmed = outbox.count;
    promise(script_conclude(script, &outbox, &facts, &answer, &err), err.text);
    buffer_free(&answer.body);
    outbox_clear(&outbox);
}

/* Lines, and what their objects need. */
static void walk_lines(struct script *script, const uint8_t *data, size_t size,
                       int64_t line)
{
    struct invocation invocation = {.kind = "lines",
                                    .input = (const char *)data,
                                    .input_len = size,
                                    .line = line,
                                    .most = BATCH_LINES,
                                    .deadline = deadline_in(600000)};

    do {
        walk(script, &invocation);
        invocation.kind = "rest";
        invocation.input = "";
        invocation.input_len = 0;
        invocation.held = size;
    } while (script_objects(script) == BATCH_LINES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct script_settings settings = {
        .command = "simulate", .path = "rules/rules.lua", .queue = "normal"};
    struct deadline deadline = deadline_in(60000);
    struct buffer text = {.max = SIZE_MAX};
    struct err problem = {0}, err = {0};
    struct script *script = script_open(&settings, &deadline, &err);
    int status;

    promise(script, err.text);
    for (size_t at = 0, len; at < size; at += len) {
        len = batch_len(data + at, size - at);
        walk_lines(script, data + at, len, at == 0 ? 1 : 2);
    }
    promise(script_finish(script, &text, NULL, &status, &problem, &err), err.text);
    promise(text.len > 0 && (status == 0 || status == 1), "there is a report");
    buffer_free(&text);
    script_close(script);
    return 0;
}
