/* The spec of host/aws/element.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "aws/element.h"

static void the_text_of_the_first_element_of_a_name(void **state)
{
    /* the document, and the text of Code; NULL: there is none */
    static const char *const cases[][2] = {
        {"<Error><Code>AccessDenied</Code></Error>", "AccessDenied"},
        {"<Code>a</Code><Code>b</Code>", "a"},
        {"<CodeName>a</CodeName><Code>b</Code>", "b"},
        {"<Code></Code>", ""},
        {"<Code> a\n</Code>", " a\n"},
        {"<Code>a &amp; &lt;b&gt; &quot;&apos;&#39;&#x41;</Code>", "a & <b> \"''A"},
        {"<Code>&#233;&#0;&#-1;&#;</Code>", "????"},
        {"<Code>&nbsp; & &#3</Code>", "&nbsp; & &#3"},
        {"<Code>a<b>c</b></Code>", NULL},
        {"<Code>a</Cod", NULL},
        {"<Code>a</Code", NULL},
        {"<Code>a", NULL},
        {"<Code>", NULL},
        {"<Code/>", NULL},
        {"<Code a=\"b\">c</Code>", NULL},
        {"<code>a</code>", NULL},
        {"{\"Code\":\"a\"}", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer xml = {.max = 1000}, text = {.max = 1000};

        assert_true(buffer_append_text(&xml, cases[i][0]));
        if (element_text(&xml, "Code", &text) != (cases[i][1] != NULL))
            fail_msg("%s", cases[i][0]);
        if (cases[i][1])
            assert_string_equal(text.data ? text.data : "", cases[i][1]);
        buffer_free(&xml);
        buffer_free(&text);
    }
}

static void what_has_no_room_is_not_found(void **state)
{
    struct buffer xml = {.max = 100}, text = {.max = 3};

    (void)state;
    assert_true(buffer_append_text(&xml, "<A>1234</A><B>123</B>"));
    assert_false(element_text(&xml, "A", &text));
    assert_true(element_text(&xml, "B", &text));
    assert_string_equal(text.data, "123");
    buffer_free(&xml);
    buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_of_the_first_element_of_a_name),
        cmocka_unit_test(what_has_no_room_is_not_found),
    };

    return cmocka_run_group_tests_name("element", tests, NULL, NULL);
}
