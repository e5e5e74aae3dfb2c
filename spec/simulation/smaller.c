/* smaller.c -- leaves out one fault after the other, then events, then settings, and
 * keeps out what the failure does not need, until nothing more goes. Faults and events
 * beyond the first run's stay out, so that no others come instead. */
#include "smaller.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "life.h"
#include "plan.h"

static int most[128];

static bool fails(uint64_t seed)
{
    return life_live(seed, false)->trace.violations > 0;
}

/* Leaves out `size` at a time, from the last on. True: something went. */
static bool leave_out_runs(uint64_t seed, enum kind kind, int size)
{
    bool went = false;

    for (int last = most[kind]; last > 0; last -= size) {
        int first = last - size + 1 > 1 ? last - size + 1 : 1;
        bool was[MOST_LEFT_OUT], any = false;

        for (int i = first; i <= last; i++) {
            was[i] = plan_is_out(kind, i);
            any = any || !was[i];
            plan_set_out(kind, i, true);
        }
        if (any && fails(seed)) {
            went = true;
            continue;
        }
        for (int i = first; i <= last; i++)
            plan_set_out(kind, i, was[i]);
    }
    return went;
}

static bool leave_out(uint64_t seed, enum kind kind)
{
    bool went = false;

    for (int size = most[kind] / 2; size > 1; size /= 2)
        went = leave_out_runs(seed, kind, size) || went;
    return leave_out_runs(seed, kind, 1) || went;
}

static void print_list(enum kind kind, char *list, size_t size)
{
    for (int i = 1; i <= most[kind]; i++) {
        size_t used = strlen(list);

        if (plan_is_out(kind, i))
            snprintf(list + used, size - used, "%s%c%d", used > 0 ? "," : "", kind, i);
    }
    if (kind != SETTING) {
        size_t used = strlen(list);

        snprintf(list + used, size - used, "%s%c%d-", used > 0 ? "," : "", kind,
                 most[kind] + 1);
    }
}

static int count_left(enum kind kind)
{
    int count = 0;

    for (int i = 1; i <= most[kind]; i++)
        count += !plan_is_out(kind, i);
    return count;
}

bool smaller_make(uint64_t seed, const char *program)
{
    static const enum kind kinds[] = {FAULT, EVENT, SETTING};
    const struct life *life = life_live(seed, false);
    char list[30000] = "";
    bool went = true;

    if (life->trace.violations == 0)
        return false;
    printf("seed %" PRIu64 " %s\n", seed, life->trace.first);
    most[FAULT] =
        life->counts.faults < MOST_LEFT_OUT - 2 ? life->counts.faults : MOST_LEFT_OUT - 2;
    most[EVENT] =
        life->counts.events < MOST_LEFT_OUT - 2 ? life->counts.events : MOST_LEFT_OUT - 2;
    most[SETTING] = SETTINGS;
    if (life->ended) {
        plan_limit(FAULT, most[FAULT]);
        plan_limit(EVENT, most[EVENT]);
    }
    while (went) {
        went = false;
        for (int i = 0; i < 3; i++)
            went = leave_out(seed, kinds[i]) || went;
    }
    for (int i = 0; i < 3; i++)
        print_list(kinds[i], list, sizeof(list));
    printf("needs %d of %d faults, %d of %d events: %s\n%s --seed %" PRIu64
           " --without %s --trace\n",
           count_left(FAULT), most[FAULT], count_left(EVENT), most[EVENT],
           life_live(seed, false)->trace.first, program, seed, list);
    return true;
}
