/* The spec of host/net/connector.c: connects of which some never end, and those that
 * began before they were needed. PIGEON_HOST and the look-ups are in
 * connector_names_spec.c.
 *
 * poll() is a fake that waits for 50 ms at most; where nothing came in that time, it puts
 * the clock forward by the time it was asked to wait. So a minute of silence is short,
 * and the shares of the time can be asserted exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connector_case.h"
#include "fake/clock.h"
#include "fake/dns.h"

/* ------------------------------------------------------------- the waits */

static int waits;          /* in which nothing came */
static int waited_ms[300]; /* what each was asked for */

int poll(struct pollfd *fds, nfds_t count, int ms)
{
    const struct timespec most = {.tv_nsec = 50 * 1000000};
    int n = ppoll(fds, count, &most, NULL);

    if (n == 0) {
        fake_clock.ahead_ms += ms;
        waited_ms[waits++ % 300] = ms;
    }
    return n;
}

/* ------------------------------------------------------------- a case */

static int fillers[2] = {-1, -1};

/* A listener whose queue is full does not answer any more. */
static void fill_queue(void)
{
    for (int i = 0; i < 2; i++) {
        fillers[i] = open_socket(SOCK_NONBLOCK);
        connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
}

static int setup(void **state)
{
    waits = 0;
    return connector_case_setup(state);
}

static int teardown(void **state)
{
    close_fd(&fillers[0]);
    close_fd(&fillers[1]);
    return connector_case_teardown(state);
}

/* ------------------------------------------------------------- connecting */

static size_t count_fds(void)
{
    size_t count = 0;

    for (int fd = 0; fd < 64; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void connects_to_an_address_without_a_look_up(void **state)
{
    struct deadline deadline;
    unsigned silence_ms = 0;
    struct err err;
    int fd;

    (void)state;
    bind_port(8);
    open_connector("127.0.0.1");
    fd = connect_first("connect", &err);
    assert_true(fd >= 0);
    assert_int_equal(fake_dns.count, 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(option_of(fd, IPPROTO_TCP, TCP_NODELAY));
    assert_true(option_of(fd, SOL_SOCKET, SO_KEEPALIVE));
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
    deadline = deadline_in(MINUTE_MS);
    connector_notice_silence(fd, &deadline, &silence_ms);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 3000);
    deadline = deadline_in(6000);
    connector_notice_silence(fd, &deadline, &silence_ms);
    assert_in_range(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 1, 2000);
    close(fd);
}

static void counts_what_it_heard(void **state)
{
    struct err err;
    int fd, other;
    char byte;

    (void)state;
    bind_port(8);
    open_connector("127.0.0.1");
    fd = connect_first("connect", &err);
    other = accept(listener, NULL, NULL);
    assert_int_equal(connector_heard(fd), 0);
    assert_int_equal(send(other, "1234567", 7, 0), 7);
    while (recv(fd, &byte, 1, 0) != 1)
        ;
    assert_int_equal(connector_heard(fd), 7);
    close(other);
    while (recv(fd, &byte, 1, 0) != 0)
        ;
    assert_int_equal(connector_heard(fd), 7);
    assert_int_equal(connector_heard(-1), 0);
    close(fd);
}

static void connects_to_a_name(void **state)
{
    struct err err;
    int fd;

    (void)state;
    bind_port(8);
    fake_dns.addresses[0] = "127.0.0.1";
    open_connector("rabbit");
    fd = connect_first("connect", &err);
    assert_true(fd >= 0);
    assert_int_equal(fake_dns.count, 1);
    assert_string_equal(fake_dns.last->ar_name, "rabbit");
    close(fd);
}

static void refused_is_said_for_each_address(void **state)
{
    struct err err;

    (void)state;
    bind_port(-1);
    fake_dns.addresses[0] = "127.0.0.1";
    fake_dns.addresses[1] = "127.0.0.2";
    open_connector("rabbit");
    assert_int_equal(connect_first("connect", &err), -1);
    assert_string_equal(err.text, "127.0.0.1: Connection refused; "
                                  "127.0.0.2: Connection refused");
    assert_int_equal(waits, 0);
}

static void no_answer_is_said_after_all_of_the_time(void **state)
{
    struct err err;

    (void)state;
    bind_port(0);
    fill_queue();
    open_connector("127.0.0.1");
    assert_int_equal(connect_first("connect", &err), -1);
    assert_string_equal(err.text, "127.0.0.1: no answer to the connect");
    assert_int_equal(waits, 1);
    assert_in_range(waited_ms[0], MINUTE_MS - 5000, MINUTE_MS);
}

static void the_second_address_is_tried_when_the_first_refuses(void **state)
{
    struct err err;
    int fd;

    (void)state;
    bind_port(8);
    fake_dns.addresses[0] = "127.0.0.2";
    fake_dns.addresses[1] = "127.0.0.1";
    open_connector("rabbit");
    fd = connect_first("connect", &err);
    assert_true(fd >= 0);
    close(fd);
}

/* Each begins 250 ms after the one before, and all are waited for to the end. */
static void a_silent_address_delays_the_next_one_by_a_quarter_second(void **state)
{
    struct err err;

    (void)state;
    bind_port(0);
    fill_queue();
    for (int i = 0; i < 3; i++)
        fake_dns.addresses[i] = "127.0.0.1";
    open_connector("rabbit");
    assert_int_equal(connect_first("connect", &err), -1);
    assert_string_equal(err.text, "127.0.0.1: no answer to the connect; "
                                  "127.0.0.1: no answer to the connect; "
                                  "127.0.0.1: no answer to the connect");
    assert_int_equal(waits, 3);
    assert_in_range(waited_ms[0], 1, 250);
    assert_in_range(waited_ms[1], 1, 250);
    assert_in_range(waited_ms[2], MINUTE_MS - 10000, MINUTE_MS - 500);
}

static void a_silent_address_does_not_hide_one_that_listens(void **state)
{
    struct sockaddr_in second;
    struct err err;
    int other = open_socket(0);
    size_t fds;
    int fd;

    (void)state;
    bind_port(0);
    fill_queue();
    second = address;
    second.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    assert_int_equal(bind(other, (struct sockaddr *)&second, sizeof(second)), 0);
    assert_int_equal(listen(other, 1), 0);
    fake_dns.addresses[0] = "127.0.0.1";
    fake_dns.addresses[1] = "127.0.0.2";
    open_connector("rabbit");
    fds = count_fds();
    fd = connect_first("connect", &err);
    assert_true(fd >= 0);
    assert_int_equal(waits, 1);
    close(fd);
    assert_int_equal(count_fds(), fds);
    fd = connect_first("connect", &err); /* to the one that worked, without a wait */
    assert_true(fd >= 0);
    assert_int_equal(waits, 1);
    close(fd);
    close(other);
}

static void nothing_waits_when_the_deadline_has_passed(void **state)
{
    struct deadline past = deadline_in(-1000);
    struct err err = {0};

    (void)state;
    bind_port(0);
    fill_queue();
    fake_dns.hangs = true;
    open_connector("127.0.0.1,rabbit");
    assert_int_equal(connector_connect(connector, 0, &past, &err), -1);
    assert_string_equal(err.text, "127.0.0.1: no answer to the connect");
    assert_int_equal(waited_ms[0], 0);
    assert_int_equal(connector_connect(connector, 1, &past, &err), -1);
    assert_string_equal(err.text, "the name look-up took too long");
    fake_dns.hangs = false;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(connects_to_an_address_without_a_look_up),
        CASE(counts_what_it_heard),
        CASE(connects_to_a_name),
        CASE(refused_is_said_for_each_address),
        CASE(no_answer_is_said_after_all_of_the_time),
        CASE(the_second_address_is_tried_when_the_first_refuses),
        CASE(a_silent_address_delays_the_next_one_by_a_quarter_second),
        CASE(a_silent_address_does_not_hide_one_that_listens),
        CASE(nothing_waits_when_the_deadline_has_passed),
    };

    if (getenv("EMULATOR") && getenv("EMULATOR")[0]) /* qemu: no tcpi_bytes_received */
        cmocka_set_skip_filter("counts_what_it_heard");
    return cmocka_run_group_tests_name("dial", tests, NULL, NULL);
}
