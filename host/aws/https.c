/* https.c -- libcurl, as calls to AWS need it.
 *
 * A call is shorter than its timeout, so it needs neither a kept connection nor a look at
 * signals. */
#include "aws/https.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/wipe.h"
#include "net/ca.h"

#define NO_URL "it is not an http:// or https:// URL (example: https://HOST)"

struct https {
    CURL *easy;
    char words[CURL_ERROR_SIZE]; /* curl's own, for the last call */
    struct err distrust;         /* why the CAs could not be used */
    const char *bundle;          /* of the call that is under way */
};

/* ------------------------------------------------------------------ where to */

static bool is_loopback(const char *host)
{
    struct in_addr address;

    if (inet_pton(AF_INET, host, &address) == 1)
        return ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET;
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0;
}

/* https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html */
static bool is_container(const char *host)
{
    return strcmp(host, "169.254.170.2") == 0 || strcmp(host, "169.254.170.23") == 0 ||
           strcasecmp(host, "[fd00:ec2::23]") == 0;
}

/* Uses the same parser as the call. */
static bool has(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool found = curl_url_get(url, part, &text, 0) == CURLUE_OK;

    curl_free(text);
    return found;
}

static bool check_parts(CURLU *url, bool container, struct err *err)
{
    char *scheme = NULL, *host = NULL;
    bool known = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                 curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK;
    bool plain = known && strcmp(scheme, "http") == 0;
    bool ok = known && (plain || strcmp(scheme, "https") == 0);

    if (!ok)
        err_set(err, CAUSE_BAD_SETTING, NO_URL);
    else if (plain && !is_loopback(host) && !(container && is_container(host)))
        ok = err_set(err, CAUSE_BAD_SETTING,
                     "http:// to %.200s would carry the session token in the clear; "
                     "it is for loopback alone, use https://",
                     host);
    curl_free(scheme);
    curl_free(host);
    return ok;
}

static bool check_url(const char *text, bool container, struct err *err)
{
    CURLU *url = curl_url();
    bool ok;

    if (!url || curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME))
        ok = err_set(err, CAUSE_BAD_SETTING, NO_URL);
    else if (has(url, CURLUPART_USER) || has(url, CURLUPART_PASSWORD) ||
             (has(url, CURLUPART_QUERY) && !container) || has(url, CURLUPART_FRAGMENT))
        ok = err_set(err, CAUSE_BAD_SETTING, "it must not have a user, %sa fragment",
                     container ? "a password or " : "a query or ");
    else
        ok = check_parts(url, container, err);
    curl_url_cleanup(url);
    return ok;
}

bool https_check_url(const char *url, struct err *err)
{
    return check_url(url, false, err);
}

bool https_check_container_url(const char *url, struct err *err)
{
    return check_url(url, true, err);
}

/* -------------------------------------------------------------------- a call */

static CURLcode use_bundle(CURL *easy, void *context, void *user)
{
    struct https *https = user;

    (void)easy;
    SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);
    return ca_use(context, https->bundle, &https->distrust) ? CURLE_OK
                                                            : CURLE_SSL_CACERT_BADFILE;
}

static size_t take_body(char *data, size_t size, size_t count, void *user)
{
    return buffer_append(user, data, size * count) ? size * count : 0;
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

struct https_outcome https_call(struct https *https, const struct https_request *request,
                                struct buffer *reply)
{
    struct https_outcome outcome = {.code = CURLE_OUT_OF_MEMORY};
    struct curl_slist *headers = list_of(request->headers);
    long timeout_ms = request->timeout_ms > 0 ? (long)request->timeout_ms : 1;

    buffer_clear(reply);
    https->words[0] = '\0';
    https->distrust = (struct err){0};
    https->bundle = request->bundle;
    if (!headers)
        return outcome;
    curl_easy_setopt(https->easy, CURLOPT_URL, request->url);
    curl_easy_setopt(https->easy, CURLOPT_POSTFIELDS, request->body);
    curl_easy_setopt(https->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->len);
    curl_easy_setopt(https->easy, request->body ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(https->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(https->easy, CURLOPT_AWS_SIGV4, request->signed_for);
    curl_easy_setopt(https->easy, CURLOPT_USERNAME, request->key_id);
    curl_easy_setopt(https->easy, CURLOPT_PASSWORD, request->secret_key);
    curl_easy_setopt(https->easy, CURLOPT_TIMEOUT_MS, timeout_ms); /* 0: no limit */
    curl_easy_setopt(https->easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    curl_easy_setopt(https->easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(https->easy, CURLOPT_WRITEDATA, reply);
    outcome.code = (int)curl_easy_perform(https->easy);
    curl_easy_getinfo(https->easy, CURLINFO_RESPONSE_CODE, &outcome.status);
    curl_easy_setopt(https->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    return outcome;
}

bool https_may_pass(const struct https_outcome *outcome)
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

const char *https_header(const struct https *https, const char *name)
{
    struct curl_header *header = NULL;

    if (curl_easy_header(https->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

bool https_tell(const struct https *https, const struct https_outcome *outcome,
                struct err *err)
{
    const char *url = NULL;

    curl_easy_getinfo(https->easy, CURLINFO_EFFECTIVE_URL, &url);
    url = url ? url : "";
    return err_set(err, CAUSE_SECRET, "%.*s: %s (curl %d)%s%s%s%s",
                   (int)strcspn(url, "?"), url,
                   curl_easy_strerror((CURLcode)outcome->code), outcome->code,
                   https->words[0] ? ": " : "", https->words,
                   https->distrust.text[0] ? ": " : "", https->distrust.text);
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

static bool set_up(struct https *https)
{
    https->easy = curl_easy_init();
    if (!https->easy)
        return false;
    curl_easy_setopt(https->easy, CURLOPT_USERAGENT, "pigeon/" PIGEON_VERSION);
    curl_easy_setopt(https->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(https->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(https->easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(https->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(https->easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(https->easy, CURLOPT_ERRORBUFFER, https->words);
    curl_easy_setopt(https->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(https->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(https->easy, CURLOPT_CAINFO, NULL); /* use_bundle() brings them */
    curl_easy_setopt(https->easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(https->easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
    curl_easy_setopt(https->easy, CURLOPT_SSL_CTX_FUNCTION, use_bundle);
    curl_easy_setopt(https->easy, CURLOPT_SSL_CTX_DATA, https);
    /* Otherwise the end of a call waits for a look-up that outlives its timeout. */
    curl_easy_setopt(https->easy, CURLOPT_QUICK_EXIT, 1L);
    return true;
}

struct https *https_open(struct err *err)
{
    struct https *https = calloc(1, sizeof(*https));

    if (!https) {
        err_set(err, CAUSE_MEMORY, "out of memory");
        return NULL;
    }
    /* What curl frees may have secrets in it. */
    curl_global_init_mem(CURL_GLOBAL_NOTHING, malloc, wipe_free, wipe_realloc, strdup,
                         calloc);
    if (set_up(https))
        return https;
    err_set(err, CAUSE_OTHER, "libcurl did not start");
    https_close(https);
    return NULL;
}

void https_close(struct https *https)
{
    if (!https)
        return;
    curl_easy_cleanup(https->easy);
    free(https);
    curl_global_cleanup();
}
