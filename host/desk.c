/* desk.c -- one walk for all commands: open, batches, finish. */
#include "desk.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "handler.h"
#include "lines.h"
#include "progress.h"
#include "suite.h"

#define OPEN_MS 60000
#define BATCH_MS \
    (15 * 60 * 1000) /* Lambda's longest; the watchdog ends an object sooner */
#define BATCH_LINES 1000
#define EVENT_MAX (64 << 20)

struct desk {
    const struct options *options;
    struct handler handler;
    struct answer answer;
    char rules[PATH_MAX];
};

static bool print(const struct buffer *text, FILE *stream, struct err *err)
{
    if (fwrite(text->data, 1, text->len, stream) == text->len && fflush(stream) == 0)
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

static bool open_script(struct desk *desk, const struct config *config, struct err *err)
{
    const struct options *options = desk->options;
    struct deadline deadline = deadline_in(OPEN_MS);
    struct script_settings settings = {
        .command = options->command,
        .path = desk->rules[0] ? desk->rules : NULL,
        .shadow = options->against,
        .env = config->env,
        .batch_failures = config->batch_failures,
        .count = options->count,
        .arguments = options->words,
        .help = options->help,
        .json = options->json,
        .trace = options->trace,
        .width = terminal_width(),
    };

    settings.queue = config->queue && config->queue[0] ? config->queue : "normal";
    if (settings.path && settings.queue != config->queue)
        fprintf(stderr,
                "pigeon %s: PIGEON_QUEUE is not set, so there is one queue: normal\n",
                options->command);
    desk->handler.script = script_open(&settings, &deadline, err);
    return desk->handler.script != NULL;
}

/* ------------------------------------------------------------- the walk */

/* One batch, and what is said of it. */
static bool walk(struct desk *desk, const char *kind, const struct buffer *input,
                 int64_t line, struct err *err)
{
    struct invocation invocation = {.kind = kind,
                                    .input = input->data ? input->data : "",
                                    .input_len = input->len,
                                    .request_id = "",
                                    .trace_id = "",
                                    .line = line,
                                    .deadline = deadline_in(BATCH_MS)};

    return handler_event(&desk->handler, &invocation, &desk->answer, err) &&
           print(&desk->answer.body, stdout, err);
}

/* The words as lines. */
static bool walk_words(struct desk *desk, struct err *err)
{
    const struct options *options = desk->options;
    struct buffer text = {.max = SIZE_MAX};
    bool ok = true;

    for (int i = 0; ok && i < options->count; i++)
        ok = buffer_append(&text, options->words[i], strlen(options->words[i])) &&
             buffer_append(&text, "\n", 1);
    ok = ok ? walk(desk, "lines", &text, 1, err) : err_set(err, "out of memory");
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

static bool walk_lines(struct desk *desk, struct err *err)
{
    struct lines lines = {0};
    struct progress progress;
    bool ok;

    progress_open(&progress, lines_size());
    while ((ok = lines_read(&lines, BATCH_LINES, err)) && lines.count > 0) {
        ok = walk(desk, "lines", &lines.text, lines.first, err);
        if (!ok)
            break;
        progress_show(&progress, lines.bytes, lines.first + lines.count - 1);
    }
    progress_close(&progress);
    lines_free(&lines);
    return ok;
}

static bool walk_all(struct desk *desk, struct err *err)
{
    if (strcmp(desk->options->command, "explain") != 0)
        return walk_lines(desk, err);
    return desk->options->count > 0 ? walk_words(desk, err) : walk_event(desk, err);
}

/* ------------------------------------------------------------- public */

static bool finish(struct desk *desk, int *status, struct err *err)
{
    struct buffer text = {.max = SIZE_MAX};
    bool ok = script_finish(desk->handler.script, &text, status, err) &&
              print(&text, *status == 2 ? stderr : stdout, err);

    buffer_free(&text);
    return ok;
}

static bool needs_rules(const struct options *options)
{
    return !options->help && strcmp(options->command, "event") != 0;
}

static int run(struct desk *desk, const struct config *config)
{
    struct err err = {0};
    int status = 1;
    bool ok = (!needs_rules(desk->options) || find_rules(desk, &err)) &&
              open_script(desk, config, &err) &&
              (!desk->rules[0] || walk_all(desk, &err)) && finish(desk, &status, &err);

    if (!ok)
        fprintf(stderr, "pigeon %s: %s\n", desk->options->command, err.text);
    buffer_free(&desk->answer.body);
    script_close(desk->handler.script);
    return ok ? status : 1;
}

int desk_misuse(const char *command, const char *problem)
{
    struct options options = {.command = command, .help = true};
    struct desk desk = {.options = &options};
    const struct config none = {0};

    fprintf(stderr, "pigeon %s: %s\n\n", command, problem);
    fflush(stderr);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    run(&desk, &none);
    return 2;
}

int desk_run(const struct options *options, const struct config *config)
{
    struct desk desk = {.options = options};
    const char *file = options->rules;
    struct err err = {0};

    if (strcmp(options->command, "test") == 0 && !options->help) {
        suite_exec(options->count, options->words, &err);
        fprintf(stderr, "pigeon test: %s\n", err.text);
        return 1;
    }
    if (file && access(file, R_OK) != 0)
        return desk_misuse(options->command, "the file of --rules cannot be read");
    if (options->against && access(options->against, R_OK) != 0)
        return desk_misuse(options->command, "the file of --against cannot be read");
    if (strcmp(options->command, "explain") == 0 && !options->help &&
        options->count == 0 && isatty(STDIN_FILENO))
        return desk_misuse(options->command, "which key? Or an event on stdin");
    return run(&desk, config);
}
