/* function.h -- the function's process: started as Lambda starts it, in a process group
 * of its own, and not able to outlive us. Plain data, valid when zeroed. */
#ifndef PIGEON_TOOLS_LAMBDA_FUNCTION_H
#define PIGEON_TOOLS_LAMBDA_FUNCTION_H

#include <stdbool.h>
#include <sys/types.h>

struct function {
    pid_t pid;    /* 0: none */
    int ending;   /* how the last one ended, as from waitpid() */
    bool unasked; /* it ended by itself, which is not reported yet */
};

/* Sets what Lambda sets, where the environment does not have it yet. The task root is
 * the folder of the command where the handler's script is in it, otherwise the rules
 * folder of the checkout that this program is in. */
void function_environment(const char *command);

/* Starts the command; its stdout goes to stderr. False: errno. */
bool function_start(struct function *function, char **command);

/* Whether the process has just ended by itself. */
bool function_ended(struct function *function);

/* Kills the process with all its group. */
void function_kill(struct function *function);

/* How it ended, in AWS's words: "Runtime exited with error: exit status 1"; static. */
const char *function_ending(const struct function *function);

#endif
