/* captured_log.c -- a file in memory, or a socket that has one datagram a write. */
#include "captured_log.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "asserts.h"

static int real_stdout;
static int reader; /* the file, or the other end of the socket */

static void replace_stdout(int fd)
{
    fflush(stdout);
    real_stdout = dup(STDOUT_FILENO);
    dup2(fd, STDOUT_FILENO);
}

bool captured_log_start(void)
{
    reader = memfd_create("log", 0);
    if (reader < 0)
        return false;
    replace_stdout(reader);
    return true;
}

bool captured_log_start_writes(void)
{
    int size = 1024 * 1024;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0)
        return false;
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    replace_stdout(ends[1]);
    close(ends[1]);
    reader = ends[0];
    return true;
}

void captured_log_stop(void)
{
    fflush(stdout);
    dup2(real_stdout, STDOUT_FILENO);
    close(real_stdout);
    close(reader);
}

const char *logged(void)
{
    static char text[4 * 65536];
    ssize_t len = pread(reader, text, sizeof(text) - 1, 0);

    text[len > 0 ? len : 0] = '\0';
    return text;
}

void assert_logged(const char *words)
{
    assert_has(logged(), words);
}

const char *next_write(void)
{
    static char text[LONGEST_WRITE];
    ssize_t len = recv(reader, text, sizeof(text) - 1, MSG_DONTWAIT);

    text[len > 0 ? len : 0] = '\0';
    return text;
}
