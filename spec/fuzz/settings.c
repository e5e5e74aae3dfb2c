/* settings.c -- the variables that people set, a line each: NAME=value. Those that are
 * not there have a value that is right. */
#include <string.h>

#include "aws/secrets.h"
#include "base/log.h"
#include "fuzz.h"
#include "lua/script.h"
#include "net/hosts.h"

#define PASSWORD "correct horse battery"
#define READABLE "rules/rules.lua" /* for what has to be a file */

/* One of the config's strings. */
struct setting {
    const char *name;
    const char **value;
};

static void set(const struct setting *settings, size_t count, char *line)
{
    char *value = strchr(line, '=');

    if (!value)
        return;
    *value++ = '\0';
    for (size_t i = 0; i < count; i++)
        if (strcmp(settings[i].name, line) == 0)
            *settings[i].value = value;
}

/* The strings are in `text`, which is changed. */
static void read_settings(struct config *config, char *text)
{
    const struct setting settings[] = {
        {"PIGEON_HOST", &config->host},
        {"PIGEON_PORT", &config->port_text},
        {"PIGEON_VIRTUAL_HOST", &config->virtual_host},
        {"PIGEON_USER", &config->user},
        {"PIGEON_PASSWORD", &config->password},
        {"PIGEON_QUEUE", &config->queue},
        {"PIGEON_AWS_REGION", &config->aws_region},
        {"PIGEON_ENV", &config->env},
        {"PIGEON_BATCH_FAILURES", &config->batch_failures},
        {"PIGEON_METRICS", &config->metrics},
        {"PIGEON_TLS", &config->tls},
        {"PIGEON_TLS_CERT_FILE", &config->tls_cert_file},
        {"PIGEON_TLS_KEY_FILE", &config->tls_key_file},
        {"AWS_ENDPOINT_URL", &config->endpoint},
        {"AWS_ENDPOINT_URL_SECRETS_MANAGER", &config->endpoint_secrets},
        {"AWS_LAMBDA_FUNCTION_NAME", &config->function_name},
        {"AWS_LAMBDA_FUNCTION_VERSION", &config->function_version},
        {"AWS_LAMBDA_LOG_LEVEL", &config->log_level},
    };
    char *rest = NULL;

    *config = (struct config){.host = "localhost",
                              .port_text = "5672",
                              .virtual_host = "/",
                              .user = "guest",
                              .password = PASSWORD,
                              .queue = "normal",
                              .aws_region = "us-west-2",
                              .ssl_cert_file = READABLE};
    for (char *line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest))
        set(settings, sizeof(settings) / sizeof(settings[0]), line);
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
