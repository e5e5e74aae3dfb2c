/* results.h -- what an answer says of the tasks of S3 Batch Operations. */
#ifndef SIMULATION_RESULTS_H
#define SIMULATION_RESULTS_H

enum result { RESULT_SUCCEEDED, RESULT_TEMPORARY, RESULT_PERMANENT, RESULTS };

/* The result of the task of this message. Another number of results than one for it is a
 * violation. */
enum result result_of(const char *body, int message);

/* Whether it has so many results, and what S3 wants besides; otherwise it is a
 * violation. */
void results_check(const char *body, int count);

#endif
