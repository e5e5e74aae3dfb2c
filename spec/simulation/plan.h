/* plan.h -- what a seed means: the settings of one life, and what is left out of it. */
#ifndef SIMULATION_PLAN_H
#define SIMULATION_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ack_mode { ACKS_SINGLE, ACKS_MULTIPLE, ACKS_SHUFFLED, ACKS_MIXED };
enum shadow { SHADOW_NONE, SHADOW_WORKS, SHADOW_BROKEN, SHADOWS };

struct plan {
    /* the function */
    bool sqs, partial, tasks, two_queues, secrets, by_name, tls, exchange, metrics,
        extension;
    enum shadow shadow;
    int hosts;
    int64_t object_work; /* an object costs so much at most */
    unsigned hiccups;    /* of 10,000 calls, so many take up to 60 ms */
    bool monotonic_stops;
    /* the broker */
    bool version_4;
    int heartbeat_s; /* that it wants */
    enum ack_mode ack_mode;
    int64_t ack_delay, ack_jitter;
    /* the network */
    int64_t latency, jitter;
    size_t send_buffer, receive_buffer, window;
    unsigned drip;                   /* per mille of reads and writes are partial */
    bool lies;                       /* POLLOUT with hardly any room */
    bool dead_address, dead_refuses; /* it comes first; a RST, or nothing */
    /* what happens */
    unsigned fault_rate; /* per mille: 0 to 900 */
    int events;
    bool bursts;
    int64_t storm; /* after that all is fixed */
    int restarts;  /* at most */
};

extern struct plan plan;

/* What the function and the broker agree on. Without a frame for so long, Pigeon does not
 * trust a connection any more (broker.c). */
int64_t plan_heartbeat(void);

/* Draws the settings of this seed. */
void plan_draw(void);

/* Sets the environment variables, as Lambda does before a process starts. */
void plan_environment(void);

/* What can be left out: "f12" the twelfth fault, "e3" the third event, "s4" a setting. */
enum kind { FAULT = 'f', EVENT = 'e', SETTING = 's' };
#define SETTINGS 18
#define MOST_LEFT_OUT 4096

bool plan_leave_out(const char *list);
void plan_set_out(enum kind kind, int number, bool out);
bool plan_is_out(enum kind kind, int number);

/* Faults and events beyond these do not come while a life is made smaller. */
void plan_limit(enum kind kind, int most);

/* What "s4" leaves out. */
const char *plan_setting_name(int number);

#endif
