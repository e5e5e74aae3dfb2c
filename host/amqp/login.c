/* login.c -- the AMQP login, from the protocol header to a channel in confirm mode.
 *
 * rabbitmq-c's own login waits for each answer. Here every method that needs no answer
 * first is sent at once, which saves two round trips: 2.3 of 9.3 ms of a start where the
 * broker is 1 ms away. */
#include "amqp/login.h"

#include <amqp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "amqp/connection.h"
#include "base/wipe.h"

#define SHORT_STRING 255 /* bytes, the most that a name of AMQP has */
#define FRAME_MAX 8192   /* enough: messages are small, and buffers have its size */

static amqp_table_entry_t true_entry(const char *key)
{
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(key),
        .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}};
}

static bool send_header(struct connection *connection, struct err *err)
{
    int status;

    errno = 0;
    status = amqp_send_header(connection->amqp);
    return status == AMQP_STATUS_OK || connection_fail(connection, err, "login", status);
}

/* The next method on `channel`, which has to be the wanted one; NULL: err. It stays
 * until the buffers are released. */
static const void *await(struct connection *connection, amqp_channel_t channel,
                         amqp_method_number_t wanted, const struct deadline *deadline,
                         struct err *err)
{
    const char *stage = channel == 0 ? "login" : "channel";
    struct timeval left = connection_wait(deadline_left_ms(deadline));
    amqp_frame_t frame;
    const amqp_method_t *method = &frame.payload.method;
    int status;

    errno = 0;
    status = amqp_simple_wait_frame_noblock(connection->amqp, &frame, &left);
    if (status == AMQP_STATUS_OK && frame.frame_type != AMQP_FRAME_METHOD)
        status = AMQP_STATUS_WRONG_METHOD;
    if (status != AMQP_STATUS_OK) {
        connection_fail(connection, err, stage, status);
        return NULL;
    }
    if (method->id == wanted && frame.channel == channel)
        return method->decoded;
    if (method->id == AMQP_CONNECTION_CLOSE_METHOD ||
        method->id == AMQP_CHANNEL_CLOSE_METHOD)
        connection_fail_closed(connection, err, stage, method);
    else if (method->id == AMQP_CONNECTION_BLOCKED_METHOD)
        connection_fail_blocked(err, method);
    else
        connection_fail(connection, err, stage, AMQP_STATUS_WRONG_METHOD);
    return NULL;
}

static bool send_method(struct connection *connection, amqp_channel_t channel,
                        amqp_method_number_t id, void *method, struct err *err)
{
    int status;

    errno = 0;
    status = amqp_send_method(connection->amqp, channel, id, method);
    return status == AMQP_STATUS_OK || connection_fail(connection, err, "login", status);
}

static const char *mechanism(const struct login *login)
{
    return login->external ? "EXTERNAL" : "PLAIN";
}

/* Whether a list of words has the word. */
static bool offers(amqp_bytes_t mechanisms, const char *word)
{
    const char *at = mechanisms.bytes;
    const char *end = at + mechanisms.len;
    const char *stop;
    size_t len = strlen(word);

    for (; at < end; at = stop + 1) {
        stop = memchr(at, ' ', (size_t)(end - at));
        stop = stop ? stop : end;
        if ((size_t)(stop - at) == len && memcmp(at, word, len) == 0)
            return true;
    }
    return false;
}

/* RabbitMQ offers EXTERNAL over TLS alone. */
static bool fail_mechanism(const struct connection *connection, amqp_bytes_t offered,
                           struct err *err)
{
    bool external = connection->login.external;
    char words[201];
    size_t len = offered.len < sizeof(words) ? offered.len : sizeof(words) - 1;

    for (size_t i = 0; i < len; i++) {
        char c = ((const char *)offered.bytes)[i];

        words[i] = c >= ' ' && c <= '~' ? c : '?';
    }
    words[len] = '\0';
    return err_set_at(err, external ? CAUSE_NO_EXTERNAL : CAUSE_NO_PLAIN, "login", 0,
                      "the broker does not offer the mechanism %s%s; it offers \"%s\"",
                      mechanism(&connection->login),
                      external && !connection->secure ? " (and this is not TLS)" : "",
                      words);
}

/* What the mechanism sends: for PLAIN, NUL user NUL password (RFC 4616); for EXTERNAL
 * nothing, the certificate was shown. False: out of memory. */
static bool make_response(const struct login *login, amqp_bytes_t *response)
{
    size_t user_len = login->external ? 0 : strlen(login->user);
    size_t len = login->external ? 0 : user_len + strlen(login->password) + 2;
    char *text = calloc(1, len + 1);

    if (text && !login->external) {
        strcpy(text + 1, login->user);
        strcpy(text + 1 + user_len + 1, login->password);
    }
    *response = (amqp_bytes_t){.len = len, .bytes = text};
    return text != NULL;
}

/* ------------------------------------------------------------- the first frame */

/* START-OK, which has the password, is sent before the two sides agree on the size of a
 * frame. RabbitMQ ends the connection at one that is larger than this, after 3 s and
 * without a word (rabbit_reader.erl). */
struct first_frame {
    size_t max;  /* bytes of payload, unless it was raised */
    size_t most; /* that it can have been raised to */
};

#define FIRST_FRAME_BEFORE_4_1 4096
#define FIRST_FRAME 8192       /* initial_frame_max, unless set */
#define FIRST_FRAME_MOST 65528 /* that rabbitmq-c sends before tune */

static bool is_named(const amqp_table_entry_t *entry, const char *key)
{
    return entry->key.len == strlen(key) &&
           memcmp(entry->key.bytes, key, entry->key.len) == 0 &&
           (entry->value.kind == AMQP_FIELD_KIND_UTF8 ||
            entry->value.kind == AMQP_FIELD_KIND_BYTES);
}

/* A text of the broker's properties; "": it has none of that name. */
static void property(const amqp_table_t *properties, const char *key, char *text,
                     size_t size)
{
    text[0] = '\0';
    for (int i = 0; i < properties->num_entries; i++)
        if (is_named(&properties->entries[i], key))
            snprintf(text, size, "%.*s",
                     (int)properties->entries[i].value.value.bytes.len,
                     (const char *)properties->entries[i].value.value.bytes.bytes);
}

static struct first_frame first_frame(const amqp_connection_start_t *start)
{
    char product[16], version[16];
    unsigned major = 0, minor = 0;

    property(&start->server_properties, "product", product, sizeof(product));
    property(&start->server_properties, "version", version, sizeof(version));
    if (strcmp(product, "RabbitMQ") != 0 ||
        sscanf(version, "%3u.%3u", &major, &minor) != 2)
        return (struct first_frame){FIRST_FRAME_BEFORE_4_1, FIRST_FRAME_MOST};
    if (major < 4 || (major == 4 && minor == 0))
        return (struct first_frame){FIRST_FRAME_BEFORE_4_1, FIRST_FRAME_BEFORE_4_1};
    return (struct first_frame){FIRST_FRAME, FIRST_FRAME_MOST};
}

/* The bytes of payload that the method has. */
static size_t payload_of(amqp_connection_start_ok_t *start_ok)
{
    size_t room = start_ok->response.len + 1024; /* for all else */
    char *bytes = malloc(room);
    int len = bytes ? amqp_encode_method(AMQP_CONNECTION_START_OK_METHOD, start_ok,
                                         (amqp_bytes_t){.len = room, .bytes = bytes})
                    : 0;

    wipe_free(bytes);
    return len > 0 ? (size_t)len + sizeof(amqp_method_number_t) : 0;
}

static bool fail_size(const struct first_frame *first, size_t len, struct err *err)
{
    return err_set_at(
        err, CAUSE_PASSWORD_TOO_LONG, "login", 0,
        len > first->most
            ? "PIGEON_PASSWORD is too long: with it the login has %zu bytes, and "
              "at most %zu can be sent to this broker"
            : "PIGEON_PASSWORD is too long: with it the login has %zu bytes, and "
              "the broker did not answer it; it takes %zu, unless its "
              "initial_frame_max is set",
        len, len > first->most ? first->most : first->max);
}

/* ------------------------------------------------------------- START-OK */

/* *len becomes how many bytes were sent. */
static bool send_start_ok(struct connection *connection,
                          const amqp_connection_start_t *start,
                          const struct first_frame *first, size_t *len, struct err *err)
{
    const struct login *login = &connection->login;
    amqp_table_entry_t capabilities[] = {true_entry("authentication_failure_close"),
                                         true_entry("connection.blocked")};
    amqp_table_entry_t properties[] = {
        connection_text("product", "Pigeon"),
        connection_text("version", PIGEON_VERSION),
        connection_text("connection_name", login->connection_name),
        {.key = amqp_cstring_bytes("capabilities"),
         .value = {.kind = AMQP_FIELD_KIND_TABLE,
                   .value.table = {.num_entries = 2, .entries = capabilities}}}};
    amqp_connection_start_ok_t start_ok = {
        .client_properties = {.num_entries = 4, .entries = properties},
        .mechanism = amqp_cstring_bytes(mechanism(login)),
        .locale = amqp_cstring_bytes("en_US")};
    bool ok;

    if (!offers(start->mechanisms, mechanism(login)))
        return fail_mechanism(connection, start->mechanisms, err);
    if (!make_response(login, &start_ok.response))
        return err_set_at(err, CAUSE_MEMORY, "login", 0, "out of memory");
    *len = payload_of(&start_ok);
    if (*len > first->most)
        ok = fail_size(first, *len, err);
    else
        ok = send_method(connection, 0, AMQP_CONNECTION_START_OK_METHOD, &start_ok, err);
    wipe_free(start_ok.response.bytes);
    return ok;
}

/* From the broker, 0 means no limit, and a heartbeat of 0 no heartbeat. */
static uint32_t lower(uint32_t ours, uint32_t brokers)
{
    return brokers != 0 && brokers < ours ? brokers : ours;
}

static bool tune(struct connection *connection, const amqp_connection_tune_t *tune,
                 struct err *err)
{
    amqp_connection_tune_ok_t ok = {.channel_max = CHANNEL,
                                    .frame_max = lower(FRAME_MAX, tune->frame_max),
                                    .heartbeat =
                                        (uint16_t)lower(HEARTBEAT_S, tune->heartbeat)};
    int status = amqp_tune_connection(connection->amqp, ok.channel_max, (int)ok.frame_max,
                                      ok.heartbeat);

    if (status != AMQP_STATUS_OK)
        return connection_fail(connection, err, "login", status);
    return send_method(connection, 0, AMQP_CONNECTION_TUNE_OK_METHOD, &ok, err);
}

bool login_run(struct connection *connection, const struct deadline *deadline,
               struct err *err)
{
    amqp_connection_open_t open = {
        .virtual_host = amqp_cstring_bytes(connection->login.virtual_host)};
    amqp_channel_open_t channel = {0};
    amqp_confirm_select_t confirm = {0};
    const amqp_connection_start_t *start = NULL;
    const amqp_connection_tune_t *limits = NULL;
    struct first_frame first = {0};
    size_t len = 0;
    bool ok;

    if (open.virtual_host.len > SHORT_STRING)
        return err_set_at(err, CAUSE_VHOST_MISSING, "login", 0,
                          "PIGEON_VIRTUAL_HOST has %zu bytes, and a virtual host's name "
                          "at most %d",
                          open.virtual_host.len, SHORT_STRING);
    if (send_header(connection, err))
        start = await(connection, 0, AMQP_CONNECTION_START_METHOD, deadline, err);
    if (start)
        first = first_frame(start);
    if (start && send_start_ok(connection, start, &first, &len, err)) {
        limits = await(connection, 0, AMQP_CONNECTION_TUNE_METHOD, deadline, err);
        if (!limits && err->code == 0 && len > first.max)
            fail_size(&first, len, err);
    }
    ok = limits && tune(connection, limits, err) &&
         send_method(connection, 0, AMQP_CONNECTION_OPEN_METHOD, &open, err) &&
         send_method(connection, CHANNEL, AMQP_CHANNEL_OPEN_METHOD, &channel, err) &&
         send_method(connection, CHANNEL, AMQP_CONFIRM_SELECT_METHOD, &confirm, err) &&
         await(connection, 0, AMQP_CONNECTION_OPEN_OK_METHOD, deadline, err) &&
         await(connection, CHANNEL, AMQP_CHANNEL_OPEN_OK_METHOD, deadline, err) &&
         await(connection, CHANNEL, AMQP_CONFIRM_SELECT_OK_METHOD, deadline, err);
    amqp_maybe_release_buffers(connection->amqp);
    if (start && err->cause == CAUSE_LOGIN_UNANSWERED)
        err->cause = CAUSE_LOGIN;
    return ok;
}
