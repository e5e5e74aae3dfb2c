/* desk.c -- runs a command: open, walk, finish; and what its exit status is. */
#include "desk/desk.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "desk/busted.h"
#include "desk/check_broker.h"
#include "desk/command.h"
#include "desk/page.h"
#include "desk/walk.h"

/* Writes the page, and has a text for people say where it is. */
static bool add_page(const struct command *command, const struct buffer *page,
                     struct buffer *text, struct err *err)
{
    const char *path = command->options->html;

    return page_write(path, page, err) &&
           (command->options->json ||
            (buffer_append_text(text, "page: ") && buffer_append_text(text, path) &&
             buffer_append_text(text, "\n")) ||
            err_set(err, CAUSE_MEMORY, "out of memory"));
}

/* `whole`: the walk came to its end. Else there is no page: nobody could see in it what
 * is missing. */
static bool finish(struct command *command, bool whole, int *status, struct err *err)
{
    struct buffer text = {.max = SIZE_MAX}, page = {.max = SIZE_MAX};
    struct err problem = {0}, late = {0}, no_page = {0};
    bool finished =
        script_finish(command->handler.script, &text, &page, status, &problem, err);
    bool ok = finished;

    if (finished && whole && command->options->html)
        add_page(command, &page, &text, &no_page);
    ok = ok && command_print(&text, *status == 2 ? stderr : stdout, err);
    if (finished && !ok && command_is(command, "replay") && !command->options->help)
        command_print(&text, stderr, &late); /* where to go on must not be lost */
    if (ok && problem.text[0])
        ok = err_set(err, CAUSE_OTHER, "%s", problem.text);
    if (ok && no_page.text[0])
        ok = err_set(err, CAUSE_OTHER, "%s", no_page.text);
    buffer_free(&page);
    buffer_free(&text);
    return ok;
}

static bool needs_rules(const struct command *command)
{
    return !command->options->help && !command_is(command, "event") &&
           !command_is(command, "package");
}

/* Whether its last text is printed also where the walk broke off: what was done, or
 * counted so far. */
static bool counts(const struct command *command)
{
    return command_is(command, "replay") || command_is(command, "simulate");
}

/* Where the command could not do its work: diff has another meaning for 1. */
static int failure(const struct command *command)
{
    return command_is(command, "diff") ? 2 : 1;
}

/* The walk and its end, where the script is open. Returns the exit status. */
static int run_opened(struct command *command, bool opened, struct err *err)
{
    struct err late = {0};
    int status = 1;
    bool ok = opened && (!command->rules[0] || walk_all(command, err));

    if (command->ended)
        return command->status;
    if (!ok && opened && counts(command))
        finish(command, false, &status, &late);
    if (!ok && opened && command->options->html && err->text[0])
        err_add(err, "; no page was written");
    if (ok)
        ok = finish(command, true, &status, err);
    if (!ok && err->text[0]) /* else nobody reads on */
        fprintf(stderr, "pigeon %s: %s\n", command->options->command, err->text);
    return ok ? status : failure(command);
}

/* Before anything is published: where it goes. */
static void name_target(const struct command *command, const struct config *config)
{
    const char *queues = script_queues(command->handler.script);
    const char *hash = script_hash(command->handler.script);

    if (command->handler.delivery)
        fprintf(stderr,
                "pigeon replay: broker %s, port %d, virtual host %s, queues %s; rules %s "
                "(%s)\n",
                config->host, config->port, config->virtual_host, queues, command->rules,
                hash);
    else
        fprintf(stderr, "pigeon replay: a dry run; queues %s; rules %s (%s)\n", queues,
                command->rules, hash);
}

static int run(struct command *command, const struct config *config)
{
    struct err err = {0};
    bool ok = (!needs_rules(command) || command_find_rules(command, &err)) &&
              command_open(command, config, &err);

    if (ok && command_is(command, "replay") && command->rules[0])
        name_target(command, config);
    return run_opened(command, ok, &err);
}

/* The shadow script has to be beside the rules, as it is in the zip. */
static bool check_shadow(const struct command *command, const struct config *config,
                         struct err *err)
{
    const char *slash = strrchr(command->rules, '/');
    int folder = slash ? (int)(slash - command->rules) + 1 : 0;
    char path[2 * PATH_MAX];

    if (!config->shadow_rules)
        return true;
    snprintf(path, sizeof(path), "%.*s%s", folder, command->rules, config->shadow_rules);
    return access(path, R_OK) == 0 ||
           err_set(err, CAUSE_OTHER,
                   "PIGEON_SHADOW_RULES is \"%s\", and there is no %s to read; put the "
                   "script beside the rules, or unset the variable",
                   config->shadow_rules, path);
}

/* A wrong variable is a finding, and so are rules that do not load: then check reports
 * the findings without the rules. */
static int run_check(struct command *command, struct config *config)
{
    struct options options = *command->options;
    struct err switches = {0}, setup = {0}, shadow = {0}, rules = {0}, err = {0};
    char *problems[4];
    bool ok;

    command->options = &options;
    options.words = problems;
    if (!config_check_switches(config, &switches))
        problems[options.count++] = switches.text;
    if (!check_broker_settings(config, options.connect, &setup) &&
        strcmp(setup.text, switches.text) != 0)
        problems[options.count++] = setup.text;
    ok = command_find_rules(command, &rules);
    if (ok && !check_shadow(command, config, &shadow))
        problems[options.count++] = shadow.text;
    ok = ok && command_open(command, config, &rules);
    if (!ok) {
        problems[options.count++] = rules.text;
        command->rules[0] = '\0';
        ok = command_open(command, config, &err);
    }
    return run_opened(command, ok, &err);
}

static int close_command(struct command *command, int status)
{
    buffer_free(&command->answer.body);
    script_close(command->handler.script);
    return status;
}

/* ------------------------------------------------------------- public */

bool desk_needs_broker(const struct options *options)
{
    return (options->connect ||
            (strcmp(options->command, "replay") == 0 && !options->dry_run)) &&
           !options->help;
}

int desk_misuse(const char *name, const char *problem)
{
    struct options options = {.command = name, .help = true};
    struct command command = {.options = &options};
    const struct config none = {0};

    fprintf(stderr, "pigeon %s: %s\n\n", name, problem);
    fflush(stderr);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    return close_command(&command, (run(&command, &none), 2));
}

static int run_suite(const struct options *options)
{
    struct err err = {0};

    busted_exec(options->count, options->words, &err);
    fprintf(stderr, "pigeon test: %s\n", err.text);
    return 1;
}

static void on_interrupt(int signal)
{
    (void)signal;
}

/* A first ^C (or SIGTERM, or the end of the terminal) ends the programs that package has
 * started, and with them its work; it removes its folder itself. */
static void outlive_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt,
                               .sa_flags = SA_RESTART | (int)SA_RESETHAND};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static bool check_file(const char *option, const char *path, struct err *err)
{
    struct stat info;

    if (!path)
        return true;
    if (access(path, R_OK) != 0 || stat(path, &info) != 0)
        return err_set(err, CAUSE_OTHER, "%s %s: %s", option, path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return err_set(err, CAUSE_OTHER, "%s %s is a folder; name the script in it",
                       option, path);
    return true;
}

int desk_run(const struct options *options, struct config *config,
             struct delivery *delivery)
{
    struct command command = {.options = options};
    struct err err = {0};
    bool is_diff = command_is(&command, "diff");

    if (command_is(&command, "test") && !options->help)
        return run_suite(options);
    if (!check_file(is_diff ? "OLD" : "--rules", options->rules, &err) ||
        !check_file(is_diff ? "NEW" : "--against", options->against, &err) ||
        !check_file("--manifest", options->manifest, &err))
        return desk_misuse(options->command, err.text);
    if (options->html && !page_check(options->html, &err))
        return desk_misuse(options->command, err.text);
    if (command_is(&command, "explain") && !options->help && options->count == 0 &&
        isatty(STDIN_FILENO))
        return desk_misuse(options->command, "name a key, or give an event on stdin");
    if (options->dry_run && (!config->queue || config->queue[0] == '\0')) {
        fprintf(stderr, "pigeon %s: missing or empty: PIGEON_QUEUE\n", options->command);
        return 1;
    }
    if (command_is(&command, "package"))
        outlive_interrupts();
    if (command_is(&command, "replay") && !options->dry_run)
        command.handler.delivery = delivery;
    if (command_is(&command, "check") && !options->help) {
        command.checked = delivery;
        return close_command(&command, run_check(&command, config));
    }
    return close_command(&command, run(&command, config));
}
