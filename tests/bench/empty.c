// empty: a program that does nothing, as small as a static one gets; the floor of start-up.
// SPDX-License-Identifier: Apache-2.0
int main(void)
{
    return 0;
}
