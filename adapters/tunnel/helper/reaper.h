/* Ending processes that nobody is waiting for any more. */
#ifndef REAPER_H
#define REAPER_H

#include <stdbool.h>
#include <sys/types.h>

/* Hang up on a command's process group and session now, terminate what is left after two seconds,
   kill what is left after four. What left the session on purpose (daemons) is spared. */
void reaper_condemn(pid_t leader);
/* Whether there may still be something left of it. */
bool reaper_pursues(pid_t leader);
/* To be called now and then; true while something is still to be done. */
bool reaper_tick(void);

#endif
