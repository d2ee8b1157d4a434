/* How the sanitizers behave in the debug build: linked into it alone.
 * SPDX-License-Identifier: Apache-2.0
 */
const char *__asan_default_options(void);

/* The tests compare signal handlers and stacks before and after; without AddressSanitizer's own
 * they see ours. Leaks are looked for where the runner says so (tests/run.py): the search needs
 * ptrace, which a program under strace, without /proc or with another user id cannot use on itself.
 * Where something was allocated is not kept, which takes a page fault for each place at each start:
 * ASAN_OPTIONS=malloc_context_size=30 brings that back.
 */
const char *__asan_default_options(void)
{
    return "detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_abort=0:"
           "use_sigaltstack=0:malloc_context_size=1";
}
