/* command.c -- opens what a command needs, and prints. */
#include "desk/command.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/output.h"
#include "lua/watchdog.h"

#define OPEN_MS 60000
#define MANIFEST_MAX (16 << 20)

bool command_is(const struct command *command, const char *name)
{
    return strcmp(command->options->command, name) == 0;
}

bool command_print(const struct buffer *text, FILE *stream, struct err *err)
{
    return output_write(text->data, text->len, stream, err);
}

bool command_find_rules(struct command *command, struct err *err)
{
    static const char *const places[] = {"rules.lua", "../rules/rules.lua",
                                         "../../rules/rules.lua"};
    char program[PATH_MAX - 32] = "";
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    const char *folder = len > 0 ? dirname(program) : ".";

    if (command->options->rules) {
        snprintf(command->rules, sizeof(command->rules), "%s", command->options->rules);
        return true;
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(command->rules, sizeof(command->rules), "%s/%s", folder, places[i]);
        if (access(command->rules, R_OK) == 0)
            return true;
    }
    return err_set(err, CAUSE_OTHER,
                   "no rules.lua beside the program; name one with --rules FILE");
}

static int terminal_width(void)
{
    struct winsize size;

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* How the watchdog ends the command: check with a finding, the others with an error. A
 * replay writes its line to the log, as everything that publishes does. C writes this
 * JSON, because a signal handler has no Lua. */
static void set_last_line(const struct command *command)
{
    static char form[64];

    if (command_is(command, "check") && command->options->json) {
        watchdog_say(
            "{\"file\":\"%s\"%n,\"what\":\"%w%h\",\"key\":\"%k\",\"level\":\"error\"}\n",
            STDOUT_FILENO, true);
    } else if (command_is(command, "check")) {
        watchdog_say("%s%l: %w%h (key \"%k\")\n", STDOUT_FILENO, false);
    } else if (!command_is(command, "replay")) {
        snprintf(form, sizeof(form), "pigeon %s: %%s%%l %%w%%c at key \"%%k\"%%h\n",
                 command->options->command);
        watchdog_say(form, STDERR_FILENO, false);
    }
}

/* Which of the words are files: somebody who explains a file wants what is in it. */
static bool find_files(const struct options *options, bool **are_files, struct err *err)
{
    struct stat info;

    if (options->count == 0 || strcmp(options->command, "explain") != 0)
        return true;
    *are_files = calloc((size_t)options->count, sizeof(**are_files));
    if (!*are_files)
        return err_set(err, CAUSE_MEMORY, "out of memory");
    for (int i = 0; i < options->count; i++)
        (*are_files)[i] = stat(options->words[i], &info) == 0 && S_ISREG(info.st_mode);
    return true;
}

static bool read_manifest(const struct options *options, struct buffer *text,
                          struct err *err)
{
    return !options->manifest || buffer_read_file(text, options->manifest, err) ||
           err_wrap(err, "--manifest");
}

/* The names of variables, for check: one may be misspelt. */
static bool find_names(const struct command *command, struct buffer *known,
                       struct buffer *set, struct err *err)
{
    return !command_is(command, "check") || config_names(known, set) ||
           err_set(err, CAUSE_MEMORY, "out of memory");
}

static bool open_scripts(struct command *command, struct script_settings *settings,
                         struct err *err)
{
    const struct options *options = command->options;
    struct deadline deadline = deadline_in(OPEN_MS);

    command->handler.script = script_open(settings, &deadline, err);
    return command->handler.script &&
           (!options->against || script_open_shadow(command->handler.script,
                                                    options->against, &deadline, err));
}

bool command_open(struct command *command, const struct config *config, struct err *err)
{
    const struct options *options = command->options;
    struct buffer manifest = {.max = MANIFEST_MAX};
    struct buffer known = {.max = SIZE_MAX}, set = {.max = SIZE_MAX};
    bool *are_files = NULL;
    bool ok;
    struct script_settings settings = {
        .command = options->command,
        .path = command->rules[0] ? command->rules : NULL,
        .env = config->env,
        .batch_failures = config->batch_failures,
        .metrics = config->metrics,
        .count = options->count,
        .arguments = options->words,
        .help = options->help,
        .json = options->json,
        .html = options->html != NULL,
        .trace = options->trace,
        .dry_run = options->dry_run,
        .strict = options->strict,
        .examples = (int)options->examples,
        .literal = options->literal,
        .now = config->now,
        .ids = options->ids,
        .manifest = options->manifest,
        .manifest_text = &manifest,
        .from = options->from,
        .width = terminal_width(),
    };

    settings.queue = config->queue && config->queue[0] ? config->queue : "normal";
    settings.assumed_queue = settings.queue != config->queue;
    if (settings.path && settings.assumed_queue)
        fprintf(stderr,
                "pigeon %s: PIGEON_QUEUE is not set, so there is one queue: normal\n",
                options->command);
    set_last_line(command);
    ok = read_manifest(options, &manifest, err) && find_files(options, &are_files, err) &&
         find_names(command, &known, &set, err);
    settings.are_files = are_files;
    settings.known = known.data;
    settings.set = set.data;
    ok = ok && open_scripts(command, &settings, err);
    free(are_files);
    buffer_free(&manifest);
    buffer_free(&known);
    buffer_free(&set);
    return ok;
}
