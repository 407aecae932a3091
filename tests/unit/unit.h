/* unit.h - what every cmocka program of ours includes, in the order that cmocka asks for. */
#ifndef LOA_UNIT_H
#define LOA_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
