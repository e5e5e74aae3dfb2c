/* config.h -- every environment variable, read once and nowhere else.
 *
 * The strings belong to the environment and live as long as the process, but for the
 * secrets that config_hide() takes over. Settings that
 * need no system call to check (PIGEON_QUEUE, PIGEON_ENV, PIGEON_BATCH_FAILURES,
 * PIGEON_METRICS) are checked in lua/pigeon. PIGEON_HOST is parsed in net/hosts.c, TLS
 * files in net/tls.c, references to secrets in aws/reference.c. */
#ifndef PIGEON_CONFIG_H
#define PIGEON_CONFIG_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/err.h"

struct config {
    /* set by Lambda; NULL: not set */
    const char *runtime_api;      /* AWS_LAMBDA_RUNTIME_API, host:port */
    const char *handler;          /* _HANDLER, the name of the rules script */
    const char *task_root;        /* LAMBDA_TASK_ROOT, the folder of the unpacked zip */
    const char *function_name;    /* AWS_LAMBDA_FUNCTION_NAME */
    const char *function_version; /* AWS_LAMBDA_FUNCTION_VERSION: a number, or $LATEST */
    const char *log_stream;       /* AWS_LAMBDA_LOG_STREAM_NAME */
    const char *log_level;        /* AWS_LAMBDA_LOG_LEVEL */
    const char *log_format;       /* AWS_LAMBDA_LOG_FORMAT */
    long memory_mb;               /* AWS_LAMBDA_FUNCTION_MEMORY_SIZE; 0: not set */
    const char *initialization_type; /* AWS_LAMBDA_INITIALIZATION_TYPE */
    long max_concurrency;            /* AWS_LAMBDA_MAX_CONCURRENCY; 0: not set */

    /* required, set by people; NULL: not set */
    const char *host;         /* PIGEON_HOST */
    const char *port_text;    /* PIGEON_PORT, as text */
    int port;                 /* the same as a number from 1 to 65535, by config_check */
    const char *virtual_host; /* PIGEON_VIRTUAL_HOST */
    const char *user;         /* PIGEON_USER; may be missing beside a token, "sts:..." */
    const char *password;     /* PIGEON_PASSWORD; both: config_external() */
    const char *queue;        /* PIGEON_QUEUE */
    const char *aws_region;   /* PIGEON_AWS_REGION */

    /* optional, set by people */
    const char *env;            /* PIGEON_ENV */
    const char *batch_failures; /* PIGEON_BATCH_FAILURES */
    const char *tls;            /* PIGEON_TLS, "on" or "off" by config_check */
    const char *tls_ca_file;    /* PIGEON_TLS_CA_FILE */
    const char *tls_cert_file;  /* PIGEON_TLS_CERT_FILE */
    const char *tls_key_file;   /* PIGEON_TLS_KEY_FILE */
    const char *ssl_cert_file;  /* SSL_CERT_FILE, OpenSSL's own */
    const char *shadow_rules;   /* PIGEON_SHADOW_RULES, a file beside the rules script */
    const char *metrics;        /* PIGEON_METRICS */
    const char *extension;      /* PIGEON_EXTENSION, "on" or "off" by config_check */

    /* for calls to AWS: Lambda sets the credentials, people may set the endpoints */
    const char *aws_key_id;        /* AWS_ACCESS_KEY_ID */
    const char *aws_secret_key;    /* AWS_SECRET_ACCESS_KEY */
    const char *aws_session_token; /* AWS_SESSION_TOKEN */
    const char *credentials_uri;   /* AWS_CONTAINER_CREDENTIALS_FULL_URI: where they are
                                      where the three above are not set */
    const char *credentials_token; /* AWS_CONTAINER_AUTHORIZATION_TOKEN */
    const char *credentials_token_file; /* AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE */
    const char *endpoint;               /* AWS_ENDPOINT_URL */
    const char *endpoint_kms;           /* AWS_ENDPOINT_URL_KMS */
    const char *endpoint_ssm;           /* AWS_ENDPOINT_URL_SSM */
    const char *endpoint_secrets;       /* AWS_ENDPOINT_URL_SECRETS_MANAGER */
    const char *endpoint_sts;           /* AWS_ENDPOINT_URL_STS */

    const char *now; /* SOURCE_DATE_EPOCH, the time for what has to be the same at any
                      * time; NULL: the clock's */

    bool hidden; /* config_hide() has copies of the secrets */
};

/* Whether a variable has a value: set but empty counts as missing. */
static inline bool is_set(const char *value)
{
    return value && value[0] != '\0';
}

/* Reads the environment; checks nothing. */
void config_read(struct config *config);

/* Appends the names that begin with PIGEON_, a space after each: of all variables, and of
 * those that are set. False: out of memory. */
bool config_names(struct buffer *known, struct buffer *set);

/* Takes the secrets out of the environment: PIGEON_PASSWORD, AWS_SECRET_ACCESS_KEY,
 * AWS_SESSION_TOKEN and AWS_CONTAINER_AUTHORIZATION_TOKEN are the config's alone from now
 * on, and /proc/PID/environ no longer shows them. False: out of memory. */
bool config_hide(struct config *config, struct err *err);

/* Wipes what config_hide() took. */
void config_close(struct config *config);

/* Checks what Lambda needs: each required variable set (set but empty counts as missing),
 * the port a port, the region a region's name, TLS and the extension on or off, a
 * certificate with its key. False:
 * the cause is CAUSE_MISSING_SETTING (the text names every missing one), or
 * CAUSE_BAD_SETTING (variable, position and value). */
bool config_check(struct config *config, struct err *err);

/* Whether the client certificate is the login (SASL EXTERNAL): there is one, and neither
 * a user nor a password. */
bool config_external(const struct config *config);

/* Checks the part of it that needs no other setting: that PIGEON_TLS and PIGEON_EXTENSION
 * are on or off, and that a certificate has its key. */
bool config_check_switches(const struct config *config, struct err *err);

/* Whether Pigeon registers as an internal extension: unless PIGEON_EXTENSION is off. */
bool config_extends(const struct config *config);

/* Whether Lambda starts environments before there is an event, as with provisioned
 * concurrency: then nobody waits for the start. */
bool config_starts_ahead(const struct config *config);

#endif
