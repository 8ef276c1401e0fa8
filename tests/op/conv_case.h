/* What a case of conv is told: shared by its cases and its reference. */
#ifndef CHL_TEST_CONV_CASE_H
#define CHL_TEST_CONV_CASE_H
typedef struct conv_case {
    int stride, pad;
} conv_case;
#endif
