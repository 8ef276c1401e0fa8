/* What of the machine decides the last bits of a result, beside the number of threads. */
#ifndef CHL_BASE_MACHINE_H
#define CHL_BASE_MACHINE_H

/* The instruction set that this program was compiled for: "AVX-512", ... */
const char *chl_instruction_set(void);
/* The widest one that this processor has, which libraries choose by themselves. */
const char *chl_processor(void);
#endif
