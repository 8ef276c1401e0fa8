/* The machine's instruction sets. With the number of threads they decide the last bits of a result:
 * vector width sets the order of sums. A run's records name them for that reason. */
#ifndef CHL_BASE_MACHINE_H
#define CHL_BASE_MACHINE_H

/* The instruction set this program was compiled for: "AVX-512", "AVX2", "SSE2", "NEON" or
 * "generic". */
const char *chl_instruction_set(void);
/* The widest one this processor has, which libraries such as oneDNN choose at run time. */
const char *chl_processor(void);
#endif
