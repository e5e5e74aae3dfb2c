/* test_filter.c -- CMOCKA_TEST_FILTER=PATTERN runs only the tests of that name (* and ?
 * are wildcards); cmocka 1.1.5 has a function for that, but no variable. In every C spec.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void set_filter(void)
{
    const char *pattern = getenv("CMOCKA_TEST_FILTER");

    if (pattern)
        cmocka_set_test_filter(pattern);
}
