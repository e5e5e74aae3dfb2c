/* config.c -- reads the environment, and checks the settings that Lambda needs. */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/shown.h"
#include "base/wipe.h"

/* NULL where it is empty, too. */
static const char *optional(const char *name)
{
    const char *value = getenv(name);

    return value && value[0] != '\0' ? value : NULL;
}

void config_read(struct config *config)
{
    const char *memory = getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");

    *config = (struct config){
        .runtime_api = getenv("AWS_LAMBDA_RUNTIME_API"),
        .handler = getenv("_HANDLER"),
        .task_root = getenv("LAMBDA_TASK_ROOT"),
        .function_name = getenv("AWS_LAMBDA_FUNCTION_NAME"),
        .function_version = getenv("AWS_LAMBDA_FUNCTION_VERSION"),
        .log_stream = getenv("AWS_LAMBDA_LOG_STREAM_NAME"),
        .log_level = getenv("AWS_LAMBDA_LOG_LEVEL"),
        .log_format = getenv("AWS_LAMBDA_LOG_FORMAT"),
        .memory_mb = memory ? strtol(memory, NULL, 10) : 0,
        .host = getenv("PIGEON_HOST"),
        .port_text = getenv("PIGEON_PORT"),
        .virtual_host = getenv("PIGEON_VIRTUAL_HOST"),
        .user = getenv("PIGEON_USER"),
        .password = getenv("PIGEON_PASSWORD"),
        .queue = getenv("PIGEON_QUEUE"),
        .aws_region = getenv("PIGEON_AWS_REGION"),
        .env = getenv("PIGEON_ENV"),
        .batch_failures = getenv("PIGEON_BATCH_FAILURES"),
        .tls = optional("PIGEON_TLS"),
        .tls_ca_file = optional("PIGEON_TLS_CA_FILE"),
        .tls_cert_file = optional("PIGEON_TLS_CERT_FILE"),
        .tls_key_file = optional("PIGEON_TLS_KEY_FILE"),
        .ssl_cert_file = optional("SSL_CERT_FILE"),
        .shadow_rules = optional("PIGEON_SHADOW_RULES"),
        .metrics = getenv("PIGEON_METRICS"),
        .aws_key_id = getenv("AWS_ACCESS_KEY_ID"),
        .aws_secret_key = getenv("AWS_SECRET_ACCESS_KEY"),
        .aws_session_token = getenv("AWS_SESSION_TOKEN"),
        .endpoint = getenv("AWS_ENDPOINT_URL"),
        .endpoint_kms = getenv("AWS_ENDPOINT_URL_KMS"),
        .endpoint_ssm = getenv("AWS_ENDPOINT_URL_SSM"),
        .endpoint_secrets = getenv("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
    };
}

/* ------------------------------------------------------------- secrets */

static bool hide(const char **value, const char *name, struct err *err)
{
    char *shown = getenv(name);

    *value = shown ? strdup(shown) : NULL;
    if (shown && !*value)
        return err_set(err, CAUSE_MEMORY, "out of memory");
    if (shown)
        explicit_bzero(shown, strlen(shown)); /* unsetenv() leaves the bytes */
    unsetenv(name);
    return true;
}

bool config_hide(struct config *config, struct err *err)
{
    config->hidden = hide(&config->password, "PIGEON_PASSWORD", err) &&
                     hide(&config->aws_secret_key, "AWS_SECRET_ACCESS_KEY", err) &&
                     hide(&config->aws_session_token, "AWS_SESSION_TOKEN", err);
    return config->hidden;
}

static void forget(const char **value)
{
    wipe_free((void *)(uintptr_t)*value);
    *value = NULL;
}

void config_close(struct config *config)
{
    if (!config->hidden)
        return;
    forget(&config->password);
    forget(&config->aws_secret_key);
    forget(&config->aws_session_token);
}

/* ------------------------------------------------------------- checks */

static bool check_required(const struct config *config, struct err *err)
{
    const struct {
        const char *name;
        const char *value;
    } required[] = {
        {"PIGEON_HOST", config->host},
        {"PIGEON_PORT", config->port_text},
        {"PIGEON_VIRTUAL_HOST", config->virtual_host},
        {"PIGEON_USER", config->user},
        {"PIGEON_PASSWORD", config->password},
        {"PIGEON_QUEUE", config->queue},
        {"PIGEON_AWS_REGION", config->aws_region},
    };
    char missing[256] = "";
    size_t used = 0, i;

    for (i = 0; i < sizeof(required) / sizeof(required[0]); i++)
        if (!required[i].value || required[i].value[0] == '\0')
            used += (size_t)snprintf(missing + used, sizeof(missing) - used, "%s%s",
                                     used ? ", " : "", required[i].name);
    if (used == 0)
        return true;
    return err_set(err, CAUSE_MISSING_SETTING,
                   "missing or empty: %s; set it in the function's environment variables",
                   missing);
}

static bool check_port(struct config *config, struct err *err)
{
    const char *text = config->port_text;
    size_t digits = strspn(text, "0123456789");
    long port = strtol(text, NULL, 10); /* LONG_MAX where there are too many digits */

    if (text[digits] != '\0')
        return err_set(
            err, CAUSE_BAD_SETTING,
            "PIGEON_PORT, position %zu: \"%s\" is not a digit, in \"%s\"; a port "
            "is a number from 1 to 65535",
            digits + 1, show((const char[]){text[digits], '\0'}).text, show(text).text);
    if (port < 1 || port > 65535)
        return err_set(err, CAUSE_BAD_SETTING,
                       "PIGEON_PORT, position 1: \"%s\" is not a port from 1 to 65535",
                       show(text).text);
    config->port = (int)port;
    return true;
}

static bool check_tls(const struct config *config, struct err *err)
{
    bool with_certificate = config->tls_cert_file != NULL;

    if (config->tls && strcmp(config->tls, "on") != 0 && strcmp(config->tls, "off") != 0)
        return err_set(err, CAUSE_BAD_SETTING,
                       "PIGEON_TLS: \"%s\" is neither \"on\" nor \"off\"",
                       show(config->tls).text);
    if (with_certificate != (config->tls_key_file != NULL))
        return err_set(err, CAUSE_MISSING_SETTING,
                       "%s is set, and %s is not: a client certificate needs both",
                       with_certificate ? "PIGEON_TLS_CERT_FILE" : "PIGEON_TLS_KEY_FILE",
                       with_certificate ? "PIGEON_TLS_KEY_FILE" : "PIGEON_TLS_CERT_FILE");
    return true;
}

bool config_check(struct config *config, struct err *err)
{
    return check_required(config, err) && check_port(config, err) &&
           check_tls(config, err);
}
