/* The spec of host/dial.c: PIGEON_HOST's forms, and look-ups and connects of which some
 * never end.
 *
 * Names are looked up by fakes. poll() waits for 50 ms at most; where nothing came in
 * that time, the clock is put forward by what it was asked to wait, so a minute of
 * silence is short, and how the time is shared can be told exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "dial.h"

#define MINUTE_MS 60000

/* ------------------------------------------------------------- the clock */

static int64_t ahead_ms;
static int waits;          /* in which nothing came */
static int waited_ms[300]; /* what each was asked for */

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int64_t ms;

    if (syscall(SYS_clock_gettime, clock, now) != 0)
        return -1;
    ms = now->tv_nsec / 1000000 + ahead_ms;
    now->tv_sec += ms / 1000;
    now->tv_nsec = ms % 1000 * 1000000 + now->tv_nsec % 1000000;
    return 0;
}

int poll(struct pollfd *fds, nfds_t count, int ms)
{
    const struct timespec most = {.tv_nsec = 50 * 1000000};
    int n = ppoll(fds, count, &most, NULL);

    if (n == 0) {
        ahead_ms += ms;
        waited_ms[waits++ % 300] = ms;
    }
    return n;
}

/* ------------------------------------------------------------- the look-ups */

static struct {
    const char *addresses[3]; /* what every name is, or */
    int status;               /* why it is not found */
    bool hangs;
    int refused; /* by getaddrinfo_a() itself */
    int count;   /* how many began */
    int flags;   /* of the last */
    struct gaicb *last;
} lookup;

static struct addrinfo *address_list(const struct gaicb *of)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *first = NULL;
    struct addrinfo **end = &first;

    for (int i = 0; i < 3 && lookup.addresses[i]; i++) {
        assert_int_equal(getaddrinfo(lookup.addresses[i], of->ar_service, &hints, end),
                         0);
        end = &(*end)->ai_next;
    }
    return first;
}

int getaddrinfo_a(int mode, struct gaicb *list[], int count, struct sigevent *event)
{
    (void)event;
    assert_int_equal(mode, GAI_NOWAIT);
    assert_int_equal(count, 1);
    lookup.count++;
    lookup.last = list[0];
    lookup.flags = list[0]->ar_request->ai_flags;
    return lookup.refused;
}

int gai_error(struct gaicb *request)
{
    assert_ptr_equal(request, lookup.last);
    /* libc's thread reads them as long as it looks */
    assert_int_equal(request->ar_request->ai_flags, lookup.flags);
    if (lookup.hangs)
        return EAI_INPROGRESS;
    if (lookup.status == 0 && !request->ar_result)
        request->ar_result = address_list(request);
    return lookup.status;
}

int gai_suspend(const struct gaicb *const list[], int count, const struct timespec *most)
{
    (void)list;
    assert_int_equal(count, 1);
    assert_true(lookup.hangs);
    ahead_ms += most->tv_sec * 1000 + most->tv_nsec / 1000000;
    return EAI_AGAIN;
}

/* ------------------------------------------------------------- the listeners */

static int listener = -1;
static int fillers[2] = {-1, -1};
static struct dial *dial;
static struct sockaddr_in address;

static int open_socket(int flags)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    assert_true(fd >= 0);
    return fd;
}

/* A port of 127.0.0.1 at which somebody listens, or (backlog -1) nobody. */
static void bind_port(int backlog)
{
    socklen_t len = sizeof(address);

    listener = open_socket(0);
    address = (struct sockaddr_in){.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    if (backlog >= 0)
        assert_int_equal(listen(listener, backlog), 0);
}

/* A listener whose queue is full does not answer any more. */
static void fill_queue(void)
{
    for (int i = 0; i < 2; i++) {
        fillers[i] = open_socket(SOCK_NONBLOCK);
        connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int set_up(void **state)
{
    (void)state;
    memset(&lookup, 0, sizeof(lookup));
    waits = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close_fd(&listener);
    close_fd(&fillers[0]);
    close_fd(&fillers[1]);
    dial_close(dial);
    dial = NULL;
    return 0;
}

static void open_dial(const char *hosts)
{
    struct err err;

    dial = dial_open(hosts, ntohs(address.sin_port), NULL, &err);
    assert_non_null(dial);
}

/* Connects to the first host, within a minute. The stage is asserted. */
static int dial_first(const char *stage, struct err *err)
{
    struct deadline deadline = deadline_in(MINUTE_MS);
    const char *where = "";
    int fd;

    memset(err, 0, sizeof(*err));
    fd = dial_connect(dial, 0, &deadline, &where, err);
    assert_string_equal(where, stage);
    return fd;
}

/* ------------------------------------------------------------- PIGEON_HOST */

static const struct setting {
    const char *hosts;
    const char *names; /* or what is wrong */
} settings[] = {
    {"rabbit", "rabbit:5672"},
    {"rabbit.example.com:5673", "rabbit.example.com:5673"},
    {" a , b:1 ,\tc:65535\n", "a:5672 b:1 c:65535"},
    {"127.0.0.1,127.0.0.1:5673", "127.0.0.1:5672 127.0.0.1:5673"},
    {"::1", "[::1]:5672"},
    {"[::1]", "[::1]:5672"},
    {"[::1]:5673,fd00::2", "[::1]:5673 [fd00::2]:5672"},
    {"[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:1"},
    {"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p",
     "a:5672 b:5672 c:5672 d:5672 e:5672 f:5672 g:5672 h:5672 i:5672 j:5672 k:5672 "
     "l:5672 m:5672 n:5672 o:5672 p:5672"},

    {"", "PIGEON_HOST: entry 1 of \"\" is empty"},
    {" ", "PIGEON_HOST: entry 1 of \" \" is empty"},
    {"a,,b", "PIGEON_HOST: entry 2 of \"a,,b\" is empty"},
    {"a,", "PIGEON_HOST: entry 2 of \"a,\" is empty"},
    {"a:", "entry 1, \"a:\", is not"},
    {"a,b:x", "entry 2, \"b:x\", is not"},
    {"a:0", "entry 1, \"a:0\", is not"},
    {"a:65536", "entry 1, \"a:65536\", is not"},
    {"a:-1", "entry 1, \"a:-1\", is not"},
    {"a:+1", "entry 1, \"a:+1\", is not"},
    {"a: 1", "entry 1, \"a: 1\", is not"},
    {"a:1 2", "entry 1, \"a:1 2\", is not"},
    {"a:0000005672", "entry 1, \"a:0000005672\", is not"},
    {"a:18446744073709551617", "entry 1, \"a:18446744073709551617\", is not"},
    {":5672", "entry 1, \":5672\", is not"},
    {"a b", "entry 1, \"a b\", is not"},
    {"[]", "entry 1, \"[]\", is not"},
    {"[::1", "entry 1, \"[::1\", is not"},
    {"::1]", "entry 1, \"::1]\", is not"},
    {"[::1]5672", "entry 1, \"[::1]5672\", is not"},
    {"[::1]:", "entry 1, \"[::1]:\", is not"},
    {"a:5672:5673", "entry 1, \"a:5672:5673\", is not"},
    {"amqp://rabbit", "entry 1, \"amqp://rabbit\", is not"},
    {"amqp://rabbit:5672", "entry 1, \"amqp://rabbit:5672\", is not"},
    {"rabbit:5672/crashes", "entry 1, \"rabbit:5672/crashes\", is not"},
    {"a,amqp://u:secret@b", "PIGEON_HOST holds an \"@\"; user and password belong into "
                            "PIGEON_USER and PIGEON_PASSWORD"},
    {"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "entry 17 is one too many, 16 hosts at most"},
};

static void reads_the_setting(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        const struct setting *s = &settings[i];
        struct err err = {0};
        char names[1000] = "";

        dial = dial_open(s->hosts, 5672, NULL, &err);
        for (size_t host = 0; dial && host < dial_count(dial); host++)
            sprintf(names + strlen(names), "%s%s", host ? " " : "",
                    dial_name(dial, host));
        if (!strstr(dial ? names : err.text, s->names))
            print_error("\"%s\": %s\n", s->hosts, dial ? names : err.text);
        assert_non_null(strstr(dial ? names : err.text, s->names));
        assert_null(strstr(err.text, "secret"));
        if (dial)
            assert_string_equal(names, s->names);
        else
            assert_string_equal(err.type, "ValueError");
        dial_close(dial);
        dial = NULL;
    }
}

static void an_entry_has_255_bytes_at_most(void **state)
{
    char name[257];
    struct err err = {0};

    (void)state;
    memset(name, 'a', sizeof(name) - 1);
    name[256] = '\0';
    assert_null(dial_open(name, 5672, NULL, &err));
    assert_string_equal(err.text, "PIGEON_HOST: entry 1 is longer than 255 bytes");
    name[255] = '\0';
    dial = dial_open(name, 5672, NULL, &err);
    assert_non_null(dial);
    assert_int_equal(strlen(dial_name(dial, 0)), 255 + strlen(":5672"));
}

static void tls_is_on_where_the_port_is_5671(void **state)
{
    static const struct {
        const char *setting;
        const char *tls; /* the name of each host that speaks it, or - */
    } cases[] = {{NULL, "- b - ::1 -"}, {"on", "a b c ::1 e"}, {"off", "- - - - -"}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct err err = {0};
        char names[64] = "";

        dial = dial_open("a,b:5671,c:5673,[::1]:05671,e", 5672, cases[i].setting, &err);
        assert_non_null(dial);
        for (size_t host = 0; host < dial_count(dial); host++)
            sprintf(names + strlen(names), "%s%s", host ? " " : "",
                    dial_tls(dial, host) ? dial_tls(dial, host) : "-");
        assert_string_equal(names, cases[i].tls);
        assert_int_equal(dial_any_tls(dial), i < 2);
        dial_close(dial);
    }
    dial = dial_open("a:5672,b", 5671, NULL, &(struct err){0});
    assert_null(dial_tls(dial, 0));
    assert_string_equal(dial_tls(dial, 1), "b");
}

/* ------------------------------------------------------------- connecting */

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
    open_dial("127.0.0.1");
    fd = dial_first("connect", &err);
    assert_true(fd >= 0);
    assert_int_equal(lookup.count, 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(option_of(fd, IPPROTO_TCP, TCP_NODELAY));
    assert_true(option_of(fd, SOL_SOCKET, SO_KEEPALIVE));
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
    deadline = deadline_in(MINUTE_MS);
    dial_notice_silence(fd, &deadline, &silence_ms);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 3000);
    deadline = deadline_in(6000);
    dial_notice_silence(fd, &deadline, &silence_ms);
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
    open_dial("127.0.0.1");
    fd = dial_first("connect", &err);
    other = accept(listener, NULL, NULL);
    assert_int_equal(dial_heard(fd), 0);
    assert_int_equal(send(other, "1234567", 7, 0), 7);
    while (recv(fd, &byte, 1, 0) != 1)
        ;
    assert_int_equal(dial_heard(fd), 7);
    close(other);
    while (recv(fd, &byte, 1, 0) != 0)
        ;
    assert_int_equal(dial_heard(fd), 7);
    assert_int_equal(dial_heard(-1), 0);
    close(fd);
}

static void connects_to_a_name(void **state)
{
    struct err err;
    int fd;

    (void)state;
    bind_port(8);
    lookup.addresses[0] = "127.0.0.1";
    open_dial("rabbit");
    fd = dial_first("connect", &err);
    assert_true(fd >= 0);
    assert_int_equal(lookup.count, 1);
    assert_string_equal(lookup.last->ar_name, "rabbit");
    close(fd);
}

static void refused_is_said_for_each_address(void **state)
{
    struct err err;

    (void)state;
    bind_port(-1);
    lookup.addresses[0] = "127.0.0.1";
    lookup.addresses[1] = "127.0.0.2";
    open_dial("rabbit");
    assert_int_equal(dial_first("connect", &err), -1);
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
    open_dial("127.0.0.1");
    assert_int_equal(dial_first("connect", &err), -1);
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
    lookup.addresses[0] = "127.0.0.2";
    lookup.addresses[1] = "127.0.0.1";
    open_dial("rabbit");
    fd = dial_first("connect", &err);
    assert_true(fd >= 0);
    close(fd);
}

/* The first of three gets a third, the second half of the rest, and so on. */
static void a_silent_address_leaves_the_others_their_share(void **state)
{
    struct err err;

    (void)state;
    bind_port(0);
    fill_queue();
    for (int i = 0; i < 3; i++)
        lookup.addresses[i] = "127.0.0.1";
    open_dial("rabbit");
    assert_int_equal(dial_first("connect", &err), -1);
    assert_string_equal(err.text, "127.0.0.1: no answer to the connect; "
                                  "127.0.0.1: no answer to the connect; "
                                  "127.0.0.1: no answer to the connect");
    assert_int_equal(waits, 3);
    for (int i = 0; i < 3; i++)
        assert_in_range(waited_ms[i], MINUTE_MS / 3 - 5000, MINUTE_MS / 3 + 100);
}

static void a_silent_address_does_not_hide_one_that_listens(void **state)
{
    struct sockaddr_in second;
    struct err err;
    int other = open_socket(0);
    int fd;

    (void)state;
    bind_port(0);
    fill_queue();
    second = address;
    second.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    assert_int_equal(bind(other, (struct sockaddr *)&second, sizeof(second)), 0);
    assert_int_equal(listen(other, 1), 0);
    lookup.addresses[0] = "127.0.0.1";
    lookup.addresses[1] = "127.0.0.2";
    open_dial("rabbit");
    fd = dial_first("connect", &err);
    assert_true(fd >= 0);
    assert_int_equal(waits, 1);
    close(fd);
    close(other);
}

static void nothing_waits_when_the_deadline_has_passed(void **state)
{
    struct deadline past = deadline_in(-1000);
    const char *stage;
    struct err err = {0};

    (void)state;
    bind_port(0);
    fill_queue();
    lookup.hangs = true;
    open_dial("127.0.0.1,rabbit");
    assert_int_equal(dial_connect(dial, 0, &past, &stage, &err), -1);
    assert_string_equal(err.text, "127.0.0.1: no answer to the connect");
    assert_int_equal(waited_ms[0], 0);
    assert_int_equal(dial_connect(dial, 1, &past, &stage, &err), -1);
    assert_string_equal(err.text, "the name look-up has not ended");
    lookup.hangs = false;
}

/* ------------------------------------------------------------- a head start */

static size_t count_fds(void)
{
    size_t count = 0;

    for (int fd = 0; fd < 64; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void a_connect_that_is_there_at_once_is_kept(void **state)
{
    struct err err;
    int begun, fd;

    (void)state;
    bind_port(8);
    open_dial("127.0.0.1");
    begun = dial_begin(dial, 0);
    assert_true(begun >= 0);
    assert_int_equal(send(begun, "hello", 5, 0), 5);
    assert_int_equal(dial_first("", &err), begun);
    fd = dial_first("connect", &err); /* and it is handed out once */
    assert_true(fd >= 0 && fd != begun);
    close(begun);
    close(fd);
}

static void a_connect_that_lasts_goes_on(void **state)
{
    size_t before;
    struct err err;
    int fd;

    (void)state;
    bind_port(0);
    fill_queue();
    open_dial("127.0.0.1");
    before = count_fds();
    assert_int_equal(dial_begin(dial, 0), -1);
    assert_int_equal(count_fds(), before + 1);
    assert_int_equal(waited_ms[0], 0);
    for (int i = 0; i < 2; i++) {
        fd = accept(listener, NULL, NULL);
        close(fd);
    }
    fd = dial_first("connect", &err);
    assert_true(fd >= 0);
    assert_int_equal(count_fds(), before + 1);
    close(fd);
}

static void a_connect_that_was_refused_is_told_later(void **state)
{
    struct err err;

    (void)state;
    bind_port(-1);
    open_dial("127.0.0.1");
    assert_int_equal(dial_begin(dial, 0), -1);
    assert_int_equal(dial_first("connect", &err), -1);
    assert_string_equal(err.text, "127.0.0.1: Connection refused");
}

static void a_look_up_that_began_is_asked_after(void **state)
{
    struct err err;
    int fd;

    (void)state;
    bind_port(8);
    lookup.addresses[0] = "127.0.0.1";
    lookup.hangs = true;
    open_dial("rabbit");
    assert_int_equal(dial_begin(dial, 0), -1);
    lookup.hangs = false;
    fd = dial_first("connect", &err);
    assert_true(fd >= 0);
    assert_int_equal(lookup.count, 1);
    close(fd);
}

static void what_began_ends_with_the_dial(void **state)
{
    size_t before;

    (void)state;
    bind_port(8);
    before = count_fds();
    open_dial("127.0.0.1");
    dial_begin(dial, 0);
    dial_close(dial);
    dial = NULL;
    assert_int_equal(count_fds(), before);
}

/* ------------------------------------------------------------- looking up */

static void an_unknown_name_is_told(void **state)
{
    struct err err;

    (void)state;
    lookup.status = EAI_NONAME;
    open_dial("rabbit");
    assert_int_equal(dial_first("resolve", &err), -1);
    assert_string_equal(err.text, "Name or service not known");
    assert_int_equal(dial_first("resolve", &err), -1);
    assert_int_equal(lookup.count, 2);
}

static void a_look_up_that_cannot_begin_is_told(void **state)
{
    struct err err;

    (void)state;
    lookup.refused = EAI_MEMORY;
    open_dial("rabbit");
    assert_int_equal(dial_first("resolve", &err), -1);
    assert_string_equal(err.text, "Memory allocation failure");
}

static void a_look_up_that_hangs_ends_with_the_deadline_and_is_asked_again(void **state)
{
    int64_t start = clock_ms();
    struct err err;
    int fd;

    (void)state;
    bind_port(8);
    lookup.addresses[0] = "127.0.0.1";
    lookup.hangs = true;
    open_dial("rabbit");
    assert_int_equal(dial_first("resolve", &err), -1);
    assert_string_equal(err.text, "the name look-up has not ended");
    assert_in_range(clock_ms() - start, MINUTE_MS, MINUTE_MS + 30000);
    assert_int_equal(dial_first("resolve", &err), -1);
    lookup.hangs = false;
    fd = dial_first("connect", &err);
    assert_true(fd >= 0);
    assert_int_equal(lookup.count, 1);
    close(fd);
    fd = dial_first("connect", &err); /* and what was found is not kept */
    assert_true(fd >= 0);
    assert_int_equal(lookup.count, 2);
    close(fd);
}

/* The leak sanitizer sees the first, and the address sanitizer the second of these. */
static void a_look_up_may_end_after_the_close_or_before_it(void **state)
{
    struct err err;

    (void)state;
    lookup.addresses[0] = "127.0.0.1";
    lookup.hangs = true;
    open_dial("rabbit");
    assert_int_equal(dial_first("resolve", &err), -1);
    lookup.hangs = false;
    dial_close(dial);
    lookup.hangs = true;
    open_dial("rabbit");
    assert_int_equal(dial_first("resolve", &err), -1);
    dial_close(dial);
    dial = NULL;
    lookup.hangs = false;
    assert_int_equal(gai_error(lookup.last), 0);
    freeaddrinfo(lookup.last->ar_result);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(reads_the_setting),
        CASE(an_entry_has_255_bytes_at_most),
        CASE(tls_is_on_where_the_port_is_5671),
        CASE(connects_to_an_address_without_a_look_up),
        CASE(counts_what_it_heard),
        CASE(connects_to_a_name),
        CASE(refused_is_said_for_each_address),
        CASE(no_answer_is_said_after_all_of_the_time),
        CASE(the_second_address_is_tried_when_the_first_refuses),
        CASE(a_silent_address_leaves_the_others_their_share),
        CASE(a_silent_address_does_not_hide_one_that_listens),
        CASE(nothing_waits_when_the_deadline_has_passed),
        CASE(a_connect_that_is_there_at_once_is_kept),
        CASE(a_connect_that_lasts_goes_on),
        CASE(a_connect_that_was_refused_is_told_later),
        CASE(a_look_up_that_began_is_asked_after),
        CASE(what_began_ends_with_the_dial),
        CASE(an_unknown_name_is_told),
        CASE(a_look_up_that_cannot_begin_is_told),
        CASE(a_look_up_that_hangs_ends_with_the_deadline_and_is_asked_again),
        CASE(a_look_up_may_end_after_the_close_or_before_it),
    };

    if (getenv("EMULATOR") && getenv("EMULATOR")[0]) /* qemu: no tcpi_bytes_received */
        cmocka_set_skip_filter("counts_what_it_heard");
    return cmocka_run_group_tests_name("dial", tests, NULL, NULL);
}
