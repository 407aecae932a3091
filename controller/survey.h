/* survey.h - what the broker holds for us, read by exact filters, part by part.
 *
 * Each session begins with one pass over all devices: each one's state is subscribed to, until the session ends, and
 * what is kept of it comes at once. The next part is asked for when that was taken, so that the broker never has to
 * queue ten thousand states for us. Then the pass goes on slowly, about every 10 minutes a device: a state that the
 * broker dropped on its way to us is still kept there.
 *
 * The first pass of the process reads also trust and keys, and of each device its configuration and playlist. A centre
 * that was restored from a backup learns so what it had published since, and does not go back behind it: documents
 * under a scheduler's seal are noted in the table `seen`, a newer trust or newer keys are taken over, since root and
 * registrar sealed them. What the broker lacks of ours is published again. The publisher may send when that pass is
 * over, or after 30 s. The broker is believed nothing: it can hide what it holds, not invent it.
 *
 * The end of a part is known by an echo: a publish of our own behind the subscriptions. Loop thread only. */
#ifndef LOA_SURVEY_H
#define LOA_SURVEY_H

#include "controller/controller.h"
#include "playlists/base/post.h"

#include <stdbool.h>

struct survey;
struct survey *survey_new(struct controller *c, struct post *post);
void survey_free(struct survey *survey); /* NULL is fine */

void survey_online(struct survey *survey);
void survey_offline(struct survey *survey);
/* True: the message was for the survey. States are not. */
bool survey_take(struct survey *survey, const char *topic, const void *payload, size_t len);
/* A device is new, or its state was lost: read what is kept of it soon. */
void survey_add(struct survey *survey, const char *device);

#define SURVEY_ECHO "loa/1/centre/echo/" /* and a random token; nothing is published there but empty messages */

#endif
