/* case_outbox.c -- one outbox, which the cases clear. */
#include "case_outbox.h"

#include <string.h>

#include "asserts.h"

struct outbox outbox;
struct facts facts;

struct bytes bytes_of(const char *text)
{
    return (struct bytes){.data = text, .len = strlen(text)};
}

const char *fates(void)
{
    static char letters[64];
    size_t i;

    for (i = 0; i < outbox.count && i < sizeof(letters) - 1; i++) {
        enum fate fate = outbox.messages[i].fate;

        letters[i] = fate == FATE_NONE ? '-' : fate_name(fate)[0];
    }
    letters[i] = '\0';
    return letters;
}

void assert_words(size_t i, const char *stage, int code, const char *text)
{
    const struct message *message = &outbox.messages[i];

    assert_non_null(message->stage);
    assert_string_equal(message->stage, stage);
    assert_int_equal(message->code, code);
    assert_non_null(message->text);
    assert_string_equal(message->text, text);
}
