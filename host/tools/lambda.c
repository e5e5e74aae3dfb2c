/* lambda.c -- a local AWS Lambda: starts a function and hands it events, one at a time.
 *
 * It serves the Runtime API
 * (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) with the states,
 * status codes and words of AWS's own emulator (aws-lambda-runtime- interface-emulator,
 * internal/lambda/core/states.go). It knows nothing of Pigeon but where its rules are.
 * One thread: main() walks through the events, and each wait on the way is wait_until(),
 * which serves HTTP, reads stdin and notices the function's end meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"

static const char usage[] =
    "Usage: lambda [OPTION...] -- COMMAND [ARG...]\n"
    "Starts COMMAND as Lambda starts a bootstrap and hands it the events on stdin.\n"
    "\n"
    "  --deadline MS   how long an event may take (30000)\n"
    "  --repeat N      hand each event over N times (1)\n"
    "  --pause MS      wait between events (0)\n"
    "  --grace MS      wait after SIGTERM before SIGKILL, at the end (2000)\n"
    "  --raw           all of stdin is one event, whatever it is\n"
    "\n"
    "Where the first line that is not blank is a whole JSON object or array, each line "
    "is\n"
    "an event, handed over as soon as it is read, and blank lines are skipped; "
    "otherwise\n"
    "all of stdin is one event. Without any, the function is started and stopped.\n"
    "\n"
    "stdout has a line for each answer, its body. stderr has what the function writes,\n"
    "and lines of our own that begin with \"lambda: \", the error types among them. "
    "After\n"
    "a crash or a timeout the next event finds a fresh process, after an init error\n"
    "nothing more is handed over.\n"
    "\n"
    "Status: 0 all is well; 1 an answer was an error, or the function timed out, ended "
    "by\n"
    "itself, or did not end well when it was asked to; 2 misuse.\n";

#define PAYLOAD_MAX 6291556 /* bytes, both ways */
#define INIT_MS 10000       /* what Lambda grants to the init phase */
#define FOR_EVER INT64_MAX

enum state { /* of the function, as the Runtime API sees it */
             STATE_STARTED,
             STATE_INIT_ERROR,
             STATE_READY, /* waits in /next */
             STATE_RUNNING,
             STATE_RESPONDING, /* its answer is on the way */
             STATE_FAILING,    /* the same, an error */
             STATE_ANSWERED
};

static const char *const state_names[] = {"Started",
                                          "InitError",
                                          "Ready",
                                          "Running",
                                          "InvocationResponse",
                                          "InvocationErrorResponse",
                                          "RuntimeResponseSentState"};

struct lambda {
    char **command;
    long deadline_ms, repeat, pause_ms, grace_ms;

    /* the events */
    struct buffer input;
    size_t taken; /* bytes of it that are used up */
    enum { INPUT_UNDECIDED, INPUT_LINES, INPUT_WHOLE } input_kind;
    bool raw, input_ended, input_wanted, input_came;

    /* the invocation */
    char id[37];
    const char *event; /* in input */
    size_t event_len;
    int64_t ends_unix_ms;
    bool offered; /* the next /next takes it */
    bool answered;
    struct buffer answer;
    char error_type[128]; /* of the answer; "": success */

    /* the function */
    pid_t pid; /* 0: none */
    int ending;
    bool ended_unasked, ended_in_init;
    enum state state;
    struct request *waiting; /* suspended in /next */

    struct MHD_Daemon *http;
    int http_fd, signal_fd;
    int signal; /* that ends us, 0: none */
    bool over;  /* nothing more is handed over */
    int status;
};

enum verb { VERB_NEXT, VERB_RESPONSE, VERB_ERROR, VERB_INIT_ERROR, VERB_PING, VERB_NONE };

struct request {
    enum verb verb;
    struct MHD_Connection *connection;
    struct buffer body;
    bool too_large;
    bool abandoned;   /* whoever asked is gone */
    bool sending;     /* the state says that this one brings the answer */
    unsigned refused; /* the status code, 0: not */
    char refusal[256];
};

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
    char line[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    fprintf(stderr, "lambda: %s\n", line);
}

static int64_t now_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* In `ms` from now, for wait_until(). */
static int64_t in_ms(long ms)
{
    return now_ms(CLOCK_MONOTONIC) + ms;
}

/* ---- The Runtime API ---- */

static enum MHD_Result reply(struct request *request, unsigned code, const char *body)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(body), (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result;

    MHD_add_response_header(response, "Content-Type", "application/json");
    result = MHD_queue_response(request->connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static void refuse(struct request *request, unsigned code, const char *type,
                   const char *message)
{
    request->refused = code;
    snprintf(request->refusal, sizeof(request->refusal),
             "{\"errorMessage\":\"%s\",\"errorType\":\"%s\"}\n", message, type);
}

static void refuse_state(struct lambda *lambda, struct request *request,
                         enum state wanted)
{
    char message[160];

    snprintf(message, sizeof(message),
             "State transition from %s to %s failed for runtime. "
             "Error: State transition is not allowed",
             state_names[lambda->state], state_names[wanted]);
    refuse(request, MHD_HTTP_FORBIDDEN, "InvalidStateTransition", message);
}

/* Lambda knows Runtime.X and Function.X alone. */
static void keep_error_type(struct lambda *lambda, struct request *request)
{
    const char *type = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND,
                                                   "Lambda-Runtime-Function-Error-Type");
    regex_t known;
    bool is_known;

    if (!type)
        type = "";
    regcomp(&known, "(Runtime|Function)\\.[A-Z][a-zA-Z]+", REG_EXTENDED | REG_NOSUB);
    is_known = regexec(&known, type, 0, NULL, 0) == 0;
    regfree(&known);
    if (!is_known) {
        say("error type \"%s\" is none that Lambda knows", type);
        type =
            strncmp(type, "Function.", 9) == 0 ? "Function.Unknown" : "Runtime.Unknown";
    }
    snprintf(lambda->error_type, sizeof(lambda->error_type), "%s", type);
}

static void keep_answer(struct lambda *lambda, const char *body, size_t len)
{
    buffer_clear(&lambda->answer);
    buffer_append(&lambda->answer, body, len);
    lambda->answered = true;
}

/* An answer that Lambda gives in the function's place. */
static void keep_own_answer(struct lambda *lambda, const char *type, const char *message)
{
    char body[512];
    int len = snprintf(body, sizeof(body),
                       "{\"errorType\":\"%s\",\"errorMessage\":\"%s\"}", type, message);

    snprintf(lambda->error_type, sizeof(lambda->error_type), "%s", type);
    keep_answer(lambda, body, (size_t)len);
}

static enum MHD_Result send_event(struct lambda *lambda, struct request *request)
{
    const char *region = getenv("AWS_REGION"), *name = getenv("AWS_LAMBDA_FUNCTION_NAME");
    char arn[256], trace[96], ends[24], hex[25];
    struct MHD_Response *response;
    enum MHD_Result result;

    snprintf(hex, sizeof(hex), "%.8s%.4s%.12s", lambda->id, lambda->id + 9,
             lambda->id + 24);
    snprintf(trace, sizeof(trace), "Root=1-%08x-%s;Parent=%.16s;Sampled=0",
             (unsigned)(lambda->ends_unix_ms / 1000), hex, hex);
    snprintf(arn, sizeof(arn), "arn:aws:lambda:%s:012345678912:function:%s", region,
             name);
    snprintf(ends, sizeof(ends), "%lld", (long long)lambda->ends_unix_ms);
    response = MHD_create_response_from_buffer(
        lambda->event_len, (void *)(uintptr_t)lambda->event, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(response, "Content-Type", "application/json");
    MHD_add_response_header(response, "Lambda-Runtime-Aws-Request-Id", lambda->id);
    MHD_add_response_header(response, "Lambda-Runtime-Deadline-Ms", ends);
    MHD_add_response_header(response, "Lambda-Runtime-Trace-Id", trace);
    MHD_add_response_header(response, "Lambda-Runtime-Invoked-Function-Arn", arn);
    result = MHD_queue_response(request->connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

/* Closes the connection that waits in /next: its process is gone, or asks anew. */
static void abandon_waiting(struct lambda *lambda)
{
    if (!lambda->waiting)
        return;
    lambda->waiting->abandoned = true;
    MHD_resume_connection(lambda->waiting->connection);
    lambda->waiting = NULL;
}

static enum MHD_Result answer_next(struct lambda *lambda, struct request *request)
{
    switch (lambda->state) {
    case STATE_INIT_ERROR:
    case STATE_RESPONDING:
    case STATE_FAILING:
        refuse_state(lambda, request, STATE_READY);
        return reply(request, request->refused, request->refusal);
    case STATE_RUNNING:
        return send_event(lambda, request);
    default:
        break;
    }
    lambda->state = STATE_READY;
    if (!lambda->offered) {
        abandon_waiting(lambda);
        lambda->waiting = request;
        MHD_suspend_connection(request->connection);
        return MHD_YES;
    }
    lambda->offered = false;
    lambda->state = STATE_RUNNING;
    return send_event(lambda, request);
}

static void take_answer(struct lambda *lambda, struct request *request)
{
    char message[160];

    request->sending = false;
    lambda->state = STATE_ANSWERED;
    lambda->error_type[0] = '\0';
    if (request->too_large) {
        snprintf(
            message, sizeof(message),
            "Response payload size exceeded maximum allowed payload size (%d bytes).",
            PAYLOAD_MAX);
        keep_own_answer(lambda, "Function.ResponseSizeTooLarge", message);
        snprintf(message, sizeof(message),
                 "Exceeded maximum allowed payload size (%d bytes).", PAYLOAD_MAX);
        refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "RequestEntityTooLarge", message);
        return;
    }
    if (request->verb == VERB_ERROR)
        keep_error_type(lambda, request);
    keep_answer(lambda, request->body.data, request->body.len);
}

static void take_init_error(struct lambda *lambda, struct request *request)
{
    if (lambda->state != STATE_STARTED) {
        refuse_state(lambda, request, STATE_INIT_ERROR);
        return;
    }
    lambda->state = STATE_INIT_ERROR;
    keep_error_type(lambda, request);
    keep_answer(lambda, request->body.data, request->body.len);
}

/* The whole request is here. */
static enum MHD_Result answer_request(struct lambda *lambda, struct request *request)
{
    if (request->verb == VERB_NEXT)
        return request->abandoned ? MHD_NO : answer_next(lambda, request);
    if (request->verb == VERB_PING)
        return reply(request, MHD_HTTP_OK, "pong");
    if (request->verb == VERB_NONE)
        return reply(request, MHD_HTTP_NOT_FOUND, "404 page not found\n");
    if (request->sending)
        take_answer(lambda, request);
    else if (request->verb == VERB_INIT_ERROR)
        take_init_error(lambda, request);
    if (request->refused)
        return reply(request, request->refused, request->refusal);
    return reply(request, MHD_HTTP_ACCEPTED, "{\"status\":\"OK\"}\n");
}

/* Whether a /response or /error may come now: decided by its headers, before its body. */
static void admit_answer(struct lambda *lambda, struct request *request, const char *id,
                         size_t id_len)
{
    enum state wanted = request->verb == VERB_ERROR ? STATE_FAILING : STATE_RESPONDING;
    const char *mode = MHD_lookup_connection_value(
        request->connection, MHD_HEADER_KIND, "Lambda-Runtime-Function-Response-Mode");
    bool open = lambda->state == STATE_RUNNING || lambda->state == STATE_RESPONDING ||
                lambda->state == STATE_FAILING;

    if (!open || id_len != strlen(lambda->id) || memcmp(id, lambda->id, id_len) != 0) {
        refuse(request, MHD_HTTP_BAD_REQUEST, "InvalidRequestID", "Invalid request ID");
    } else if (lambda->state != STATE_RUNNING) {
        refuse_state(lambda, request, wanted);
    } else if (mode && strcmp(mode, "streaming") != 0) {
        lambda->state = STATE_ANSWERED;
        keep_own_answer(lambda, "Runtime.InvalidResponseModeHeader", "");
        refuse(request, MHD_HTTP_BAD_REQUEST, "InvalidFunctionResponseMode",
               "Invalid function response mode");
    } else {
        lambda->state = wanted;
        request->sending = true;
    }
}

static struct request *open_request(struct lambda *lambda,
                                    struct MHD_Connection *connection, const char *method,
                                    const char *url)
{
    static const char version[] = "/2018-06-01", invocation[] = "/runtime/invocation/";
    bool get = strcmp(method, "GET") == 0, post = strcmp(method, "POST") == 0;
    struct request *request = calloc(1, sizeof(*request));
    const char *id, *verb;

    if (!request)
        return NULL;
    request->connection = connection;
    request->body.max = PAYLOAD_MAX;
    request->verb = VERB_NONE;
    if (strncmp(url, version, strlen(version)) != 0)
        return request;
    url += strlen(version);
    id = url + strlen(invocation);
    if (get && strcmp(url, "/runtime/invocation/next") == 0) {
        request->verb = VERB_NEXT;
    } else if (get && strcmp(url, "/ping") == 0) {
        request->verb = VERB_PING;
    } else if (post && strcmp(url, "/runtime/init/error") == 0) {
        request->verb = VERB_INIT_ERROR;
    } else if (post && strncmp(url, invocation, strlen(invocation)) == 0) {
        verb = strrchr(id, '/');
        if (verb && strcmp(verb, "/response") == 0)
            request->verb = VERB_RESPONSE;
        if (verb && strcmp(verb, "/error") == 0)
            request->verb = VERB_ERROR;
        if (request->verb != VERB_NONE)
            admit_answer(lambda, request, id, (size_t)(verb - id));
    }
    return request;
}

/* libmicrohttpd calls this with the headers, with each piece of the body, and at its end;
 * after a resume once more as at the end. */
static enum MHD_Result on_request(void *lambda, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *piece,
                                  size_t *piece_len, void **opaque)
{
    struct request *request = *opaque;

    (void)version;
    if (!request) {
        request = *opaque = open_request(lambda, connection, method, url);
        return request ? MHD_YES : MHD_NO;
    }
    if (*piece_len == 0)
        return answer_request(lambda, request);
    /* What is too much is read on and forgotten, so that the client reads our 413. */
    if (!request->too_large && !buffer_append(&request->body, piece, *piece_len))
        request->too_large = true;
    *piece_len = 0;
    return MHD_YES;
}

static void on_request_end(void *context, struct MHD_Connection *connection,
                           void **opaque, enum MHD_RequestTerminationCode code)
{
    struct lambda *lambda = context;
    struct request *request = *opaque;

    (void)connection;
    (void)code;
    if (!request)
        return;
    if (request == lambda->waiting)
        lambda->waiting = NULL;
    if (request->sending) { /* the connection broke before its body was here */
        lambda->state = STATE_ANSWERED;
        keep_own_answer(lambda, "Runtime.TruncatedResponse", "");
    }
    buffer_free(&request->body);
    free(request);
    *opaque = NULL;
}

static bool open_http(struct lambda *lambda)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char api[32];

    lambda->http = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        on_request, lambda, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_NOTIFY_COMPLETED,
        on_request_end, lambda, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)256 * 1024,
        MHD_OPTION_END);
    if (!lambda->http)
        return false;
    lambda->http_fd =
        MHD_get_daemon_info(lambda->http, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    snprintf(api, sizeof(api), "127.0.0.1:%d",
             MHD_get_daemon_info(lambda->http, MHD_DAEMON_INFO_BIND_PORT)->port);
    return setenv("AWS_LAMBDA_RUNTIME_API", api, 1) == 0;
}

/* ---- The function's process ---- */

/* Sets *root to the folder of the rules, which Lambda calls the task root: that of the
 * command where _HANDLER is in it, otherwise the rules folder of the checkout we are in.
 */
static void find_task_root(const char *command, char root[PATH_MAX])
{
    char path[PATH_MAX * 2];
    char *slash;

    if (strchr(command, '/') && realpath(command, root)) {
        *strrchr(root, '/') = '\0';
        snprintf(path, sizeof(path), "%s/%s", root, getenv("_HANDLER"));
        if (access(path, R_OK) == 0)
            return;
    }
    if (!realpath("/proc/self/exe", root))
        root[0] = '\0';
    while ((slash = strrchr(root, '/')) != NULL) {
        *slash = '\0';
        snprintf(path, sizeof(path), "%s/rules/rules.lua", root);
        if (access(path, R_OK) == 0)
            break;
    }
    snprintf(path, sizeof(path), "%s/rules", root);
    snprintf(root, PATH_MAX, "%.*s", PATH_MAX - 1, path);
}

/* What Lambda sets, where the environment does not have it already. */
static void set_environment(const char *command)
{
    static const char *const defaults[][2] = {
        {"_HANDLER", "rules.lua"},
        {"LAMBDA_RUNTIME_DIR", "/var/runtime"},
        {"AWS_REGION", "us-east-1"},
        {"AWS_DEFAULT_REGION", "us-east-1"},
        {"AWS_LAMBDA_FUNCTION_NAME", "pigeon"},
        {"AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"},
        {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"},
        {"AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"},
        {"AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/pigeon"},
        {"AWS_LAMBDA_LOG_STREAM_NAME",
         "2026/01/01/[$LATEST]00000000000000000000000000000000"},
        {"TZ", ":UTC"},
        {"LANG", "en_US.UTF-8"},
    };
    char root[PATH_MAX];
    size_t i;

    for (i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        setenv(defaults[i][0], defaults[i][1], 0);
    if (!getenv("LAMBDA_TASK_ROOT")) {
        find_task_root(command, root);
        setenv("LAMBDA_TASK_ROOT", root, 1);
    }
}

/* In the child: becomes the function, in a process group of its own. */
static void become(char **command, pid_t parent)
{
    sigset_t none;
    int null = open("/dev/null", O_RDONLY);

    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent && dup2(null, 0) == 0 && dup2(2, 1) == 1) {
        execvp(command[0], command);
        say("%s: %s", command[0], strerror(errno));
    }
    _exit(127);
}

static void start_function(struct lambda *lambda)
{
    pid_t parent = getpid(), pid = fork();

    if (pid == 0)
        become(lambda->command, parent);
    if (pid < 0) {
        say("fork: %s", strerror(errno));
        lambda->over = true;
        lambda->status = 1;
        return;
    }
    setpgid(pid,
            pid); /* here too, so that it is done before anything signals the group */
    lambda->pid = pid;
    lambda->state = STATE_STARTED;
}

/* The process is dead: takes its group along, and its place in /next. */
static void bury_function(struct lambda *lambda)
{
    kill(-lambda->pid, SIGKILL);
    waitpid(lambda->pid, &lambda->ending, 0);
    lambda->pid = 0;
    abandon_waiting(lambda);
}

static void notice_end(struct lambda *lambda)
{
    siginfo_t info = {0};

    if (!lambda->pid ||
        waitid(P_PID, (id_t)lambda->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
        info.si_pid == 0)
        return;
    bury_function(lambda);
    lambda->ended_unasked = true;
}

/* "Runtime exited with error: exit status 1", in AWS's words. */
static const char *ending_words(int ending)
{
    static char words[96];

    if (WIFSIGNALED(ending)) {
        snprintf(words, sizeof(words), "Runtime exited with error: signal: %s%s",
                 strsignal(WTERMSIG(ending)), WCOREDUMP(ending) ? " (core dumped)" : "");
        words[strlen("Runtime exited with error: signal: ")] |=
            0x20; /* "killed", as in Go */
        return words;
    }
    if (WEXITSTATUS(ending) == 0)
        return "Runtime exited without providing a reason";
    snprintf(words, sizeof(words), "Runtime exited with error: exit status %d",
             WEXITSTATUS(ending));
    return words;
}

/* An end that was no event's answer. */
static void report_end(struct lambda *lambda, const char *when)
{
    if (!lambda->ended_unasked)
        return;
    say("%s: %s", when, ending_words(lambda->ending));
    lambda->ended_unasked = false;
    lambda->status = 1;
}

/* ---- Waiting ---- */

static void read_input(struct lambda *lambda)
{
    char piece[65536];
    ssize_t len = read(0, piece, sizeof(piece));

    if (len < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    lambda->input_came = true;
    if (len <= 0 || !buffer_append(&lambda->input, piece, (size_t)len))
        lambda->input_ended = true;
}

/* Whether `done` came true before the clock of in_ms() says end_ms, and no signal. */
static bool wait_until(struct lambda *lambda, bool (*done)(const struct lambda *),
                       int64_t end_ms)
{
    struct pollfd fds[] = {{.fd = lambda->http_fd, .events = POLLIN},
                           {.fd = lambda->signal_fd, .events = POLLIN},
                           {.fd = lambda->input_wanted ? 0 : -1, .events = POLLIN}};
    struct signalfd_siginfo signal;
    unsigned long long http_ms;
    int64_t left_ms;

    for (;;) {
        MHD_run(lambda->http);
        notice_end(lambda);
        if (lambda->signal)
            return false;
        if (done(lambda))
            return true;
        left_ms = end_ms == FOR_EVER ? INT_MAX : end_ms - in_ms(0);
        if (left_ms <= 0)
            return false;
        if (MHD_get_timeout(lambda->http, &http_ms) == MHD_YES &&
            http_ms < (uint64_t)left_ms)
            left_ms = (int64_t)http_ms;
        if (poll(fds, 3, left_ms > INT_MAX ? INT_MAX : (int)left_ms) <= 0)
            continue;
        if (fds[1].revents && read(lambda->signal_fd, &signal, sizeof(signal)) > 0 &&
            signal.ssi_signo != SIGCHLD)
            lambda->signal = (int)signal.ssi_signo;
        if (fds[2].revents)
            read_input(lambda);
    }
}

static bool is_gone(const struct lambda *lambda)
{
    return !lambda->pid;
}

static bool is_initialized(const struct lambda *lambda)
{
    return !lambda->pid || lambda->state != STATE_STARTED;
}

static bool is_answered(const struct lambda *lambda)
{
    return !lambda->pid || lambda->answered;
}

static bool is_ready(const struct lambda *lambda)
{
    return !lambda->pid || lambda->state == STATE_READY;
}

static bool has_input(const struct lambda *lambda)
{
    return lambda->input_came;
}

static bool never(const struct lambda *lambda)
{
    (void)lambda;
    return false;
}

/* ---- The events ---- */

static bool is_blank(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        if (!strchr(" \t\r\n", text[i]) || text[i] == '\0')
            return false;
    return true;
}

/* Whether a line is a whole JSON object or array, as far as its brackets tell. */
static bool is_whole_json(const char *text, size_t len)
{
    bool quoted = false, began = false;
    size_t i, depth = 0;

    for (i = 0; i < len; i++) {
        if (quoted) {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                quoted = false;
        } else if (text[i] == '{' || text[i] == '[') {
            began = true;
            depth++;
        } else if (!began && !is_blank(text + i, 1)) {
            return false;
        } else if (text[i] == '"') {
            quoted = true;
        } else if (text[i] == '}' || text[i] == ']') {
            if (depth-- == 1)
                return is_blank(text + i + 1, len - i - 1);
        }
    }
    return false;
}

/* Takes the next line of what was read, or all of it. False: more has to be read. */
static bool take_event(struct lambda *lambda)
{
    const char *start = lambda->input.data + lambda->taken;
    size_t left = lambda->input.len - lambda->taken, len = left;
    const char *end;

    while (lambda->input_kind != INPUT_WHOLE && left > 0) {
        end = memchr(start, '\n', left);
        if (!end && !lambda->input_ended)
            return false;
        len = end ? (size_t)(end - start) : left;
        if (!is_blank(start, len)) {
            if (lambda->input_kind == INPUT_UNDECIDED)
                lambda->input_kind =
                    is_whole_json(start, len) ? INPUT_LINES : INPUT_WHOLE;
            break;
        }
        lambda->taken += len + (end != NULL);
        start += len + (end != NULL);
        left -= len + (end != NULL);
    }
    if (lambda->input_kind == INPUT_WHOLE) {
        if (!lambda->input_ended)
            return false;
        len = left;
    }
    if (left == 0 && !(lambda->raw && lambda->input_ended))
        return false;
    lambda->raw = false;
    lambda->event = start ? start : "";
    lambda->event_len = len;
    lambda->taken += len;
    return true;
}

/* False: there is none any more. */
static bool next_event(struct lambda *lambda)
{
    while (!take_event(lambda)) {
        if (lambda->input_ended || lambda->signal)
            return false;
        if (lambda->taken > 0) {
            lambda->input.len -= lambda->taken;
            memmove(lambda->input.data, lambda->input.data + lambda->taken,
                    lambda->input.len);
            lambda->taken = 0;
        }
        lambda->input_wanted = true;
        lambda->input_came = false;
        wait_until(lambda, has_input, FOR_EVER);
        lambda->input_wanted = false;
    }
    return true;
}

static void print_answer(struct lambda *lambda)
{
    if (lambda->error_type[0]) {
        say("%s", lambda->error_type);
        lambda->status = 1;
    }
    fwrite(lambda->answer.data, 1, lambda->answer.len, stdout);
    if (putchar('\n') == EOF || fflush(stdout) == EOF) {
        say("stdout: %s", strerror(errno));
        lambda->over = true;
        lambda->status = 1;
    }
}

static void print_own_answer(struct lambda *lambda, const char *type, const char *cause)
{
    char message[256];

    snprintf(message, sizeof(message), "RequestId: %s Error: %s", lambda->id, cause);
    keep_own_answer(lambda, type, message);
    print_answer(lambda);
}

static void print_exit(struct lambda *lambda)
{
    lambda->ended_unasked = false;
    print_own_answer(lambda, "Runtime.ExitError", ending_words(lambda->ending));
}

static void new_request_id(char id[37])
{
    unsigned char b[16] = {0};

    if (getrandom(b, sizeof(b), 0) < 0)
        say("getrandom: %s", strerror(errno));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* a version 4 UUID */
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(id, 37,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
             b[13], b[14], b[15]);
}

/* After /init/error the function has to end by itself. */
static void conclude_init_error(struct lambda *lambda)
{
    print_answer(lambda);
    lambda->over = true;
    wait_until(lambda, is_gone, in_ms(lambda->grace_ms));
    if (lambda->pid)
        say("the function did not exit after its init error");
    else
        report_end(lambda, "after the init error");
}

static void initialize(struct lambda *lambda)
{
    bool in_time;

    start_function(lambda);
    in_time = wait_until(lambda, is_initialized, in_ms(INIT_MS));
    if (lambda->state == STATE_INIT_ERROR) {
        conclude_init_error(lambda);
    } else if (!lambda->pid) {
        lambda->ended_in_init = true;
    } else if (!in_time && !lambda->signal) {
        say("init took longer than %d ms; it begins anew with the first event", INIT_MS);
        bury_function(lambda);
    }
}

/* The answer was given; the invocation ends when the function asks for the next one. */
static void conclude_invocation(struct lambda *lambda, int64_t end_ms)
{
    print_answer(lambda);
    if (!wait_until(lambda, is_ready, end_ms) && !lambda->signal) {
        say("the function did not ask for the next event in time and was killed");
        bury_function(lambda);
        lambda->status = 1;
    }
    report_end(lambda, "after its answer");
}

static void invoke(struct lambda *lambda)
{
    int64_t end_ms = in_ms(lambda->deadline_ms);
    char cause[64];

    new_request_id(lambda->id);
    if (lambda->ended_in_init) {
        lambda->ended_in_init = false;
        print_exit(lambda);
        return;
    }
    report_end(lambda, "between events");
    lambda->ends_unix_ms = now_ms(CLOCK_REALTIME) + lambda->deadline_ms;
    lambda->answered = false;
    lambda->offered = true;
    if (!lambda->pid)
        start_function(lambda);
    if (lambda->waiting) {
        MHD_resume_connection(lambda->waiting->connection);
        lambda->waiting = NULL;
    }
    wait_until(lambda, is_answered, end_ms);
    lambda->offered = false;
    if (lambda->signal)
        return;
    if (lambda->answered && lambda->state == STATE_INIT_ERROR) {
        conclude_init_error(lambda);
    } else if (lambda->answered) {
        conclude_invocation(lambda, end_ms);
    } else if (!lambda->pid) {
        print_exit(lambda);
    } else {
        bury_function(lambda);
        snprintf(cause, sizeof(cause), "Task timed out after %.2f seconds",
                 (double)lambda->deadline_ms / 1000);
        print_own_answer(lambda, "Sandbox.Timedout", cause);
    }
}

static void run_events(struct lambda *lambda)
{
    bool first = true;
    long i;

    initialize(lambda);
    while (!lambda->over && !lambda->signal && next_event(lambda))
        for (i = 0; i < lambda->repeat && !lambda->over && !lambda->signal; i++) {
            if (!first)
                wait_until(lambda, never, in_ms(lambda->pause_ms));
            first = false;
            if (!lambda->signal)
                invoke(lambda);
        }
    if (lambda->ended_in_init &&
        !lambda->signal) /* and there was no event to tell it to */
        print_exit(lambda);
}

/* As Lambda does where there is an extension: SIGTERM, and SIGKILL after a while. */
static void stop_function(struct lambda *lambda)
{
    int signal = lambda->signal;
    bool well;

    report_end(lambda, "between events");
    if (lambda->pid) {
        lambda->signal = 0; /* a second one cuts the wait short */
        kill(-lambda->pid, SIGTERM);
        if (wait_until(lambda, is_gone, in_ms(lambda->grace_ms))) {
            well = WIFEXITED(lambda->ending) ? WEXITSTATUS(lambda->ending) == 0
                                             : WTERMSIG(lambda->ending) == SIGTERM;
            if (!well)
                report_end(lambda, "after SIGTERM");
        } else {
            say("the function did not end after SIGTERM and was killed");
            lambda->status = 1;
            bury_function(lambda);
        }
        lambda->signal = signal ? signal : lambda->signal;
    }
}

static bool open_signals(struct lambda *lambda)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    lambda->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return lambda->signal_fd >= 0;
}

static bool read_number(const char *text, long least, long *number)
{
    char *end;

    errno = 0;
    *number = strtol(text, &end, 10);
    return end != text && *end == '\0' && errno == 0 && *number >= least &&
           *number <= 1000000000;
}

static bool read_options(struct lambda *lambda, int argc, char **argv)
{
    static const struct option options[] = {{"deadline", required_argument, NULL, 'd'},
                                            {"repeat", required_argument, NULL, 'n'},
                                            {"pause", required_argument, NULL, 'p'},
                                            {"grace", required_argument, NULL, 'g'},
                                            {"raw", no_argument, NULL, 'r'},
                                            {NULL, 0, NULL, 0}};
    bool ok = true;
    int option;

    while (ok && (option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        switch (option) {
        case 'd':
            ok = read_number(optarg, 1, &lambda->deadline_ms);
            break;
        case 'n':
            ok = read_number(optarg, 1, &lambda->repeat);
            break;
        case 'p':
            ok = read_number(optarg, 0, &lambda->pause_ms);
            break;
        case 'g':
            ok = read_number(optarg, 0, &lambda->grace_ms);
            break;
        case 'r':
            lambda->raw = true;
            lambda->input_kind = INPUT_WHOLE;
            break;
        default:
            ok = false;
        }
    }
    lambda->command = argv + optind;
    return ok && optind < argc;
}

int main(int argc, char **argv)
{
    struct lambda lambda = {.deadline_ms = 30000,
                            .repeat = 1,
                            .grace_ms = 2000,
                            .input.max = SIZE_MAX,
                            .answer.max = PAYLOAD_MAX};

    if (!read_options(&lambda, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    set_environment(lambda.command[0]);
    if (!open_signals(&lambda) || !open_http(&lambda)) {
        say("cannot serve the Runtime API: %s", strerror(errno));
        return 1;
    }
    run_events(&lambda);
    stop_function(&lambda);
    MHD_run(lambda.http);
    MHD_stop_daemon(lambda.http);
    close(lambda.signal_fd);
    buffer_free(&lambda.input);
    buffer_free(&lambda.answer);
    return lambda.signal ? 128 + lambda.signal : lambda.status;
}
