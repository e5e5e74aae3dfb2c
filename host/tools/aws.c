/* aws.c -- a local AWS: KMS, SSM's parameters, Secrets Manager and STS, as far as Pigeon
 * uses them, with their faults.
 *
 * A thread for each connection, so that a silent one does not delay the others; the
 * store is behind one lock. aws/signature.c judges a request; aws/store.c answers it, for
 * STS aws/sts.c. */
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/output.h"
#include "tools/aws/signature.h"
#include "tools/aws/store.h"
#include "tools/aws/sts.h"

static const char usage[] =
    "Usage: aws [CERTIFICATE KEY]\n"
    "KMS, SSM, Secrets Manager and STS on a free port of 127.0.0.1, over https where a\n"
    "certificate is given. Prints the URL for AWS_ENDPOINT_URL, and a line a call:\n"
    "\n"
    "  call SERVICE ID ANSWER      \"ok\" or AWS's error code; SERVICE is kms, ssm,\n"
    "                              secretsmanager or sts (ID: the audience)\n"
    "\n"
    "Callers sign with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN\n"
    "of its environment, in PIGEON_AWS_REGION. It obeys lines on stdin until stdin\n"
    "ends, and answers each with \"ok\" or \"error\":\n"
    "\n"
    "  value SERVICE ID VALUE      the value of a ciphertext, a parameter or a secret,\n"
    "                              from now on; \\0 in it is a NUL\n"
    "  context ID FUNCTION VALUE   a ciphertext with the context of a function\n"
    "  binary secretsmanager ID VALUE    a secret that is a SecretBinary\n"
    "  fault SERVICE KIND [MS]     denied throttled busy broken foreign truncated\n"
    "                              slow MS, silent, none\n"
    "  sts key FILE                writes the public key of the tokens, PEM, into FILE;\n"
    "                              its id (kid) is EC384_0\n"
    "  sts token FILE AUDIENCE     writes a token into FILE\n"
    "  sts role ARN                who calls: `sub` of the tokens from now on\n"
    "  sts lifetime S [SAID]       seconds that tokens live, whatever was asked (below "
    "0:\n"
    "                              they have ended), and what the answer says of it;\n"
    "                              asked: as at first\n"
    "  sts session S               seconds left of the caller's session: no longer "
    "token\n"
    "  sts federation on|off       whether the account has switched such tokens on\n"
    "  sts clock S                 AWS's clock is so many seconds ahead\n";

struct services {
    struct store store;
    struct sts sts;
    struct identity identity;
    pthread_mutex_t lock;
    pthread_cond_t obeyed; /* a command came on stdin */
    bool over;
};

static const char *value_of(struct MHD_Connection *connection, const char *name)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);

    return value ? value : "";
}

/* ------------------------------------------------------------- faults in time */

/* Waits as long as the service's fault lasts; under the lock. */
static void linger(struct services *aws, enum service service)
{
    int64_t end_ms = clock_unix_ms() + aws->store.faults[service].ms;
    const struct timespec end = {end_ms / 1000, end_ms % 1000 * 1000000};

    if (aws->store.faults[service].kind == FAULT_SLOW)
        while (!aws->over && pthread_cond_timedwait(&aws->obeyed, &aws->lock, &end) == 0)
            ;
    while (!aws->over && aws->store.faults[service].kind == FAULT_SILENT)
        pthread_cond_wait(&aws->obeyed, &aws->lock);
}

/* The first half of a body, and then the end of the connection. */
static ssize_t give_half(void *half, uint64_t at, char *out, size_t max)
{
    size_t len = strlen(half) - (size_t)at;

    if (len == 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    len = len < max ? len : max;
    memcpy(out, (char *)half + at, len);
    return (ssize_t)len;
}

/* ------------------------------------------------------------- requests */

/* The service that a request is for. STS alone takes forms. */
static bool wanted(struct MHD_Connection *connection, const struct buffer *body,
                   enum service *service)
{
    const char *type = value_of(connection, "Content-Type");

    *service = STS;
    if (strcmp(type, "application/x-www-form-urlencoded; charset=utf-8") == 0)
        return body->len > 0 && value_of(connection, "X-Amz-Target")[0] == '\0';
    return strcmp(type, "application/x-amz-json-1.1") == 0 &&
           service_named(value_of(connection, "X-Amz-Target"), service);
}

/* Decides, under the lock, and prints the call. */
static enum fault answer(struct services *aws, struct MHD_Connection *connection,
                         const char *path, const struct buffer *body, struct reply *reply)
{
    struct identity identity = aws->identity;
    struct refusal refusal = {0};
    enum service service;
    enum fault fault = FAULT_NONE;
    char id[512] = "-";

    identity.now_s = sts_now(&aws->sts);
    if (!wanted(connection, body, &service)) {
        reply_error(reply, KMS, 400, "UnknownOperationException",
                    "no such X-Amz-Target or Content-Type");
        printf("call - - %s\n", reply->code);
        return FAULT_NONE;
    }
    fault = aws->store.faults[service].kind;
    if (!signature_check(connection, path, body, service_name(service), &identity,
                         &refusal))
        reply_error(reply, service, 400, refusal.code, refusal.message);
    else if (service != STS)
        store_answer(&aws->store, service, body, reply, id, sizeof(id));
    else if (!store_misbehave(&aws->store, STS, reply))
        sts_answer(&aws->sts, body, reply, id, sizeof(id));
    printf("call %s %s %s\n", service_name(service), id,
           fault == FAULT_SLOW || fault == FAULT_SILENT || fault == FAULT_TRUNCATED
               ? (fault == FAULT_TRUNCATED ? "truncated" : "late")
           : reply->code          ? reply->code
           : reply->status == 200 ? "ok"
                                  : "no code");
    linger(aws, service);
    return fault;
}

/* By the clock of AWS. */
static void add_date(struct MHD_Response *response, const struct services *aws)
{
    time_t now = (time_t)sts_now(&aws->sts);
    char date[64];
    struct tm tm;

    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    MHD_add_response_header(response, MHD_HTTP_HEADER_DATE, date);
}

static enum MHD_Result respond(struct services *aws, struct MHD_Connection *connection,
                               const char *path, const struct buffer *body)
{
    struct reply reply = {.body.max = 1 << 20};
    struct MHD_Response *response;
    enum MHD_Result result;
    enum fault fault;

    pthread_mutex_lock(&aws->lock);
    fault = answer(aws, connection, path, body, &reply);
    pthread_mutex_unlock(&aws->lock);
    if (fault == FAULT_TRUNCATED)
        response = MHD_create_response_from_callback(
            reply.body.len, 4096, give_half, strndup(reply.body.data, reply.body.len / 2),
            free);
    else
        response = MHD_create_response_from_buffer(reply.body.len,
                                                   reply.body.data ? reply.body.data : "",
                                                   MHD_RESPMEM_MUST_COPY);
    add_date(response, aws);
    result = MHD_queue_response(connection, (unsigned)reply.status, response);
    MHD_destroy_response(response);
    buffer_free(&reply.body);
    return result;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection,
                                  const char *path, const char *method,
                                  const char *version, const char *data, size_t *len,
                                  void **opaque)
{
    struct buffer *body = *opaque;

    (void)version;
    if (!body) {
        body = calloc(1, sizeof(*body));
        if (body)
            body->max = 1 << 20;
        *opaque = body;
        return body && strcmp(method, "POST") == 0 ? MHD_YES : MHD_NO;
    }
    if (*len > 0) {
        bool fits = buffer_append(body, data, *len);

        *len = 0;
        return fits ? MHD_YES : MHD_NO;
    }
    return respond(user, connection, path, body);
}

static void on_request_end(void *user, struct MHD_Connection *connection, void **opaque,
                           enum MHD_RequestTerminationCode code)
{
    struct buffer *body = *opaque;

    (void)user, (void)connection, (void)code;
    if (body)
        buffer_free(body);
    free(body);
}

/* ------------------------------------------------------------- the server */

static struct MHD_Daemon *serve(struct services *aws, const char *certificate,
                                const char *key)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)certificate},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)key},
        {MHD_OPTION_END, 0, NULL}};

    return MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
            MHD_USE_SUPPRESS_DATE_NO_CLOCK | (certificate ? MHD_USE_TLS : 0),
        0, NULL, NULL, on_request, aws, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_NOTIFY_COMPLETED, on_request_end, aws, MHD_OPTION_ARRAY,
        certificate ? tls : tls + 2, MHD_OPTION_END);
}

static bool obey(struct services *aws, char *line)
{
    bool is_sts = strncmp(line, "sts ", 4) == 0;
    struct order order = {0};
    char *rest = NULL;

    order.verb = strtok_r(is_sts ? line + 4 : line, " ", &rest);
    order.first = order.verb ? strtok_r(NULL, " ", &rest) : NULL;
    order.second = order.first ? strtok_r(NULL, " ", &rest) : NULL;
    order.rest = rest;
    return is_sts ? sts_obey(&aws->sts, &order) : store_obey(&aws->store, &order);
}

static void obey_stdin(struct services *aws)
{
    char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, stdin) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        pthread_mutex_lock(&aws->lock);
        puts(obey(aws, line) ? "ok" : "error");
        pthread_cond_broadcast(&aws->obeyed);
        pthread_mutex_unlock(&aws->lock);
    }
    free(line);
}

static const char *variable(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value && value[0] ? value : otherwise;
}

static int run(struct services *aws, const char *certificate, const char *key)
{
    struct MHD_Daemon *daemon = sts_open(&aws->sts) ? serve(aws, certificate, key) : NULL;

    if (!daemon) {
        fputs("aws: the server did not start\n", stderr);
        return 1;
    }
    printf("%s://127.0.0.1:%d\n", certificate ? "https" : "http",
           MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    obey_stdin(aws);
    pthread_mutex_lock(&aws->lock);
    aws->over = true;
    pthread_cond_broadcast(&aws->obeyed);
    pthread_mutex_unlock(&aws->lock);
    MHD_stop_daemon(daemon);
    store_free(&aws->store);
    sts_close(&aws->sts);
    return 0;
}

int main(int argc, char **argv)
{
    struct services aws = {
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .obeyed = PTHREAD_COND_INITIALIZER,
        .identity = {.key_id = variable("AWS_ACCESS_KEY_ID", "AKIALOCAL"),
                     .secret_key = variable("AWS_SECRET_ACCESS_KEY", "local"),
                     .session_token = variable("AWS_SESSION_TOKEN", NULL),
                     .region = variable("PIGEON_AWS_REGION", "us-west-2")}};
    struct buffer certificate = {.max = 1 << 20};
    struct buffer key = {.max = 1 << 20};
    struct err err;
    int status = 1;

    if (argc != 1 && (argc != 3 || argv[1][0] == '-')) {
        if (argc == 2 && strcmp(argv[1], "--help") == 0)
            return output_print("aws", usage);
        fputs(usage, stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 1 || (buffer_read_file(&certificate, argv[1], &err) &&
                      buffer_read_file(&key, argv[2], &err)))
        status = run(&aws, certificate.data, key.data);
    else
        fprintf(stderr, "aws: %s\n", err.text);
    buffer_free(&certificate);
    buffer_free(&key);
    return status;
}
