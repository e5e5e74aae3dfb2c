/* log_case.h -- Pigeon's log as it is at a start, each of its writes, and a clock that
 * stands still at 2026-11-24T12:00:00.123Z.
 *
 * A spec that includes this includes fake/clock.h, too. */
#ifndef PIGEON_SPEC_LOG_CASE_H
#define PIGEON_SPEC_LOG_CASE_H

#include "base/log.h"
#include "captured_log.h"
#include "fake/clock.h"

int log_case_setup(void **state);
int log_case_teardown(void **state);

#endif
