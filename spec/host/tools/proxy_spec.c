/* The spec of host/tools/proxy, in front of a server that echoes: other specs rely on it
 * to break connections exactly as ordered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"
#include "proxy.h"

#define SIZE 100
#define ENOUGH_MS 60000

static struct {
    int listener;
    pid_t echo;
    struct proxy *proxy;
} spec;

/* ------------------------------------------------------------ the server */

static void send_back(int fd)
{
    char bytes[4096];
    ssize_t n;

    while ((n = read(fd, bytes, sizeof(bytes))) > 0)
        if (send(fd, bytes, (size_t)n, MSG_NOSIGNAL) < 0)
            break;
    _exit(0);
}

/* A child for each connection. */
static void serve_echo(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(spec.listener, NULL, NULL);

        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            send_back(fd);
        }
        close(fd);
    }
}

static int setup(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    (void)state;
    spec.listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(spec.listener, (struct sockaddr *)&address, len) < 0 ||
        listen(spec.listener, 100) < 0 ||
        getsockname(spec.listener, (struct sockaddr *)&address, &len) < 0)
        return -1;
    spec.echo = fork();
    if (spec.echo == 0)
        serve_echo();
    spec.proxy = proxy_open(ntohs(address.sin_port));
    return spec.proxy ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    proxy_close(spec.proxy);
    kill(spec.echo, SIGKILL);
    waitpid(spec.echo, NULL, 0);
    return 0;
}

/* ------------------------------------------------------------ the client */

static void tell(const char *command)
{
    if (!proxy_tell(spec.proxy, "%s", command))
        fail_msg("not obeyed: %s", command);
}

/* A socket that has begun to connect to the proxy. */
static int begin_connect(void)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port =
                                            htons((uint16_t)proxy_port(spec.proxy)),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    connect(fd, (const struct sockaddr *)&address, sizeof(address));
    return fd;
}

/* 0 or an errno; ETIMEDOUT where nothing came in time. */
static int end_connect(int fd, int wait_ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    socklen_t len = sizeof(int);
    int error = ETIMEDOUT;

    if (poll(&ready, 1, wait_ms) > 0)
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    return error;
}

static int connected(void)
{
    int fd = begin_connect();

    assert_int_equal(end_connect(fd, ENOUGH_MS), 0);
    return fd;
}

static void say(int fd, size_t len)
{
    char bytes[SIZE];

    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

/* Reads `want` bytes, or until the end; *error says how it ended: 0, or an errno. */
static size_t hear(int fd, size_t want, int *error)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char bytes[SIZE + 1];
    size_t got = 0;
    ssize_t n = 1;

    *error = 0;
    while (got < want && n > 0) {
        if (poll(&ready, 1, ENOUGH_MS) <= 0)
            fail_msg("nothing came after %zu of %zu bytes", got, want);
        n = recv(fd, bytes, want - got, 0);
        *error = n < 0 ? errno : 0;
        got += n > 0 ? (size_t)n : 0;
    }
    return got;
}

static void expect_echo(int fd, size_t len)
{
    int error;

    assert_int_equal(hear(fd, len, &error), len);
    assert_int_equal(error, 0);
}

/* ------------------------------------------------------------ faults */

/* How many bytes come back, and how that ends, where `command` is for the next
 * connection. */
static size_t try_fault(const char *command, int *error)
{
    size_t got;
    int fd;

    tell("fresh");
    tell(command);
    fd = begin_connect();
    end_connect(fd, ENOUGH_MS); /* a fault after no byte may be here already */
    send(fd, (char[SIZE]){0}, SIZE, MSG_NOSIGNAL);
    got = hear(fd, SIZE + 1, error);
    close(fd);
    return got;
}

static void bytes_pass(void **state)
{
    int fd;

    (void)state;
    tell("fresh");
    fd = connected();
    say(fd, SIZE);
    expect_echo(fd, SIZE);
    assert_int_equal(proxy_status(spec.proxy).up, SIZE);
    assert_int_equal(proxy_status(spec.proxy).down, SIZE);
    assert_int_equal(proxy_status(spec.proxy).connections, 1);
    close(fd);
}

static void an_end_comes_after_exactly_so_many_bytes(void **state)
{
    static const struct {
        const char *fault;
        bool echoes; /* what was passed on comes back */
        int error;
    } cases[] = {
        {"next up cut", false, 0},   {"next up reset", false, ECONNRESET},
        {"next up half", true, 0},   {"next down cut", true, 0},
        {"next down half", true, 0}, {"next down reset", true, ECONNRESET},
    };
    static const unsigned numbers[] = {0, 1, 57, 99, 100};
    char command[40];
    int error;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (size_t j = 0; j < sizeof(numbers) / sizeof(numbers[0]); j++) {
            struct proxy_status status;
            unsigned n = numbers[j];

            snprintf(command, sizeof(command), "%s %u", cases[i].fault, n);
            if (try_fault(command, &error) != (cases[i].echoes ? n : 0) ||
                (error != cases[i].error && n > 0))
                fail_msg("%s: ended otherwise (%s)", command, strerror(error));
            status = proxy_status(spec.proxy);
            assert_int_equal(status.struck, 1);
            assert_int_equal(strstr(command, "up") ? status.up : status.down, n);
        }
}

static void a_stall_keeps_all_open_and_can_end(void **state)
{
    int fd;

    (void)state;
    tell("fresh");
    tell("next up stall 57");
    fd = connected();
    say(fd, SIZE);
    expect_echo(fd, 57);
    assert_int_equal(proxy_status(spec.proxy).up, 57);
    assert_int_equal(proxy_status(spec.proxy).open, 1);
    tell("now up none");
    expect_echo(fd, SIZE - 57);
    close(fd);
}

static void silence_leaves_bytes_unacknowledged(void **state)
{
    const int soon_ms = 500;
    int fd, error;

    (void)state;
    tell("fresh");
    fd = connected();
    say(fd, SIZE);
    expect_echo(fd, SIZE);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &soon_ms, sizeof(soon_ms));
    tell("now both silence");
    say(fd, SIZE);
    assert_int_equal(hear(fd, 1, &error), 0);
    assert_int_equal(error, ETIMEDOUT);
    close(fd);
}

static void silence_can_end(void **state)
{
    int fd;

    (void)state;
    tell("fresh");
    fd = connected();
    say(fd, SIZE);
    expect_echo(fd, SIZE);
    tell("now both silence");
    say(fd, SIZE);
    tell("now both none");
    expect_echo(fd, SIZE);
    close(fd);
}

static void a_delay_holds_each_direction(void **state)
{
    int64_t start_ms = clock_ms();
    int fd;

    (void)state;
    tell("fresh");
    tell("all both delay 50");
    fd = connected();
    say(fd, SIZE);
    expect_echo(fd, SIZE);
    assert_true(clock_ms() - start_ms >= 100);
    close(fd);
}

static void drops_of_one_byte_are_a_stream_too(void **state)
{
    int fd;

    (void)state;
    tell("fresh");
    tell("all both drip");
    fd = connected();
    say(fd, SIZE);
    expect_echo(fd, SIZE);
    close(fd);
}

/* ------------------------------------------------------------ whom it meets */

static void next_all_and_now_are_who_they_say(void **state)
{
    int fd, error;

    (void)state;
    assert_int_equal(try_fault("next up cut 10", &error), 0);
    fd = connected(); /* after that one */
    say(fd, SIZE);
    expect_echo(fd, SIZE);
    tell("all up cut 10"); /* but those that exist */
    say(fd, SIZE);
    expect_echo(fd, SIZE);
    tell("now up half 10"); /* ten more */
    say(fd, SIZE);
    assert_int_equal(hear(fd, SIZE, &error), 10);
    close(fd);
    for (int i = 0; i < 3; i++) {
        fd = connected();
        send(fd, (char[SIZE]){0}, SIZE, MSG_NOSIGNAL);
        assert_int_equal(hear(fd, SIZE, &error), 0);
        close(fd);
    }
    tell("fresh");
    assert_int_equal(proxy_status(spec.proxy).connections, 0);
    assert_int_equal(proxy_status(spec.proxy).struck, 0);
    bytes_pass(NULL);
}

static void drop_closes_all(void **state)
{
    int fds[5], error;

    (void)state;
    tell("fresh");
    for (int i = 0; i < 5; i++) {
        fds[i] = connected();
        say(fds[i], SIZE);
        expect_echo(fds[i], SIZE);
    }
    assert_int_equal(proxy_status(spec.proxy).open, 5);
    tell("drop");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(hear(fds[i], 1, &error), 0);
        close(fds[i]);
    }
    assert_int_equal(proxy_status(spec.proxy).open, 0);
}

static void a_closed_door_is_refused_and_opens_again(void **state)
{
    int fd;

    (void)state;
    tell("fresh");
    tell("refuse");
    fd = begin_connect();
    assert_int_equal(end_connect(fd, ENOUGH_MS), ECONNREFUSED);
    close(fd);
    tell("listen");
    bytes_pass(NULL);
}

static void a_black_hole_says_nothing_until_it_ends(void **state)
{
    int fd;

    (void)state;
    tell("fresh");
    tell("blackhole");
    fd = begin_connect();
    assert_int_equal(end_connect(fd, 300), ETIMEDOUT);
    tell("listen");
    assert_int_equal(end_connect(fd, ENOUGH_MS), 0); /* the kernel had asked again */
    close(fd);
}

static void what_is_no_command_is_refused(void **state)
{
    static const char *const commands[] = {
        "",           "cut",           "next",           "next up",
        "up cut 1",   "next up cut x", "now up nothing", "next sideways cut 1",
        "status now", "window",        "next up cut 1 2"};

    (void)state;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        assert_false(proxy_tell(spec.proxy, "%s", commands[i]));
    bytes_pass(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_pass),
        cmocka_unit_test(an_end_comes_after_exactly_so_many_bytes),
        cmocka_unit_test(a_stall_keeps_all_open_and_can_end),
        cmocka_unit_test(silence_leaves_bytes_unacknowledged),
        cmocka_unit_test(silence_can_end),
        cmocka_unit_test(a_delay_holds_each_direction),
        cmocka_unit_test(drops_of_one_byte_are_a_stream_too),
        cmocka_unit_test(next_all_and_now_are_who_they_say),
        cmocka_unit_test(drop_closes_all),
        cmocka_unit_test(a_closed_door_is_refused_and_opens_again),
        cmocka_unit_test(a_black_hole_says_nothing_until_it_ends),
        cmocka_unit_test(what_is_no_command_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
