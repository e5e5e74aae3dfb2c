/* connector_case.c -- opens what a case needs, and closes it. */
#include "connector_case.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "asserts.h"

struct connector *connector;
int listener = -1;
struct sockaddr_in address;

int open_socket(int flags)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    assert_true(fd >= 0);
    return fd;
}

void bind_port(int backlog)
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

void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int connector_case_setup(void **state)
{
    (void)state;
    fake_dns = (struct fake_dns){0};
    fake_clock = (struct fake_clock){0};
    return 0;
}

int connector_case_teardown(void **state)
{
    (void)state;
    close_fd(&listener);
    connector_close(connector);
    connector = NULL;
    return 0;
}

void open_connector(const char *hosts)
{
    struct err err;

    connector = connector_open(hosts, ntohs(address.sin_port), NULL, &err);
    assert_non_null(connector);
}

int connect_first(const char *stage, struct err *err)
{
    struct deadline deadline = deadline_in(MINUTE_MS);
    int fd;

    memset(err, 0, sizeof(*err));
    fd = connector_connect(connector, 0, &deadline, err);
    if (fd < 0)
        assert_string_equal(err->stage, stage);
    return fd;
}
