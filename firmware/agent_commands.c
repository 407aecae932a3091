/* agent_commands.c - the few things that the centre tells a device to do: each once, and each answered. */
#include "firmware/agent_parts.h"

#include "playlists/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct answer {
    bool ok;
    char detail[VAULT_ANSWER_MAX];
};

static void say(struct answer *answer, bool ok, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void say(struct answer *answer, bool ok, const char *fmt, ...)
{
    va_list ap;
    answer->ok = ok;
    va_start(ap, fmt);
    vsnprintf(answer->detail, sizeof(answer->detail), fmt, ap);
    va_end(ap);
}

static void send_again(struct agent *agent, const struct command *command, struct answer *answer)
{
    enum outbox_kind kind = strcmp(command->kind, "event") == 0 ? OUTBOX_EVENT : OUTBOX_RECEIPT;
    const char *name = outbox_kind_names[kind];
    long long last = (long long)outbox_last(agent->outbox, kind);
    int64_t first, rows;
    if (strcmp(command->store, vault_store(agent->vault)) != 0)
        say(answer, false, "store %s is not here; this box numbers in store %s", command->store,
            vault_store(agent->vault));
    else if (outbox_repeat(agent->outbox, kind, command->from, &first, &rows) < 0)
        say(answer, false, "%s %lld was never made; the last one is %lld", name, (long long)command->from, last);
    else if (rows == 0)
        say(answer, true, "no %s from %lld to %lld is kept any more", name, (long long)command->from, last);
    else
        say(answer, true, "sends %s %lld to %lld again%s", name, (long long)first, last,
            first > command->from ? "; those before are not kept any more" : "");
}

static void carry_out(struct agent *agent, const struct command *command, struct answer *answer)
{
    if (strcmp(command->command, "restart") == 0)
        say(answer, true, "ends in order; the supervisor starts it again");
    else if (strcmp(command->command, "send_again") == 0)
        send_again(agent, command, answer);
    else
        say(answer, false, "this command is not known here");
}

static void reply_to(struct agent *agent, const struct command *command, const struct answer *answer)
{
    struct reply reply = {.head = letters_head(&agent->letters, agent_stamp_ms(agent)),
                          .device = agent->settings->device,
                          .nonce = agent->nonce,
                          .id = command->id,
                          .ok = answer->ok,
                          .detail = answer->detail};
    if (agent_publish(agent, "reply", DOC_REPLY, &reply, 0) < 0)
        log_warn("agent", "the answer to %s cannot be sent; it is given when the command comes again", command->id);
}

void agent_command(void *arg, const struct command *command, int is_new)
{
    struct agent *agent = arg;
    struct answer answer = {0};
    if (is_new > 0) {
        carry_out(agent, command, &answer);
        log_info("agent", "command %s (%s): %s", command->command, command->id, answer.detail);
        if (vault_command_answer(agent->vault, command->id, answer.ok, answer.detail) < 0)
            log_warn("agent", "the answer to %s cannot be kept; a repetition gets another one", command->id);
    } else if (is_new < 0) {
        say(&answer, false, "not done: the disk cannot remember it, and it must not be done twice");
    } else if (vault_command_answered(agent->vault, command->id, &answer.ok, answer.detail) < 0) {
        say(&answer, false, "begun before; how it ended is not known");
    }
    reply_to(agent, command, &answer);
    if (is_new > 0 && strcmp(command->command, "restart") == 0)
        agent_stop(agent);
}
