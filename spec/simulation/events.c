/* events.c -- S3 events, alone or in the bodies of SQS messages, and the tasks of S3
 * Batch Operations, as AWS writes them
 * (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html,
 * https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html). */
#include "events.h"

#include <stdio.h>
#include <string.h>

#include "chance.h"
#include "plan.h"

struct message messages[MOST_MESSAGES];
int messages_count, objects_count;

/* One of 16 is deferred by the collector. */
static bool is_accepted(int object)
{
    return object % 16 != 15;
}

bool object_goes_to(int object, enum destination destination)
{
    if (!is_accepted(object))
        return false;
    if (destination == TO_OTHER)
        return plan.two_queues;
    if (destination == TO_EXCHANGE)
        return plan.exchange && object % 4 == 0;
    return true;
}

int item_of(int object, enum destination destination)
{
    return object * DESTINATIONS + (int)destination;
}

bool event_make(struct event *event, int made)
{
    static const int sizes[] = {1, 1, 1, 2, 3, 5, 10, 40};
    struct chance chance = chance_for(FOR_EVENT, made);

    event->fresh = true;
    event->size = plan.sqs || (plan.tasks && happens(&chance, 500))
                      ? (int)between(&chance, 1, MOST_IN_BATCH)
                      : 1;
    for (int i = 0; i < event->size; i++) {
        struct message *message = &messages[messages_count];

        message->first = objects_count;
        message->count = sizes[below(&chance, plan.sqs ? 4 : 8)];
        if (happens(&chance, 5))
            message->count = 600; /* with two queues more than the window */
        if (plan.tasks)
            message->count = 1;
        if (objects_count + message->count >= MOST_OBJECTS ||
            messages_count + 1 >= MOST_MESSAGES)
            return false;
        objects_count += message->count;
        event->messages[i] = messages_count++;
    }
    return true;
}

static void write_key(struct pile *pile, int object)
{
    char text[100];

    snprintf(text, sizeof(text),
             "v2/raw_crash/000/20180313/%08x-2d1c-4865-af09-80bc0%d180313",
             (unsigned)object, is_accepted(object));
    pile_add_text(pile, text);
}

static void write_record(struct pile *pile, int object)
{
    pile_add_text(
        pile,
        "{\"eventVersion\":\"2.1\",\"eventSource\":\"aws:s3\",\"awsRegion\":"
        "\"us-west-2\",\"eventTime\":\"2016-09-18T12:34:56.789Z\",\"eventName\":"
        "\"ObjectCreated:Put\",\"s3\":{\"s3SchemaVersion\":\"1.0\",\"bucket\":{"
        "\"name\":\"crashes\",\"arn\":\"arn:aws:s3:::crashes\"},\"object\":{\"key\":"
        "\"");
    write_key(pile, object);
    pile_add_text(pile, "\",\"size\":1024}}}");
}

static void write_records(struct pile *pile, const struct message *message)
{
    for (int i = 0; i < message->count; i++) {
        if (i > 0)
            pile_add_text(pile, ",");
        write_record(pile, message->first + i);
    }
}

static void write_sqs(struct pile *pile, int number)
{
    struct pile body = {0};
    char head[200];

    write_records(&body, &messages[number]);
    snprintf(
        head, sizeof(head),
        "{\"messageId\":\"m-%d\",\"receiptHandle\":\"r\",\"body\":\"{\\\"Records\\\":[",
        number);
    pile_add_text(pile, head);
    for (size_t i = 0; i < body.len; i++) {
        if (body.data[i] == '"')
            pile_add(pile, "\\", 1);
        pile_add(pile, &body.data[i], 1);
    }
    pile_add_text(pile, "]}\",\"attributes\":{},\"messageAttributes\":{},\"md5OfBody\":"
                        "\"x\",\"eventSource\":\"aws:sqs\",\"eventSourceARN\":"
                        "\"arn:aws:sqs:us-west-2:123456789012:crashes\",\"awsRegion\":"
                        "\"us-west-2\"}");
    pile_free(&body);
}

static void write_task(struct pile *pile, int number, bool second_schema)
{
    char head[60];

    snprintf(head, sizeof(head), "{\"taskId\":\"m-%d\",\"s3Key\":\"", number);
    pile_add_text(pile, head);
    write_key(pile, messages[number].first);
    pile_add_text(pile, second_schema
                            ? "\",\"s3VersionId\":null,\"s3Bucket\":\"crashes\"}"
                            : "\",\"s3VersionId\":null,\"s3BucketArn\":"
                              "\"arn:aws:s3:::crashes\"}");
}

static void write_tasks(struct pile *pile, const struct event *event)
{
    bool second_schema = event->messages[0] % 2 == 1;

    pile_add_text(pile, second_schema ? "{\"invocationSchemaVersion\":\"2.0\","
                                      : "{\"invocationSchemaVersion\":\"1.0\",");
    pile_add_text(pile,
                  "\"invocationId\":\"invocation\",\"job\":{\"id\":\"j\"},\"tasks\":[");
    for (int i = 0; i < event->size; i++) {
        if (i > 0)
            pile_add_text(pile, ",");
        write_task(pile, event->messages[i], second_schema);
    }
    pile_add_text(pile, "]}");
}

void event_write(struct pile *pile, const struct event *event)
{
    if (plan.tasks) {
        write_tasks(pile, event);
        return;
    }
    pile_add_text(pile, "{\"Records\":[");
    for (int i = 0; i < event->size; i++) {
        if (i > 0)
            pile_add_text(pile, ",");
        if (plan.sqs)
            write_sqs(pile, event->messages[i]);
        else
            write_records(pile, &messages[event->messages[i]]);
    }
    pile_add_text(pile, "]}");
}
