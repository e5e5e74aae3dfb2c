/* http.c -- libcurl, as the Lambda Runtime API needs it.
 *
 * One easy handle does every call, driven through a multi handle: its poll takes the
 * signals' descriptor as well, so that a SIGTERM ends a call that would otherwise wait
 * for hours, and its cache keeps the connection. */
#include "http.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 1000L
#define POST_TIMEOUT_MS 5000L /* the most that a deadline keeps back for the answer */
#define KEPT_IDLE_S 1800L     /* longer than any invocation; curl's own default is 118 */

struct http {
    CURL *easy;
    CURLM *multi;
    struct curl_slist *headers;  /* of every post */
    int signals;                 /* a signalfd; never read, so a stop stays a stop */
    char words[CURL_ERROR_SIZE]; /* curl's own about the last call */
};

/* ------------------------------------------------------------------------ calls */

static size_t take_body(char *data, size_t size, size_t count, void *user)
{
    return buffer_append(user, data, size * count) ? size * count : 0;
}

static size_t take_reply(char *data, size_t size, size_t count, void *user)
{
    struct buffer *reply = user;
    size_t room = reply->max - reply->len;

    buffer_append(reply, data, size * count < room ? size * count : room);
    return size * count; /* the rest is read and dropped: the connection stays usable */
}

/* Makes the call that the easy handle is set up for. */
static struct http_outcome perform(struct http *http, bool stoppable)
{
    struct curl_waitfd signals = {.fd = http->signals, .events = CURL_WAIT_POLLIN};
    struct http_outcome outcome = {.code = CURLE_FAILED_INIT};
    CURLMcode multi = curl_multi_add_handle(http->multi, http->easy);
    struct CURLMsg *message;
    int running = 1, left;

    http->words[0] = '\0';
    while (multi == CURLM_OK && !outcome.stopped) {
        multi = curl_multi_perform(http->multi, &running);
        if (multi != CURLM_OK || running == 0)
            break;
        multi = curl_multi_poll(http->multi, &signals, stoppable ? 1 : 0, 60000, NULL);
        outcome.stopped = stoppable && signals.revents != 0;
    }
    message = curl_multi_info_read(http->multi, &left);
    if (message && message->msg == CURLMSG_DONE)
        outcome.code = (int)message->data.result;
    outcome.arrived = message && outcome.code == CURLE_OK;
    curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &outcome.status);
    curl_multi_remove_handle(http->multi, http->easy);
    return outcome;
}

struct http_outcome http_get(struct http *http, const char *url, struct buffer *body)
{
    struct http_outcome outcome;

    buffer_clear(body);
    curl_easy_setopt(http->easy, CURLOPT_URL, url);
    curl_easy_setopt(http->easy, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(http->easy, CURLOPT_TIMEOUT_MS, 0L);
    curl_easy_setopt(http->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(http->easy, CURLOPT_WRITEDATA, body);
    outcome = perform(http, true);
    /* A body that ends where the connection ends may be half of one. */
    if (outcome.arrived && !http_header(http, "Content-Length") &&
        !http_header(http, "Transfer-Encoding")) {
        outcome.arrived = false;
        outcome.code = CURLE_PARTIAL_FILE;
    }
    return outcome;
}

struct http_outcome http_post(struct http *http, const char *url, const char *header,
                              const char *body, size_t len, struct buffer *reply)
{
    struct http_outcome outcome = {.code = CURLE_OUT_OF_MEMORY};
    struct curl_slist more = {.data = header ? strdup(header) : NULL,
                              .next = http->headers};

    buffer_clear(reply);
    if (header && !more.data)
        return outcome;
    curl_easy_setopt(http->easy, CURLOPT_URL, url);
    curl_easy_setopt(http->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(http->easy, CURLOPT_POSTFIELDS, len > 0 ? body : "");
    curl_easy_setopt(http->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
    curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, header ? &more : http->headers);
    curl_easy_setopt(http->easy, CURLOPT_TIMEOUT_MS, POST_TIMEOUT_MS);
    curl_easy_setopt(http->easy, CURLOPT_WRITEFUNCTION, take_reply);
    curl_easy_setopt(http->easy, CURLOPT_WRITEDATA, reply);
    outcome = perform(http, false);
    curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, NULL); /* `more` ends here */
    free(more.data);
    return outcome;
}

const char *http_header(const struct http *http, const char *name)
{
    struct curl_header *header = NULL;

    if (curl_easy_header(http->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

bool http_stop_asked(const struct http *http, int wait_ms)
{
    struct pollfd fd = {.fd = http->signals, .events = POLLIN};

    return poll(&fd, 1, wait_ms) > 0;
}

bool http_tell(const struct http *http, const struct http_outcome *outcome,
               const struct buffer *body, struct err *err)
{
    const char *url = NULL;

    curl_easy_getinfo(http->easy, CURLINFO_EFFECTIVE_URL, &url);
    if (outcome->arrived)
        return err_set(err, "%s: status %ld: %.200s", url ? url : "", outcome->status,
                       body->len > 0 ? body->data : "(no body)");
    return err_set(err, "%s: %s (curl %d)%s%s", url ? url : "",
                   curl_easy_strerror((CURLcode)outcome->code), outcome->code,
                   http->words[0] ? ": " : "", http->words);
}

/* --------------------------------------------------------------- open and close */

static bool set_up(struct http *http, const char *user_agent)
{
    /* Without "Expect:" a big body would wait for a "100 Continue" that never comes. */
    http->headers = curl_slist_append(NULL, "Expect:");
    if (!http->headers ||
        !curl_slist_append(http->headers, "Content-Type: application/json"))
        return false;
    http->multi = curl_multi_init();
    http->easy = curl_easy_init();
    if (!http->multi || !http->easy)
        return false;
    curl_easy_setopt(http->easy, CURLOPT_USERAGENT, user_agent);
    curl_easy_setopt(http->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(http->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(http->easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(http->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(http->easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(http->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(http->easy, CURLOPT_MAXAGE_CONN, KEPT_IDLE_S);
    curl_easy_setopt(http->easy, CURLOPT_ERRORBUFFER, http->words);
    return true;
}

struct http *http_open(const char *user_agent, struct err *err)
{
    struct http *http = calloc(1, sizeof(*http));
    sigset_t stops;

    if (!http) {
        err_set(err, "out of memory");
        return NULL;
    }
    /* NOTHING: this is plain HTTP, and OpenSSL's start costs more than all of curl's. */
    curl_global_init(CURL_GLOBAL_NOTHING);
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stops, NULL);
    http->signals = signalfd(-1, &stops, SFD_CLOEXEC);
    if (http->signals < 0)
        err_set(err, "signalfd: %s", strerror(errno));
    else if (!set_up(http, user_agent))
        err_set(err, "libcurl did not start");
    else
        return http;
    http_close(http);
    return NULL;
}

/* The signals stay blocked: one that came meanwhile must not kill what is still to do. */
void http_close(struct http *http)
{
    if (!http)
        return;
    curl_easy_cleanup(http->easy);
    curl_multi_cleanup(http->multi);
    curl_slist_free_all(http->headers);
    if (http->signals >= 0)
        close(http->signals);
    free(http);
    curl_global_cleanup();
}
