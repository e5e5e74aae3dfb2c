/* progress.c -- a bar, a share, a count and a speed. */
#include "desk/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/deadline.h"

#define EVERY_US 100000
#define WIDTH 30

void progress_open(struct progress *progress, int64_t total)
{
    *progress = (struct progress){
        .shown = isatty(STDERR_FILENO), .total = total, .start_us = clock_us()};
}

void progress_show(struct progress *progress, int64_t bytes, int64_t objects)
{
    static const char full[] = "##############################";
    int64_t now_us = clock_us();
    int64_t share = progress->total > 0 ? bytes * 100 / progress->total : 0;
    int64_t per_second = objects * 1000000 / (now_us - progress->start_us + 1);

    if (!progress->shown || now_us - progress->drawn_us < EVERY_US)
        return;
    progress->drawn_us = now_us;
    share = share > 100 ? 100 : share;
    if (progress->total > 0)
        fprintf(stderr, "\r[%-*.*s] %3d %%  %lld objects, %lld/s \033[K", WIDTH,
                (int)(share * WIDTH / 100), full, (int)share, (long long)objects,
                (long long)per_second);
    else
        fprintf(stderr, "\r%lld objects, %lld/s \033[K", (long long)objects,
                (long long)per_second);
    fflush(stderr);
}

void progress_close(struct progress *progress)
{
    if (progress->drawn_us)
        fputs("\r\033[K", stderr);
    progress->drawn_us = 0;
}
