/* results.c -- the answer to S3 Batch Operations
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html). */
#include "results.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "trace.h"

#define LONGEST 1024 /* bytes of a resultString */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static enum result read_code(const json_t *result)
{
    static const char *const codes[RESULTS] = {"Succeeded", "TemporaryFailure",
                                               "PermanentFailure"};

    for (int code = 0; code < RESULTS; code++)
        if (strcmp(text_of(result, "resultCode"), codes[code]) == 0)
            return (enum result)code;
    violation("a result with the code '%s'", text_of(result, "resultCode"));
    return RESULT_PERMANENT;
}

enum result result_of(const char *body, int message)
{
    json_t *answer = json_loads(body, 0, NULL), *result;
    enum result code = RESULT_TEMPORARY;
    int count = 0;
    size_t i;
    char id[40];

    snprintf(id, sizeof(id), "m-%d", message);
    json_array_foreach(json_object_get(answer, "results"), i, result)
    {
        if (strcmp(text_of(result, "taskId"), id) != 0)
            continue;
        count++;
        code = read_code(result);
    }
    if (count != 1)
        violation("task %s has %d results: %.200s", id, count, body);
    json_decref(answer);
    return code;
}

void results_check(const char *body, int count)
{
    json_t *answer = json_loads(body, 0, NULL), *result;
    const json_t *results = json_object_get(answer, "results");
    size_t i;

    if (json_array_size(results) != (size_t)count)
        violation("%d tasks, and %zu results: %.200s", count, json_array_size(results),
                  body);
    if (strcmp(text_of(answer, "treatMissingKeysAs"), "PermanentFailure") != 0 ||
        strcmp(text_of(answer, "invocationId"), "invocation") != 0)
        violation("results that S3 does not take: %.200s", body);
    json_array_foreach(results, i, result)
    {
        size_t len = strlen(text_of(result, "resultString"));

        if (len == 0 || len > LONGEST)
            violation("a resultString of %zu bytes", len);
    }
    json_decref(answer);
}
