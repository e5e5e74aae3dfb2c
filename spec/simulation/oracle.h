/* oracle.h -- what must be true. It is told what happened, and asks nobody.
 *
 * README.md has the rules, numbered as in oracle.c. */
#ifndef SIMULATION_ORACLE_H
#define SIMULATION_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events.h"
#include "faults.h"

/* For the summary. */
struct counts {
    int events, tries, done, failed, publishes, stored, duplicates, connects, faults;
    int processes, most_connects;
};

extern struct counts counted;

/* the broker */
void oracle_connects(void);
void oracle_logged_in(void);
void oracle_channel_closes(void);
void oracle_asks_aws(void);
void oracle_has_secret(void);
void oracle_published(int item, int connection);

/* On a connection that the broker had ended then (0: it has not), and from which bytes
 * were read last at `read_at`. */
void oracle_publishes_on(int64_t ended, int64_t read_at);

/* A connection of which the broker knows nothing bad. */
void oracle_closes_good(int host);
void oracle_returned(int item);
void oracle_no_exchange(void);
void oracle_stored(int item);
void oracle_lost(int item);
void oracle_acked(int item);
void oracle_settled(int item);
void oracle_ack_read(int item);

/* Lambda */
void oracle_count_event(void);
void oracle_event(const struct event *event);
void oracle_deadline(int number);

/* Gives the messages that come again because of the answer. */
int oracle_answered(bool error, const char *body, int failed[MOST_IN_BATCH]);
void oracle_asks_next(int64_t since_start, int descriptors);
void oracle_process_begins(void);
void oracle_process_may_fail(void);
void oracle_process_returned(int status, int descriptors);
void oracle_process_ended(int status, bool asked);
void oracle_life_ended(void);

/* faults */
void oracle_fault(enum fault fault, bool begins);
void oracle_trouble(void);

/* One connection alone has this fault. */
void oracle_cut(enum fault fault);
void oracle_all_fixed(void);

/* Whether all was fixed so long ago that everything has to work. */
bool oracle_is_well(void);

/* the program's calls */
void oracle_waits(int64_t until);
void oracle_sends(bool to_api, const void *data, size_t len);
void oracle_writes(const char *line, size_t len);

#endif
