/* http.c -- libcurl, as the Lambda Runtime API and AWS need it.
 *
 * One easy handle does every call, driven through a multi handle: its poll takes the
 * signals' descriptor as well, so that a SIGTERM ends a call that would otherwise wait
 * for hours, and its cache keeps the connection. A signed call is shorter than its
 * timeout, so it needs neither. */
#include "http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "trust.h"
#include "wipe.h"

#define CONNECT_TIMEOUT_MS 1000L
#define POST_TIMEOUT_MS 5000L /* the most that a deadline keeps back for the answer */
#define KEPT_IDLE_S 1800L     /* longer than any invocation; curl's own default is 118 */

struct http {
    CURL *easy;
    CURLM *multi;
    struct curl_slist *headers; /* of every post */
    int signals; /* a signalfd; never read, so a stop stays a stop; -1: a client has none
                  */
    char words[CURL_ERROR_SIZE]; /* curl's own about the last call */
    struct err distrust;         /* why the CAs could not be used */
    const char *bundle;          /* of the call that is under way */
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

/* ------------------------------------------------------------------ signed calls */

static bool is_loopback(const char *host)
{
    struct in_addr address;

    if (inet_pton(AF_INET, host, &address) == 1)
        return ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0;
}

/* By the parser that the call uses. */
static bool has(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool found = curl_url_get(url, part, &text, 0) == CURLUE_OK;

    curl_free(text);
    return found;
}

static bool check_parts(CURLU *url, struct err *err)
{
    char *scheme = NULL, *host = NULL;
    bool known = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                 curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK;
    bool plain = known && strcmp(scheme, "http") == 0;
    bool ok = known && (plain || strcmp(scheme, "https") == 0);

    if (!ok)
        err_set(err, "it is no http:// or https:// URL");
    else if (plain && !is_loopback(host))
        ok = err_set(err,
                     "http:// to %.200s would carry the session token in the clear; "
                     "it is for loopback alone, use https://",
                     host);
    curl_free(scheme);
    curl_free(host);
    return ok;
}

bool http_check_url(const char *text, struct err *err)
{
    CURLU *url = curl_url();
    bool ok;

    if (!url || curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME))
        ok = err_set(err, "it is no URL");
    else if (has(url, CURLUPART_USER) || has(url, CURLUPART_PASSWORD) ||
             has(url, CURLUPART_QUERY) || has(url, CURLUPART_FRAGMENT))
        ok = err_set(err, "a user, a query or a fragment has no place in it");
    else
        ok = check_parts(url, err);
    curl_url_cleanup(url);
    return ok;
}

static CURLcode use_bundle(CURL *easy, void *context, void *user)
{
    struct http *http = user;

    (void)easy;
    SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);
    return trust_use(context, http->bundle, &http->distrust) ? CURLE_OK
                                                             : CURLE_SSL_CACERT_BADFILE;
}

static struct curl_slist *list_of(const char *const *headers)
{
    struct curl_slist *list = NULL;

    for (; *headers; headers++) {
        struct curl_slist *longer = curl_slist_append(list, *headers);

        if (!longer) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = longer;
    }
    return list;
}

struct http_outcome http_call(struct http *http, const struct http_request *request,
                              struct buffer *reply)
{
    struct http_outcome outcome = {.code = CURLE_OUT_OF_MEMORY};
    struct curl_slist *headers = list_of(request->headers);

    buffer_clear(reply);
    http->words[0] = '\0';
    http->distrust = (struct err){0};
    http->bundle = request->bundle;
    if (!headers)
        return outcome;
    curl_easy_setopt(http->easy, CURLOPT_URL, request->url);
    curl_easy_setopt(http->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(http->easy, CURLOPT_POSTFIELDS, request->body);
    curl_easy_setopt(http->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->len);
    curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(http->easy, CURLOPT_AWS_SIGV4, request->signed_for);
    curl_easy_setopt(http->easy, CURLOPT_USERNAME, request->key_id);
    curl_easy_setopt(http->easy, CURLOPT_PASSWORD, request->secret_key);
    curl_easy_setopt(http->easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(http->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(http->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(http->easy, CURLOPT_WRITEDATA, reply);
    outcome.code = (int)curl_easy_perform(http->easy);
    outcome.arrived = outcome.code == CURLE_OK;
    curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &outcome.status);
    curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    return outcome;
}

bool http_may_pass(const struct http_outcome *outcome)
{
    switch (outcome->code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_WRITE_ERROR: /* longer than the buffer may be */
        return false;
    default:
        return true;
    }
}

/* ----------------------------------------------------------------- what came back */

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
    return err_set(err, "%s: %s (curl %d)%s%s%s%s", url ? url : "",
                   curl_easy_strerror((CURLcode)outcome->code), outcome->code,
                   http->words[0] ? ": " : "", http->words,
                   http->distrust.text[0] ? ": " : "", http->distrust.text);
}

/* --------------------------------------------------------------- open and close */

/* The linker gives this to curl in place of its own (Makefile), which would start
 * OpenSSL: a tenth of a start and a fifth of the memory. OpenSSL starts itself at its
 * first use. */
int __wrap_Curl_ssl_init(void);
int __wrap_Curl_ssl_init(void)
{
    return 1;
}

/* The half that both kinds of call share. */
static bool set_up(struct http *http, const char *user_agent)
{
    http->easy = curl_easy_init();
    if (!http->easy)
        return false;
    curl_easy_setopt(http->easy, CURLOPT_USERAGENT, user_agent);
    curl_easy_setopt(http->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(http->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(http->easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(http->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(http->easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(http->easy, CURLOPT_ERRORBUFFER, http->words);
    return true;
}

static bool set_up_runtime(struct http *http, const char *user_agent)
{
    /* Without "Expect:" a big body would wait for a "100 Continue" that never comes. */
    http->headers = curl_slist_append(NULL, "Expect:");
    if (!http->headers ||
        !curl_slist_append(http->headers, "Content-Type: application/json"))
        return false;
    http->multi = curl_multi_init();
    if (!http->multi || !set_up(http, user_agent))
        return false;
    curl_easy_setopt(http->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(http->easy, CURLOPT_MAXAGE_CONN, KEPT_IDLE_S);
    return true;
}

static bool set_up_client(struct http *http, const char *user_agent)
{
    if (!set_up(http, user_agent))
        return false;
    curl_easy_setopt(http->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(http->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(http->easy, CURLOPT_CAINFO, NULL); /* use_bundle() brings them */
    curl_easy_setopt(http->easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(http->easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
    curl_easy_setopt(http->easy, CURLOPT_SSL_CTX_FUNCTION, use_bundle);
    curl_easy_setopt(http->easy, CURLOPT_SSL_CTX_DATA, http);
    /* Else the end of a call waits for a look-up that outlives its timeout. */
    curl_easy_setopt(http->easy, CURLOPT_QUICK_EXIT, 1L);
    return true;
}

/* From the first client on: its calls carry secrets, and what curl frees may have them in
 * it. Without one, wiping would take a twentieth of a warm event. */
static bool wiping;

static void free_memory(void *memory)
{
    if (wiping)
        wipe_free(memory);
    else
        free(memory);
}

static void *resize_memory(void *memory, size_t size)
{
    return wiping ? wipe_realloc(memory, size) : realloc(memory, size);
}

static struct http *allocate(struct err *err)
{
    struct http *http = calloc(1, sizeof(*http));

    if (!http) {
        err_set(err, "out of memory");
        return NULL;
    }
    http->signals = -1;
    curl_global_init_mem(CURL_GLOBAL_NOTHING, malloc, free_memory, resize_memory, strdup,
                         calloc);
    return http;
}

struct http *http_open(const char *user_agent, struct err *err)
{
    struct http *http = allocate(err);
    sigset_t stops;

    if (!http)
        return NULL;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stops, NULL);
    http->signals = signalfd(-1, &stops, SFD_CLOEXEC);
    if (http->signals < 0)
        err_set(err, "signalfd: %s", strerror(errno));
    else if (!set_up_runtime(http, user_agent))
        err_set(err, "libcurl did not start");
    else
        return http;
    http_close(http);
    return NULL;
}

struct http *http_open_client(const char *user_agent, struct err *err)
{
    struct http *http = allocate(err);

    wiping = true;
    if (http && !set_up_client(http, user_agent)) {
        err_set(err, "libcurl did not start");
        http_close(http);
        return NULL;
    }
    return http;
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
