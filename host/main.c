/* main.c -- wiring only: opens the parts, then serves Lambda or runs one command.
 *
 * What each failure means for the process:
 *   a bad command line, or no Runtime API      help, exit 2
 *   an error inside lua/pigeon, on the desk    a line on stderr, exit 1
 *   a bad setting, rules that do not load      POST /init/error, exit 1
 *   a secret that AWS refuses, or a useless one    POST /init/error, exit 1
 *   no secret yet, or no broker during init    a log line; the first event tries again
 *   the extension does not register            a log line; no SIGTERM at the end
 *   a shadow script that does not load         a log line; events without the shadow
 *   an event that failed                       its response is the error; the next event
 *   an error inside lua/pigeon, or no memory   the event is answered, exit 1
 *   the Runtime API is gone                    a log line, exit 1
 *   SIGTERM between events                     the connection is closed, exit 0
 * After exit 1 Lambda starts a fresh process. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_output.h"
#include "base/output.h"
#include "config.h"
#include "desk/desk.h"
#include "lambda/loop.h"
#include "lambda/runtime.h"
#include "lua/modules.h"

#define INIT_MS 7000    /* all of init: Lambda's own clock is 10 s */
#define SECRETS_MS 4000 /* for AWS during init */
#define CONNECT_MS 2000 /* for the broker during init */

/* The parts, in the order in which they open. */
struct pigeon {
    struct config config;
    struct runtime *runtime;
    struct script *script;
    struct secrets *secrets;
    struct connector *connector;
    struct broker *broker;
    struct delivery delivery;
    char connection_name[512];
};

static const char help[] =
    "Usage: pigeon COMMAND [ARGUMENT...] | --help | --version | --sbom | --licenses\n"
    "  explain KEY... | < event.json   what the rules decide, why, on which line\n"
    "  check                           checks settings and rules; --connect: broker\n"
    "  table                           all that the rules can decide, with examples\n"
    "  diff OLD.lua NEW.lua            what two scripts decide differently\n"
    "  simulate < keys                 counts what they decide; --against NEW.lua\n"
    "  test [SPEC...]                  runs specs of rules, with busted\n"
    "  package RULES -o ZIP            makes the zip for Lambda from an older one\n"
    "  replay < keys                   publishes keys as if their events came again\n"
    "  event KIND --key KEY...         prints an event\n"
    "pigeon COMMAND --help explains a command.\n"
    "\n"
    "Pigeon " PIGEON_VERSION " reacts to S3 events and publishes the crash ids that the\n"
    "rules accept to RabbitMQ. Where AWS_LAMBDA_RUNTIME_API is set, it is an AWS\n"
    "Lambda function, whatever its arguments: Lambda starts it that way, and sets\n"
    "_HANDLER (rules.lua; in a container image the last argument is the same) and\n"
    "LAMBDA_TASK_ROOT. It is configured by PIGEON_HOST, PIGEON_PORT,\n"
    "PIGEON_VIRTUAL_HOST, PIGEON_USER, PIGEON_PASSWORD, PIGEON_QUEUE,\n"
    "PIGEON_AWS_REGION and, optionally, PIGEON_ENV, PIGEON_BATCH_FAILURES,\n"
    "PIGEON_METRICS, PIGEON_SHADOW_RULES, PIGEON_EXTENSION and PIGEON_TLS*:\n"
    "deploy/CONFIGURATION.md.\n";

static int print_version(void)
{
    char text[2048];

    snprintf(text, sizeof(text), "pigeon " PIGEON_VERSION "\n%s",
             (const char *)built_with);
    return output_print("pigeon", text);
}

/* ------------------------------------------------------------- init */

static bool open_script(struct pigeon *pigeon, const struct deadline *deadline,
                        struct err *err)
{
    const struct config *config = &pigeon->config;
    char path[4096];
    struct script_settings settings = {.command = "lambda",
                                       .path = path,
                                       .queue = config->queue,
                                       .env = config->env,
                                       .batch_failures = config->batch_failures,
                                       .metrics = config->metrics,
                                       .function_name = config->function_name,
                                       .function_version = config->function_version,
                                       .memory_mb = config->memory_mb};

    if (!config->handler)
        return err_set(err, CAUSE_MISSING_SETTING,
                       "_HANDLER is not set; the function's handler setting names "
                       "the rules script, rules.lua");
    if (snprintf(path, sizeof(path), "%s/%s", config->task_root ? config->task_root : ".",
                 config->handler) >= (int)sizeof(path))
        return err_set(err, CAUSE_BAD_SETTING,
                       "_HANDLER: the path is longer than 4095 bytes");
    pigeon->script = script_open(&settings, deadline, err);
    return pigeon->script != NULL;
}

/* A shadow script that does not load must not fail an object: the function starts without
 * it. */
static void open_shadow(struct pigeon *pigeon, const struct deadline *deadline)
{
    const struct config *config = &pigeon->config;
    char path[4096];
    struct err err;

    if (!config->shadow_rules || config->shadow_rules[0] == '\0')
        return;
    snprintf(path, sizeof(path), "%s/%s", config->task_root ? config->task_root : ".",
             config->shadow_rules);
    if (!script_open_shadow(pigeon->script, path, deadline, &err))
        log_message(LOG_LEVEL_ERROR,
                    "PIGEON_SHADOW_RULES is `%s`, but this script does not load: %s; "
                    "next: package it with SHADOW=FILE, or unset the variable",
                    config->shadow_rules, err.text);
}

/* "shadow NAME (HASH), ", or nothing. */
static const char *shadow_part(const struct pigeon *pigeon)
{
    static char part[300];
    const char *hash = script_shadow_hash(pigeon->script);

    if (hash)
        snprintf(part, sizeof(part), "shadow %.255s (%s), ", pigeon->config.shadow_rules,
                 hash);
    return part;
}

static bool open_delivery(struct pigeon *pigeon, struct err *err)
{
    const struct config *config = &pigeon->config;
    struct login login = {.connection_name = pigeon->connection_name,
                          .external = config_external(config)};

    snprintf(pigeon->connection_name, sizeof(pigeon->connection_name), "pigeon %s %s",
             config->function_name ? config->function_name : "-",
             config->log_stream ? config->log_stream : "-");
    pigeon->connector = connector_open(config->host, config->port, config->tls, err);
    if (!pigeon->connector)
        return false;
    if (connector_any_tls(pigeon->connector) && !tls_open(&login.tls, config, err))
        return false;
    pigeon->secrets = secrets_open(config, err);
    if (!pigeon->secrets)
        return false;
    pigeon->broker = broker_open(&login);
    if (!pigeon->broker)
        return err_set(err, CAUSE_MEMORY, "out of memory");
    pigeon->delivery = (struct delivery){.broker = pigeon->broker,
                                         .connector = pigeon->connector,
                                         .secrets = pigeon->secrets};
    return true;
}

/* For the start's log line: "1.3", "on" (not connected yet), "off". */
static const char *tls_state(const struct pigeon *pigeon)
{
    const char *version = broker_tls(pigeon->broker);

    if (version)
        return version;
    return connector_tls_name(pigeon->connector, pigeon->delivery.host) ? "on" : "off";
}

static void close_parts(struct pigeon *pigeon)
{
    broker_close(pigeon->broker);
    connector_close(pigeon->connector);
    secrets_close(pigeon->secrets);
    config_close(&pigeon->config);
}

/* Resolves the secrets and connects, if there is time. False only if AWS refuses a
 * secret. */
static bool connect_early(struct pigeon *pigeon, const struct deadline *init,
                          struct err *err)
{
    struct deadline deadline = deadline_within(init, SECRETS_MS);
    enum secrets_result result = secrets_resolve(pigeon->secrets, &deadline, err);

    if (result == SECRETS_LATER)
        log_message(LOG_LEVEL_WARN, "no secret yet, the first event tries again: %s",
                    err->text);
    if (result == SECRETS_REFUSED)
        err_advise(err);
    if (result != SECRETS_READY)
        return result == SECRETS_LATER;
    deadline = deadline_within(init, CONNECT_MS);
    if (!delivery_connect(&pigeon->delivery, &deadline, err)) {
        err_advise(err);
        log_message(LOG_LEVEL_WARN, "no broker yet, the first event tries again: %s: %s",
                    err->stage, err->text);
    }
    return true;
}

/* Registering goes on while the other parts open. */
static void extend(struct pigeon *pigeon)
{
    if (config_extends(&pigeon->config))
        runtime_extend(pigeon->runtime);
}

static void settle_extension(struct pigeon *pigeon)
{
    struct err err = {0};

    if (config_extends(&pigeon->config) && !runtime_extended(pigeon->runtime, &err))
        log_message(LOG_LEVEL_WARN,
                    "not registered as an internal extension: %s; so Lambda ends this "
                    "process without SIGTERM, and the broker keeps its connection for "
                    "up to 90 s; PIGEON_EXTENSION=off leaves it out",
                    err.text);
}

static void warn_of_concurrency(const struct pigeon *pigeon)
{
    if (pigeon->config.max_concurrency > 1)
        log_message(LOG_LEVEL_WARN,
                    "AWS_LAMBDA_MAX_CONCURRENCY is %ld, but Pigeon takes one event at a "
                    "time, and Lambda refuses the others; set "
                    "PerExecutionEnvironmentMaxConcurrency of the function's capacity "
                    "provider to 1",
                    pigeon->config.max_concurrency);
}

static bool open_parts(struct pigeon *pigeon, struct err *err)
{
    struct deadline deadline = deadline_in(INIT_MS);
    int64_t start_us = clock_us();

    log_output_deadline(&deadline);

    if (!config_check(&pigeon->config, err))
        return false;
    extend(pigeon);
    warn_of_concurrency(pigeon);
    if (!open_delivery(pigeon, err))
        return false;
    if (!open_script(pigeon, &deadline, err))
        return false;
    log_rules(script_hash(pigeon->script));
    open_shadow(pigeon, &deadline);
    if (!connect_early(pigeon, &deadline, err))
        return false;
    settle_extension(pigeon);
    log_message(LOG_LEVEL_INFO,
                "pigeon %s, rules %s (%s), %squeues %s, broker %s, TLS %s, login %s, "
                "ready in %.1f ms",
                PIGEON_VERSION, pigeon->config.handler, script_hash(pigeon->script),
                shadow_part(pigeon), script_queues(pigeon->script), pigeon->config.host,
                tls_state(pigeon),
                config_external(&pigeon->config) ? "EXTERNAL" : "PLAIN",
                (double)(clock_us() - start_us) / 1000);
    return true;
}

/* ------------------------------------------------------------- lambda */

/* Neither a core file nor another process of this user can show the memory. */
static void stay_private(void)
{
    const struct rlimit none = {0};

    prctl(PR_SET_DUMPABLE, 0);
    setrlimit(RLIMIT_CORE, &none);
}

static int run_lambda(struct pigeon *pigeon)
{
    struct handler handler;
    struct err err = {0};
    struct err ignored;
    int status = 1;

    stay_private();
    pigeon->runtime = runtime_open(pigeon->config.runtime_api, &err);
    if (!pigeon->runtime) {
        log_message(LOG_LEVEL_ERROR, "%s", err.text);
        return 1;
    }
    if (config_hide(&pigeon->config, &err) && open_parts(pigeon, &err)) {
        handler = (struct handler){.script = pigeon->script,
                                   .delivery = &pigeon->delivery,
                                   .warm = config_starts_ahead(&pigeon->config)};
        status = loop_run(pigeon->runtime, &handler) ? 0 : 1;
    } else {
        const char *type = err_type(&err);

        log_message(LOG_LEVEL_ERROR, "%s: %s", type, err.text);
        runtime_init_error(pigeon->runtime, type, err.text, &ignored);
    }
    close_parts(pigeon);
    script_close(pigeon->script);
    runtime_close(pigeon->runtime);
    return status;
}

/* ------------------------------------------------------------- the desk */

static int run_desk(struct pigeon *pigeon, int count, char **arguments)
{
    struct options options;
    struct err err = {0};
    struct delivery *delivery = NULL;
    int status;

    if (!options_read(&options, count, arguments, &err))
        return desk_misuse(arguments[0], err.text);
    /* check --connect reports these errors itself; replay cannot go on */
    if (desk_needs_broker(&options) && config_hide(&pigeon->config, &err) &&
        config_check(&pigeon->config, &err) && open_delivery(pigeon, &err))
        delivery = &pigeon->delivery;
    else if (desk_needs_broker(&options) && !options.connect) {
        fprintf(stderr, "pigeon %s: %s\n", options.command, err.text);
        close_parts(pigeon);
        return 1;
    }
    status = desk_run(&options, &pigeon->config, delivery);
    close_parts(pigeon);
    return status;
}

/* Where one of the first three descriptors is closed, the next socket would get its
 * number, and the log would be written into it. */
static bool open_missing(void)
{
    struct stat ignored;

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fstat(fd, &ignored) != 0 && open("/dev/null", O_RDWR) != fd)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    struct pigeon pigeon = {0};

    if (!open_missing())
        return 1;
    signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return output_print("pigeon", help);
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return print_version();
    if (argc == 2 && strcmp(argv[1], "--sbom") == 0)
        return output_print("pigeon", (const char *)sbom);
    if (argc == 2 && strcmp(argv[1], "--licenses") == 0)
        return output_print("pigeon", (const char *)licenses);
    config_read(&pigeon.config);
    if (argc > 1 && !pigeon.config.runtime_api && options_is_command(argv[1]))
        return run_desk(&pigeon, argc - 1, argv + 1);
    log_set_level(log_level_named(pigeon.config.log_level));
    log_set_format(log_format_named(pigeon.config.log_format));
    /* an image's CMD, after its ENTRYPOINT, is the handler, as a zip's setting is */
    if (argc > 1 && !pigeon.config.handler)
        pigeon.config.handler = argv[argc - 1];
    if (pigeon.config.runtime_api)
        return run_lambda(&pigeon);
    if (argc > 1)
        fprintf(stderr, "pigeon: unknown argument: %s\n\n", argv[1]);
    fputs(help, stderr);
    return 2;
}
