/* The spec of host/desk/check_broker.c. Broker and delivery are fakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "desk/check_broker.h"

static bool connects, leaves; /* `leaves`: not a second time */
static size_t asked, published;
static enum cause takes; /* why it takes no messages; CAUSES: it does */

bool delivery_connect(struct delivery *delivery, const struct deadline *deadline,
                      struct err *failure)
{
    (void)delivery;
    assert_true(deadline_left_ms(deadline) > 0);
    return (connects && !(leaves && asked > 0)) ||
           err_set_at(failure, CAUSE_CONNECT_REFUSED, "connect", 0, "Connection refused");
}

/* The queue's name selects the broker's answer. */
bool broker_ask(struct broker *broker, const char *queue, const struct deadline *deadline,
                struct err *failure)
{
    (void)broker;
    (void)deadline;
    asked++;
    if (strcmp(queue, "missing") == 0)
        return err_set_at(failure, CAUSE_NO_QUEUE, "ask", 404, "NOT_FOUND");
    if (strcmp(queue, "secret") == 0)
        return err_set_at(failure, CAUSE_MAY_NOT_ASK, "ask", 403, "ACCESS_REFUSED");
    return true;
}

bool broker_publish(struct broker *broker, struct outbox *outbox,
                    const struct deadline *patience, const struct deadline *deadline,
                    struct err *failure)
{
    (void)broker, (void)patience, (void)deadline;
    published++;
    assert_int_equal(outbox->count, 1);
    assert_int_equal(outbox->messages[0].exchange.len, 0);
    assert_true(outbox->messages[0].routing_key.len > 0);
    if (takes == CAUSES) {
        outbox_settle(&outbox->messages[0], FATE_RETURNED, "publish", 312, "NO_ROUTE");
        return true;
    }
    return takes == CAUSE_BLOCKED
               ? err_set_at(failure, takes, "confirm", 0, "low on memory")
               : err_set_at(failure, takes, "publish", 403, "ACCESS_REFUSED");
}

void broker_hang_up(struct broker *broker, const struct deadline *deadline)
{
    (void)broker;
    (void)deadline;
}

bool broker_connect(struct broker *broker, int fd, const char *tls_name,
                    const struct deadline *deadline, struct err *failure)
{
    (void)broker, (void)tls_name, (void)deadline, (void)failure;
    close(fd);
    return true;
}

static struct connector *connector; /* one host, but where a case has others */
static struct queue_answers answers;
static size_t copies_left; /* by strdup() */
static struct err err;

char *strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = copies_left == 0 ? NULL : malloc(size);

    copies_left -= copies_left > 0;
    return copy ? memcpy(copy, text, size) : NULL;
}

static int setup(void **state)
{
    (void)state;
    copies_left = SIZE_MAX;
    err = (struct err){0};
    connects = true;
    leaves = false;
    asked = published = 0;
    takes = CAUSES;
    connector = connector_open("h", 1, NULL, &err);
    return connector ? 0 : 1;
}

static int teardown(void **state)
{
    (void)state;
    queue_answers_free(&answers);
    connector_close(connector);
    return 0;
}

static void assert_row(size_t i, const char *queue, bool ok, const char *what,
                       const char *fix)
{
    assert_true(i < answers.count);
    if (queue)
        assert_string_equal(answers.rows[i].queue, queue);
    else
        assert_null(answers.rows[i].queue);
    assert_int_equal(answers.rows[i].ok, ok);
    assert_string_equal(answers.rows[i].what, what);
    if (fix)
        assert_string_equal(answers.rows[i].fix, fix);
    else
        assert_null(answers.rows[i].fix);
}

static void assert_missing(size_t i, const char *missing)
{
    if (missing)
        assert_string_equal(answers.rows[i].missing, missing);
    else
        assert_null(answers.rows[i].missing);
}

static void says_of_each_queue_what_the_broker_said(void **state)
{
    struct delivery delivery = {.connector = connector};

    (void)state;
    assert_true(
        check_broker_queues(&delivery, "there,missing,secret,there", &answers, &err));
    assert_int_equal(asked, 4);
    assert_int_equal(answers.count, 4);
    assert_row(0, "there", true, "there", NULL);
    assert_row(1, "missing", false, "ask: 404 NOT_FOUND",
               "declare the queue, or correct its name in PIGEON_QUEUE");
    assert_row(2, "secret", false, "ask: 403 ACCESS_REFUSED",
               "give the user the right to write to it (RabbitMQ 4.2.6 and 4.3.0: to "
               "configure it), and check again: it is not known yet whether the queue "
               "exists");
    assert_row(3, "there", true, "there", NULL);
    assert_missing(0, NULL);
    assert_missing(1, "queue");
    assert_missing(2, "right");
    assert_int_equal(published, 1);
}

static void says_that_the_broker_takes_no_messages(void **state)
{
    struct delivery delivery = {.connector = connector};

    (void)state;
    takes = CAUSE_BLOCKED;
    assert_true(check_broker_queues(&delivery, "there", &answers, &err));
    assert_int_equal(answers.count, 2);
    assert_row(0, "there", true, "there", NULL);
    assert_row(1, NULL, false, "confirm: low on memory",
               "free memory or disk space on the broker; AWS retries the event");
    assert_missing(1, NULL);
    queue_answers_free(&answers);
    takes = CAUSE_NO_WRITE;
    assert_true(check_broker_queues(&delivery, "there", &answers, &err));
    assert_row(1, NULL, false, "publish: 403 ACCESS_REFUSED",
               "give the user write permission on the exchange (amq.default for queues)");
    assert_missing(1, "right");
}

static void logs_in_at_each_of_several_hosts(void **state)
{
    struct sockaddr_in here = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(here);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct delivery delivery;
    char hosts[64], there[64];

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&here, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&here, &size), 0);
    snprintf(hosts, sizeof(hosts), "127.0.0.1:%d,127.0.0.1:1", ntohs(here.sin_port));
    snprintf(there, sizeof(there), "127.0.0.1:%d: there", ntohs(here.sin_port));
    connector_close(connector);
    connector = connector_open(hosts, 1, NULL, &err);
    delivery = (struct delivery){.connector = connector};
    assert_true(check_broker_queues(&delivery, "missing", &answers, &err));
    close(listener);
    assert_int_equal(answers.count, 3);
    assert_row(1, NULL, true, there, NULL);
    assert_row(2, NULL, false, "connect: 127.0.0.1:1: 127.0.0.1: Connection refused",
               "is RabbitMQ running, and is PIGEON_PORT its port?");
}

static void what_cannot_be_connected_is_not_asked(void **state)
{
    struct delivery delivery = {.connector = connector};

    (void)state;
    connects = false;
    assert_true(check_broker_queues(&delivery, "there", &answers, &err));
    assert_int_equal(asked, 0);
    assert_int_equal(answers.count, 1);
    assert_row(0, "there", false, "connect: Connection refused",
               "is RabbitMQ running, and is PIGEON_PORT its port?");
    assert_int_equal(published, 0);
}

static void a_broker_that_leaves_after_the_queues_is_not_ok(void **state)
{
    struct delivery delivery = {.connector = connector};

    (void)state;
    leaves = true;
    assert_true(check_broker_queues(&delivery, "there", &answers, &err));
    assert_int_equal(answers.count, 2);
    assert_row(0, "there", true, "there", NULL);
    assert_row(1, NULL, false, "connect: Connection refused",
               "is RabbitMQ running, and is PIGEON_PORT its port?");
}

static void no_memory_is_an_error(void **state)
{
    struct delivery delivery = {.connector = connector};

    (void)state;
    for (size_t copies = 0; copies < 5; copies++) {
        copies_left = copies;
        assert_false(check_broker_queues(&delivery, "there,missing", &answers, &err));
        assert_string_equal(err.text, "out of memory");
        queue_answers_free(&answers);
    }
    copies_left = 5;
    assert_true(check_broker_queues(&delivery, "there,missing", &answers, &err));
}

static struct config whole(void)
{
    return (struct config){.host = "h",
                           .port_text = "5672",
                           .virtual_host = "/",
                           .user = "u",
                           .password = "p",
                           .queue = "q",
                           .aws_region = "r"};
}

static void variables_are_right_all_or_none(void **state)
{
    struct config config = {.queue = "q"};

    (void)state;
    assert_true(check_broker_settings(&config, false, &err));
    config.tls = "yes"; /* wrong without a host, too */
    assert_false(check_broker_settings(&config, false, &err));
    assert_memory_equal(err.text, "PIGEON_TLS", 10);
    config.tls = NULL;
    assert_false(check_broker_settings(&config, true, &err));
    assert_non_null(strstr(err.text, "PIGEON_HOST"));
    config.aws_region = "r";
    assert_false(check_broker_settings(&config, false, &err));
    config = whole();
    assert_true(check_broker_settings(&config, true, &err));
    config.host = "h:x";
    assert_false(check_broker_settings(&config, false, &err));
    assert_memory_equal(err.text, "PIGEON_HOST", 11);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(says_of_each_queue_what_the_broker_said),
        CASE(says_that_the_broker_takes_no_messages),
        CASE(logs_in_at_each_of_several_hosts),
        CASE(what_cannot_be_connected_is_not_asked),
        CASE(a_broker_that_leaves_after_the_queues_is_not_ok),
        CASE(no_memory_is_an_error),
        CASE(variables_are_right_all_or_none),
    };

    return cmocka_run_group_tests_name("setup", tests, NULL, NULL);
}
