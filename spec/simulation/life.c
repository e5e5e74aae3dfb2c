/* life.c -- a fork for each seed keeps static state apart and survives crashes. */
#include "life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chance.h"
#include "faults.h"
#include "lambda.h"
#include "plan.h"
#include "process.h"
#include "schedule.h"

#define REAL_SECONDS \
    30 /* a life takes ten milliseconds; this is for a loop without calls */

void __real__exit(int status) __attribute__((noreturn));

static struct life *shared(void)
{
    static struct life *life;

    if (!life)
        life = mmap(NULL, sizeof(*life), PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (life == MAP_FAILED)
        abort();
    return life;
}

static void live(uint64_t seed, bool aloud)
{
    bool again = true;

    alarm(REAL_SECONDS);
    tracing.aloud = aloud;
    chance_begin(seed);
    plan_draw();
    faults_begin();
    while (again) {
        lambda_process_begins();
        again = lambda_process_ended(process_run());
    }
    oracle_life_ended();
}

const struct life *life_live(uint64_t seed, bool aloud)
{
    struct life *life = shared();
    pid_t child;
    int status;

    memset(life, 0, sizeof(*life));
    fflush(stdout);
    child = fork();
    if (child == 0) {
        live(seed, aloud);
        fflush(stdout);
        *life = (struct life){true, tracing, counted, now / MS};
        __real__exit(0);
    }
    waitpid(child, &status, 0);
    if (!life->ended) {
        life->trace.violations = 1;
        snprintf(life->trace.first, sizeof(life->trace.first),
                 "the process died: wait status %#x", (unsigned)status);
    }
    return life;
}
