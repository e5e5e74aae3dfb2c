/* The spec of host/net/connector.c's names: PIGEON_HOST's forms, and look-ups of which
 * some never end (spec/support/fake/dns.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "connector_case.h"
#include "fake/clock.h"
#include "fake/dns.h"

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
    {"a,", "PIGEON_HOST: entry 2 of \"a,\" is empty; name a host there, or drop "
           "the comma"},
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
    {"h:99999", "[ADDRESS]:PORT (a port is a number from 1 to 65535)"},
    {"amqp://rabbit:5672", "entry 1, \"amqp://rabbit:5672\", is not"},
    {"rabbit:5672/crashes", "entry 1, \"rabbit:5672/crashes\", is not"},
    {"a,amqp://u:secret@b", "PIGEON_HOST holds an \"@\"; put user and password into "
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

        connector = connector_open(s->hosts, 5672, NULL, &err);
        for (size_t host = 0; connector && host < connector_count(connector); host++)
            sprintf(names + strlen(names), "%s%s", host ? " " : "",
                    connector_label(connector, host));
        if (!strstr(connector ? names : err.text, s->names))
            print_error("\"%s\": %s\n", s->hosts, connector ? names : err.text);
        assert_non_null(strstr(connector ? names : err.text, s->names));
        assert_null(strstr(err.text, "secret"));
        if (connector)
            assert_string_equal(names, s->names);
        else
            assert_string_equal(err_type(&err), "ValueError");
        connector_close(connector);
        connector = NULL;
    }
}

static void an_entry_has_255_bytes_at_most(void **state)
{
    char name[257];
    struct err err = {0};

    (void)state;
    memset(name, 'a', sizeof(name) - 1);
    name[256] = '\0';
    assert_null(connector_open(name, 5672, NULL, &err));
    assert_string_equal(err.text, "PIGEON_HOST: entry 1 is longer than 255 bytes");
    name[255] = '\0';
    connector = connector_open(name, 5672, NULL, &err);
    assert_non_null(connector);
    assert_int_equal(strlen(connector_label(connector, 0)), 255 + strlen(":5672"));
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

        connector =
            connector_open("a,b:5671,c:5673,[::1]:05671,e", 5672, cases[i].setting, &err);
        assert_non_null(connector);
        for (size_t host = 0; host < connector_count(connector); host++)
            sprintf(names + strlen(names), "%s%s", host ? " " : "",
                    connector_tls_name(connector, host)
                        ? connector_tls_name(connector, host)
                        : "-");
        assert_string_equal(names, cases[i].tls);
        assert_int_equal(connector_any_tls(connector), i < 2);
        connector_close(connector);
    }
    connector = connector_open("a:5672,b", 5671, NULL, &(struct err){0});
    assert_null(connector_tls_name(connector, 0));
    assert_string_equal(connector_tls_name(connector, 1), "b");
}

/* ------------------------------------------------------------- looking up */

static void an_unknown_name_is_told(void **state)
{
    struct err err;

    (void)state;
    fake_dns.status = EAI_NONAME;
    open_connector("rabbit");
    assert_int_equal(connect_first("resolve", &err), -1);
    assert_string_equal(err.text, "Name or service not known");
    assert_int_equal(connect_first("resolve", &err), -1);
    assert_int_equal(fake_dns.count, 2);
}

static void a_look_up_that_cannot_begin_is_told(void **state)
{
    struct err err;

    (void)state;
    fake_dns.refused = EAI_MEMORY;
    open_connector("rabbit");
    assert_int_equal(connect_first("resolve", &err), -1);
    assert_string_equal(err.text, "Memory allocation failure");
}

/* Its event's deadline has passed then. */
static void begin_a_look_up_that_hangs(struct err *err)
{
    bind_port(8);
    fake_dns.addresses[0] = "127.0.0.1";
    fake_dns.hangs = true;
    open_connector("rabbit");
    assert_int_equal(connect_first("resolve", err), -1);
}

static void a_look_up_that_hangs_ends_with_the_deadline_and_is_asked_again(void **state)
{
    int64_t start = clock_ms();
    struct err err;
    int fd;

    (void)state;
    begin_a_look_up_that_hangs(&err);
    assert_string_equal(err.text, "the name look-up took too long");
    assert_in_range(clock_ms() - start, MINUTE_MS, MINUTE_MS + 30000);
    assert_int_equal(connect_first("resolve", &err), -1);
    fake_dns.hangs = false;
    fd = connect_first("connect", &err);
    assert_true(fd >= 0);
    assert_int_equal(fake_dns.count, 1);
    close(fd);
    fd = connect_first("connect", &err); /* and what was found is not kept */
    assert_true(fd >= 0);
    assert_int_equal(fake_dns.count, 2);
    close(fd);
}

/* As where Lambda froze libc's thread until its time was over. */
static void a_look_up_that_failed_since_an_earlier_event_is_made_anew(void **state)
{
    struct err err;
    int fd;

    (void)state;
    begin_a_look_up_that_hangs(&err);
    fake_dns.hangs = false;
    fake_dns.status = EAI_AGAIN;
    fake_dns.recovers = true;
    fd = connect_first("connect", &err);
    assert_true(fd >= 0);
    assert_int_equal(fake_dns.count, 2);
    close(fd);
}

/* The leak sanitizer checks the first part, the address sanitizer the second. */
static void a_look_up_may_end_after_the_close_or_before_it(void **state)
{
    struct err err;

    (void)state;
    fake_dns.addresses[0] = "127.0.0.1";
    fake_dns.hangs = true;
    open_connector("rabbit");
    assert_int_equal(connect_first("resolve", &err), -1);
    fake_dns.hangs = false;
    connector_close(connector);
    fake_dns.hangs = true;
    open_connector("rabbit");
    assert_int_equal(connect_first("resolve", &err), -1);
    connector_close(connector);
    connector = NULL;
    fake_dns.hangs = false;
    assert_int_equal(gai_error(fake_dns.last), 0);
    freeaddrinfo(fake_dns.last->ar_result);
}

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, connector_case_setup, connector_case_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(reads_the_setting),
        CASE(an_entry_has_255_bytes_at_most),
        CASE(tls_is_on_where_the_port_is_5671),
        CASE(an_unknown_name_is_told),
        CASE(a_look_up_that_cannot_begin_is_told),
        CASE(a_look_up_that_hangs_ends_with_the_deadline_and_is_asked_again),
        CASE(a_look_up_that_failed_since_an_earlier_event_is_made_anew),
        CASE(a_look_up_may_end_after_the_close_or_before_it),
    };

    return cmocka_run_group_tests_name("dial names", tests, NULL, NULL);
}
