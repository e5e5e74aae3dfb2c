/* driver.c -- a Runtime API that measures, for `make bench`.
 *
 *   driver CPU starts COUNT -- COMMAND [ARG...] [-- COMMAND...]...
 *   driver CPU events EVENT WARM COUNT -- COMMAND [ARG...] [-- COMMAND...]...
 *   driver CPU reconnects EVENT COUNT CUT -- COMMAND [ARG...] [-- COMMAND...]...
 *
 * CPU is the number of the one that the commands run on, and the driver on all others; or
 * "any", and the scheduler places them.
 * starts: starts each COMMAND so often, one after the other by turns. A line for each,
 * "start NUMBER WALL CPU", up to the last byte of its first /next. Here too each second
 * turn goes from the last to the first: the broker still clears up after the one before.
 * events: starts each COMMAND once and hands the event of file EVENT to one after the
 * other by turns, each second turn from the last to the first, so that none always finds
 * the caches as the same other left them; the first WARM turns are not printed. A line
 * for each event, "event NUMBER WALL CPU": to the last byte of the answer, and what the
 * process used up to its next event. At the end a line for each, "peak NUMBER KILOBYTES".
 * With PACE_MS it waits so long before each event, and with DEADLINE_MS an event has so
 * long, 900 s otherwise.
 * reconnects: the same, but before each turn the shell command CUT ends the connections
 * to the broker. No CPU: it is 0.
 *
 * NUMBER counts the commands from 1, times are nanoseconds, CPU is user and system. What
 * a command writes is read, as Lambda would, and shown where it ends unexpectedly. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROGRAMS_MAX 4
#define PATIENCE_MS 60000
#define REQUEST_ID "8476a536-e9f4-11e8-9739-2dfe598c3fcd"

struct program {
    char **command;
    int listener;
    char api[32]; /* where it listens */
    pid_t pid;
    clockid_t cpu;
    int output;    /* a pipe */
    int fd;        /* its connection */
    int extension; /* that of its extension; -1: none */
};

static struct program programs[PROGRAMS_MAX];
static int program_count;
static bool apart;       /* they have a CPU for themselves, */
static size_t apart_cpu; /* this one */

static char *event; /* with the answer's headers in front */
static size_t event_len;
static char *event_deadline; /* its 13 digits in there */
static long pace_ms, deadline_ms = 900000;

static int64_t nanoseconds(clockid_t clock)
{
    struct timespec now = {0};

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void drain(const struct program *program, bool show)
{
    char piece[65536];
    ssize_t n;

    while ((n = read(program->output, piece, sizeof(piece))) > 0)
        if (show)
            fwrite(piece, 1, (size_t)n, stderr);
}

static void must(bool ok, const struct program *program, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "driver: %s: %s\n", program ? program->command[0] : "-", what);
    if (program)
        drain(program, true);
    exit(1);
}

/* ------------------------------------------------------------- the Runtime API */

static void listen_for(struct program *program)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    program->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(bind(program->listener, (struct sockaddr *)&address, len) == 0 &&
             listen(program->listener, 8) == 0 &&
             getsockname(program->listener, (struct sockaddr *)&address, &len) == 0,
         program, "cannot listen");
    snprintf(program->api, sizeof(program->api), "127.0.0.1:%d", ntohs(address.sin_port));
}

/* Waits for more of a request; takes what is written meanwhile, so that a full pipe stops
 * nobody. */
static ssize_t receive(const struct program *program, char *data, size_t room)
{
    struct pollfd ready[] = {{.fd = program->fd, .events = POLLIN},
                             {.fd = program->output, .events = POLLIN}};

    while (poll(ready, 2, PATIENCE_MS) > 0) {
        if (ready[0].revents)
            return recv(program->fd, data, room, 0);
        drain(program, false);
    }
    return -1;
}

/* Reads a whole request, whose first line begins with `method`; static. */
static const char *read_request(const struct program *program, const char *method)
{
    static char request[65536];
    size_t used = 0, wanted = sizeof(request) - 1;
    const char *body = NULL, *length;
    ssize_t n;

    while (used < wanted) {
        n = receive(program, request + used, sizeof(request) - 1 - used);
        must(n > 0, program, "ended, or does not answer");
        used += (size_t)n;
        request[used] = '\0';
        if (!body)
            body = strstr(request, "\r\n\r\n");
        if (!body)
            continue;
        length = strcasestr(request, "\r\nContent-Length: ");
        wanted =
            (size_t)(body + 4 - request) + (length ? strtoul(length + 18, NULL, 10) : 0);
    }
    must(strncmp(request, method, strlen(method)) == 0 && !strstr(request, "/error HTTP"),
         program, request);
    return request;
}

static void send_all(const struct program *program, const char *data, size_t len)
{
    ssize_t n;

    for (size_t done = 0; done < len; done += (size_t)n) {
        n = send(program->fd, data + done, len - done, MSG_NOSIGNAL);
        must(n > 0, program, "ended");
    }
}

/* The event from its file, as the answer to a /next. */
static void read_event(const char *path)
{
    FILE *file = fopen(path, "rb");
    long size;
    int head;

    must(file && fseek(file, 0, SEEK_END) == 0, NULL, "cannot read the event");
    size = ftell(file);
    rewind(file);
    event = malloc((size_t)size + 512);
    must(event != NULL, NULL, "out of memory");
    head = snprintf(event, 512,
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    "Lambda-Runtime-Aws-Request-Id: " REQUEST_ID "\r\n"
                    "Lambda-Runtime-Deadline-Ms: 0000000000000\r\n"
                    "Content-Length: %ld\r\n\r\n",
                    size);
    event_deadline = strstr(event, "Deadline-Ms: ") + strlen("Deadline-Ms: ");
    event_len = (size_t)head + fread(event + head, 1, (size_t)size, file);
    must(event_len == (size_t)(head + size), NULL, "cannot read the event");
    fclose(file);
}

/* Hands the event over; nanoseconds to the answer's last byte. Ends at the next /next. */
static int64_t hand_over(const struct program *program)
{
    static const char thanks[] = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json"
                                 "\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";
    int64_t start, end;
    char digits[32];

    if (pace_ms)
        usleep((useconds_t)pace_ms * 1000);
    snprintf(digits, sizeof(digits), "%lld",
             (long long)nanoseconds(CLOCK_REALTIME) / 1000000 + deadline_ms);
    memcpy(event_deadline, digits, 13);
    start = nanoseconds(CLOCK_MONOTONIC);
    send_all(program, event, event_len);
    read_request(program, "POST ");
    end = nanoseconds(CLOCK_MONOTONIC);
    send_all(program, thanks, sizeof(thanks) - 1);
    read_request(program, "GET ");
    drain(program, false);
    return end - start;
}

/* ------------------------------------------------------------- processes */

static void move_to(const cpu_set_t *cpus)
{
    must(sched_setaffinity(0, sizeof(*cpus), cpus) == 0, NULL, "cannot have that CPU");
}

static void take_cpu(void)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET(apart_cpu, &cpus);
    move_to(&cpus);
}

static void leave_cpu(void)
{
    cpu_set_t cpus;

    must(sched_getaffinity(0, sizeof(cpus), &cpus) == 0, NULL, "which CPUs?");
    CPU_CLR(apart_cpu, &cpus);
    move_to(&cpus);
}

static void become(const struct program *program, int output)
{
    if (apart)
        take_cpu();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(output, 1);
    dup2(output, 2);
    setenv("AWS_LAMBDA_RUNTIME_API", program->api, 1);
    execvp(program->command[0], program->command);
    _exit(127);
}

static void accept_one(struct program *program)
{
    const int on = 1;

    program->fd = accept4(program->listener, NULL, NULL, SOCK_CLOEXEC);
    must(program->fd >= 0, program, "no connection");
    setsockopt(program->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* Answers a register of the Extensions API, whose connection this was. The extension then
 * asks for an event that never comes, and nobody reads that. */
static void welcome_extension(struct program *program)
{
    static const char welcome[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                  "Lambda-Extension-Identifier: " REQUEST_ID "\r\n"
                                  "Content-Length: 2\r\n\r\n{}";

    send_all(program, welcome, sizeof(welcome) - 1);
    program->extension = program->fd;
}

/* Starts it, and waits for its first /next; nanoseconds from the one to the other. */
static int64_t start(struct program *program)
{
    struct pollfd knock = {.fd = program->listener, .events = POLLIN};
    int ends[2];
    int64_t begin;

    must(pipe2(ends, O_CLOEXEC) == 0, program, "no pipe");
    program->output = ends[0];
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    begin = nanoseconds(CLOCK_MONOTONIC);
    program->pid = fork();
    must(program->pid >= 0, program, "cannot fork");
    if (program->pid == 0)
        become(program, ends[1]);
    close(ends[1]);
    clock_getcpuclockid(program->pid, &program->cpu);
    program->extension = -1;
    must(poll(&knock, 1, PATIENCE_MS) > 0, program, "does not come");
    accept_one(program);
    if (strstr(read_request(program, ""), "/extension/register ")) {
        welcome_extension(program);
        must(poll(&knock, 1, PATIENCE_MS) > 0, program, "does not come again");
        accept_one(program);
        read_request(program, "GET ");
    }
    begin = nanoseconds(CLOCK_MONOTONIC) - begin;
    return begin;
}

static void stop(struct program *program)
{
    kill(program->pid, SIGTERM);
    waitpid(program->pid, NULL, 0);
    close(program->fd);
    if (program->extension >= 0)
        close(program->extension);
    close(program->output);
}

/* Its peak of resident memory, in kilobytes. */
static long peak_of(const struct program *program)
{
    char path[64], line[256];
    long peak = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)program->pid);
    file = fopen(path, "r");
    while (file && peak < 0 && fgets(line, sizeof(line), file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            peak = strtol(line + 6, NULL, 10);
    if (file)
        fclose(file);
    return peak;
}

/* ------------------------------------------------------------- the measures */

/* The program that is number n of a turn. */
static int numbered(long turn, int n)
{
    return turn % 2 == 0 ? n : program_count - 1 - n;
}

static void measure_starts(long count)
{
    int64_t wall, cpu;

    for (long turn = 0; turn < count; turn++)
        for (int n = 0; n < program_count; n++) {
            int i = numbered(turn, n);

            wall = start(&programs[i]);
            cpu = nanoseconds(programs[i].cpu);
            stop(&programs[i]);
            printf("start %d %lld %lld\n", i + 1, (long long)wall, (long long)cpu);
        }
}

/* A process's clock is read before it gets an event, when it has long been waiting: so
 * what an event took is known at the next one, and one more is handed over than is
 * printed. */
static void measure_events(long warm, long count)
{
    int64_t cpu[PROGRAMS_MAX] = {0}, wall[PROGRAMS_MAX] = {0}, now;

    for (int i = 0; i < program_count; i++)
        start(&programs[i]);
    for (long turn = 0; turn <= warm + count; turn++)
        for (int n = 0; n < program_count; n++) {
            int i = numbered(turn, n);

            now = nanoseconds(programs[i].cpu);
            if (turn > warm)
                printf("event %d %lld %lld\n", i + 1, (long long)wall[i],
                       (long long)(now - cpu[i]));
            cpu[i] = now;
            wall[i] = hand_over(&programs[i]);
        }
    for (int i = 0; i < program_count; i++) {
        printf("peak %d %ld\n", i + 1, peak_of(&programs[i]));
        stop(&programs[i]);
    }
}

static void measure_reconnects(long count, const char *cut)
{
    for (int i = 0; i < program_count; i++) {
        start(&programs[i]);
        hand_over(&programs[i]);
    }
    for (long turn = 0; turn < count; turn++) {
        must(system(cut) == 0, NULL, "the connections could not be cut");
        usleep(20000); /* both ends know now */
        for (int n = 0; n < program_count; n++) {
            int i = numbered(turn, n);

            printf("event %d %lld 0\n", i + 1, (long long)hand_over(&programs[i]));
        }
    }
    for (int i = 0; i < program_count; i++)
        stop(&programs[i]);
}

/* The commands behind each "--". */
static void read_commands(char **argument)
{
    for (; *argument; argument++) {
        if (strcmp(*argument, "--") != 0)
            continue;
        must(program_count < PROGRAMS_MAX && argument[1], NULL, "too many commands");
        *argument = NULL; /* the end of the one before */
        programs[program_count++].command = argument + 1;
    }
}

static long number_in(const char *name, long otherwise)
{
    const char *value = getenv(name);

    return value ? strtol(value, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    bool starts = argc > 4 && strcmp(argv[2], "starts") == 0;
    bool events = argc > 6 && strcmp(argv[2], "events") == 0;
    bool reconnects = argc > 6 && strcmp(argv[2], "reconnects") == 0;

    must(starts || events || reconnects, NULL,
         "usage: driver CPU starts COUNT | CPU events EVENT WARM COUNT "
         "| CPU reconnects EVENT COUNT CUT "
         "-- COMMAND [ARG...] [-- COMMAND...]...");
    apart = strcmp(argv[1], "any") != 0;
    apart_cpu = strtoul(argv[1], NULL, 10);
    if (apart)
        leave_cpu();
    read_commands(argv + 3);
    for (int i = 0; i < program_count; i++)
        listen_for(&programs[i]);
    if (starts) {
        measure_starts(strtol(argv[3], NULL, 10));
        return 0;
    }
    read_event(argv[3]);
    pace_ms = number_in("PACE_MS", 0);
    deadline_ms = number_in("DEADLINE_MS", deadline_ms);
    if (reconnects)
        measure_reconnects(strtol(argv[4], NULL, 10), argv[5]);
    else
        measure_events(strtol(argv[4], NULL, 10), strtol(argv[5], NULL, 10));
    return 0;
}
