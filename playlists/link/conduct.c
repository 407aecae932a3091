/* conduct.c - see conduct.h. */
#include "playlists/link/conduct.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { OWED_MAX = UINT16_MAX }; /* no more can be unacknowledged: there are no more packet ids */

static const char *fault_of(struct conduct *conduct, const char *packet, bool unsent)
{
    static const char *const never[] = {"PINGREQ", "PUBREC", "PUBREL"};
    int dup, qos;
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        if (strncmp(packet, never[i], strlen(never[i])) == 0)
            return "sent a packet that no broker sends to this link";
    if (sscanf(packet, "PUBLISH (d%d, q%d,", &dup, &qos) != 2 || qos == 0)
        return NULL;
    if (qos == 2)
        return "sent a message of QoS 2, which nobody asked for";
    conduct->owed = unsent ? conduct->owed + 1 : 0;
    return conduct->owed > OWED_MAX ? "does not take the acknowledgements of what it sends" : NULL;
}

bool conduct_heard(struct conduct *conduct, const char *line, bool unsent, const char **ret_fault)
{
    static const char word[] = " received ";
    const char *received = strstr(line, word), *sending = strstr(line, " sending ");
    if (!received || (sending && sending < received)) /* what comes behind the first may be a topic */
        return false;
    const char *fault = fault_of(conduct, received + strlen(word), unsent);
    if (fault)
        *ret_fault = fault;
    return true;
}
