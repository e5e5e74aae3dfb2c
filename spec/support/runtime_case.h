/* runtime_case.h -- a runtime, the fake Runtime API that it talks to, and the log.
 *
 * A case that hangs ends the program after two minutes. */
#ifndef PIGEON_SPEC_RUNTIME_CASE_H
#define PIGEON_SPEC_RUNTIME_CASE_H

#include "captured_log.h"
#include "fake_runtime_api.h"
#include "lambda/runtime.h"

extern struct seen *seen;
extern char api[32]; /* HOST:PORT */

int runtime_case_setup(void **state);
int runtime_case_teardown(void **state);

/* A socket that listens at `api`. */
int listen_somewhere(void);

/* A runtime whose server plays `steps`. */
struct runtime *play_api(const struct step *steps);

/* Posts and waits for the reply. */
bool respond(struct runtime *runtime, const char *body, size_t len, struct err *err);
bool respond_failed(struct runtime *runtime, const char *type, const char *body,
                    size_t len, struct err *err);

#define CASE(name) \
    cmocka_unit_test_setup_teardown(name, runtime_case_setup, runtime_case_teardown)

/* ------------------------------------------------------------- answers */

#define OK(headers, length, body) \
    "HTTP/1.1 200 OK\r\n" headers "Content-Length: " length "\r\n\r\n" body
#define ID "Lambda-Runtime-Aws-Request-Id: 1f3c-22\r\n"
#define EVENT                     \
    {                             \
        .head = OK(ID, "2", "{}") \
    }
#define ACCEPTED                                                                         \
    {                                                                                    \
        .head = "HTTP/1.1 202 Accepted\r\nContent-Length: 15\r\n\r\n{\"status\":\"OK\"}" \
    }
#define BREAK         \
    {                 \
        .close = true \
    }

#endif
