/* events.h -- what Lambda delivers: events of messages of objects, and their retries.
 *
 * An S3 event is one message; a task of S3 Batch Operations is a message of one object.
 * An item is one object for one destination. */
#ifndef SIMULATION_EVENTS_H
#define SIMULATION_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "pile.h"

#define MOST_OBJECTS 6000
#define MOST_MESSAGES 2000
#define MOST_IN_BATCH 10
#define ID_BYTES 36

enum destination { TO_NORMAL, TO_OTHER, TO_EXCHANGE, DESTINATIONS };

struct message {
    int first, count, tries; /* objects */
    bool delivered, done;
};

struct event {
    bool fresh; /* its first try */
    int size, messages[MOST_IN_BATCH];
    int number; /* of the try */
    int tries;
    int64_t due, deadline, begun;
};

extern struct message messages[MOST_MESSAGES];
extern int messages_count, objects_count;

/* Whether the rules want the object there. */
bool object_goes_to(int object, enum destination destination);
int item_of(int object, enum destination destination);

/* A new event of new objects, number `made`. False: there is no room for more. */
bool event_make(struct event *event, int made);

/* The event as JSON. */
void event_write(struct pile *pile, const struct event *event);

#endif
