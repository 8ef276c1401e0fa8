/* Parts of the library that are opened at run time. */
#ifndef CHL_RUNTIME_MODULE_FILE_H
#define CHL_RUNTIME_MODULE_FILE_H

/* dlopen with these flags: the file that the environment variable names, or `file` beside this
 * library, or wherever the loader looks. NULL: dlerror says why. */
void *chl_module_open(const char *variable, const char *file, int flags);
#endif
