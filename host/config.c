/* config.c -- reads the environment, and checks the settings that Lambda needs. */
#include "config.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/shown.h"
#include "base/wipe.h"

extern char **environ;

/* Where each variable goes. */
#define STRING(name, member, empty_is_null)                  \
    {                                                        \
        name, offsetof(struct config, member), empty_is_null \
    }

static const struct variable {
    const char *name;
    size_t at;
    bool empty_is_null;
} variables[] = {
    STRING("AWS_LAMBDA_RUNTIME_API", runtime_api, false),
    STRING("_HANDLER", handler, false),
    STRING("LAMBDA_TASK_ROOT", task_root, false),
    STRING("AWS_LAMBDA_FUNCTION_NAME", function_name, false),
    STRING("AWS_LAMBDA_FUNCTION_VERSION", function_version, false),
    STRING("AWS_LAMBDA_LOG_STREAM_NAME", log_stream, false),
    STRING("AWS_LAMBDA_LOG_LEVEL", log_level, false),
    STRING("AWS_LAMBDA_LOG_FORMAT", log_format, false),
    STRING("AWS_LAMBDA_INITIALIZATION_TYPE", initialization_type, true),
    STRING("PIGEON_HOST", host, false),
    STRING("PIGEON_PORT", port_text, false),
    STRING("PIGEON_VIRTUAL_HOST", virtual_host, false),
    STRING("PIGEON_USER", user, false),
    STRING("PIGEON_PASSWORD", password, false),
    STRING("PIGEON_QUEUE", queue, false),
    STRING("PIGEON_AWS_REGION", aws_region, false),
    STRING("PIGEON_ENV", env, false),
    STRING("PIGEON_BATCH_FAILURES", batch_failures, false),
    STRING("PIGEON_TLS", tls, true),
    STRING("PIGEON_TLS_CA_FILE", tls_ca_file, true),
    STRING("PIGEON_TLS_CERT_FILE", tls_cert_file, true),
    STRING("PIGEON_TLS_KEY_FILE", tls_key_file, true),
    STRING("SSL_CERT_FILE", ssl_cert_file, true),
    STRING("PIGEON_SHADOW_RULES", shadow_rules, true),
    STRING("PIGEON_METRICS", metrics, false),
    STRING("PIGEON_EXTENSION", extension, true),
    STRING("AWS_ACCESS_KEY_ID", aws_key_id, false),
    STRING("AWS_SECRET_ACCESS_KEY", aws_secret_key, false),
    STRING("AWS_SESSION_TOKEN", aws_session_token, false),
    STRING("AWS_CONTAINER_CREDENTIALS_FULL_URI", credentials_uri, true),
    STRING("AWS_CONTAINER_AUTHORIZATION_TOKEN", credentials_token, true),
    STRING("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", credentials_token_file, true),
    STRING("AWS_ENDPOINT_URL", endpoint, false),
    STRING("AWS_ENDPOINT_URL_KMS", endpoint_kms, false),
    STRING("AWS_ENDPOINT_URL_SSM", endpoint_ssm, false),
    STRING("AWS_ENDPOINT_URL_SECRETS_MANAGER", endpoint_secrets, false),
    STRING("AWS_ENDPOINT_URL_STS", endpoint_sts, false),
    STRING("SOURCE_DATE_EPOCH", now, true),
};

#define PREFIX "PIGEON_"
#define COUNT (sizeof(variables) / sizeof(variables[0]))

static long read_number(const char *name)
{
    const char *text = getenv(name);

    return text ? strtol(text, NULL, 10) : 0;
}

void config_read(struct config *config)
{
    *config = (struct config){
        .memory_mb = read_number("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
        .max_concurrency = read_number("AWS_LAMBDA_MAX_CONCURRENCY"),
    };
    for (size_t i = 0; i < COUNT; i++) {
        const char *value = getenv(variables[i].name);

        if (value && value[0] == '\0' && variables[i].empty_is_null)
            value = NULL;
        memcpy((char *)config + variables[i].at, &value, sizeof(value));
    }
}

/* Appends the name and a space, where it is one of Pigeon's. */
static bool append_name(struct buffer *names, const char *name, size_t len)
{
    return strncmp(name, PREFIX, strlen(PREFIX)) != 0 ||
           (buffer_append(names, name, len) && buffer_append(names, " ", 1));
}

bool config_names(struct buffer *known, struct buffer *set)
{
    bool ok = true;

    for (size_t i = 0; ok && i < COUNT; i++)
        ok = append_name(known, variables[i].name, strlen(variables[i].name));
    for (size_t i = 0; ok && environ[i]; i++)
        ok = append_name(set, environ[i], strcspn(environ[i], "="));
    return ok;
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
    config->hidden =
        hide(&config->password, "PIGEON_PASSWORD", err) &&
        hide(&config->aws_secret_key, "AWS_SECRET_ACCESS_KEY", err) &&
        hide(&config->aws_session_token, "AWS_SESSION_TOKEN", err) &&
        hide(&config->credentials_token, "AWS_CONTAINER_AUTHORIZATION_TOKEN", err);
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
    forget(&config->credentials_token);
}

/* ------------------------------------------------------------- checks */

bool config_external(const struct config *config)
{
    return is_set(config->tls_cert_file) && !is_set(config->user) &&
           !is_set(config->password);
}

static bool check_required(const struct config *config, struct err *err)
{
    const char *by_certificate = config_external(config) ? "the certificate" : NULL;
    /* A token of STS names its owner. */
    bool by_token = config->password && strncmp(config->password, "sts:", 4) == 0;
    const struct {
        const char *name;
        const char *value;
    } required[] = {
        {"PIGEON_HOST", config->host},
        {"PIGEON_PORT", config->port_text},
        {"PIGEON_VIRTUAL_HOST", config->virtual_host},
        {"PIGEON_USER", by_certificate ? by_certificate
                        : by_token     ? "the token"
                                       : config->user},
        {"PIGEON_PASSWORD", by_certificate ? by_certificate : config->password},
        {"PIGEON_QUEUE", config->queue},
        {"PIGEON_AWS_REGION", config->aws_region},
    };
    char missing[256] = "";
    size_t used = 0, i;

    for (i = 0; i < sizeof(required) / sizeof(required[0]); i++)
        if (!is_set(required[i].value))
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

/* Also, so that it cannot lead to another host. */
static bool check_region(const struct config *config, struct err *err)
{
    const char *region = config->aws_region;

    if (region[strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0')
        return true;
    return err_set(err, CAUSE_BAD_SETTING,
                   "PIGEON_AWS_REGION is \"%s\", which is not a region name (example: "
                   "us-west-2)",
                   show(region).text);
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

static bool check_extension(const struct config *config, struct err *err)
{
    return !config->extension || strcmp(config->extension, "on") == 0 ||
           strcmp(config->extension, "off") == 0 ||
           err_set(err, CAUSE_BAD_SETTING,
                   "PIGEON_EXTENSION: \"%s\" is neither \"on\" nor \"off\"",
                   show(config->extension).text);
}

bool config_check_switches(const struct config *config, struct err *err)
{
    return check_tls(config, err) && check_extension(config, err);
}

bool config_check(struct config *config, struct err *err)
{
    return check_required(config, err) && check_port(config, err) &&
           check_region(config, err) && config_check_switches(config, err);
}

bool config_extends(const struct config *config)
{
    return !config->extension || strcmp(config->extension, "off") != 0;
}

bool config_starts_ahead(const struct config *config)
{
    return config->initialization_type &&
           strcmp(config->initialization_type, "on-demand") != 0;
}
