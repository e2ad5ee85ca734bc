/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include "server/command.h"

int main(int argc, char **argv)
{
    /* A peer that went away is told by an error, not by a signal. */
    signal(SIGPIPE, SIG_IGN);
    return cleat_command_main(argc, argv);
}
