/* s3_event.h -- events of S3, built record by record, and what is done with any event. */
#ifndef PIGEON_SPEC_S3_EVENT_H
#define PIGEON_SPEC_S3_EVENT_H

#include "base/buffer.h"
#include "lua/script.h"

void append(struct buffer *buffer, const char *text);

/* Appends one more record; the first makes the buffer an event, which is whole at any
 * time. */
void add_object(struct buffer *event, const char *key);
void add_object_named(struct buffer *event, const char *key, const char *event_name);

/* Objects whose keys are these numbers. */
void add_objects(struct buffer *event, int first, int last);

/* Ten minutes for the event. */
struct invocation invocation_of(const struct buffer *event);

/* Confirms each message that has no fate yet. Returns how many there were. */
size_t confirm(struct outbox *outbox);

/* A member of a JSON object, which has to be a string. Valid until the next call. */
const char *member(const struct buffer *json, const char *name);

#endif
