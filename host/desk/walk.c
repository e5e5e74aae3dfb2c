/* walk.c -- every command is the same walk: receive, decide, publish or not, conclude. */
#include "desk/walk.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "desk/apart.h"
#include "desk/check_broker.h"
#include "desk/input.h"
#include "desk/progress.h"
#include "lua/watchdog.h"

#define BATCH_MS \
    (15 * 60 * 1000)       /* Lambda's longest; the watchdog ends an object sooner */
#define REPLAY_MS 60000    /* for a batch that is published, too */
#define BATCH_OBJECTS 1000 /* and lines */
#define MADE_OBJECTS \
    20 /* of a batch of the report's own: its time is looked at between */
#define EVENT_MAX (64 << 20)

/* One batch, and its output. */
static bool walk(struct command *command, struct invocation *invocation, struct err *err)
{
    invocation->deadline = deadline_in(command->handler.delivery ? REPLAY_MS : BATCH_MS);
    if (!handler_event(&command->handler, invocation, &command->answer, err))
        return false;
    if (strcmp(command->answer.error_type, "refused") == 0)
        return err_set(err, CAUSE_OTHER, "%.*s", (int)command->answer.body.len,
                       command->answer.body.data);
    return command_print(&command->answer.body, stdout, err);
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
    bool ok = buffer_read_file(&text, "/dev/stdin", err);

    if (ok && text.len == 0)
        ok = err_set(err, CAUSE_OTHER, "stdin is empty; name a key, or give an event");
    ok = ok && walk_bytes(command, "event", &text, 1, err);
    buffer_free(&text);
    return ok;
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* A first ^C (or SIGTERM, or the end of the terminal, but not under nohup) ends the walk
 * after its batch, a second one the process. */
static void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    struct sigaction hangup;

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &action, NULL);
}

/* A walk through a list. */
struct course {
    struct progress progress;
    int64_t most;     /* objects of a batch */
    int64_t done;     /* the number of the last object so far */
    int64_t last;     /* objects of the last batch, */
    int64_t start_us; /* and when it began */
};

/* Waits until the last batch did not have more than `rate` objects a second. */
static void keep_rate(const struct course *course, int64_t rate)
{
    int64_t left_us =
        rate ? course->start_us + course->last * 1000000 / rate - clock_us() : 0;
    struct timespec left = {.tv_sec = left_us / 1000000,
                            .tv_nsec = left_us % 1000000 * 1000};

    if (left_us > 0)
        nanosleep(&left, NULL);
}

/* The line that the watchdog adds for a replay. 0: no object is done. */
static void note_done(const struct command *command, int64_t object)
{
    static char words[128] = "no object is done";

    if (!command->handler.delivery)
        return;
    if (object > 0)
        snprintf(words, sizeof(words),
                 "done up to object %lld; --from %lld continues after it",
                 (long long)object, (long long)object + 1);
    watchdog_add(words);
}

static bool is_over(const struct command *command)
{
    return interrupted || command->answer.error_type[0];
}

/* Lines that were read, as many batches as their objects need: a line can have a million
 * of them. */
static bool walk_objects(struct command *command, struct course *course,
                         const struct input *input, struct err *err)
{
    struct invocation invocation = {.kind = "lines",
                                    .input = input->text.data,
                                    .input_len = input->text.len,
                                    .line = input->first,
                                    .most = course->most};

    do {
        keep_rate(course, command->options->rate);
        if (is_over(command))
            return true;
        course->start_us = clock_us();
        if (!walk(command, &invocation, err))
            return false;
        if (is_over(command) && !interrupted)
            return true;
        course->last = (int64_t)script_objects(command->handler.script);
        course->done += course->last;
        if (course->last > 0)
            note_done(command, course->done);
        progress_show(&course->progress, input->bytes, course->done);
        invocation = (struct invocation){
            .kind = "rest", .input = "", .held = input->text.len, .most = course->most};
    } while (course->last == course->most);
    return true;
}

/* Until the input ends or an object failed. */
static bool walk_input(struct command *command, struct course *course,
                       struct input *input, struct err *err)
{
    note_done(command, 0);
    while (!is_over(command) && input_read(input, course->most, err) && input->count > 0)
        if (!walk_objects(command, course, input, err))
            return false;
    return interrupted ? err_set(err, CAUSE_OTHER, "stopped by a signal")
                       : err->text[0] == '\0';
}

static bool walk_list(struct command *command, struct err *err)
{
    static struct input input;
    int64_t rate = command->options->rate;
    struct course course = {.most =
                                rate > 0 && rate < BATCH_OBJECTS ? rate : BATCH_OBJECTS,
                            .done = command->options->from - 1};
    bool ok;

    catch_interrupts();
    progress_open(&course.progress, input_size());
    ok = walk_input(command, &course, &input, err);
    progress_close(&course.progress);
    input_free(&input);
    return ok;
}

/* ------------------------------------------------------------- made objects */

bool walk_stopped(struct command *command, const char *why, int64_t number, bool shadow,
                  struct err *err)
{
    struct invocation invocation = {.kind = shadow ? "shadow_stopped" : "stopped",
                                    .input = why,
                                    .input_len = strlen(why),
                                    .line = number};

    return walk(command, &invocation, err);
}

/* In a process of its own: the objects that the report makes, until there are no more. */
static bool walk_made(struct command *command, struct err *err)
{
    struct invocation invocation = {
        .kind = "objects", .input = "", .line = 1, .most = MADE_OBJECTS};
    size_t objects;

    if (!apart_run(command, err) || command->ended)
        return command->ended;
    do {
        command->place->first = invocation.line;
        if (!walk(command, &invocation, err))
            return false;
        objects = script_objects(command->handler.script);
        invocation.line += (int64_t)objects;
    } while (objects > 0);
    return true;
}

/* The findings beside the rules. */
static bool walk_setup(struct command *command, struct err *err)
{
    struct queue_answers answers = {0};
    bool ok = !command->checked ||
              check_broker_queues(command->checked,
                                  script_queues(command->handler.script), &answers, err);

    if (ok) {
        struct invocation setup = {.kind = "setup",
                                   .input = "",
                                   .answers = answers.rows,
                                   .answer_count = answers.count,
                                   .virtual_host = answers.virtual_host,
                                   .user = answers.user};

        ok = walk(command, &setup, err);
    }
    queue_answers_free(&answers);
    return ok;
}

bool walk_all(struct command *command, struct err *err)
{
    if (command_is(command, "check"))
        return walk_setup(command, err) && walk_made(command, err);
    if (command_is(command, "table") || command_is(command, "diff"))
        return walk_made(command, err);
    if (!command_is(command, "explain"))
        return walk_list(command, err);
    return command->options->count > 0 ? walk_words(command, err)
                                       : walk_event(command, err);
}
