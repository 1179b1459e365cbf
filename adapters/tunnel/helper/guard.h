/* A process beside the server: ends what the server was running when that is killed. */
#ifndef GUARD_H
#define GUARD_H

#include <sys/types.h>

/* In the server, before it has anything of its own. Without a guard all else is the same. */
void guard_start(void);
void guard_began(pid_t leader);
void guard_ended(pid_t leader);

#endif
