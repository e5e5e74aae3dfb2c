/* process.c -- main() is called once for each process of the life.
 *
 * Static state of host/ stays from one process to the next; guard, watchdog and alarm are
 * put back, the rest begins anew by itself. Stands in for _exit, write and
 * watchdog_watch, the one place that knows when an object's turn begins: there an object
 * costs time. */
#include "process.h"

#include <setjmp.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "aws.h"
#include "base/alarm.h"
#include "base/log.h"
#include "chance.h"
#include "clocks.h"
#include "lua/watchdog.h"
#include "names.h"
#include "net/guard.h"
#include "network.h"
#include "oracle.h"
#include "plan.h"
#include "schedule.h"
#include "trace.h"
#include "wrap.h"

int pigeon_main(int argc, char **argv);

static jmp_buf way_out;
static int status_now;

static void put_back(void)
{
    guard_stop();
    watchdog_stop();
    alarm_clear();
    log_context(NULL);
}

int process_run(void)
{
    char name[] = "pigeon";
    char *argv[] = {name, NULL};

    clocks_process_begins();
    plan_environment();
    trace("process", 0, "starts");
    if (setjmp(way_out) == 0) {
        status_now = pigeon_main(1, argv);
        oracle_process_returned(status_now, network_descriptors());
    }
    trace("process", 0, "ends with %d", status_now);
    put_back();
    network_process_ends(status_now == PROCESS_KILLED);
    names_process_ends();
    aws_process_ends();
    return status_now;
}

void process_end(int status)
{
    status_now = status;
    longjmp(way_out, 1);
}

void __wrap__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status)
{
    trace("process", 0, "_exit(%d)", status);
    process_end(status);
}

ssize_t __real_write(int fd, const void *data, size_t len);
WRAP(ssize_t, write, int fd, const void *data, size_t len)
{
    if (fd != STDOUT_FILENO)
        return __real_write(fd, data, len);
    trace_log_line(data, len);
    oracle_writes(data, len);
    return (ssize_t)len;
}

void __real_watchdog_watch(const char *script, const char *label, size_t len);
WRAP(void, watchdog_watch, const char *script, const char *label, size_t len)
{
    __real_watchdog_watch(script, label, len);
    if (label)
        clocks_work(short_or_long(&network_chance, 1000, plan.object_work));
}
