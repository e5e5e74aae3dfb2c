/* runtime.c -- the Lambda Runtime API over libcurl.
 *
 * One easy handle does every call, one after the other, driven through a multi handle:
 * its poll takes the signals' descriptor as well, so that a SIGTERM ends a /next that
 * would otherwise wait for hours, and its cache keeps the connection. Knows nothing of
 * what is in a payload or an answer. */
#include "runtime.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "buffer.h"
#include "log.h"

#define PAYLOAD_MAX (6 * 1024 * 1024 + 100 + 64 * 1024) /* Lambda's limit, and slack */
#define REPLY_MAX 512         /* of what a post is told: only for people to read */
#define CONNECT_TIMEOUT_MS 1000L
#define POST_TIMEOUT_MS 5000L /* the most that a deadline keeps back for the answer */
#define KEPT_IDLE_S 1800L     /* longer than any invocation; curl's own default is 118 */
#define TRIES 3               /* of /next, which gives the same event again */
#define FIRST_PAUSE_MS 100

struct runtime {
    CURL *easy;
    CURLM *multi;
    struct curl_slist *headers; /* of every post */
    char *base;                 /* http://host:port/2018-06-01/runtime */
    int signals;                /* a signalfd; never read, so a stop stays a stop */
    struct buffer payload;
    struct buffer reply;
    char *request_id;
    char *trace_id;
    char words[CURL_ERROR_SIZE]; /* curl's own about the last call */
};

/* What became of one call. */
struct outcome {
    CURLcode code;
    long status;
    bool stopped; /* a signal came first */
};

/* ------------------------------------------------------------------ one call */

static size_t take_payload(char *data, size_t size, size_t count, void *user)
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

static bool stop_asked(const struct runtime *runtime, int wait_ms)
{
    struct pollfd fd = {.fd = runtime->signals, .events = POLLIN};

    return poll(&fd, 1, wait_ms) > 0;
}

/* Makes the call that the easy handle is set up for. */
static struct outcome perform(struct runtime *runtime, bool stoppable)
{
    struct curl_waitfd signals = {.fd = runtime->signals, .events = CURL_WAIT_POLLIN};
    struct outcome outcome = {.code = CURLE_FAILED_INIT};
    CURLMcode multi = curl_multi_add_handle(runtime->multi, runtime->easy);
    struct CURLMsg *message;
    int running = 1, left;

    runtime->words[0] = '\0';
    while (multi == CURLM_OK && !outcome.stopped) {
        multi = curl_multi_perform(runtime->multi, &running);
        if (multi != CURLM_OK || running == 0)
            break;
        multi = curl_multi_poll(runtime->multi, &signals, stoppable ? 1 : 0, 60000, NULL);
        outcome.stopped = stoppable && signals.revents != 0;
    }
    message = curl_multi_info_read(runtime->multi, &left);
    if (message && message->msg == CURLMSG_DONE) {
        outcome.code = message->data.result;
        outcome.stopped = false;
    }
    curl_easy_getinfo(runtime->easy, CURLINFO_RESPONSE_CODE, &outcome.status);
    curl_multi_remove_handle(runtime->multi, runtime->easy);
    return outcome;
}

/* Says what became of a call that did not do what it should. */
static bool tell(struct runtime *runtime, const struct outcome *outcome,
                 const struct buffer *body, struct err *err)
{
    const char *url = "";

    curl_easy_getinfo(runtime->easy, CURLINFO_EFFECTIVE_URL, &url);
    if (outcome->code != CURLE_OK)
        return err_set(err, "%s: %s (curl %d)%s%s", url,
                       curl_easy_strerror(outcome->code), (int)outcome->code,
                       runtime->words[0] ? ": " : "", runtime->words);
    return err_set(err, "%s: status %ld: %.200s", url, outcome->status,
                   body->data ? body->data : "(no body)");
}

/* --------------------------------------------------------------------- /next */

/* A copy of a header of the last answer; NULL where it is missing or empty. */
static char *copy_header(const struct runtime *runtime, const char *name)
{
    struct curl_header *header = NULL;

    if (curl_easy_header(runtime->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value[0] ? strdup(header->value) : NULL;
}

static bool has_header(const struct runtime *runtime, const char *name)
{
    struct curl_header *header = NULL;

    return curl_easy_header(runtime->easy, name, 0, CURLH_HEADER, -1, &header) ==
           CURLHE_OK;
}

static void forget_event(struct runtime *runtime)
{
    free(runtime->request_id);
    free(runtime->trace_id);
    runtime->request_id = NULL;
    runtime->trace_id = NULL;
    buffer_clear(&runtime->payload);
}

static struct outcome get_next(struct runtime *runtime)
{
    char *url = NULL;
    struct outcome outcome = {.code = CURLE_OUT_OF_MEMORY};

    buffer_clear(&runtime->payload);
    if (asprintf(&url, "%s/invocation/next", runtime->base) < 0)
        return outcome;
    curl_easy_setopt(runtime->easy, CURLOPT_URL, url);
    curl_easy_setopt(runtime->easy, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(runtime->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(runtime->easy, CURLOPT_TIMEOUT_MS, 0L);
    curl_easy_setopt(runtime->easy, CURLOPT_WRITEFUNCTION, take_payload);
    curl_easy_setopt(runtime->easy, CURLOPT_WRITEDATA, &runtime->payload);
    outcome = perform(runtime, true);
    /* A body that ends where the connection ends may be half of one. */
    if (outcome.code == CURLE_OK && !outcome.stopped &&
        !has_header(runtime, "Content-Length") &&
        !has_header(runtime, "Transfer-Encoding"))
        outcome.code = CURLE_PARTIAL_FILE;
    free(url);
    return outcome;
}

static bool read_event(struct runtime *runtime, struct runtime_event *event,
                       struct err *err)
{
    char *deadline = copy_header(runtime, "Lambda-Runtime-Deadline-Ms");

    runtime->request_id = copy_header(runtime, "Lambda-Runtime-Aws-Request-Id");
    runtime->trace_id = copy_header(runtime, "Lambda-Runtime-Trace-Id");
    *event = (struct runtime_event){
        .request_id = runtime->request_id,
        .trace_id = runtime->trace_id ? runtime->trace_id : "",
        .deadline_ms = deadline ? strtoll(deadline, NULL, 10) : 0,
        .payload = runtime->payload.data ? runtime->payload.data : "",
        .payload_len = runtime->payload.len,
    };
    free(deadline);
    if (event->deadline_ms < 0)
        event->deadline_ms = 0;
    if (!runtime->request_id)
        return err_set(err,
                       "%s/invocation/next: an event without the header "
                       "Lambda-Runtime-Aws-Request-Id, so it cannot be answered",
                       runtime->base);
    return true;
}

enum runtime_next runtime_next(struct runtime *runtime, struct runtime_event *event,
                               struct err *err)
{
    struct outcome outcome = {0};
    int pause_ms = 0;
    int tries;

    forget_event(runtime);
    for (tries = 1; tries <= TRIES; tries++) {
        if (stop_asked(runtime, pause_ms))
            return RUNTIME_STOP;
        outcome = get_next(runtime);
        if (outcome.stopped)
            return RUNTIME_STOP;
        if (outcome.code == CURLE_OK)
            break;
        pause_ms = pause_ms ? pause_ms * 2 : FIRST_PAUSE_MS;
        tell(runtime, &outcome, &runtime->payload, err);
        log_say(LOG_LEVEL_WARN, "no event from the Runtime API, try %d of %d: %s", tries,
                TRIES, err->text);
    }
    if (outcome.code == CURLE_OK && outcome.status == 200)
        return read_event(runtime, event, err) ? RUNTIME_EVENT : RUNTIME_GONE;
    tell(runtime, &outcome, &runtime->payload, err);
    err_wrap(err, "no event from the Runtime API");
    return RUNTIME_GONE;
}

/* --------------------------------------------------------------------- posts */

static struct outcome post(struct runtime *runtime, const char *url, const char *type,
                           const char *body, size_t len)
{
    struct outcome outcome = {.code = CURLE_OUT_OF_MEMORY};
    struct curl_slist error_type = {.next = runtime->headers};
    char *header = NULL;

    if (type && asprintf(&header, "Lambda-Runtime-Function-Error-Type: %s", type) < 0)
        return outcome;
    error_type.data = header;
    buffer_clear(&runtime->reply);
    curl_easy_setopt(runtime->easy, CURLOPT_URL, url);
    curl_easy_setopt(runtime->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(runtime->easy, CURLOPT_POSTFIELDS, len > 0 ? body : "");
    curl_easy_setopt(runtime->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
    curl_easy_setopt(runtime->easy, CURLOPT_HTTPHEADER,
                     type ? &error_type : runtime->headers);
    curl_easy_setopt(runtime->easy, CURLOPT_TIMEOUT_MS, POST_TIMEOUT_MS);
    curl_easy_setopt(runtime->easy, CURLOPT_WRITEFUNCTION, take_reply);
    curl_easy_setopt(runtime->easy, CURLOPT_WRITEDATA, &runtime->reply);
    outcome = perform(runtime, false);
    curl_easy_setopt(runtime->easy, CURLOPT_HTTPHEADER, NULL);
    free(header);
    return outcome;
}

/* One answer, and a second try where it is unknown whether it arrived (curl itself makes
 * one where a kept connection turns out to be dead). */
static bool answer(struct runtime *runtime, const char *what, const char *type,
                   const char *body, size_t len, struct err *err)
{
    struct outcome outcome = {.code = CURLE_OUT_OF_MEMORY};
    char *url = NULL;

    if (!runtime->request_id)
        return err_set(err, "there is no event to answer");
    if (asprintf(&url, "%s/invocation/%s/%s", runtime->base, runtime->request_id, what) <
        0)
        return err_set(err, "out of memory");
    outcome = post(runtime, url, type, body, len);
    if (outcome.code != CURLE_OK) {
        tell(runtime, &outcome, &runtime->reply, err);
        log_say(LOG_LEVEL_WARN, "the answer may not have arrived, trying again: %s",
                err->text);
        outcome = post(runtime, url, type, body, len);
    }
    free(url);
    if (outcome.code == CURLE_OK && outcome.status / 100 == 2)
        return true;
    tell(runtime, &outcome, &runtime->reply, err);
    if (outcome.code == CURLE_OK &&
        (outcome.status == 400 || outcome.status == 410 || outcome.status == 413)) {
        log_say(LOG_LEVEL_WARN, "%s: %s",
                outcome.status == 413 ? "the answer was too big"
                                      : "the answer came too late, or twice",
                err->text);
        return true;
    }
    return err_wrap(err, "the Runtime API did not take the answer");
}

bool runtime_respond(struct runtime *runtime, const char *body, size_t len,
                     struct err *err)
{
    return answer(runtime, "response", NULL, body, len, err);
}

bool runtime_fail(struct runtime *runtime, const char *type, const char *body, size_t len,
                  struct err *err)
{
    return answer(runtime, "error", type, body, len, err);
}

static bool write_error(struct buffer *body, const char *error_type, const char *message)
{
    return buffer_append(body, "{\"errorMessage\":", 16) &&
           buffer_append_json_string(body, message, strlen(message)) &&
           buffer_append(body, ",\"errorType\":", 13) &&
           buffer_append_json_string(body, error_type, strlen(error_type)) &&
           buffer_append(body, ",\"stackTrace\":[]}", 17);
}

/* One try: the outcome changes nothing, since the process ends anyway. */
bool runtime_init_error(struct runtime *runtime, const char *type, const char *error_type,
                        const char *message, struct err *err)
{
    struct buffer body = {.max = 64 * 1024};
    struct outcome outcome = {.code = CURLE_OUT_OF_MEMORY};
    char *url = NULL;

    if (write_error(&body, error_type ? error_type : type, message) &&
        asprintf(&url, "%s/init/error", runtime->base) >= 0)
        outcome = post(runtime, url, type, body.data, body.len);
    free(url);
    buffer_free(&body);
    if (outcome.code == CURLE_OK && outcome.status / 100 == 2)
        return true;
    tell(runtime, &outcome, &runtime->reply, err);
    return err_wrap(err, "the Runtime API did not take the init error");
}

/* ------------------------------------------------------------ open and close */

static bool set_up(struct runtime *runtime, const char *api, const char *user_agent)
{
    if (asprintf(&runtime->base, "http://%s/2018-06-01/runtime", api) < 0) {
        runtime->base = NULL;
        return false;
    }
    /* Expect: a big body would wait for a "100 Continue" that never comes. */
    runtime->headers = curl_slist_append(NULL, "Expect:");
    if (!runtime->headers ||
        !curl_slist_append(runtime->headers, "Content-Type: application/json"))
        return false;
    runtime->multi = curl_multi_init();
    runtime->easy = curl_easy_init();
    if (!runtime->multi || !runtime->easy)
        return false;
    curl_easy_setopt(runtime->easy, CURLOPT_USERAGENT, user_agent);
    curl_easy_setopt(runtime->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(runtime->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(runtime->easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(runtime->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(runtime->easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(runtime->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(runtime->easy, CURLOPT_MAXAGE_CONN, KEPT_IDLE_S);
    curl_easy_setopt(runtime->easy, CURLOPT_ERRORBUFFER, runtime->words);
    return true;
}

struct runtime *runtime_open(const char *api, const char *user_agent, struct err *err)
{
    struct runtime *runtime = calloc(1, sizeof(*runtime));
    sigset_t stops;

    if (!runtime) {
        err_set(err, "out of memory");
        return NULL;
    }
    runtime->payload.max = PAYLOAD_MAX;
    runtime->reply.max = REPLY_MAX;
    /* NOTHING: this is plain HTTP, and OpenSSL's start costs more than all of curl's. */
    curl_global_init(CURL_GLOBAL_NOTHING);
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stops, NULL);
    runtime->signals = signalfd(-1, &stops, SFD_CLOEXEC);
    if (runtime->signals < 0)
        err_set(err, "signalfd: %s", strerror(errno));
    else if (!set_up(runtime, api, user_agent))
        err_set(err, "libcurl did not start");
    else
        return runtime;
    runtime_close(runtime);
    return NULL;
}

/* The signals stay blocked: a stop that came meanwhile must not kill the rest. */
void runtime_close(struct runtime *runtime)
{
    if (!runtime)
        return;
    forget_event(runtime);
    buffer_free(&runtime->payload);
    buffer_free(&runtime->reply);
    curl_easy_cleanup(runtime->easy);
    curl_multi_cleanup(runtime->multi);
    curl_slist_free_all(runtime->headers);
    free(runtime->base);
    if (runtime->signals >= 0)
        close(runtime->signals);
    free(runtime);
    curl_global_cleanup();
}
