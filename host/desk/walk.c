/* walk.c -- every command is the same walk: receive, decide, publish or not, conclude. */
#include "desk/walk.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "desk/check_broker.h"
#include "desk/input.h"
#include "desk/progress.h"
#include "lua/watchdog.h"

#define BATCH_MS \
    (15 * 60 * 1000)    /* Lambda's longest; the watchdog ends an object sooner */
#define REPLAY_MS 60000 /* for a batch that is published, too */
#define BATCH_LINES 1000
#define EVENT_MAX (64 << 20)

/* One batch, and its output. */
static bool walk(struct command *command, struct invocation *invocation, struct err *err)
{
    invocation->deadline = deadline_in(command->handler.delivery ? REPLAY_MS : BATCH_MS);
    return handler_event(&command->handler, invocation, &command->answer, err) &&
           command_print(&command->answer.body, stdout, err);
}

static bool walk_bytes(struct command *command, const char *kind,
                       const struct buffer *input, int64_t line, struct err *err)
{
    struct invocation invocation = {.kind = kind,
                                    .input = input->data ? input->data : "",
                                    .input_len = input->len,
                                    .line = line};

    return walk(command, &invocation, err);
}

/* Each word is a key, whatever is in it. */
static bool walk_words(struct command *command, struct err *err)
{
    const struct options *options = command->options;
    struct buffer text = {.max = SIZE_MAX};
    bool ok = true;

    for (int i = 0; ok && i < options->count; i++)
        ok = buffer_append(&text, options->words[i], strlen(options->words[i]) + 1);
    ok = ok ? walk_bytes(command, "keys", &text, 1, err)
            : err_set(err, CAUSE_MEMORY, "out of memory");
    buffer_free(&text);
    return ok;
}

static bool walk_event(struct command *command, struct err *err)
{
    struct buffer text = {.max = EVENT_MAX};
    bool ok = buffer_read_file(&text, "/dev/stdin", err) &&
              walk_bytes(command, "event", &text, 1, err);

    buffer_free(&text);
    return ok;
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* A first ^C ends the walk after its batch, a second one the process. */
static void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* Waits until `lines` since start_us are not more than `rate` a second. */
static void keep_rate(int64_t rate, int64_t lines, int64_t start_us)
{
    int64_t left_us = rate ? start_us + lines * 1000000 / rate - clock_us() : 0;
    struct timespec left = {.tv_sec = left_us / 1000000,
                            .tv_nsec = left_us % 1000000 * 1000};

    if (left_us > 0)
        nanosleep(&left, NULL);
}

/* The line that the watchdog adds for a replay. Line 0: none was confirmed. */
static void note_confirmed(const struct command *command, int64_t line)
{
    static char words[128] = "no line was confirmed";

    if (!command->handler.delivery)
        return;
    if (line > 0)
        snprintf(words, sizeof(words),
                 "line %lld was confirmed last; --from %lld continues after it",
                 (long long)line, (long long)line + 1);
    watchdog_add(words);
}

/* Batch after batch, until the input ends or one failed. */
static bool walk_batches(struct command *command, struct input *input,
                         struct progress *progress, struct err *err)
{
    int64_t rate = command->options->rate;
    int64_t most = rate > 0 && rate < BATCH_LINES ? rate : BATCH_LINES;
    int64_t done = 0, last = 0, start_us = 0;

    note_confirmed(command, 0);
    while (!interrupted && input_read(input, most, err) && input->count > 0) {
        keep_rate(rate, last, start_us);
        if (interrupted)
            break;
        start_us = clock_us();
        if (!walk_bytes(command, "lines", &input->text, input->first, err))
            return false;
        if (command->answer.error_type[0])
            return true; /* the report has printed why */
        note_confirmed(command, input->first + input->count - 1);
        last = input->count;
        done += last;
        progress_show(progress, input->bytes, done);
    }
    return interrupted ? err_set(err, CAUSE_OTHER, "stopped by a signal")
                       : err->text[0] == '\0';
}

static bool walk_lines(struct command *command, struct err *err)
{
    struct input input = {0};
    struct progress progress;
    bool ok;

    catch_interrupts();
    progress_open(&progress, input_size());
    ok = input_skip(&input, command->options->from, err) &&
         walk_batches(command, &input, &progress, err);
    progress_close(&progress);
    input_free(&input);
    return ok;
}

/* First the findings beside the rules; then the probes, one of which may end the process.
 */
static bool walk_check(struct command *command, struct err *err)
{
    const struct buffer nothing = {0};
    struct queue_answers answers = {0};
    bool ok = !command->checked ||
              check_broker_queues(command->checked,
                                  script_queues(command->handler.script), &answers, err);

    if (ok) {
        struct invocation setup = {.kind = "setup",
                                   .input = "",
                                   .answers = answers.rows,
                                   .answer_count = answers.count};

        ok = walk(command, &setup, err);
    }
    queue_answers_free(&answers);
    return ok && walk_bytes(command, "probes", &nothing, 1, err);
}

bool walk_all(struct command *command, struct err *err)
{
    if (command_is(command, "check"))
        return walk_check(command, err);
    if (!command_is(command, "explain"))
        return walk_lines(command, err);
    return command->options->count > 0 ? walk_words(command, err)
                                       : walk_event(command, err);
}
