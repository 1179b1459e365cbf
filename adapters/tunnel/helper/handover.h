/* How a relay gives its terminal to the server: over an abstract socket, descriptor and all. */
#ifndef HANDOVER_H
#define HANDOVER_H

#include <stdbool.h>

/* A socket to the server, which is started when there is none; -1 with errno when that fails. */
int handover_connect(void);
/* Give the terminal and what we were started with away. */
bool handover_give(int server, int terminal);
/* The server's side: take what a relay that connected has to give. */
void handover_accept(int listener);

#endif
