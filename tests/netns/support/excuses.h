/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The few tests that an engine is excused from, and why. */
#ifndef QS_TESTS_EXCUSES_H
#define QS_TESTS_EXCUSES_H

/* The reason why `engine` need not pass this test of the group, or NULL. */
const char *excuse_of(unsigned int engine, const char *group, const char *test);

/* A test that the table excuses the engine from, and that nobody asked for; NULL
 * if there is none. */
const char *excuse_unused(unsigned int engine, const char *group);

#endif
