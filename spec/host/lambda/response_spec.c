/* The spec of host/lambda/response.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lambda/response.h"

static struct response *response;
static struct buffer body;
static struct err err;

static int setup(void **state)
{
    (void)state;
    response = response_open();
    body = (struct buffer){.max = 1000};
    err.text[0] = '\0';
    return response ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    response_close(response);
    buffer_free(&body);
    return 0;
}

/* The next piece, in memory of its own, so that nothing reads beyond it. */
static bool take(const char *text, size_t len)
{
    char *piece = malloc(len ? len : 1);
    bool ok;

    assert_non_null(piece);
    memcpy(piece, text, len);
    ok = response_take(response, piece, len, &err);
    free(piece);
    return ok;
}

static bool take_all(const char *text)
{
    response_begin(response, &body, false);
    return take(text, strlen(text));
}

static void assert_refused(const char *text, const char *why)
{
    assert_false(take_all(text));
    assert_false(response_whole(response));
    assert_string_equal(err.text, why);
}

static void assert_header(const char *name, const char *value)
{
    const char *found = response_header(response, name);

    assert_non_null(found);
    assert_string_equal(found, value);
}

/* ------------------------------------------------------------------------ pieces */

static const char event[] = "HTTP/1.1 200 OK\r\n"
                            "Content-Type: application/json\r\n"
                            "Lambda-Runtime-Aws-Request-Id: 8476a536 \t\r\n"
                            "Empty:\r\n"
                            "Content-Length: 13\r\n"
                            "Last:\r\n"
                            "\r\n"
                            "{\"Records\":[]";

static const char in_chunks[] = "HTTP/1.1 200 OK\r\n"
                                "Content-Type: application/json\r\n"
                                "Lambda-Runtime-Aws-Request-Id: 8476a536 \t\r\n"
                                "Empty:\r\n"
                                "Transfer-Encoding: chunked\r\n"
                                "Last: \t\r\n"
                                "\r\n"
                                "5\r\n{\"Rec\r\n"
                                "8\r\nords\":[]\r\n"
                                "0\r\n\r\n";

static void assert_cut_anywhere(const char *text, size_t len)
{
    for (size_t cut = 0; cut <= len; cut++) {
        response_begin(response, &body, false);
        assert_true(cut == 0 || take(text, cut));
        assert_int_equal(response_whole(response), cut == len);
        assert_true(cut == len || take(text + cut, len - cut));
        assert_true(response_whole(response));
        assert_int_equal(response_status(response), 200);
        assert_string_equal(body.data, "{\"Records\":[]");
        assert_header("lambda-runtime-aws-request-id", "8476a536");
        assert_header("CONTENT-TYPE", "application/json");
        assert_header("Empty", "");
        assert_header("Last", "");
        assert_null(response_header(response, "Content"));
        assert_true(response_keeps(response));
    }
}

static void comes_in_pieces_cut_anywhere(void **state)
{
    (void)state;
    assert_cut_anywhere(event, sizeof(event) - 1);
}

static void comes_in_chunks_cut_anywhere(void **state)
{
    (void)state;
    assert_cut_anywhere(in_chunks, sizeof(in_chunks) - 1);
}

/* Behind the last chunk the headers are complete: a look for one must not go on in the
 * trailers. */
static void trailers_are_left_alone(void **state)
{
    (void)state;
    assert_true(take_all("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n"
                         "2\r\n{}\r\n0\r\nT: v\r\nUnfinished:\r\n\r\n"));
    assert_true(response_whole(response));
    assert_string_equal(body.data, "{}");
    assert_header("X", "y");
    assert_null(response_header(response, "T"));
    assert_null(response_header(response, "v"));
    assert_null(response_header(response, "Unfinished"));
}

static void one_follows_the_other(void **state)
{
    (void)state;
    assert_true(take_all("HTTP/1.1 500 No\r\nFirst: 1\r\nContent-Length: 2\r\n\r\nno"));
    assert_int_equal(response_status(response), 500);
    response_begin(response, &body, false);
    assert_false(response_whole(response));
    assert_null(response_header(response, "First"));
    assert_int_equal(body.len, 0);
    assert_true(take_all("HTTP/1.1 202 Yes\r\nContent-Length: 0\r\n\r\n"));
    assert_true(response_whole(response));
    assert_int_equal(response_status(response), 202);
    assert_null(response_header(response, "First"));
}

static void what_says_to_go_on_is_passed_over(void **state)
{
    (void)state;
    assert_true(take_all("HTTP/1.1 100 Continue\r\nFirst: 1\r\n\r\n"));
    assert_false(response_whole(response));
    assert_true(take("HTTP/1.1 204 None\r\n\r\n", 21));
    assert_true(response_whole(response));
    assert_int_equal(response_status(response), 204);
    assert_null(response_header(response, "First"));
}

static void says_whether_the_connection_stays(void **state)
{
    (void)state;
    assert_true(
        take_all("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
    assert_false(response_keeps(response));
    assert_true(take_all("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
    assert_false(response_keeps(response));
}

/* ------------------------------------------------------------------------ what is wrong
 */

static void one_without_a_length_is_refused(void **state)
{
    (void)state;
    assert_refused("HTTP/1.1 200 OK\r\n\r\nhalf", "a response without its length");
}

static void what_is_not_http_is_refused(void **state)
{
    (void)state;
    assert_refused("SSH-2.0-OpenSSH_9.2\r\n",
                   "not an HTTP response: invalid constant string");
    assert_refused("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
                   "not an HTTP response: invalid character in content-length header");
}

/* The cause of one failure is not reported for the next. */
static void bytes_behind_its_end_are_refused(void **state)
{
    (void)state;
    assert_refused("HTTP/1.1 200 OK\r\n\r\n", "a response without its length");
    assert_refused("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno!",
                   "not an HTTP response: bytes after its end");
}

static void a_body_that_does_not_fit_is_refused_or_cut(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789";

    (void)state;
    body.max = 8;
    assert_refused(text, "a response of more than 8 bytes");
    response_begin(response, &body, true);
    assert_true(take(text, sizeof(text) - 1));
    assert_true(response_whole(response));
    assert_string_equal(body.data, "12345678");
}

static void headers_have_64_kilobytes(void **state)
{
    static char text[70000];

    (void)state;
    for (int over = 0; over < 2; over++) {
        int value = 65536 - 3 + over; /* beside "a" and two NULs */
        int len =
            snprintf(text, sizeof(text), "HTTP/1.1 204 OK\r\na: %0*d\r\n\r\n", value, 0);

        response_begin(response, &body, false);
        assert_int_equal(take(text, (size_t)len), over == 0);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(comes_in_pieces_cut_anywhere),
        CASE(comes_in_chunks_cut_anywhere),
        CASE(trailers_are_left_alone),
        CASE(one_follows_the_other),
        CASE(what_says_to_go_on_is_passed_over),
        CASE(says_whether_the_connection_stays),
        CASE(one_without_a_length_is_refused),
        CASE(what_is_not_http_is_refused),
        CASE(bytes_behind_its_end_are_refused),
        CASE(a_body_that_does_not_fit_is_refused_or_cut),
        CASE(headers_have_64_kilobytes),
    };

    return cmocka_run_group_tests_name("response", tests, NULL, NULL);
}
