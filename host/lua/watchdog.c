/* watchdog.c -- a timer of CPU time that never stops, the alarm, and a line that is built
 * without malloc and stdio, because a signal handler writes it.
 *
 * The handlers run on the thread that runs Lua, between two of its instructions: volatile
 * and compiler fences are enough. */
#include "lua/watchdog.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alarm.h"
#include "base/log.h"
#include "base/log_output.h"
#include "lua/place.h"

#define TICKS_A_SECOND 10
#define TICK_MS 100
#define KEY_BYTES 1024   /* of a key in the line */
#define SCRIPT_BYTES 256 /* of a script's name there */
#define FORM_BYTES 512   /* of the text around them, and of the reason */

/* What is watched. label_len is 0 while the other two change. */
static struct {
    volatile sig_atomic_t active;
    volatile sig_atomic_t ticks;
    volatile sig_atomic_t seconds; /* of CPU that it may take */
    const char *volatile script;
    const char *volatile label;
    volatile size_t label_len;
} watched;

/* Where and how the line is written; form is NULL for a log line. */
static struct {
    const char *form;
    int fd;
    bool json;
    const char *last_words;
} manner;

/* ------------------------------------------------------------- the line */

static size_t add(char *line, size_t used, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (manner.json && (text[i] == '"' || text[i] == '\\'))
            line[used++] = '\\';
        line[used++] = text[i] < 0x20 || text[i] > 0x7e ? '?' : text[i];
    }
    return used;
}

static size_t add_text(char *line, size_t used, const char *text, size_t most)
{
    return add(line, used, text, strnlen(text, most));
}

/* The line of the script: nothing where it is not known. */
static size_t add_line(char *line, size_t used, const char *before, int number)
{
    char digits[12];
    size_t at = sizeof(digits);

    if (number <= 0)
        return used;
    for (; *before; before++)
        line[used++] = *before;
    for (; number > 0; number /= 10)
        digits[--at] = (char)('0' + number % 10);
    return add(line, used, digits + at, sizeof(digits) - at);
}

/* Why the process ends, and what may help. */
struct reason {
    const char *why;
    const char *comma; /* between why and the key */
    const char *hint;
};

/* The form with what its letters stand for: watchdog_say() lists them. */
static size_t fill(char *line, const char *form, const struct reason *reason)
{
    const char *script = watched.script ? watched.script : "Lua";
    size_t len = watched.label_len < KEY_BYTES ? watched.label_len : KEY_BYTES;
    int number = place_at_the_end();
    size_t used = 0;

    for (; *form; form++) {
        char letter = form[0] == '%' ? form[1] : '\0';

        if (letter == 's')
            used = add_text(line, used, script, SCRIPT_BYTES);
        else if (letter == 'l')
            used = add_line(line, used, ":", number);
        else if (letter == 'n')
            used = add_line(line, used, ",\"line\":", number);
        else if (letter == 'w')
            used = add_text(line, used, reason->why, FORM_BYTES);
        else if (letter == 'c')
            used = add_text(line, used, reason->comma, FORM_BYTES);
        else if (letter == 'h')
            used = add_text(line, used, reason->hint, FORM_BYTES);
        else if (letter == 'k')
            used = add(line, used, watched.label, len);
        else
            line[used++] = *form;
        form += letter && strchr("slnwchk", letter) ? 1 : 0;
    }
    return used;
}

/* In a signal handler: only what is async-signal-safe. */
static void end_process(const struct reason *reason)
{
    static char line[2 * (KEY_BYTES + SCRIPT_BYTES) + 2 * FORM_BYTES];
    const char *log_form =
        watched.label_len > 0 ? "%s%l %w%c at key \"%k\"%h" : "%s%l %w";
    size_t used = fill(line, manner.form ? manner.form : log_form, reason);

    if (manner.form)
        log_output_last(manner.fd, line, used);
    else
        log_from_signal(line, used);
    if (manner.last_words)
        log_from_signal(manner.last_words, strlen(manner.last_words));
    _exit(1);
}

/* ------------------------------------------------------------- the timers */

/* "kept the processor for 12 s": of at most 99 s. */
static const char *after_seconds(int seconds)
{
    static const char start[] = "kept the processor for ";
    static char why[sizeof(start) + sizeof("99 s")];
    char *at = why + strlen(start);

    memcpy(why, start, strlen(start));
    if (seconds > 9)
        *at++ = (char)('0' + seconds / 10);
    *at++ = (char)('0' + seconds % 10);
    memcpy(at, " s", sizeof(" s"));
    return why;
}

static void on_tick(int signal)
{
    struct reason reason = {"", "",
                            ": a pattern with several `.-` or `.*`? anchor it;"
                            " a text that grows in a loop? use table.concat"};

    (void)signal;
    if (!watched.active)
        return;
    watched.ticks++;
    if (watched.ticks >= watched.seconds * TICKS_A_SECOND) {
        reason.why = after_seconds(watched.seconds);
        end_process(&reason);
    }
    if (watched.ticks > 1) /* the first tick may belong to the work before */
        place_prepare();
}

static void on_deadline(void)
{
    static const struct reason reason = {
        "was stopped, because the invocation's time is over", ",", ""};

    if (watched.active)
        end_process(&reason);
}

static bool ticking;

static bool start_ticking(struct err *err)
{
    timer_t tick;
    const struct itimerspec every = {
        .it_interval.tv_nsec = TICK_MS * 1000000,
        .it_value.tv_nsec = TICK_MS * 1000000,
    };

    if (!ticking &&
        alarm_make_timer(CLOCK_PROCESS_CPUTIME_ID, SIGPROF, on_tick, &tick, err))
        ticking = timer_settime(tick, 0, &every, NULL) == 0 ||
                  err_set(err, CAUSE_OTHER, "watchdog: timer_settime failed");
    return ticking;
}

/* ------------------------------------------------------------- public */

bool watchdog_start(const struct deadline *deadline, struct err *err)
{
    if (!start_ticking(err))
        return false;
    watchdog_watch(NULL, NULL, 0);
    watched.active = 1;
    return alarm_set(deadline, on_deadline, err);
}

void watchdog_watch(const char *script, const char *label, size_t label_len)
{
    watched.label_len = 0;
    atomic_signal_fence(memory_order_seq_cst);
    watched.script = script;
    watched.label = label;
    watched.ticks = 0;
    watched.seconds = 1;
    atomic_signal_fence(memory_order_seq_cst);
    watched.label_len = label_len;
}

void watchdog_allow(int seconds)
{
    watched.seconds = seconds;
}

void watchdog_stop(void)
{
    if (watched.active)
        alarm_clear();
    watched.active = 0;
}

void watchdog_forked(void)
{
    ticking = false;
    alarm_forked();
}

void watchdog_add(const char *line)
{
    manner.last_words = line;
}

void watchdog_say(const char *form, int fd, bool json)
{
    manner.form = form;
    manner.fd = fd;
    manner.json = json;
}
