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

#define TICKS_A_SECOND 10
#define TICK_MS 100
#define KEY_BYTES 1024   /* of a key in the line */
#define SCRIPT_BYTES 256 /* of a script's name there */
#define FORM_BYTES 512   /* of the text around them */

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

/* In a signal handler: only what is async-signal-safe. `comma`: between why and key. */
static void end_process(const char *why, const char *comma)
{
    static char line[2 * (KEY_BYTES + SCRIPT_BYTES) + FORM_BYTES];
    const char *script = watched.script ? watched.script : "Lua";
    size_t len = watched.label_len < KEY_BYTES ? watched.label_len : KEY_BYTES;
    const struct part parts[] = {
        {script, strnlen(script, SCRIPT_BYTES)},
        {why, strlen(why)},
        {manner.form ? watched.label : comma, manner.form ? len : strlen(comma)},
        {watched.label, len}};
    const char *log_form = len > 0 ? "%s %s%s at key \"%s\"" : "%s %s";
    size_t used = fill(line, manner.form ? manner.form : log_form, parts);

    if (manner.form)
        log_output_last(manner.fd, line, used);
    else
        log_from_signal(line, used);
    if (manner.last_words)
        log_from_signal(manner.last_words, strlen(manner.last_words));
    _exit(1);
}

/* ------------------------------------------------------------- the timers */

/* "was stopped after 12 s of CPU": of at most 99 s. */
static const char *after_seconds(int seconds)
{
    static char why[sizeof("was stopped after 99 s of CPU")] = "was stopped after ";
    char *at = why + strlen("was stopped after ");

    if (seconds > 9)
        *at++ = (char)('0' + seconds / 10);
    *at++ = (char)('0' + seconds % 10);
    memcpy(at, " s of CPU", sizeof(" s of CPU"));
    return why;
}

static void on_tick(int signal)
{
    (void)signal;
    if (!watched.active)
        return;
    watched.ticks++;
    if (watched.ticks >= watched.seconds * TICKS_A_SECOND)
        end_process(after_seconds(watched.seconds), "");
}

static void on_deadline(void)
{
    if (watched.active)
        end_process("was stopped, because the invocation's time is over", ",");
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
