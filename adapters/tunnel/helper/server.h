/* The part that outlives the terminal: it owns the commands. */
#ifndef SERVER_H
#define SERVER_H

/* Serve relays that connect to the socket until there has been nothing to do for a minute. */
_Noreturn void server_run(int listener);

#endif
