/* plain.c -- what one would write first in C for the same work, with libcurl, jansson and
 * rabbitmq-c's own login: `make bench LONG=1` compares it. */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <curl/curl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char request_id[64];

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "plain: %s\n", what);
    exit(1);
}

struct body {
    char *data;
    size_t len;
};

static size_t take_body(char *data, size_t size, size_t count, void *user)
{
    struct body *body = user;

    body->data = realloc(body->data, body->len + size * count + 1);
    must(body->data != NULL, "out of memory");
    memcpy(body->data + body->len, data, size * count);
    body->len += size * count;
    body->data[body->len] = '\0';
    return size * count;
}

static size_t take_header(char *data, size_t size, size_t count, void *user)
{
    static const char name[] = "Lambda-Runtime-Aws-Request-Id: ";

    (void)user;
    if (size * count > sizeof(name) + 35 &&
        strncasecmp(data, name, sizeof(name) - 1) == 0)
        snprintf(request_id, sizeof(request_id), "%.36s", data + sizeof(name) - 1);
    return size * count;
}

static struct body call(CURL *curl, const char *path, const char *post)
{
    struct body body = {0};
    char url[256];

    snprintf(url, sizeof(url), "http://%s/2018-06-01/runtime/invocation/%s",
             getenv("AWS_LAMBDA_RUNTIME_API"), path);
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    if (post)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, post);
    must(curl_easy_perform(curl) == CURLE_OK, "the Runtime API");
    return body;
}

static amqp_connection_state_t connect_broker(void)
{
    amqp_connection_state_t broker = amqp_new_connection();
    int port = (int)strtol(getenv("PIGEON_PORT"), NULL, 10);

    must(amqp_socket_open(amqp_tcp_socket_new(broker), getenv("PIGEON_HOST"), port) == 0,
         "no broker");
    must(amqp_login(broker, getenv("PIGEON_VIRTUAL_HOST"), 0, 131072, 60,
                    AMQP_SASL_METHOD_PLAIN, getenv("PIGEON_USER"),
                    getenv("PIGEON_PASSWORD"))
                 .reply_type == AMQP_RESPONSE_NORMAL,
         "login");
    must(amqp_channel_open(broker, 1) != NULL, "channel.open");
    must(amqp_confirm_select(broker, 1) != NULL, "confirm.select");
    return broker;
}

static void publish(amqp_connection_state_t broker, const char *id)
{
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                  AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG,
        .content_type = amqp_cstring_bytes("text/plain"),
        .delivery_mode = AMQP_DELIVERY_PERSISTENT,
        .message_id = amqp_cstring_bytes(id),
        .timestamp = (uint64_t)time(NULL),
    };
    amqp_frame_t frame;

    must(amqp_basic_publish(broker, 1, amqp_empty_bytes,
                            amqp_cstring_bytes(getenv("PIGEON_QUEUE")), 1, 0, &properties,
                            amqp_cstring_bytes(id)) == AMQP_STATUS_OK,
         "publish");
    must(amqp_simple_wait_frame(broker, &frame) == AMQP_STATUS_OK &&
             frame.frame_type == AMQP_FRAME_METHOD &&
             frame.payload.method.id == AMQP_BASIC_ACK_METHOD,
         "no confirm");
    amqp_maybe_release_buffers(broker);
    printf("{\"level\":\"INFO\",\"message\":\"published\",\"crash_id\":\"%s\"}\n", id);
    fflush(stdout);
}

static void handle(amqp_connection_state_t broker, const char *event)
{
    json_t *root = json_loads(event, 0, NULL), *record;
    const char *name, *key;
    size_t i;

    json_array_foreach(json_object_get(root, "Records"), i, record)
    {
        must(json_unpack(record, "{s:s,s:{s:{s:s}}}", "eventName", &name, "s3", "object",
                         "key", &key) == 0,
             "no record of S3");
        if (strcmp(name, "ObjectCreated:Put") == 0 && strlen(key) > 36 &&
            strncmp(key, "v2/raw_crash/", 13) == 0 && key[strlen(key) - 7] == '1')
            publish(broker, key + strlen(key) - 36);
    }
    json_decref(root);
}

int main(void)
{
    amqp_connection_state_t broker = connect_broker();
    CURL *curl = curl_easy_init();
    char path[128];

    for (;;) {
        struct body event = call(curl, "next", NULL);

        handle(broker, event.data);
        free(event.data);
        snprintf(path, sizeof(path), "%s/response", request_id);
        free(call(curl, path, "null").data);
    }
}
