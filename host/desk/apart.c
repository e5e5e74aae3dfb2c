/* apart.c -- a child decides, the parent waits, and knows where the child was.
 *
 * What Lua cannot bound (a pattern that backtracks, the kernel short of memory) ends the
 * process that decides: that is the watchdog's and the kernel's way, and it stays. On the
 * desk it must not end the command. So the parent forks once the scripts are loaded; the
 * child walks through all objects, counts, and prints the report at its end, as any
 * command does. It writes the number of the object that is being decided into a page
 * that both share, and its watchdog writes its line into a pipe. Where it ends otherwise
 * than by its own exit, the parent has Lua note that this object failed and why (the
 * kind "stopped" of an invocation), and forks again.
 *
 * The next child begins with the first object again and passes over those that are noted:
 * what the last one had counted died with it, and all objects together take less than the
 * second for which a stopped one ran. Each stop notes one more object, and Lua leaves the
 * rest out after some, so this comes to an end. */
#include "desk/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "desk/walk.h"
#include "lua/watchdog.h"

#define MOST_CHILDREN 40 /* Lua ends it sooner */
#define WORDS_MAX 4096

/* ------------------------------------------------------------- the child */

static void become_child(struct command *command, int words)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    watchdog_forked();
    watchdog_say("%s%l\n%w%h\n", words, false);
    script_watch_place(command->handler.script, command->place);
}

/* ------------------------------------------------------------- the parent */

/* How the child ended: true where it came to its end, with *status. */
static bool wait_for(pid_t child, int *status, struct err *err)
{
    while (waitpid(child, status, 0) < 0)
        if (errno != EINTR)
            return err_set(err, CAUSE_OTHER, "waitpid: %s", strerror(errno));
    return true;
}

/* What the watchdog wrote, else by which signal the child ended. */
static void read_words(int words, int status, char text[WORDS_MAX])
{
    ssize_t len = read(words, text, WORDS_MAX - 1);

    text[len > 0 ? len : 0] = '\0';
    if (len <= 0 && WIFSIGNALED(status))
        snprintf(text, WORDS_MAX, "ended the process by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
}

/* The child was stopped: Lua notes at which object. */
static bool note_stop(struct command *command, const char *text, struct err *err)
{
    const struct script_place *place = command->place;

    if (place->object == 0)
        return err_set(err, CAUSE_OTHER, "stopped between two objects: %s", text);
    return walk_stopped(command, text, place->first + (int64_t)place->object - 1,
                        place->shadow, err);
}

/* One child. *over: it came to its end. Returns 0 in the child. */
static pid_t run_child(struct command *command, bool *over, struct err *err)
{
    char text[WORDS_MAX];
    int words[2], status = 0;
    pid_t child;
    bool ok;

    if (pipe2(words, O_CLOEXEC | O_NONBLOCK) != 0) {
        err_set(err, CAUSE_OTHER, "pipe: %s", strerror(errno));
        return -1;
    }
    *command->place = (struct script_place){0};
    child = fork();
    if (child < 0)
        err_set(err, CAUSE_OTHER, "fork: %s", strerror(errno));
    if (child == 0) {
        become_child(command, words[1]);
        return 0;
    }
    close(words[1]);
    ok = child > 0 && wait_for(child, &status, err);
    if (ok) {
        read_words(words[0], status, text);
        *over = WIFEXITED(status) && text[0] == '\0';
        command->status = WEXITSTATUS(status);
        ok = *over || note_stop(command, text, err);
    }
    close(words[0]);
    return ok ? child : -1;
}

bool apart_run(struct command *command, struct err *err)
{
    bool over = false;

    fflush(NULL); /* nothing is to be printed twice */
    command->place = mmap(NULL, sizeof(*command->place), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (command->place == MAP_FAILED)
        return err_set(err, CAUSE_MEMORY, "out of memory");
    for (int i = 0; i < MOST_CHILDREN && !over; i++) {
        pid_t child = run_child(command, &over, err);

        if (child <= 0)
            return child == 0;
    }
    command->ended = over;
    return over || err_set(err, CAUSE_OTHER, "stopped %d times", MOST_CHILDREN);
}
