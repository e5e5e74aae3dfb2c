/* log_output.c -- poll(2) before each write(2) of a page.
 *
 * A pipe that poll reports as writable takes a page (PIPE_BUF) without blocking. stdout
 * itself is not made non-blocking: it is shared with whoever started this program. */
#include "base/log_output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#define LAST_MS 100 /* for the last lines of a process */

static struct {
    bool bounded;
    struct deadline deadline;
    bool gone; /* the reader: the last wait was in vain */
    bool torn; /* what was written last is a part of a line */
} output;

static bool wait_until(int fd, int64_t end_ms)
{
    struct pollfd out = {.fd = fd, .events = POLLOUT};
    int64_t left;
    int n;

    do {
        left = end_ms - clock_ms();
        n = poll(&out, 1, left > 0 ? (int)left : 0);
    } while (n < 0 && errno == EINTR);
    return n != 0; /* where poll fails, write reports it */
}

/* False: the reader is gone. */
static bool await_reader(void)
{
    int64_t left = output.gone ? 0 : deadline_left_ms(&output.deadline) / 2;

    output.gone = !wait_until(STDOUT_FILENO, clock_ms() + left);
    return !output.gone;
}

/* How many bytes were written. */
static size_t write_all(const char *bytes, size_t len)
{
    size_t done = 0, part;
    ssize_t n;

    while (done < len && (!output.bounded || await_reader())) {
        part = len - done;
        if (output.bounded && part > PIPE_BUF)
            part = PIPE_BUF;
        n = write(STDOUT_FILENO, bytes + done, part);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return len; /* there is no other place to report it */
        if (n > 0)
            done += (size_t)n;
    }
    return done;
}

void log_output_deadline(const struct deadline *deadline)
{
    output.bounded = deadline != NULL;
    if (deadline)
        output.deadline = *deadline;
    else
        output.gone = false;
}

bool log_output_ready(void)
{
    return !output.bounded || wait_until(STDOUT_FILENO, 0);
}

bool log_output(const char *lines, size_t len)
{
    size_t done;

    if (output.torn && write_all("\n", 1) == 1)
        output.torn = false;
    if (output.torn)
        return false;
    done = write_all(lines, len);
    output.torn = done > 0 && done < len && lines[done - 1] != '\n';
    return done == len;
}

void log_output_last(int fd, const char *lines, size_t len)
{
    int64_t end_ms = clock_ms() + LAST_MS;
    ssize_t n = 1;

    while (len > 0 && n > 0 && wait_until(fd, end_ms)) {
        n = write(fd, lines, len < PIPE_BUF ? len : PIPE_BUF);
        lines += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}
