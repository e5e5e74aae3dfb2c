/* settings.c -- the variables that people set, a line each: NAME=value. Those that are
 * not there have a value that is right. */
#include <string.h>
#include <unistd.h>

#include "aws/secrets.h"
#include "base/log.h"
#include "fuzz.h"
#include "lua/script.h"
#include "net/hosts.h"

#define PASSWORD "correct horse battery"
#define READABLE "rules/rules.lua" /* for what has to be a file */

static char defaults[][64] = {
    "PIGEON_HOST=localhost", "PIGEON_PORT=5672",    "PIGEON_VIRTUAL_HOST=/",
    "PIGEON_USER=guest",     "PIGEON_QUEUE=normal", "PIGEON_AWS_REGION=us-west-2",
};
#define DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))
#define LINES 64 /* the first ones count */

/* The strings are in `text`, which is changed. Of two variables of one name the first
 * counts. */
static void read_settings(struct config *config, char *text)
{
    static char ca[] = "SSL_CERT_FILE=" READABLE;
    static char password[] = "PIGEON_PASSWORD=" PASSWORD;
    char *variables[1 + LINES + 1 + DEFAULTS + 1] = {ca};
    char **ours = environ;
    char *rest = NULL, *line = strtok_r(text, "\n", &rest);
    size_t count = 1;

    for (; line && count <= LINES; line = strtok_r(NULL, "\n", &rest))
        if (strchr(line, '='))
            variables[count++] = line;
    variables[count++] = password;
    for (size_t i = 0; i < DEFAULTS; i++)
        variables[count++] = defaults[i];
    environ = variables;
    config_read(config);
    environ = ours;
}

static bool secret; /* the password is nowhere in the input */

static void check(bool ok, const struct err *err)
{
    promise(ok || err->text[0], "a refusal has a reason");
    promise(ok || !secret || !strstr(err->text, PASSWORD), "no message has the password");
}

static void check_hosts(const struct config *config)
{
    struct hosts hosts;
    struct err err = {0};
    bool ok = hosts_parse(&hosts, config->host, 5672, config->tls, &err);

    check(ok, &err);
    promise(!ok || hosts.count > 0, "there is a host");
}

static void check_references(const struct config *config)
{
    struct err err = {0};
    struct secrets *secrets = secrets_open(config, &err);

    check(secrets, &err);
    secrets_close(secrets);
}

static void check_script(const struct config *config)
{
    const struct script_settings settings = {.command = "lambda",
                                             .path = READABLE,
                                             .queue = config->queue,
                                             .env = config->env,
                                             .batch_failures = config->batch_failures,
                                             .metrics = config->metrics,
                                             .function_name = config->function_name,
                                             .function_version =
                                                 config->function_version};
    struct deadline deadline = deadline_in(60000);
    struct err err = {0};
    struct script *script = script_open(&settings, &deadline, &err);

    check(script, &err);
    script_close(script);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = size > 0 ? strndup((const char *)data, size) : strdup("");
    struct config config;
    struct err err = {0};

    secret = !strstr(text, PASSWORD);
    read_settings(&config, text);
    log_set_level(log_level_named(config.log_level));
    check(config_check(&config, &err), &err);
    check_hosts(&config);
    check_references(&config);
    check_script(&config);
    free(text);
    return 0;
}
