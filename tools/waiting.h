/* How long threads that wait for each other keep their processors. */
#ifndef CHL_TOOLS_WAITING_H
#define CHL_TOOLS_WAITING_H

/* Starts the program anew with the same arguments and a short wait in its environment, unless that
 * says something already; otherwise, and where it cannot, returns. */
void wait_briefly(char **argv);
#endif
