/* log_case.c -- what one case did to the log, the next does not see. */
#include "log_case.h"

int log_case_setup(void **state)
{
    (void)state;
    fake_clock = (struct fake_clock){.stopped_us = 1795521600123999};
    log_set_level(LOG_LEVEL_INFO);
    log_set_format(LOG_TEXT);
    log_context(NULL);
    log_rules(NULL);
    return captured_log_start_writes() ? 0 : -1;
}

int log_case_teardown(void **state)
{
    (void)state;
    fake_clock = (struct fake_clock){0};
    captured_log_stop();
    return 0;
}
