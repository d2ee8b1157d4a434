// echo: writes what it reads, as small as a static program gets; a function at its least.
// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

int main(void)
{
    char bytes[4096];

    for (ssize_t count; (count = read(STDIN_FILENO, bytes, sizeof bytes)) > 0;) {
        if (write(STDOUT_FILENO, bytes, (size_t)count) != count) {
            return 1;
        }
    }
    return 0;
}
