/* keys.c -- a list for `pigeon simulate`: lines that are keys, rows of an inventory or
 * events. */
#include "fuzz.h"
#include "lua/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct script_settings settings = {
        .command = "simulate", .path = "rules/rules.lua", .queue = "normal"};
    const struct invocation invocation = {.kind = "lines",
                                          .input = (const char *)data,
                                          .input_len = size,
                                          .line = 1,
                                          .deadline = deadline_in(600000)};
    struct deadline deadline = deadline_in(60000);
    struct outbox outbox = {0};
    struct facts facts = {0};
    struct answer answer = {0};
    struct buffer text = {.max = SIZE_MAX};
    struct err err = {0};
    struct script *script = script_open(&settings, &deadline, &err);
    int status;

    promise(script, err.text);
    promise(script_decide(script, &invocation, &outbox, &err), err.text);
    for (size_t i = 0; i < outbox.count; i++)
        outbox_settle(&outbox.messages[i], FATE_CONFIRMED, NULL, 0, NULL);
    facts.confirmed = outbox.count;
    promise(script_conclude(script, &outbox, &facts, &answer, &err), err.text);
    promise(script_finish(script, &text, &status, &err), err.text);
    promise(text.len > 0 && (status == 0 || status == 1), "there is a report");
    buffer_free(&text);
    buffer_free(&answer.body);
    outbox_clear(&outbox);
    script_close(script);
    return 0;
}
