/* aws.c -- stands in for service_open, service_call and service_hang_up: libcurl and
 * OpenSSL stay outside. Secrets Manager answers, is late, or throttles. */
#include "aws.h"

#include <stdio.h>
#include <string.h>

#include "aws/service.h"
#include "broker.h"
#include "chance.h"
#include "clocks.h"
#include "faults.h"
#include "oracle.h"
#include "schedule.h"
#include "trace.h"
#include "wrap.h"

static char known[PASSWORD_BYTES] = FIRST_PASSWORD;
static char given[PASSWORD_BYTES]; /* to this process */
static int64_t given_at;
static int asked, changes = 1;

void aws_learn(void)
{
    snprintf(known, sizeof(known), "%s", broker_password);
}

static void learn(void *what, int64_t change)
{
    (void)what;
    if (change == changes) {
        trace("aws", 0, "has the new password");
        oracle_trouble();
        aws_learn();
    }
}

void aws_change_password(int64_t later)
{
    changes++;
    snprintf(broker_password, PASSWORD_BYTES, PASSWORD_MARK "%d", changes);
    schedule_at(now + later, learn, NULL, changes);
}

bool aws_is_right(void)
{
    return strcmp(known, broker_password) == 0;
}

const char *aws_given(int64_t before)
{
    return given[0] && before > given_at ? given : NULL;
}

void aws_process_ends(void)
{
    given[0] = '\0';
}

WRAP(bool, service_open, struct service_client *client, const struct config *config,
     const bool services[AWS_SERVICES], struct err *err)
{
    (void)services, (void)err;
    client->config = config;
    return true;
}

WRAP(void, service_hang_up, struct service_client *client)
{
    (void)client;
}

WRAP(enum service_result, service_call, struct service_client *client,
     enum service service, const struct buffer *body, int64_t timeout_ms,
     struct buffer *reply, struct err *err)
{
    struct chance chance = chance_for(FOR_AWS, ++asked);
    int64_t takes = short_or_long(&chance, 3 * MS, 400 * MS);
    bool fails = fault_active(AWS_LATER_ON) > 0;
    char text[100];

    (void)client, (void)service, (void)body;
    oracle_asks_aws();
    if (fails && happens(&chance, 500))
        takes = timeout_ms * MS;
    fails = fails || takes > timeout_ms * MS;
    clocks_work(takes < timeout_ms * MS ? takes : timeout_ms * MS);
    trace("aws", 0, fails ? "throttles" : "gives the secret");
    if (fails) {
        err_set(err, CAUSE_OTHER, "secretsmanager: throttled");
        return AWS_LATER;
    }
    snprintf(text, sizeof(text), "{\"SecretString\":\"%s\"}", known);
    buffer_append_text(reply, text);
    if (strcmp(given, known) != 0)
        given_at = now;
    snprintf(given, sizeof(given), "%s", known);
    oracle_has_secret();
    return AWS_DONE;
}
