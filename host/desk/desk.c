/* desk.c -- one walk for all commands: open, batches, finish. */
#include "desk/desk.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "desk/busted.h"
#include "desk/check_broker.h"
#include "desk/input.h"
#include "desk/progress.h"
#include "handler.h"
#include "lua/watchdog.h"

#define OPEN_MS 60000
#define BATCH_MS \
    (15 * 60 * 1000)    /* Lambda's longest; the watchdog ends an object sooner */
#define REPLAY_MS 60000 /* for a batch that is published, too */
#define BATCH_LINES 1000
#define EVENT_MAX (64 << 20)

struct desk {
    const struct options *options;
    struct handler handler;
    struct delivery *asked; /* by check --connect; NULL: not */
    struct answer answer;
    char rules[PATH_MAX];
};

static bool is(const struct desk *desk, const char *command)
{
    return strcmp(desk->options->command, command) == 0;
}

static bool print(const struct buffer *text, FILE *stream, struct err *err)
{
    size_t written = text->len ? fwrite(text->data, 1, text->len, stream) : 0;

    if (written == text->len && fflush(stream) == 0)
        return true;
    return err_set(err, "cannot write it all");
}

/* ------------------------------------------------------------- opening */

/* --rules FILE, else rules.lua beside the program, else the repository's. */
static bool find_rules(struct desk *desk, struct err *err)
{
    static const char *const places[] = {"rules.lua", "../rules/rules.lua",
                                         "../../rules/rules.lua"};
    char program[PATH_MAX - 32] = "";
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    const char *folder = len > 0 ? dirname(program) : ".";

    if (desk->options->rules) {
        snprintf(desk->rules, sizeof(desk->rules), "%s", desk->options->rules);
        return true;
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(desk->rules, sizeof(desk->rules), "%s/%s", folder, places[i]);
        if (access(desk->rules, R_OK) == 0)
            return true;
    }
    return err_set(err, "no rules.lua beside the program; name one with --rules FILE");
}

static int terminal_width(void)
{
    struct winsize size;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* How the watchdog ends a command: check with a finding, the others with an error. A
 * replay has its line in the log, as what else publishes, and last words. */
static void prepare_words(const struct desk *desk)
{
    static char form[128];
    const struct buffer *said = &desk->answer.body;
    const char *before = ",\n"; /* in the list of findings */

    if (said->len == 0)
        before = "{\"findings\":[";
    else if (said->data[said->len - 1] == '[')
        before = "";
    if (is(desk, "check") && desk->options->json) {
        snprintf(form, sizeof(form),
                 "%s{\"file\":\"%%s\",\"what\":\"%%s\",\"key\":\"%%s\"}]}\n", before);
        watchdog_say(form, STDOUT_FILENO, true);
    } else if (is(desk, "check")) {
        watchdog_say("%s: %s (key \"%s\")\n", STDOUT_FILENO, false);
    } else if (!is(desk, "replay")) {
        snprintf(form, sizeof(form), "pigeon %s: %%s %%s at key \"%%s\"\n",
                 desk->options->command);
        watchdog_say(form, STDERR_FILENO, false);
    }
}

static bool open_script(struct desk *desk, const struct config *config, struct err *err)
{
    const struct options *options = desk->options;
    struct deadline deadline = deadline_in(OPEN_MS);
    struct script_settings settings = {
        .command = options->command,
        .path = desk->rules[0] ? desk->rules : NULL,
        .env = config->env,
        .batch_failures = config->batch_failures,
        .metrics = config->metrics,
        .count = options->count,
        .arguments = options->words,
        .help = options->help,
        .json = options->json,
        .trace = options->trace,
        .dry_run = options->dry_run,
        .width = terminal_width(),
    };

    settings.queue = config->queue && config->queue[0] ? config->queue : "normal";
    if (settings.path && settings.queue != config->queue)
        fprintf(stderr,
                "pigeon %s: PIGEON_QUEUE is not set, so there is one queue: normal\n",
                options->command);
    prepare_words(desk);
    desk->handler.script = script_open(&settings, &deadline, err);
    return desk->handler.script &&
           (!options->against ||
            script_open_shadow(desk->handler.script, options->against, &deadline, err));
}

/* ------------------------------------------------------------- the walk */

/* One batch, and what is said of it. */
static bool walk(struct desk *desk, const char *kind, const struct buffer *input,
                 int64_t line, struct err *err)
{
    struct invocation invocation = {
        .kind = kind,
        .input = input->data ? input->data : "",
        .input_len = input->len,
        .line = line,
        .deadline = deadline_in(desk->handler.delivery ? REPLAY_MS : BATCH_MS)};

    return handler_event(&desk->handler, &invocation, &desk->answer, err) &&
           print(&desk->answer.body, stdout, err);
}

/* The words as keys, whatever is in them. */
static bool walk_words(struct desk *desk, struct err *err)
{
    const struct options *options = desk->options;
    struct buffer text = {.max = SIZE_MAX};
    bool ok = true;

    for (int i = 0; ok && i < options->count; i++)
        ok = buffer_append(&text, options->words[i], strlen(options->words[i]) + 1);
    ok = ok ? walk(desk, "keys", &text, 1, err) : err_set(err, "out of memory");
    buffer_free(&text);
    return ok;
}

static bool walk_event(struct desk *desk, struct err *err)
{
    struct buffer text = {.max = EVENT_MAX};
    bool ok =
        buffer_read_file(&text, "/dev/stdin", err) && walk(desk, "event", &text, 1, err);

    buffer_free(&text);
    return ok;
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* A first ^C ends a replay after its batch, a second one the process. */
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

/* What the watchdog would have to say of a replay. Line 0: none was confirmed. */
static void note_confirmed(const struct desk *desk, int64_t line)
{
    static char words[128] = "no line was confirmed";

    if (!desk->handler.delivery)
        return;
    if (line > 0)
        snprintf(words, sizeof(words),
                 "line %lld was confirmed last; --from %lld goes on behind it",
                 (long long)line, (long long)line + 1);
    watchdog_add(words);
}

/* Batch after batch, until the input ends or one failed. */
static bool walk_batches(struct desk *desk, struct input *input,
                         struct progress *progress, struct err *err)
{
    int64_t rate = desk->options->rate;
    int64_t most = rate > 0 && rate < BATCH_LINES ? rate : BATCH_LINES;
    int64_t done = 0, last = 0, start_us = 0;

    note_confirmed(desk, 0);
    while (!interrupted && input_read(input, most, err) && input->count > 0) {
        keep_rate(rate, last, start_us);
        if (interrupted)
            break;
        start_us = clock_us();
        if (!walk(desk, "lines", &input->text, input->first, err))
            return false;
        if (desk->answer.error_type[0])
            return true; /* and the report has said why */
        note_confirmed(desk, input->first + input->count - 1);
        last = input->count;
        done += last;
        progress_show(progress, input->bytes, done);
    }
    return interrupted ? err_set(err, "stopped by a signal") : err->text[0] == '\0';
}

static bool walk_lines(struct desk *desk, struct err *err)
{
    struct input input = {0};
    struct progress progress;
    bool ok;

    if (is(desk, "replay"))
        catch_interrupts();
    progress_open(&progress, input_size());
    ok = input_skip(&input, desk->options->from, err) &&
         walk_batches(desk, &input, &progress, err);
    progress_close(&progress);
    input_free(&input);
    return ok;
}

/* First what there is beside the rules; then the probes, of which one may end the
 * process. */
static bool walk_check(struct desk *desk, struct err *err)
{
    const struct buffer nothing = {0};
    struct buffer found = {.max = SIZE_MAX};
    bool ok = (!desk->asked ||
               check_broker_queues(desk->asked, script_queues(desk->handler.script),
                                   &found, err)) &&
              walk(desk, "setup", &found, 1, err);

    buffer_free(&found);
    prepare_words(desk);
    return ok && walk(desk, "probes", &nothing, 1, err);
}

static bool walk_all(struct desk *desk, struct err *err)
{
    if (is(desk, "check"))
        return walk_check(desk, err);
    if (!is(desk, "explain"))
        return walk_lines(desk, err);
    return desk->options->count > 0 ? walk_words(desk, err) : walk_event(desk, err);
}

static bool finish(struct desk *desk, int *status, struct err *err)
{
    struct buffer text = {.max = SIZE_MAX};
    struct err late = {0};
    bool finished = script_finish(desk->handler.script, &text, status, err);
    bool ok = finished && print(&text, *status == 2 ? stderr : stdout, err);

    if (finished && !ok && is(desk, "replay"))
        print(&text, stderr, &late); /* where it ended must not be lost */
    buffer_free(&text);
    return ok;
}

static bool needs_rules(const struct desk *desk)
{
    return !desk->options->help && !is(desk, "event");
}

/* The rest, where it could be opened. Returns the exit status. */
static int run_opened(struct desk *desk, bool ok, struct err *err)
{
    struct err late = {0};
    int status = 1;

    ok = ok && (!desk->rules[0] || walk_all(desk, err));
    if (!ok && is(desk, "replay") && desk->handler.script)
        finish(desk, &status, &late);
    else if (ok)
        ok = finish(desk, &status, err);
    if (!ok)
        fprintf(stderr, "pigeon %s: %s\n", desk->options->command, err->text);
    return ok ? status : 1;
}

static int run(struct desk *desk, const struct config *config)
{
    struct err err = {0};
    bool ok =
        (!needs_rules(desk) || find_rules(desk, &err)) && open_script(desk, config, &err);

    return run_opened(desk, ok, &err);
}

/* What is wrong with the variables is a finding, and what is wrong with the rules, too:
 * then check says that without them. */
static int run_check(struct desk *desk, struct config *config)
{
    struct options options = *desk->options;
    struct err setup = {0}, rules = {0}, err = {0};
    char *problems[2];
    bool ok;

    desk->options = &options;
    options.words = problems;
    if (!check_broker_settings(config, options.connect, &setup))
        problems[options.count++] = setup.text;
    ok = find_rules(desk, &rules) && open_script(desk, config, &rules);
    if (!ok) {
        problems[options.count++] = rules.text;
        desk->rules[0] = '\0';
        ok = open_script(desk, config, &err);
    }
    return run_opened(desk, ok, &err);
}

static int close_desk(struct desk *desk, int status)
{
    buffer_free(&desk->answer.body);
    script_close(desk->handler.script);
    return status;
}

/* ------------------------------------------------------------- public */

bool desk_delivers(const struct options *options)
{
    return (options->connect || strcmp(options->command, "replay") == 0) &&
           !options->help;
}

int desk_misuse(const char *command, const char *problem)
{
    struct options options = {.command = command, .help = true};
    struct desk desk = {.options = &options};
    const struct config none = {0};

    fprintf(stderr, "pigeon %s: %s\n\n", command, problem);
    fflush(stderr);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    return close_desk(&desk, (run(&desk, &none), 2));
}

static int run_suite(const struct options *options)
{
    struct err err = {0};

    busted_exec(options->count, options->words, &err);
    fprintf(stderr, "pigeon test: %s\n", err.text);
    return 1;
}

static bool check_file(const char *option, const char *path, struct err *err)
{
    if (!path || access(path, R_OK) == 0)
        return true;
    return err_set(err, "%s %s: %s", option, path, strerror(errno));
}

int desk_run(const struct options *options, struct config *config,
             struct delivery *delivery)
{
    struct desk desk = {.options = options};
    struct err err = {0};

    if (is(&desk, "test") && !options->help)
        return run_suite(options);
    if (!check_file("--rules", options->rules, &err) ||
        !check_file("--against", options->against, &err))
        return desk_misuse(options->command, err.text);
    if (is(&desk, "explain") && !options->help && options->count == 0 &&
        isatty(STDIN_FILENO))
        return desk_misuse(options->command, "which key? Or an event on stdin");
    if (is(&desk, "replay") && !options->dry_run)
        desk.handler.delivery = delivery;
    if (is(&desk, "check") && !options->help) {
        desk.asked = delivery;
        return close_desk(&desk, run_check(&desk, config));
    }
    return close_desk(&desk, run(&desk, config));
}
