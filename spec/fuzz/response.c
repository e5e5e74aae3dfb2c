/* response.c -- an answer of the Runtime API, whole and in pieces: both have to end the
 * same way. */
#include "lambda/response.h"

#include <string.h>

#include "fuzz.h"

#define BODY_MAX 65536
#define SHORT_PIECE 7

struct result {
    bool whole;
    unsigned status;
    char id[64];
    struct buffer body;
};

static void remember(struct result *result, const struct response *response)
{
    const char *id = response_header(response, "Lambda-Runtime-Aws-Request-Id");

    result->status = response_status(response);
    snprintf(result->id, sizeof(result->id), "%s%d", id ? id : "",
             response_keeps(response));
    response_header(response, "X-No-Such-Header");
}

/* In pieces of their own, so that nothing behind one can be read unnoticed. */
static struct result take(const uint8_t *data, size_t size, size_t most)
{
    struct response *response = response_open();
    struct result result = {.body.max = BODY_MAX};
    struct err err;
    bool ok = true;

    response_begin(response, &result.body, false);
    for (size_t at = 0, len; ok && at < size && !response_whole(response); at += len) {
        char *piece;

        len = size - at < most ? size - at : most;
        piece = malloc(len);
        memcpy(piece, data + at, len);
        ok = response_take(response, piece, len, &err);
        promise(ok || err.text[0], "a refusal has a reason");
        result.whole = response_whole(response) && at + len == size;
        free(piece);
    }
    if (result.whole)
        remember(&result, response);
    response_close(response);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct result whole = take(data, size, size ? size : 1);
    struct result pieces = take(data, size, SHORT_PIECE);

    promise(whole.whole == pieces.whole, "pieces end as the whole does");
    if (whole.whole) {
        promise(whole.status == pieces.status, "pieces have the same status");
        promise(strcmp(whole.id, pieces.id) == 0, "pieces have the same headers");
        promise(whole.body.len == pieces.body.len &&
                    (whole.body.len == 0 ||
                     memcmp(whole.body.data, pieces.body.data, whole.body.len) == 0),
                "pieces have the same body");
    }
    buffer_free(&whole.body);
    buffer_free(&pieces.body);
    return 0;
}
