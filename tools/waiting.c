/* The threads of a step meet some thousand times. By default a thread of GCC's libgomp that waits
 * keeps its processor for milliseconds; where others want the processors, the one that it waits for
 * does not get to run meanwhile. libgomp reads its environment when it is loaded, before main and
 * before any constructor of this program: so the program starts itself anew.
 *
 * Twenty steps of a small encoder with two threads on two cores, seconds by the clock: quiet 0.41
 * to 0.48 by default, 0.45 to 0.48 with this wait, 0.62 to 0.64 without any (OMP_WAIT_POLICY=passive);
 * six steps on a machine with 17 threads for two cores: 6 to 12, 1.1 to 1.6, 0.8 to 1.0. */
#include "waiting.h"
#include "command.h"
#include <stdlib.h>
#include <unistd.h>

#define SPINS "1000" /* looks at what it waits for before a thread sleeps; some microseconds */

void wait_briefly(char **argv) {
    char self[4096]; /* by its own name, which ps shows */
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT")) return;
    if (program_path(self, sizeof self) && setenv("GOMP_SPINCOUNT", SPINS, 1) == 0)
        execv(self, argv);
}
