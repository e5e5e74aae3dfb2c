/* guard.c -- shutdown(2) wakes whoever waits on the socket, which close(2) does not. */
#include "net/guard.h"

#include <signal.h>
#include <sys/socket.h>

#include "base/alarm.h"

static struct {
    volatile sig_atomic_t fd;
    volatile sig_atomic_t fired;
} guarded = {.fd = -1};

static void shut_down(void)
{
    if (guarded.fd < 0)
        return;
    guarded.fired = 1;
    shutdown(guarded.fd, SHUT_RDWR);
}

bool guard_start(int fd, const struct deadline *deadline, struct err *err)
{
    guarded.fired = 0;
    guarded.fd = fd;
    return alarm_set(deadline, shut_down, err);
}

void guard_stop(void)
{
    if (guarded.fd >= 0)
        alarm_clear();
    guarded.fd = -1;
}

bool guard_fired(void)
{
    return guarded.fired;
}
