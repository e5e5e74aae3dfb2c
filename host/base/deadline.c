/* deadline.c -- clocks, deadlines, and two ways to end what does not end by itself.
 *
 * Two POSIX timers, made at the first use: the watchdog's tick (CPU time), which never
 * stops, and the end, which watchdog and guard share, since each works while the other
 * does not. Nothing is ever disarmed: what a handler finds inactive it leaves alone. And
 * the end is set anew only for an earlier one; for a later one it is set when it comes.
 * So most events cost no call of the kernel. Each signal goes to the thread that made the
 * timers, so a handler never runs beside the code whose state it reads, only between two
 * of its instructions: volatile and compiler fences are enough. */
#include "base/deadline.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define MAX_TICKS 10
#define TICK_MS 100
#define LONGEST_TIMEOUT_MS (15 * 60 * 1000) /* of a Lambda function */
#define KEY_BYTES 1024                      /* of a key in the watchdog's line */
#define SCRIPT_BYTES 256                    /* of a script's name there */
#define FORM_BYTES 512                      /* of what stands around them */

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid /* glibc does not give it its name */
#endif

/* ---------------------------------------------------------------- deadlines */

static int64_t milliseconds_of(clockid_t clock)
{
    struct timespec now = {0};

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_ms(void)
{
    return milliseconds_of(CLOCK_BOOTTIME);
}

int64_t clock_us(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_unix_ms(void)
{
    return milliseconds_of(CLOCK_REALTIME);
}

struct deadline deadline_in(int64_t ms)
{
    int64_t now = clock_ms();

    return (struct deadline){.start_ms = now, .end_ms = now + ms};
}

struct deadline deadline_of_invocation(int64_t unix_ms)
{
    int64_t left = unix_ms > 0 ? unix_ms - clock_unix_ms() : LONGEST_TIMEOUT_MS;
    int64_t margin = left / 10;

    if (margin < 300)
        margin = 300;
    if (margin > 5000)
        margin = 5000;
    return deadline_in(left > margin ? left - margin : 0);
}

int64_t deadline_left_ms(const struct deadline *deadline)
{
    int64_t left = deadline->end_ms - clock_ms();

    return left > 0 ? left : 0;
}

struct deadline deadline_within(const struct deadline *deadline, int64_t ms)
{
    struct deadline soon = deadline_in(ms);

    return soon.end_ms < deadline->end_ms ? soon : *deadline;
}

bool deadline_half_spent(const struct deadline *deadline)
{
    int64_t now = clock_ms();

    return now >= deadline->end_ms || now - deadline->start_ms > deadline->end_ms - now;
}

bool deadline_third_left(const struct deadline *deadline)
{
    return deadline_left_ms(deadline) > (deadline->end_ms - deadline->start_ms) / 3;
}

/* ------------------------------------------------------------------- timers */

static struct {
    bool made;
    timer_t tick;
    timer_t end;
    volatile int64_t end_ms; /* the end that is wanted */
    volatile int64_t set_ms; /* what the timer is set to; 0: nothing, or it is spent */
} timers;

static bool make_timer(clockid_t clock, int signal, void (*handler)(int), timer_t *timer,
                       struct err *err)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signal};

    event.sigev_notify_thread_id = gettid();
    sigemptyset(&action.sa_mask);
    if (sigaction(signal, &action, NULL) != 0)
        return err_set(err, "deadline: sigaction: %s", strerror(errno));
    if (timer_create(clock, &event, timer) != 0)
        return err_set(err, "deadline: timer_create: %s", strerror(errno));
    return true;
}

static void set_timer(int64_t at_ms)
{
    struct itimerspec when = {0};

    timers.set_ms = at_ms;
    atomic_signal_fence(memory_order_seq_cst);
    when.it_value.tv_sec = at_ms / 1000;
    when.it_value.tv_nsec = at_ms % 1000 * 1000000;
    timer_settime(timers.end, TIMER_ABSTIME, &when, NULL);
}

/* A signal at the end of the deadline; at once where that has passed. Who waits for it is
 * active already, because the timer may be set for it. */
static void set_end(const struct deadline *deadline)
{
    timers.end_ms = deadline->end_ms > 0 ? deadline->end_ms : 1; /* 0 would disarm */
    atomic_signal_fence(memory_order_seq_cst);
    if (timers.set_ms == 0 || timers.set_ms > timers.end_ms)
        set_timer(timers.end_ms);
}

/* ------------------------------------------------------------- the watchdog */

/* label_len is 0 while the other two change. */
static struct {
    volatile sig_atomic_t active;
    volatile sig_atomic_t ticks;
    const char *volatile script;
    const char *volatile label;
    volatile size_t label_len;
} watched;

/* How its line is said; form is NULL for a log line. */
static struct {
    const char *form;
    int fd;
    bool json;
} manner;

void watchdog_say(const char *form, int fd, bool json)
{
    manner.form = form;
    manner.fd = fd;
    manner.json = json;
}

static const char *last_words;

void watchdog_add(const char *line)
{
    last_words = line;
}

static size_t add(char *line, size_t used, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (manner.json && (text[i] == '"' || text[i] == '\\'))
            line[used++] = '\\';
        line[used++] = text[i] < 0x20 || text[i] > 0x7e ? '?' : text[i];
    }
    return used;
}

struct part {
    const char *text;
    size_t len;
};

/* The form, with a part for each "%s". */
static size_t fill(char *line, const char *form, const struct part *part)
{
    size_t used = 0;

    for (; *form; form++) {
        if (form[0] == '%' && form[1] == 's') {
            used = add(line, used, part->text, part->len);
            part++;
            form++;
        } else {
            line[used++] = *form;
        }
    }
    return used;
}

static void write_text(int fd, const char *text, size_t len)
{
    ssize_t n = 1;

    while (len > 0 && n > 0) {
        n = write(fd, text, len);
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

/* In a signal handler: only what is async-signal-safe. */
static void end_process(const char *why)
{
    static char line[2 * (KEY_BYTES + SCRIPT_BYTES) + FORM_BYTES];
    const char *script = watched.script ? watched.script : "Lua";
    size_t len = watched.label_len < KEY_BYTES ? watched.label_len : KEY_BYTES;
    const struct part parts[] = {{script, strnlen(script, SCRIPT_BYTES)},
                                 {why, strlen(why)},
                                 {watched.label, len}};
    const char *log_form = len > 0 ? "%s %s at key \"%s\"" : "%s %s";
    size_t used = fill(line, manner.form ? manner.form : log_form, parts);

    if (manner.form)
        write_text(manner.fd, line, used);
    else
        log_from_signal(line, used);
    if (last_words)
        log_from_signal(last_words, strlen(last_words));
    _exit(1);
}

static void on_tick(int signal)
{
    (void)signal;
    if (!watched.active)
        return;
    watched.ticks++;
    if (watched.ticks >= MAX_TICKS)
        end_process("was stopped after 1 s of CPU");
}

void watchdog_watch(const char *script, const char *label, size_t label_len)
{
    watched.label_len = 0;
    atomic_signal_fence(memory_order_seq_cst);
    watched.script = script;
    watched.label = label;
    watched.ticks = 0;
    atomic_signal_fence(memory_order_seq_cst);
    watched.label_len = label_len;
}

/* ---------------------------------------------------------------- the guard */

static struct {
    volatile sig_atomic_t fd;
    volatile sig_atomic_t fired;
} guarded = {.fd = -1};

/* It may come too early: for an end that was put off meanwhile. */
static void on_end(int signal)
{
    int saved = errno;

    (void)signal;
    timers.set_ms = 0;
    if (clock_ms() < timers.end_ms)
        set_timer(timers.end_ms);
    else if (watched.active)
        end_process("was stopped, because the invocation's time is over,");
    else if (guarded.fd >= 0) {
        guarded.fired = 1;
        shutdown(guarded.fd, SHUT_RDWR);
    }
    errno = saved;
}

/* --------------------------------------------------- starting and stopping */

static bool make_timers(struct err *err)
{
    const struct itimerspec ticking = {
        .it_interval.tv_nsec = TICK_MS * 1000000,
        .it_value.tv_nsec = TICK_MS * 1000000,
    };

    if (timers.made)
        return true;
    timers.made =
        make_timer(CLOCK_PROCESS_CPUTIME_ID, SIGPROF, on_tick, &timers.tick, err) &&
        make_timer(CLOCK_BOOTTIME, SIGALRM, on_end, &timers.end, err);
    if (timers.made)
        timer_settime(timers.tick, 0, &ticking, NULL);
    return timers.made;
}

bool watchdog_start(const struct deadline *deadline, struct err *err)
{
    if (!make_timers(err))
        return false;
    watchdog_watch(NULL, NULL, 0);
    watched.active = 1;
    set_end(deadline);
    return true;
}

void watchdog_stop(void)
{
    watched.active = 0;
}

bool guard_start(int fd, const struct deadline *deadline, struct err *err)
{
    if (!make_timers(err))
        return false;
    guarded.fired = 0;
    guarded.fd = fd;
    set_end(deadline);
    return true;
}

void guard_stop(void)
{
    guarded.fd = -1;
}

bool guard_fired(void)
{
    return guarded.fired;
}
