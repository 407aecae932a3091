/* agent.h - one device: one loop that owns vault, arbiter, outputs and the way to the controller.
 *
 * Plays from disk as soon as agent_new() returns; looks for the link afterwards. Loop thread. */
#ifndef LOA_AGENT_H
#define LOA_AGENT_H

#include "firmware/site.h"
#include "playlists/seal.h"

#include <uv.h>

struct agent;

/* `settings`, `site` and `signer` are borrowed and must outlive it. `stopped` is called once, when an orderly end (from
 * agent_stop() or the command "restart") has come about: outputs muted and blank, receipts saved. */
typedef void (*agent_stopped_fn)(void *arg);
MUST_USE int agent_new(uv_loop_t *loop, const struct settings *settings, const struct site *site,
                       const struct signer *signer, agent_stopped_fn stopped, void *arg, struct agent **ret_agent,
                       struct complaint *why);
void agent_stop(struct agent *agent); /* again: at once */
/* Name of a part that does not move though it should; NULL: all do. */
const char *agent_stuck(const struct agent *agent);
void agent_free(struct agent *agent); /* NULL is fine; memory is released once the loop let go */

#endif
