/* response.c -- puts together what http_parser finds. */
#include "lambda/response.h"

#include <http_parser.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEADERS_MAX 65536 /* bytes */

struct response {
    http_parser parser;
    struct buffer *body;
    bool cut;
    struct buffer headers; /* name, NUL, value, NUL, ... */
    bool in_name;          /* of a header, not in its value */
    bool whole;
    struct err *err; /* of response_take() */
};

/* ------------------------------------------------------------- its parts */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The end of a name or of a value, without the blanks that may follow one. */
static bool end_text(struct buffer *headers)
{
    while (headers->len > 0 && is_blank(headers->data[headers->len - 1]))
        headers->len--;
    return buffer_append(headers, "", 1);
}

/* Trailers, behind the last chunk, are dropped: the headers are complete by then. */
static bool is_trailer(const http_parser *parser)
{
    return (parser->flags & F_TRAILING) != 0;
}

static int take_name(http_parser *parser, const char *at, size_t len)
{
    struct response *response = parser->data;
    struct buffer *headers = &response->headers;
    bool ok;

    if (is_trailer(parser))
        return 0;
    ok = response->in_name || headers->len == 0 || end_text(headers);
    response->in_name = true;
    return !ok || !buffer_append(headers, at, len);
}

static int take_value(http_parser *parser, const char *at, size_t len)
{
    struct response *response = parser->data;
    bool ok;

    if (is_trailer(parser))
        return 0;
    ok = !response->in_name || end_text(&response->headers);
    response->in_name = false;
    return !ok || !buffer_append(&response->headers, at, len);
}

/* A body that ends where the connection ends may be incomplete. */
static int end_headers(http_parser *parser)
{
    struct response *response = parser->data;

    if (response->headers.len > 0 && !end_text(&response->headers))
        return -1;
    if (parser->content_length != ULLONG_MAX || (parser->flags & F_CHUNKED) ||
        parser->status_code / 100 == 1 || parser->status_code == 204)
        return 0;
    err_set(response->err, CAUSE_OTHER, "a response without its length");
    return -1;
}

static int take_body(http_parser *parser, const char *at, size_t len)
{
    struct response *response = parser->data;
    struct buffer *body = response->body;
    size_t room = body->max - body->len;

    if (response->cut && len > room)
        len = room;
    if (buffer_append(body, at, len))
        return 0;
    err_set(response->err, CAUSE_OTHER, "a response of more than %zu bytes", body->max);
    return -1;
}

static int end_response(http_parser *parser)
{
    struct response *response = parser->data;

    if (parser->status_code / 100 ==
        1) { /* "100 Continue": the response is still to come */
        buffer_clear(&response->headers);
        return 0;
    }
    response->whole = true;
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings on_parts = {
    .on_header_field = take_name,
    .on_header_value = take_value,
    .on_headers_complete = end_headers,
    .on_body = take_body,
    .on_message_complete = end_response,
};

/* ------------------------------------------------------------- public */

struct response *response_open(void)
{
    struct response *response = calloc(1, sizeof(*response));

    if (response)
        response->headers.max = HEADERS_MAX;
    return response;
}

void response_begin(struct response *response, struct buffer *body, bool cut)
{
    buffer_clear(body);
    buffer_clear(&response->headers);
    response->body = body;
    response->cut = cut;
    response->whole = false;
    http_parser_init(&response->parser, HTTP_RESPONSE);
    response->parser.data = response;
}

bool response_take(struct response *response, const char *piece, size_t len,
                   struct err *err)
{
    size_t parsed;
    enum http_errno status;

    response->err = err;
    err->text[0] = '\0';
    parsed = http_parser_execute(&response->parser, &on_parts, piece, len);
    status = HTTP_PARSER_ERRNO(&response->parser);
    if (response->whole && parsed == len)
        return true;
    if (!response->whole && status == HPE_OK && !response->parser.upgrade)
        return true;
    if (err->text[0] == '\0')
        err_set(err, CAUSE_OTHER, "not an HTTP response: %s",
                response->whole ? "bytes after its end" : http_errno_description(status));
    response->whole = false;
    return false;
}

bool response_whole(const struct response *response)
{
    return response->whole;
}

bool response_keeps(const struct response *response)
{
    return http_should_keep_alive(&response->parser);
}

unsigned response_status(const struct response *response)
{
    return response->parser.status_code;
}

const char *response_header(const struct response *response, const char *name)
{
    const char *at = response->headers.len > 0 ? response->headers.data : "";
    const char *end = at + response->headers.len;

    while (at < end) {
        const char *value = at + strlen(at) + 1;

        if (strcasecmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

void response_close(struct response *response)
{
    if (!response)
        return;
    buffer_free(&response->headers);
    free(response);
}
