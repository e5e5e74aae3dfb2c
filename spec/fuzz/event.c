/* event.c -- an event: the bytes are decided, the messages get fates, the answer and the
 * log lines are made. The answer, and each line of the log, has to be JSON. */
#include <jansson.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "fuzz.h"
#include "lua/script.h"

static struct script *script;
static int log_fd;

static void open_script(void)
{
    const struct script_settings settings = {.command = "lambda",
                                             .path = "rules/rules.lua",
                                             .queue = "normal,50:sampled",
                                             .env = "stage",
                                             .batch_failures = "crashes,q",
                                             .function_name = "pigeon",
                                             .function_version = "7"};
    struct deadline deadline = deadline_in(60000);
    struct err err = {0};

    script = script_open(&settings, &deadline, &err);
    promise(script, err.text);
}

static void open_all(void)
{
    log_fd = memfd_create("log", MFD_CLOEXEC);
    dup2(log_fd, STDOUT_FILENO);
    log_set_level(LOG_LEVEL_DEBUG);
    log_set_format(LOG_JSON);
    open_script();
}

/* By the input's bytes, one of four for each message. */
static void settle(struct outbox *outbox, struct facts *facts, const uint8_t *data,
                   size_t size)
{
    for (size_t i = 0; i < outbox->count; i++) {
        struct message *message = &outbox->messages[i];

        switch (data[(size - 1 - i % size)] % 4) {
        case 0:
            outbox_settle(message, FATE_RETURNED, "publish", 312, "NO_ROUTE");
            break;
        case 1:
            outbox_settle(message, FATE_UNKNOWN, "confirm", 0, "no answer in time");
            break;
        default:
            outbox_settle(message, FATE_CONFIRMED, NULL, 0, NULL);
            facts->confirmed++;
        }
    }
}

static void check_json(const char *text, size_t len, const char *words)
{
    json_t *json = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    promise(json, words);
    json_decref(json);
}

/* The results of S3 Batch Operations' tasks by their ids. */
static json_t *read_results(const json_t *results)
{
    json_t *by_id = json_object(), *result;
    size_t i;

    json_array_foreach(results, i, result)
    {
        const char *id = json_string_value(json_object_get(result, "taskId"));

        promise(id && !json_object_get(by_id, id), "a task has one result");
        promise(json_string_length(json_object_get(result, "resultString")) <= 1024,
                "a result's string is short");
        json_object_set(by_id, id, result);
    }
    return by_id;
}

/* Each task that has an id has a result. */
static void check_tasks(const uint8_t *data, size_t size, const struct answer *answer)
{
    json_t *event = json_loadb((const char *)data, size, 0, NULL); /* no zero in an id */
    json_t *made = json_loadb(answer->body.data, answer->body.len,
                              JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    const json_t *results = json_object_get(made, "results");

    if (event && results) {
        json_t *by_id = read_results(results), *task;
        size_t i;

        json_array_foreach(json_object_get(event, "tasks"), i, task)
        {
            const char *id = json_string_value(json_object_get(task, "taskId"));

            promise(!id || !id[0] || json_object_get(by_id, id), "a task has a result");
        }
        json_decref(by_id);
    }
    json_decref(made);
    json_decref(event);
}

static void check_log(void)
{
    struct buffer text = {.max = SIZE_MAX};
    struct err err;
    const char *at, *end;

    lseek(log_fd, 0, SEEK_SET);
    promise(buffer_read_file(&text, "/dev/stdout", &err), "the log is read");
    for (at = text.data; at && *at; at = end + 1) {
        end = strchr(at, '\n');
        promise(end, "a log line ends");
        check_json(at, (size_t)(end - at), "a log line is JSON");
    }
    buffer_free(&text);
    promise(ftruncate(log_fd, 0) == 0, "the log is emptied");
    lseek(log_fd, 0, SEEK_SET);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct invocation invocation = {.kind = "event",
                                          .input = (const char *)data,
                                          .input_len = size,
                                          .deadline = deadline_in(600000)};
    struct outbox outbox = {0};
    struct facts facts = {0};
    struct answer answer = {0};
    struct err err = {0};

    if (!script)
        open_all();
    promise(script_decide(script, &invocation, &outbox, &err), err.text);
    settle(&outbox, &facts, data, size);
    promise(script_conclude(script, &outbox, &facts, &answer, &err), err.text);
    check_json(answer.body.data, answer.body.len, "the answer is JSON");
    check_tasks(data, size, &answer);
    promise(script_tell(script, &err), err.text);
    check_log();
    if (script_exhausted(script)) {
        script_close(script);
        open_script();
    }
    outbox_clear(&outbox);
    buffer_free(&answer.body);
    return 0;
}
