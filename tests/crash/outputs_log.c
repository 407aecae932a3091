/* outputs_log.c - what the outputs of a simulated box put out, one line each, kept outside the box: it outlives a kill.
 *
 * Linked into the agent of the crash campaign. LOA_OUTPUTS_LOG names the file: `begin|end|cut KEY OFFSET_MS AT_MS`. */
#include "tools/fleet-agents/outputs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int log_fd = -1;

static void on_change(void *arg, const struct outputs_change *change)
{
    char line[120];
    (void)arg;
    const char *what = change->begins ? "begin" : change->cut ? "cut" : "end";
    int len = snprintf(line, sizeof(line), "%s %016" PRIx64 " %" PRId64 " %" PRId64 "\n", what, change->airing->key,
                       change->airing->offset_ms, change->at_elapsed_ms);
    if (write(log_fd, line, (size_t)len) != len)
        abort(); /* a test that cannot see must not pass */
}

__attribute__((constructor)) static void watch(void)
{
    const char *path = getenv("LOA_OUTPUTS_LOG");
    log_fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (log_fd >= 0)
        outputs_watch(on_change, NULL);
}
