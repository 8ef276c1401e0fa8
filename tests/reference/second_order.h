/* Numbers that carry two derivatives (hyper-dual numbers [Fike & Alonso 2011]): arithmetic of
 * v + e E + d D + ed E D with E^2 = D^2 = 0. With x + E along one direction and + D along another,
 * f's part of E is its derivative along the first, that of D along the second, that of E D the
 * second derivative along both. No step, no cancellation. */
#ifndef CHL_TEST_SECOND_ORDER_H
#define CHL_TEST_SECOND_ORDER_H
#include "harness/op_case.h"
#include <cmath>

struct second_order_number : second_order {
    second_order_number(double value = 0) : second_order{value, 0, 0, 0} {}
    second_order_number(double v, double e, double d, double ed) : second_order{v, e, d, ed} {}
};

/* f(x) from f, f' and f'' at x.v */
inline second_order_number chain(const second_order_number &x, double f, double f1, double f2) {
    return {f, f1 * x.e, f1 * x.d, f1 * x.ed + f2 * x.e * x.d};
}
inline second_order_number operator+(const second_order_number &a, const second_order_number &b) {
    return {a.v + b.v, a.e + b.e, a.d + b.d, a.ed + b.ed};
}
inline second_order_number operator-(const second_order_number &a) {
    return {-a.v, -a.e, -a.d, -a.ed};
}
inline second_order_number operator-(const second_order_number &a, const second_order_number &b) {
    return a + -b;
}
inline second_order_number operator*(const second_order_number &a, const second_order_number &b) {
    return {a.v * b.v, a.e * b.v + a.v * b.e, a.d * b.v + a.v * b.d,
            a.ed * b.v + a.e * b.d + a.d * b.e + a.v * b.ed};
}
inline second_order_number operator/(const second_order_number &a, const second_order_number &b) {
    const double r = 1 / b.v;
    return a * chain(b, r, -r * r, 2 * r * r * r);
}
inline void operator+=(second_order_number &a, const second_order_number &b) {
    a = a + b;
}
inline void operator-=(second_order_number &a, const second_order_number &b) {
    a = a - b;
}
inline void operator*=(second_order_number &a, const second_order_number &b) {
    a = a * b;
}
inline void operator/=(second_order_number &a, const second_order_number &b) {
    a = a / b;
}

inline second_order_number real_exp(const second_order_number &x) {
    const double y = std::exp(x.v);
    return chain(x, y, y, y);
}
inline second_order_number real_log(const second_order_number &x) {
    return chain(x, std::log(x.v), 1 / x.v, -1 / (x.v * x.v));
}
inline second_order_number real_sqrt(const second_order_number &x) {
    const double y = std::sqrt(x.v);
    return chain(x, y, 0.5 / y, -0.25 / (x.v * y));
}
inline second_order_number real_sin(const second_order_number &x) {
    return chain(x, std::sin(x.v), std::cos(x.v), -std::sin(x.v));
}
inline second_order_number real_erf(const second_order_number &x) {
    const double slope = 1.1283791670955126 * std::exp(-x.v * x.v);
    return chain(x, std::erf(x.v), slope, -2 * x.v * slope);
}
#endif
