/* The program.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "core/base/applet.h"

int main(int argc, char **argv)
{
    return dispatch(argc, argv);
}
