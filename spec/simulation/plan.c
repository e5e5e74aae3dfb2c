/* plan.c -- the settings are drawn in one order from one stream; each can be put back to
 * the plainest value without moving another. */
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "chance.h"
#include "network.h"
#include "schedule.h"
#include "trace.h"

#define HEARTBEAT_S 60         /* that RabbitMQ wants, unless set */
#define PIGEONS_HEARTBEAT_S 30 /* that Pigeon wants */

struct plan plan;

static bool outs[128][MOST_LEFT_OUT];
static int limits[128];

/* ------------------------------------------------------------- left out */

bool plan_is_out(enum kind kind, int number)
{
    return (limits[kind] > 0 && number > limits[kind]) ||
           (number >= 0 && number < MOST_LEFT_OUT && outs[kind][number]);
}

void plan_set_out(enum kind kind, int number, bool out)
{
    if (number >= 0 && number < MOST_LEFT_OUT)
        outs[kind][number] = out;
}

void plan_limit(enum kind kind, int most)
{
    limits[kind] = most;
}

bool plan_leave_out(const char *list)
{
    for (const char *at = list; *at != '\0';) {
        char *end;
        long number = strtol(at + 1, &end, 10);
        bool limit = *end == '-'; /* "f12-": all from there on */

        if (!strchr("fes", at[0]) || end == at + 1 || number < 1 ||
            number >= MOST_LEFT_OUT)
            return false;
        if (limit)
            plan_limit((enum kind)at[0], (int)number - 1);
        else
            plan_set_out((enum kind)at[0], (int)number, true);
        end += limit;
        if (*end != ',' && *end != '\0')
            return false;
        at = *end == ',' ? end + 1 : end;
    }
    return true;
}

/* ------------------------------------------------------------- settings */

static const char *const setting_names[SETTINGS + 1] = {
    "",
    "other hosts",
    "the third host",
    "calls that take long",
    "partial reads and writes",
    "jitter",
    "the small window",
    "POLLOUT without room",
    "TLS",
    "exchanges",
    "the shadow script",
    "the second queue",
    "the dead address",
    "names instead of addresses",
    "restarts",
    "secrets in AWS",
    "tasks of S3 Batch Operations",
    "the extension",
    "the short heartbeat",
};

const char *plan_setting_name(int number)
{
    return setting_names[number];
}

static void leave_out(void)
{
    bool out[SETTINGS + 1];

    for (int i = 1; i <= SETTINGS; i++)
        out[i] = plan_is_out(SETTING, i);
    plan.hosts = out[1] ? 1 : plan.hosts;
    plan.hosts = out[2] && plan.hosts > 2 ? 2 : plan.hosts;
    plan.hiccups = out[3] ? 0 : plan.hiccups;
    plan.drip = out[4] ? 0 : plan.drip;
    plan.jitter = out[5] ? 0 : plan.jitter;
    plan.window = out[6] ? 1 << 20 : plan.window;
    plan.lies = plan.lies && !out[7];
    plan.tls = plan.tls && !out[8];
    plan.exchange = plan.exchange && !out[9];
    plan.shadow = out[10] ? SHADOW_NONE : plan.shadow;
    plan.two_queues = plan.two_queues && !out[11];
    plan.dead_address = plan.dead_address && !out[12];
    plan.by_name = plan.by_name && !out[13];
    plan.restarts = out[14] ? 0 : plan.restarts;
    plan.secrets = plan.secrets && !out[15];
    plan.tasks = plan.tasks && !out[16];
    plan.extension = plan.extension && !out[17];
    plan.heartbeat_s = out[18] ? HEARTBEAT_S : plan.heartbeat_s;
}

static void draw_function(struct chance *chance)
{
    plan.sqs = happens(chance, 600);
    plan.partial = happens(chance, 700) && plan.sqs;
    plan.two_queues = happens(chance, 400);
    plan.secrets = happens(chance, 300);
    plan.by_name = happens(chance, 500);
    plan.tls = happens(chance, 250);
    plan.exchange = happens(chance, 250);
    plan.metrics = happens(chance, 300);
    plan.shadow =
        happens(chance, 200) ? 1 + (enum shadow)below(chance, SHADOWS - 1) : SHADOW_NONE;
    plan.hosts = 1 + (int)below(chance, MOST_HOSTS);
    plan.object_work = short_or_long(chance, 10000, 20 * MS);
    plan.hiccups = happens(chance, 500) ? 0 : (unsigned)short_or_long(chance, 1, 30);
    plan.monotonic_stops = happens(chance, 500);
}

static void draw_broker(struct chance *chance)
{
    plan.version_4 = happens(chance, 400);
    plan.ack_mode = (enum ack_mode)below(chance, 4);
    plan.ack_delay = short_or_long(chance, 10000, 20 * MS);
    plan.ack_jitter = happens(chance, 300) ? 0 : short_or_long(chance, 100000, 100 * MS);
}

static void draw_network(struct chance *chance)
{
    plan.latency = short_or_long(chance, 20000, 30 * MS);
    plan.jitter = happens(chance, 300) ? 0 : short_or_long(chance, 10000, 20 * MS);
    plan.send_buffer =
        (size_t)short_or_long(chance, plan.latency > 2 * MS ? 131072 : 16384, 200000);
    plan.receive_buffer = (size_t)short_or_long(chance, 2048, 100000);
    plan.drip = happens(chance, 400) ? 0 : (unsigned)below(chance, 700);
    plan.lies = happens(chance, 100);
    plan.window = happens(chance, 500) || plan.lies
                      ? 1 << 20
                      : (size_t)short_or_long(chance, 512, 20000);
    plan.dead_address = happens(chance, 200) && plan.by_name;
    plan.dead_refuses = happens(chance, 400);
}

/* From a stream of its own: what the others drew stays. */
static void draw_tasks(void)
{
    struct chance chance = chance_for(FOR_SETTINGS, 1);

    plan.tasks = happens(&chance, 200);
    plan.sqs = plan.sqs && !plan.tasks;
    plan.partial = plan.partial && !plan.tasks;
}

static void draw_heartbeat(void)
{
    struct chance chance = chance_for(FOR_SETTINGS, 2);

    plan.heartbeat_s = happens(&chance, 300) ? (int)between(&chance, 3, 14) : HEARTBEAT_S;
}

int64_t plan_heartbeat(void)
{
    return SECOND * (plan.heartbeat_s < PIGEONS_HEARTBEAT_S ? plan.heartbeat_s
                                                            : PIGEONS_HEARTBEAT_S);
}

void plan_draw(void)
{
    struct chance chance = chance_for(FOR_SETTINGS, 0);
    struct chance extension = chance_for(FOR_EXTENSION, 0);

    draw_function(&chance);
    draw_broker(&chance);
    draw_network(&chance);
    plan.fault_rate = happens(&chance, 100)   ? 0
                      : happens(&chance, 300) ? (unsigned)between(&chance, 60, 200)
                                              : (unsigned)between(&chance, 100, 900);
    plan.events = (int)between(&chance, 3, 10);
    plan.bursts = happens(&chance, 150);
    if (plan.bursts)
        plan.events += 40;
    plan.storm = short_or_long(&chance, 20 * SECOND, 1200 * SECOND);
    plan.restarts = happens(&chance, 400) ? 1 + (int)below(&chance, 3) : 0;
    draw_tasks();
    draw_heartbeat();
    plan.extension = happens(&extension, 800);
    leave_out();
    trace("plan", 0,
          "%d hosts%s%s%s%s, %s%s, %d queues%s, RabbitMQ %d, acks %d, latency %.3f ms, "
          "window %zu, buffers %zu and %zu, partial %u, hiccups %u, faults %u, events %d",
          plan.hosts, plan.by_name ? " by name" : "",
          plan.dead_address ? " behind a dead address" : "", plan.tls ? ", TLS" : "",
          plan.secrets ? ", secrets in AWS" : "",
          plan.tasks ? "S3 Batch Operations"
          : plan.sqs ? "SQS"
                     : "S3",
          plan.partial ? " with partial answers" : "", plan.two_queues + 1,
          plan.exchange ? " and an exchange" : "", plan.version_4 ? 4 : 3, plan.ack_mode,
          (double)plan.latency / 1e6, plan.window, plan.send_buffer, plan.receive_buffer,
          plan.drip, plan.hiccups, plan.fault_rate, plan.events);
}

/* ------------------------------------------------------------- the environment */

static void set_hosts(void)
{
    char hosts[100] = "";

    for (int i = 1; i <= plan.hosts; i++) {
        size_t used = strlen(hosts);

        snprintf(hosts + used, sizeof(hosts) - used, "%s%s%d", i > 1 ? "," : "",
                 plan.by_name ? "mq" : "10.0.0.", i);
    }
    setenv("PIGEON_HOST", hosts, 1);
}

void plan_environment(void)
{
    static const char *const shadows[SHADOWS] = {"", "shadow.lua", "none.lua"};

    set_hosts();
    setenv("PIGEON_PORT", plan.tls ? "5671" : "5672", 1);
    setenv("PIGEON_VIRTUAL_HOST", "/", 1);
    setenv("PIGEON_USER", "pigeon", 1);
    setenv("PIGEON_PASSWORD", plan.secrets ? "secretsmanager:rabbit" : FIRST_PASSWORD, 1);
    setenv("PIGEON_QUEUE", plan.two_queues ? "normal,other" : "normal", 1);
    setenv("PIGEON_AWS_REGION", "us-west-2", 1);
    setenv("PIGEON_BATCH_FAILURES", plan.partial ? "crashes" : "", 1);
    setenv("PIGEON_METRICS", plan.metrics ? "emf" : "off", 1);
    setenv("PIGEON_SHADOW_RULES", shadows[plan.shadow], 1);
    setenv("PIGEON_EXTENSION", plan.extension ? "on" : "off", 1);
    setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001", 1);
    setenv("AWS_LAMBDA_FUNCTION_NAME", "pigeon", 1);
    setenv("_HANDLER", plan.exchange ? "exchange.lua" : "rules.lua", 1);
    setenv("LAMBDA_TASK_ROOT", "spec/simulation/task", 1);
    setenv("AWS_ACCESS_KEY_ID", "key", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "s3cret-of-aws", 1);
}
